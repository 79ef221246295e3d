"""Flag bits of clump tables; also reached through `astroclumps.catalog`."""

import enum
from typing import Any

import numpy as np

__all__ = ["Flag", "Flag3D", "decode_flags"]


class Flag(enum.IntFlag):
    """Bits of the column ``flags``: why a number should be looked at before use."""

    EDGE = 1
    """The aperture or its background ring leaves the image."""
    OVERLAP = 2
    """Another clump's circle overlaps the aperture."""
    MASKED = 4
    """Masked pixels lie in the aperture."""
    NEGATIVE_FLUX = 8
    """The flux is negative in at least one band."""
    MISSING_BAND = 16
    """At least one band could not be measured and is NaN."""
    SED_FAILED = 32
    """The spectral fit failed; its columns are NaN."""
    STAMP_EDGE = 64
    """The classifier's stamp leaves the image and was padded."""
    LOW_EFFECTIVE = 128
    """The posterior rests on few effective samples."""
    POOR_FIT = 256
    """No model fits: chi squared of the best one is above what chance gives once in 10,000 times, or its mass is a limit of the prior."""
    SIZE_FAILED = 512
    """No size could be fitted; its columns are NaN."""


class Flag3D(enum.IntFlag):
    """Bits of the column ``flags`` of clumps in three dimensions."""

    FEW_STARS = 1
    """Fewer star particles than a clump needs to mean anything; 10 by default."""
    FEW_ELEMENTS = 2
    """Neither star particles nor gas elements reach that number: one or two particles can make such a region."""
    TOUCHES_CENTRE = 4
    """A cell lies within 2 cells of the galaxy's centre."""
    LARGE = 8
    """The radius exceeds half the background's FWHM: a disc, a ring or an arm rather than a clump."""
    GRID_EDGE = 16
    """A cell lies at the edge of the part of the grid that is searched, where the clump may be cut."""
    NO_STARS = 32
    """No star particle lies inside; ages and metallicity are NaN."""
    UNRESOLVED = 64
    """The cells are finer than the data: fewer elements than cells, or gas spread over more than a cell."""
    FEW_SOURCES = 128
    """Fewer than that number of elements of the ``component`` that stands out; disc stars that lie there by chance make up the rest."""


def decode_flags(value: Any, *, flags: type[enum.IntFlag] = Flag) -> "tuple[str, ...] | list[tuple[str, ...]]":
    """Names of the bits in a flag value.

    Parameters
    ----------
    value : int or array of int
        One value or a column of them.
    flags : type, optional
        `Flag` (default) for clumps in images or `Flag3D` for clumps in three dimensions.

    Returns
    -------
    tuple of str, or list of tuples of str for an array
        Names of the bits that are set.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> catalog.decode_flags(5)
    ('EDGE', 'MASKED')
    >>> catalog.decode_flags([0, 8])
    [(), ('NEGATIVE_FLUX',)]
    >>> catalog.decode_flags(5, flags=catalog.Flag3D)
    ('FEW_STARS', 'TOUCHES_CENTRE')
    """
    values = np.asarray(value)
    if values.size and values.dtype.kind not in "iu":
        raise TypeError(f"flags must be whole numbers, got {values.dtype}")
    if values.ndim:
        return [decode_flags(one, flags=flags) for one in values]
    unknown = int(values) & ~sum(flags) if values >= 0 else int(values)
    if unknown:
        raise ValueError(
            f"flag value {int(values)} holds unknown bits {unknown}; known are {', '.join(f'{f.name}={f.value}' for f in flags)}"
        )
    return tuple(flag.name for flag in flags if flag & int(values))
