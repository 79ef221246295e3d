"""Ways to damage archives of NumPy and HDF5, drawn from a generator of random numbers."""

import io
import os
import re
import struct
import tokenize
import zipfile

import numpy as np
from fuzz_bytes import NAMES, TEXT, flip_bits, truncate


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
    except (ValueError, EOFError, SyntaxError, tokenize.TokenError):
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
