"""Ways to damage bytes, text and FITS, drawn from a generator of random numbers."""

import re
import struct

import numpy as np

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
