"""Ways to damage a file, drawn from a generator of random numbers; the same generator damages it in the same way."""

import io
import os
import re
import shutil
import struct
import zipfile
import zlib

import numpy as np

LARGEST = 20_000_000
"""Bytes of a damaged file: what is asked is that little input takes little memory."""

NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "8", "16", "-32", "-64", "64", "999", "100000", "1000000000", "2147483647", "2147483648"),
    *(
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "1" + "0" * 40,
        "9" * 400,
        "1e308",
        "-1e308",
        "1e400",
    ),
    *(
        "1e-320",
        "0.0",
        "-0.5",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "''",
        "'abc'",
        "T",
        "F",
        "(1,2)",
        "",
        "0x10",
        "1_000",
        "1,5",
        "[]",
        "{}",
        "null",
    ),
)
TFORMS = (
    "'1PJ(999999999)'",
    "'999999999A'",
    "'0A'",
    "'-1J'",
    "'1QD(5)'",
    "'XYZ'",
    "'1X'",
    "'8C'",
    "'1PA(3)'",
    "'2147483648D'",
    "'5A3'",
    "'1M'",
)
NAMES = ("../../outside", "/etc/passwd", "..\\..\\x", "a" * 5000, "", "\x00", "é", "header", "stars/mass", "con", ".", "x\ny")


# ---- bytes


def truncate(data, rng):
    return data[: int(rng.integers(0, max(len(data), 1)))]


def truncate_block(data, rng):
    return data[: 2880 * int(rng.integers(0, len(data) // 2880 + 1))]


def flip_bits(data, rng):
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 17))):
        if data:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def overwrite(data, rng):
    n = int(rng.integers(1, 65))
    start = int(rng.integers(0, max(len(data) - n, 1)))
    patch = [rng.bytes(n), b"\x00" * n, b"\xff" * n][int(rng.integers(3))]
    return data[:start] + patch + data[start + n :]


def cut_out(data, rng):
    start, stop = sorted(int(one) for one in rng.integers(0, len(data) + 1, 2))
    return data[:start] + data[min(stop, start + 5000) :]


def repeat(data, rng):
    start, stop = sorted(int(one) for one in rng.integers(0, len(data) + 1, 2))
    return data[:stop] + data[start:stop] * int(rng.integers(1, 4)) + data[stop:]


def insert(data, rng):
    start = int(rng.integers(0, len(data) + 1))
    return data[:start] + rng.bytes(int(rng.integers(1, 200))) + data[start:]


def append(data, rng):
    return data + rng.bytes(int(rng.integers(1, 6000)))


def swap(data, rng):
    size = int(rng.choice([1, 8, 80, 512, 2880]))
    if len(data) < 2 * size:
        return data[::-1]
    one, two = sorted(int(i) * size for i in rng.integers(0, len(data) // size, 2))
    if one == two:
        return data
    return data[:one] + data[two : two + size] + data[one + size : two] + data[one : one + size] + data[two + size :]


def empty(data, rng):
    return b""


def noise(data, rng):
    return data[: int(rng.choice([0, 4, 8, 30, 80]))] + rng.bytes(int(rng.integers(1, 5000)))


BYTES = (
    truncate,
    truncate,
    truncate_block,
    flip_bits,
    flip_bits,
    flip_bits,
    overwrite,
    overwrite,
    cut_out,
    repeat,
    insert,
    append,
    swap,
    empty,
    noise,
)

# ---- text


def _replaced(data, match, text):
    return data[: match.start()] + text + data[match.end() :]


def number_token(data, rng):
    found = list(re.finditer(rb"-?\d+(\.\d+)?(e[+-]?\d+)?", data))
    if not found:
        return insert(data, rng)
    return _replaced(data, found[int(rng.integers(len(found)))], str(rng.choice(NUMBERS)).encode())


def every_number(data, rng):
    return re.sub(rb"\d+\.\d+", str(rng.choice(NUMBERS)).encode(), data)


def word(data, rng):
    found = list(re.finditer(rb"[A-Za-z_]{2,}", data))
    if not found:
        return insert(data, rng)
    texts = (
        b"",
        b"\xff\xfe",
        b"\x00",
        b"x" * 100_000,
        "日本é".encode(),
        b"Quantity",
        b"float64",
        b"object",
        b"string",
        b"[[[[",
        b"!!python/object:os.system",
    )
    return _replaced(data, found[int(rng.integers(len(found)))], texts[int(rng.integers(len(texts)))])


def swap_words(data, rng):
    found = list(re.finditer(rb"[A-Za-z_0-9.]{2,}", data))
    if len(found) < 2:
        return insert(data, rng)
    one, two = (found[int(i)] for i in rng.integers(0, len(found), 2))
    return _replaced(data, one, two.group())


def line(data, rng):
    lines = data.split(b"\n")
    i, j = (int(k) for k in rng.integers(0, len(lines), 2))
    how = int(rng.integers(4))
    if how == 0:
        del lines[i]
    elif how == 1:
        lines.insert(i, lines[j])
    elif how == 2:
        lines[i], lines[j] = lines[j], lines[i]
    else:
        lines[i] = lines[i] * 2000
    return b"\n".join(lines)


def nested(data, rng):
    deep = int(rng.choice([200, 2000, 100_000]))
    opened, closed = [(b"[", b"]"), (b'{"a":', b"}"), (b"<TD>", b"</TD>"), (b"(", b")"), (b"- ", b"")][int(rng.integers(5))]
    found = list(re.finditer(rb"[\[{<(:]", data))
    start = found[int(rng.integers(len(found)))].end() if found else 0
    return data[:start] + opened * deep + b"1" + closed * deep + data[start:]


TEXT = (number_token, number_token, number_token, every_number, word, swap_words, line, line, nested)


def yaml_laughs(data, rng):
    """Aliases in the meta of an ECSV file that stand for 10^9 strings."""
    lines = ["# meta:", "#   a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"#   a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    lines += ["#   history: *a8"]
    head, sep, rest = data.partition(b"# meta:")
    return head + "\n".join(lines).encode() + (rest[rest.find(b"\n# schema") :] if b"\n# schema" in rest else rest) if sep else data


def xml_laughs(data, rng):
    lines = ['<!DOCTYPE lolz [<!ENTITY l0 "lollollollollollollollollol">']
    lines += [f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10)] + ["]>"]
    start = data.find(b"?>") + 2
    return data[:start] + "".join(lines).encode() + data[start:].replace(b"<TABLE", b"<DESCRIPTION>&l9;</DESCRIPTION><TABLE", 1)


# ---- FITS


def _cards(data):
    """Offsets of cards with a value."""
    return [i for i in range(0, min(len(data), 200_000) - 79, 80) if data[i + 8 : i + 10] == b"= " and 32 <= data[i] < 91]


def card_value(data, rng):
    places = _cards(data)
    if not places:
        return flip_bits(data, rng)
    structural = [
        i for i in places if data[i : i + 5] in (b"NAXIS", b"BITPI", b"PCOUN", b"GCOUN", b"TFIEL", b"TFORM", b"ZNAXI", b"ZTILE", b"ZBITP")
    ]
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 3))):
        where = structural if structural and rng.random() < 0.6 else places
        i = where[int(rng.integers(len(where)))]
        value = str(rng.choice(TFORMS if data[i : i + 5] == b"TFORM" and rng.random() < 0.7 else NUMBERS))
        data[i + 10 : i + 80] = f"{value:>20}".encode()[:70].ljust(70)
    return bytes(data)


def card_move(data, rng):
    places = _cards(data)
    if len(places) < 2:
        return flip_bits(data, rng)
    i, j = (places[int(k)] for k in rng.integers(0, len(places), 2))
    one, two = data[i : i + 80], data[j : j + 80]
    data = bytearray(data)
    how = int(rng.integers(4))
    if how == 0:
        data[i : i + 80] = b" " * 80
    elif how == 1:
        data[i : i + 80] = two
    elif how == 2:
        data[i : i + 80], data[j : j + 80] = two, one
    else:
        data[i : i + 80] = b"END".ljust(80)
    return bytes(data)


def card_key(data, rng):
    places = _cards(data)
    if not places:
        return flip_bits(data, rng)
    keys = (
        "NAXIS3",
        "BSCALE",
        "BZERO",
        "BLANK",
        "THEAP",
        "CTYPE1",
        "A_ORDER",
        "PV1_1",
        "CD1_1",
        "TNULL1",
        "TSCAL1",
        "TDIM1",
        "TUNIT1",
        "BUNIT",
    )
    keys += (
        "ZCMPTYPE",
        "EXTNAME",
        "PIXSCALE",
        "REDSHIFT",
        "CRPIX1",
        "WCSAXES",
        "LONPOLE",
        "GROUPS",
        "TDISP1",
        "INHERIT",
        "CPDIS1",
        "CHECKSUM",
    )
    texts = (*NUMBERS, "'TAN-SIP '", "'RA---ZPN'", "'(2,-3)'", "'Jy/beam'", "'10**99 Jy'", "'GZIP_1'", "'\xe9'")
    i = places[int(rng.integers(len(places)))]
    card = f"{keys[int(rng.integers(len(keys)))]:8}= {texts[int(rng.integers(len(texts)))]:>20}"
    return data[:i] + card.encode("latin-1")[:80].ljust(80) + data[i + 80 :]


def fits_nan(data, rng):
    """Pixels of all kinds become NaN or infinite."""
    end = data.rfind(b"END" + b" " * 77, 0, 100_000)
    start = (end // 2880 + 1) * 2880
    value = struct.pack(">f", float(rng.choice([np.nan, np.inf, -np.inf, 3e38, 1e-45])))
    return data[:start] + value * ((len(data) - start) // 4)


FITS = (card_value, card_value, card_value, card_value, card_move, card_key, card_key, fits_nan)


def gzipped(change):
    import gzip

    def mutate(data, rng):
        return gzip.compress(change(gzip.decompress(data), rng), mtime=0)

    mutate.__name__ = change.__name__
    return mutate


# ---- archives


def _npy(array=None, *, header=None, body=b""):
    if header is None:
        out = io.BytesIO()
        np.lib.format.write_array(out, array, allow_pickle=True)
        return out.getvalue()
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x02\x00" + struct.pack("<I", len(text)) + text + body


def zeros_member(n):
    """A deflated stream of n zero bytes, behind a right header."""
    return _npy(header=f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({n // 4},), }}") + b"\0" * n


class Executed:
    """A pickle of it runs a command when it is opened."""

    def __reduce__(self):
        return os.mkdir, ("UNPICKLED",)


def _member(old, rng):
    kinds = ("<f8", "|O", "<U9999999", "|V8", "<M8[s]", ">c16", "[('a', '<f8'), ('b', '|O')]", "<f3", "", "|S0", "<U0", "|b1", "<i8")
    shapes = (
        "()",
        "(0,)",
        "(1000000000000,)",
        "(100000, 100000)",
        "(-1,)",
        "(3, 0)",
        "(2, 2)",
        "(True,)",
        "(1.5,)",
        "(9223372036854775807, 4)",
        "5",
        "(10,)",
    )
    how = int(rng.integers(8))
    if how == 0:
        kind, shape = kinds[int(rng.integers(len(kinds)))], shapes[int(rng.integers(len(shapes)))]
        kind = kind if kind.startswith("[") else repr(kind)
        return _npy(header=f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}", body=old[128:])
    if how == 1:
        return _npy(np.array([Executed(), 1], dtype=object))
    if how == 2:
        texts = (
            "{" * 5000,
            "[" * 100_000,
            "(" * 200 + ")" * 200,
            "{'descr': '<f8'}",
            "__import__('os')",
            "1" * 200_000,
            "\x00",
            "-" * 50_000 + "1",
        )
        return _npy(header=texts[int(rng.integers(len(texts)))])
    try:
        array = np.lib.format.read_array(io.BytesIO(old), allow_pickle=False)
    except (ValueError, EOFError):
        return truncate(old, rng)
    if how == 3:
        fill = float(rng.choice([np.nan, np.inf, -np.inf, -1, 0, 1e308]))
        if array.dtype.kind == "f":
            return _npy(np.full_like(array, fill))
        return _npy(np.full(array.shape, int(rng.choice([0, -1, 10**9, 2**31 - 1])), dtype=np.int64))
    if how == 4 and array.ndim:
        made = (
            array[:0],
            array[:1],
            array.ravel(),
            array[None],
            np.concatenate([array, array]) if array.ndim else array[None],
            array[..., None],
        )
        return _npy(made[int(rng.integers(len(made)))] if array.ndim else array[None])
    if how == 5:
        kind = rng.choice(["<i8", "<U8", "|S4", "|b1", "<c16", "<f2", ">f8", "<M8[s]", "|u1"])
        try:
            with np.errstate(all="ignore"):
                return _npy(array.astype(kind))
        except (ValueError, TypeError):
            return truncate(old, rng)
    if how == 6:
        return truncate(old, rng)
    return flip_bits(old, rng)


def npz_member(data, rng):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    names = list(members)
    name = names[int(rng.integers(len(names)))]
    how = int(rng.integers(8))
    if how == 0:
        del members[name]
    elif how == 1:
        members[str(rng.choice(NAMES[:4])) + ".npy"] = members.pop(name)
    elif how == 2:
        members[name], members[names[0]] = members[names[0]], members[name]
    elif how == 3 and "header.npy" in members:
        text = bytes(np.lib.format.read_array(io.BytesIO(members["header.npy"])))
        text = TEXT[int(rng.integers(len(TEXT)))](text, rng)
        members["header.npy"] = _npy(np.frombuffer(text, dtype=np.uint8))
    else:
        members[name] = _member(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if rng.random() < 0.3 else zipfile.ZIP_STORED) as archive:
        for one, content in members.items():
            archive.writestr(zipfile.ZipInfo(one), content)
    return out.getvalue()


def npz_bomb(data, rng, *, size=1_200_000_000):
    """The first member but the header inflates to many times the memory that a reader may take."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [name for name in archive.namelist() if name != "header.npy"]
        members = {name: archive.read(name) for name in archive.namelist()}
    name = names[int(rng.integers(len(names)))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in members.items():
            if one != name:
                archive.writestr(zipfile.ZipInfo(one), content)
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as stream:
            stream.write(zeros_member(0)[:0] + _npy(header=f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({size // 4},), }}"))
            for _ in range(size // 10_000_000):
                stream.write(bytes(10_000_000))
    return out.getvalue()


def zip_header(data, rng):
    """Sizes, methods and names in the directory of the archive lie."""
    places = [match.start() for match in re.finditer(b"PK\x01\x02|PK\x03\x04|PK\x05\x06", data)]
    if not places:
        return flip_bits(data, rng)
    data = bytearray(data)
    i = places[int(rng.integers(len(places)))] + int(rng.integers(4, 46))
    patch = struct.pack("<I", int(rng.choice([0, 1, 9, 99, 2**31, 2**32 - 1, 10**9])))[: int(rng.integers(1, 5))]
    data[i : i + len(patch)] = patch
    return bytes(data)


NPZ = (npz_member, npz_member, npz_member, npz_member, zip_header)


# ---- HDF5


def hdf5_part(path, rng):
    """Attributes or fields that lie; the file is changed in place."""
    import h5py

    odd = (
        np.nan,
        np.inf,
        -np.inf,
        -1,
        0,
        10**9,
        2**62,
        1e300,
        "text",
        "",
        [],
        [1, 2, 3],
        np.zeros(7),
        np.bytes_("x"),
        [[1.0]],
        "é",
        True,
        h5py.Empty("f"),
    )
    with h5py.File(path, "r+") as file:
        objects = [file]
        file.visititems(lambda name, one: objects.append(one))
        with_attributes = [one for one in objects if len(one.attrs)]
        datasets = [one for one in objects if isinstance(one, h5py.Dataset)]
        how = int(rng.integers(9))
        if how < 4 and with_attributes:
            one = with_attributes[int(rng.integers(len(with_attributes)))]
            names = sorted(one.attrs)
            name = names[int(rng.integers(len(names)))]
            if how == 3:
                del one.attrs[name]
            else:
                one.attrs[name] = odd[int(rng.integers(len(odd)))]
            return
        one = datasets[int(rng.integers(len(datasets)))]
        name, values, attributes = one.name, one[()], dict(one.attrs)
        if how == 4:
            parent = one.parent.name
            del file[name if rng.random() < 0.7 or parent == "/" else parent]
            return
        del file[name]
        if how == 5:
            shape = [(10**12,), (10**12, 3), (0,), (0, 3), (), (3,), (len(values), 10**8)][int(rng.integers(7))]
            chunks = tuple(min(max(n, 1), 1000) for n in shape) or None
            file.create_dataset(name, shape=shape, dtype="f8", chunks=chunks if np.prod(shape, dtype=float) > 1e5 else None)
        elif how == 6:
            fill = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300][int(rng.integers(6))]
            file[name] = np.full(values.shape, fill)
        elif how == 7:
            made = (
                values.astype("S8"),
                values[:-1],
                values[:0],
                values[..., None],
                np.zeros(values.shape, dtype=[("a", "f8")]),
                values.astype("c16"),
            )
            made += (values.astype("f2"), values.astype(bool), values.astype("i1"), values.ravel()[:1], np.concatenate([values, values]))
            with np.errstate(all="ignore"):
                file[name] = made[int(rng.integers(len(made)))]
        else:
            links = (
                h5py.SoftLink(name),
                h5py.SoftLink("/nowhere"),
                h5py.ExternalLink("nowhere.hdf5", "/x"),
                h5py.ExternalLink(os.path.basename(path), "/"),
            )
            chosen = int(rng.integers(6))
            if chosen < 4:
                file[name] = links[chosen]
            elif chosen == 4:
                file.create_group(name)
            else:
                file[name] = file[name.rsplit("/", 1)[0] or "/"]
            return
        if isinstance(file.get(name), h5py.Dataset):
            file[name].attrs.update(attributes)


# ---- the file as a thing


def directory(path, rng):
    path.unlink()
    path.mkdir()


def link_loop(path, rng):
    path.unlink()
    path.symlink_to(path.name)


def missing(path, rng):
    path.unlink()


def other_suffix(path, rng):
    """The right content under another suffix; gives the new path."""
    suffixes = (".fits", ".npz", ".hdf5", ".ecsv", ".vot", ".txt", ".gz", "", ".csv", ".parquet", ".fits.gz")
    new = path.with_name(path.name.split(".")[0] + suffixes[int(rng.integers(len(suffixes)))])
    if new != path:
        shutil.move(path, new)
    return new


THINGS = (directory, link_loop, missing, other_suffix)


def choices(kind):
    """Changes of bytes for a kind of file, and how often each is drawn."""
    own = {"fits": FITS * 2, "fits.gz": tuple(gzipped(one) for one in (*FITS, truncate, flip_bits)), "text": TEXT * 2, "npz": NPZ * 3}
    own["ecsv"] = (*TEXT * 2, yaml_laughs)
    own["xml"] = (*TEXT * 2, xml_laughs)
    return (*BYTES, *own.get(kind, ()))


def damage(path, kind, rng):
    """Damage a file in place; the name of the change, and the path that now holds it."""
    draw = rng.random()
    if draw < 0.02:
        change = THINGS[int(rng.integers(len(THINGS)))]
        return change.__name__, change(path, rng) or path
    if kind == "hdf5" and draw < 0.6:
        hdf5_part(path, rng)
        return "hdf5_part", path
    if kind == "npz" and draw < 0.022:
        path.write_bytes(npz_bomb(path.read_bytes(), rng))
        return "npz_bomb", path
    changes = choices(kind)
    change = changes[int(rng.integers(len(changes)))]
    data = change(path.read_bytes(), rng)
    if draw > 0.85:  # two things at once
        second = changes[int(rng.integers(len(changes)))]
        try:
            data = second(data, rng)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError, NotImplementedError, struct.error):
            pass  # the first change has left nothing that the second could change
    path.write_bytes(data[:LARGEST])
    return change.__name__, path
