"""What differs between two tables, and a fingerprint of an image."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["difference", "fingerprint"]


def difference(one: Any, other: Any, meta: Any = True) -> Any:
    """What differs between two tables, in words; empty if they are the same."""
    if one.colnames != other.colnames:
        return f"columns {one.colnames} against {other.colnames}"
    if len(one) != len(other):
        return f"{len(one)} rows against {len(other)}"
    changed = [f"column {name!r}" for name in one.colnames if _bytes(one[name]) != _bytes(other[name])]
    if meta and one.meta != other.meta:
        changed.append("meta")
    return ", ".join(changed)


def _bytes(column):
    if hasattr(column, "ra"):
        return _bytes(column.ra), _bytes(column.dec)
    values = np.asarray(column)
    return str(getattr(column, "unit", None)), values.dtype.kind, values.tolist() if values.dtype.kind in "OU" else values.tobytes()


def fingerprint(image: "MultiBandImage") -> Any:
    """Everything that an image holds, for comparison."""
    arrays = (image.data, image.mask, image.psf, None if image.uncertainty is None else image.uncertainty.array)
    header = None if image.wcs is None else image.wcs.to_header_string()
    rest = (image.bands, header, repr(image.meta), image.redshift, image.name, str(image.pixel_scale))
    return tuple(None if array is None else np.asarray(array).tobytes() for array in arrays) + rest
