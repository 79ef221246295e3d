"""Thumbnails of a report: PNG without a library, and where the marks of the clumps stand in them."""

import base64
import math
import struct
import zlib
from collections import Counter
from typing import NamedTuple

import numpy as np

from ..figures import CLASS_STYLES

__all__ = ["Mark", "Picture", "Thumbnail", "choose", "data_uri", "encode_png", "pictures_of"]

_MOST = 60  # marks in a picture
_SHAPES = {"LLC": "circle", "SLC": "square"}


class Mark(NamedTuple):
    """A clump in a picture, in pixels from the left and the top edge.

    Attributes
    ----------
    id : int
    x, y : float
    label_x, label_y : float
        Left end of the number's base line.
    name, shape : str
        Class and its sign: circle LLC, square SLC, else a diamond.
    words : str
    """

    id: int
    x: float
    y: float
    label_x: float
    label_y: float
    name: str
    shape: str
    words: str


class Picture(NamedTuple):
    """A galaxy with its clumps.

    Attributes
    ----------
    galaxy, uri, words : str
    width, height, radius, size : float
        Of the picture, of the marks and of the letters, pixels.
    marks : list of Mark
    note : str
    """

    galaxy: str
    uri: str
    words: str
    width: int
    height: int
    radius: float
    size: float
    marks: list
    note: str


def encode_png(rgb) -> bytes:
    """A colour picture as PNG; the same picture gives the same bytes.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (y, x, 3)
        Row 0 is the top row, as PNG has it.

    Returns
    -------
    bytes

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.survey.report_pictures import encode_png
    >>> encode_png(np.zeros((2, 3, 3), dtype=np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    rgb = np.ascontiguousarray(rgb)
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(f"a picture must be uint8 of shape (y, x, 3), got {rgb.dtype} of shape {rgb.shape}")
    height, width = rgb.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # the first byte of a line is its filter: none
    lines[:, 1:] = rgb.reshape(height, -1)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def data_uri(png: bytes) -> str:
    """A PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


class Thumbnail(NamedTuple):
    """A picture as the survey keeps it.

    Attributes
    ----------
    rgb : ndarray of uint8, shape (y, x, 3)
        Row 0 is the bottom row.
    step : int
        Pixels of the image from one pixel of the picture to the next.
    """

    rgb: np.ndarray
    step: int


def choose(parts, n: int) -> tuple[dict, int]:
    """Thumbnails of ``n`` galaxies, evenly over those that were kept.

    Returns
    -------
    chosen : dict of str to Thumbnail
    n_kept : int
        How many there are on disk.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [name for piece in parts.pieces("thumbnails", ("galaxy",)) for name in piece["galaxy"].to_pylist()]
    taken = [names[i] for i in sorted({round(at) for at in np.linspace(0, len(names) - 1, min(n, len(names)))})] if names and n else []
    wanted, chosen = pa.array(taken, pa.string()), {}
    for piece in parts.pieces("thumbnails", keep=lambda batch: pc.is_in(batch["galaxy"], wanted)) if taken else ():
        for row in piece.to_pylist():
            height, width, data = row["height"], row["width"], row["rgb"]
            if data and height > 0 and width > 0 and len(data) == 3 * height * width:
                chosen[row["galaxy"]] = Thumbnail(np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3), row.get("step") or 1)
    return chosen, len(names)


def pictures_of(thumbnails, marks, hosts, mass_factor=1.0) -> list[Picture]:
    """Pictures and marks, ready for a page.

    Parameters
    ----------
    thumbnails : dict of str to Thumbnail
    marks, hosts : dict
        Galaxy to the rows of its clumps, and to its own.
    mass_factor : float, default 1
        Solar masses in the unit of the clumps' masses.

    Returns
    -------
    list of Picture
    """
    return [_picture(name, *one, marks.get(name, []), hosts.get(name, {}), mass_factor) for name, one in thumbnails.items()]


def _picture(name, rgb, step, clumps, host, mass_factor):
    height, width = rgb.shape[:2]
    radius, size = max(3.0 / step, 0.035 * max(height, width)), 0.062 * max(height, width)
    seen = [one for one in clumps if one.get("x") is not None and math.isfinite(one["x"]) and math.isfinite(one["y"])]
    drawn = sorted(seen, key=lambda one: -_finite(one.get("score"), 0.0))[:_MOST]
    drawn = sorted(drawn, key=lambda one: one["id"])
    # centres of pixels lie between their edges, and a page counts from the top
    places = [(one["x"] / step + 0.5, height - 0.5 - one["y"] / step) for one in drawn]
    labels = _labels(places, [len(str(one["id"])) for one in drawn], width, height, radius, size)
    marks = [Mark(one["id"], *at, *label, *_words(one, mass_factor)) for one, at, label in zip(drawn, places, labels, strict=True)]
    words = f"{len(clumps)} clump{'' if len(clumps) == 1 else 's'}"
    counts = Counter(one.get("longevity") or "" for one in clumps)
    if set(counts) - {""}:
        words += ": " + ", ".join(f"{counts[key]} {key or 'without class'}" for key in ("LLC", "SLC", "") if counts[key])
    redshift = _finite(host.get("redshift"), None)
    if redshift is not None:
        words += f"; z\u00a0=\u00a0{redshift:.3g}"
    note = f"the {_MOST} of the highest score are marked" if len(drawn) < len(seen) else ""
    return Picture(name, data_uri(encode_png(rgb[::-1])), words, width, height, radius, size, marks, note)


def _words(one, mass_factor):
    """Class, sign and values of a clump."""
    name = one.get("longevity") or ""
    words = [f"clump {one['id']}", CLASS_STYLES[name][0] if name in CLASS_STYLES else name]
    p_long, mass = _finite(one.get("p_long"), None), _finite(one.get("mass"), 0.0) * mass_factor
    if p_long is not None:
        words.append(f"P = {p_long:.2f}")
    if mass > 0:
        words.append(f"log M/Msun = {math.log10(mass):.2f}")
    return name, _SHAPES.get(name, "diamond"), ", ".join(words)


def _labels(places, lengths, width, height, radius, size):
    """Where numbers stand: at that corner of each mark where they hide least of other marks and numbers."""
    taken = [(x - radius, y - radius, x + radius, y + radius) for x, y in places]
    result = []
    for i, ((x, y), length) in enumerate(zip(places, lengths, strict=True)):
        wide, best = 0.62 * size * length, None
        for right, up in ((1, 1), (1, 0), (0, 1), (0, 0)):
            left = x + 0.8 * radius if right else x - 0.8 * radius - wide
            base = y - 0.6 * radius if up else y + 0.6 * radius + 0.75 * size
            box = (left, base - 0.75 * size, left + wide, base)
            outside = box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > height
            cost = sum(_overlap(box, other) for j, other in enumerate(taken) if j != i) + 1e6 * outside
            if best is None or cost < best[0]:
                best = (cost, left, base, box)
        result.append(best[1:3])
        taken.append(best[3])
    return result


def _overlap(a, b):
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _finite(value, otherwise):
    return value if value is not None and math.isfinite(value) else otherwise
