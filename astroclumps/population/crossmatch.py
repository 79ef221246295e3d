"""Two catalogues of the same sky: which rows are the same galaxy, and how far apart their positions lie."""

import warnings
from dataclasses import dataclass
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..arguments import bare
from ..exceptions import AstroclumpsWarning, CatalogError, NoClumpsWarning

__all__ = ["CrossMatch", "OffsetReport", "cross_match"]

_MAD_TO_SIGMA = 1.4826
_MEDIAN_ERROR = 1.2533  # error of a median over that of a mean, of a normal distribution
_SHIFT = 10.0  # times max_offset: how far the catalogue is shifted to count chance matches


@dataclass(frozen=True, kw_only=True)
class OffsetReport:
    """How well two catalogues agree in position.

    Attributes
    ----------
    n_galaxies, n_catalogue : int
        Rows with a position.
    n_without_position : int
        Rows of either without one; they match nothing.
    n_matched : int
        Pairs, each the nearest of the other, within ``max_offset``.
    n_ambiguous : int
        Pairs with a further candidate within ``max_offset`` on either side.
    d_ra, d_dec : `~astropy.units.Quantity` ['angle']
        Median offset, catalogue less galaxies, ``d_ra`` times cos(dec), arcsec; after the removal, if there was one.
    d_ra_err, d_dec_err : `~astropy.units.Quantity` ['angle']
        Their errors, from the scatter of the pairs.
    scatter : `~astropy.units.Quantity` ['angle']
        On one axis, arcsec: 1.4826 median absolute deviations, both axes together.
    removed_ra, removed_dec : `~astropy.units.Quantity` ['angle']
        What was taken off the catalogue's positions before the last pass; 0 without removal.
    chance : float
        Share of galaxies that find a partner in a catalogue shifted by 10 ``max_offset``, the mean of eight directions.
    n_chance : float
        Expected number of pairs by chance: ``chance / (1 - chance)`` of the galaxies that are left without partner (at most the pairs).
        It holds where sources are spread at random; a shift beyond the edge of a small field lowers it.
    """

    n_galaxies: int
    n_catalogue: int
    n_without_position: int
    n_matched: int
    n_ambiguous: int
    d_ra: u.Quantity
    d_dec: u.Quantity
    d_ra_err: u.Quantity
    d_dec_err: u.Quantity
    scatter: u.Quantity
    removed_ra: u.Quantity
    removed_dec: u.Quantity
    chance: float
    n_chance: float

    def __str__(self):
        def pair(value, error):
            return f"{value.to_value(u.arcsec):+.3f} +/- {error.to_value(u.arcsec):.3f}"

        return (
            f"{self.n_matched} of {self.n_galaxies} galaxies match, {self.n_ambiguous} ambiguous, {self.n_chance:.1f} expected by chance; "
            f"offset {pair(self.d_ra, self.d_ra_err)}, {pair(self.d_dec, self.d_dec_err)} arcsec, "
            f"scatter {self.scatter.to_value(u.arcsec):.3f} arcsec"
        )


class CrossMatch(NamedTuple):
    """Result of `cross_match`.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Rows of the galaxies with the columns of both, and ``separation`` (arcsec, after the removal of an offset).
    report : OffsetReport
    row : ndarray of int, shape (n_galaxies,)
        Row of each galaxy's partner in the catalogue, -1 without one.
    """

    table: QTable
    report: OffsetReport
    row: np.ndarray


def cross_match(
    galaxies: QTable,
    catalogue: QTable,
    *,
    max_offset: u.Quantity = 0.5 * u.arcsec,
    remove_offset: bool = False,
    keep: str = "matched",
    suffix: str = "_2",
) -> CrossMatch:
    """Match galaxies with a catalogue by position, one to one.

    Parameters
    ----------
    galaxies, catalogue : `~astropy.table.QTable`
        With ``ra`` and ``dec`` (angles), or ``sky`` (`~astropy.coordinates.SkyCoord`).
    max_offset : `~astropy.units.Quantity` ['angle'], default 0.5 arcsec
        Largest distance of a pair (ours).
    remove_offset : bool, default False
        Take the median offset of a first pass off the catalogue's positions, and match again. The first pass sees offsets up to
        ``max_offset`` only.
    keep : {'matched', 'all'}, default 'matched'
        Rows of galaxies that are returned: with ``'all'``, those without partner get NaN or ''.
    suffix : str, default '_2'
        Added to the names of the catalogue's columns that the galaxies have too.

    Returns
    -------
    CrossMatch

    Raises
    ------
    CatalogError
        A table has no positions, or none that is finite.

    Warns
    -----
    AstroclumpsWarning
        Rows have no position.
    NoClumpsWarning
        Nothing matches.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.crossmatch import cross_match
    >>> galaxies = QTable({"galaxy": [1, 2], "ra": [53.1, 53.2] * u.deg, "dec": [-27.8, -27.8] * u.deg})
    >>> sizes = QTable({"galaxy": [70, 71], "ra": [53.3, 53.1] * u.deg, "dec": [-27.8, -27.79995] * u.deg, "r_e": [0.3, 0.4] * u.arcsec})
    >>> match = cross_match(galaxies, sizes)
    >>> match.table["galaxy", "galaxy_2", "r_e"].as_array().tolist(), match.row.tolist()
    ([(1, 71, 0.4)], [1, -1])
    >>> print(match.report.n_matched, match.report.d_dec.round(2))
    1 0.18 arcsec
    """
    if not isinstance(max_offset, u.Quantity) or not max_offset.unit.is_equivalent(u.arcsec) or not max_offset > 0:
        raise TypeError(f"max_offset must be a positive angle such as 0.5 * u.arcsec, got {max_offset!r}")
    if keep not in ("matched", "all"):
        raise ValueError(f"keep must be 'matched' or 'all', got {keep!r}")
    if not suffix:
        raise ValueError("suffix must not be empty: columns of the same name would be lost")
    here, rows_here = _positions(galaxies, "galaxies")
    there, rows_there = _positions(catalogue, "catalogue")
    lost = len(galaxies) + len(catalogue) - len(here) - len(there)
    if lost:
        warnings.warn(f"{lost} rows have no position and match nothing", AstroclumpsWarning, stacklevel=2)
    removed = np.zeros(2)
    first, second, _ = _pairs(here, there, max_offset)
    if remove_offset and len(first):
        removed = np.median(_offsets(here[first], there[second]), axis=1)
        there = _moved(there, -removed)
        first, second, _ = _pairs(here, there, max_offset)
    report = _report(here, there, first, second, max_offset, lost, removed)
    row = np.full(len(galaxies), -1)
    row[rows_here[first]] = rows_there[second]
    separation = np.full(len(galaxies), np.nan)
    separation[rows_here[first]] = here[first].separation(there[second]).to_value(u.arcsec)
    if not len(first):
        text = (
            f"no galaxy has a partner within {max_offset}; the nearest is {here.match_to_catalog_sky(there)[1].min().to(u.arcsec):.3g} away"
        )
        warnings.warn(text, NoClumpsWarning, stacklevel=2)
    return CrossMatch(_merged(galaxies, catalogue, row, separation, keep, suffix, report), report, row)


def _positions(table, who):
    """Positions of the rows that have one, and the rows."""
    from astropy.coordinates import SkyCoord

    if "sky" in table.colnames:
        sky = table["sky"].icrs
        ra, dec = sky.ra.deg, sky.dec.deg
    elif {"ra", "dec"} <= set(table.colnames):
        columns = table["ra"], table["dec"]
        if not all(isinstance(column, u.Quantity) and column.unit.is_equivalent(u.deg) for column in columns):
            raise CatalogError(f"ra and dec of {who} must be angles, such as values * u.deg in a QTable")
        ra, dec = (bare(column, u.deg) for column in columns)
    else:
        raise CatalogError(f"{who} need columns 'ra' and 'dec', or 'sky'; the table has {', '.join(table.colnames)}")
    good = np.isfinite(ra) & np.isfinite(dec)
    if not good.any():
        raise CatalogError(f"{who} have no position in any of their {len(table)} rows")
    return SkyCoord(ra[good], dec[good], unit="deg"), np.flatnonzero(good)


def _pairs(here, there, max_offset):
    """Mutual nearest neighbours within the limit: rows of both, and their distance."""
    forth, distance, _ = here.match_to_catalog_sky(there)
    back, _, _ = there.match_to_catalog_sky(here)
    first = np.flatnonzero((back[forth] == np.arange(len(here))) & (distance <= max_offset))
    return first, forth[first], distance[first]


def _offsets(here, there):
    """Offsets of pairs, catalogue less galaxies, on the sky in arcsec, shape (2, n)."""
    return np.array([part.to_value(u.arcsec) for part in here.spherical_offsets_to(there)])


def _moved(sky, offset):
    return sky.spherical_offsets_by(*(offset * u.arcsec))


def _report(here, there, first, second, max_offset, lost, removed):
    n = len(first)
    nothing = np.full(2, np.nan)
    middle, error, scatter = nothing, nothing, np.nan
    if n:
        offsets = _offsets(here[first], there[second])
        middle = np.median(offsets, axis=1)
        off = np.abs(offsets - middle[:, None])
        scatter = _MAD_TO_SIGMA * np.median(off) if n > 1 else np.nan
        error = _MEDIAN_ERROR * _MAD_TO_SIGMA * np.median(off, axis=1) / np.sqrt(n) if n > 1 else nothing
    chance = _chance(here, there, max_offset)
    expected = min(chance / (1 - chance) * (len(here) - n), n) if chance < 1 else float(n)
    d_ra, d_dec, d_ra_err, d_dec_err, removed_ra, removed_dec = (value * u.arcsec for value in (*middle, *error, *removed))
    return OffsetReport(
        n_galaxies=len(here), n_catalogue=len(there), n_without_position=lost, n_matched=n,
        n_ambiguous=_ambiguous(here, there, first, second, max_offset), d_ra=d_ra, d_dec=d_dec, d_ra_err=d_ra_err, d_dec_err=d_dec_err,
        scatter=scatter * u.arcsec, removed_ra=removed_ra, removed_dec=removed_dec, chance=float(chance), n_chance=float(expected),
    )  # fmt: skip


def _ambiguous(here, there, first, second, max_offset):
    """Pairs of which either side has a further candidate."""
    many = np.zeros(len(first), dtype=bool)
    for one, other, rows in ((here, there, first), (there, here, second)):
        if len(other) > 1 and len(rows):
            many |= one[rows].match_to_catalog_sky(other, nthneighbor=2)[1] <= max_offset
    return int(many.sum())


def _chance(here, there, max_offset):
    """Share of the galaxies that match a shifted catalogue."""
    distance = _SHIFT * max_offset.to_value(u.arcsec)
    turns = np.arange(8) * np.pi / 4
    shifts = distance * np.column_stack([np.cos(turns), np.sin(turns)])
    return np.mean([len(_pairs(here, _moved(there, shift), max_offset)[0]) for shift in shifts]) / len(here)


def _merged(galaxies, catalogue, row, separation, keep, suffix, report):
    chosen = np.flatnonzero(row >= 0) if keep == "matched" else np.arange(len(galaxies))
    result, there = galaxies[chosen], row[chosen]
    for name in catalogue.colnames:
        new = name
        while new in result.colnames or new == "separation":
            new += suffix
        result[new] = _taken(catalogue[name], there)
    result["separation"] = separation[chosen] * u.arcsec
    result.meta = {**galaxies.meta, "history": [*galaxies.meta.get("history", []), f"cross_match: {report}"]}
    return result


def _taken(column, rows):
    """Rows of a column; NaN or '' for row -1."""
    lost = rows < 0
    if not lost.any():
        return column[rows]
    from astropy.coordinates import SkyCoord

    if isinstance(column, SkyCoord):
        values = column.icrs[np.maximum(rows, 0)]
        return SkyCoord(np.where(lost, np.nan, values.ra.deg), np.where(lost, np.nan, values.dec.deg), unit="deg")
    values = column[np.maximum(rows, 0)]
    unit, bare = getattr(values, "unit", None), np.asarray(getattr(values, "value", values))
    if bare.dtype.kind in "SU":
        return np.where(lost, "", bare.astype(str))
    bare = np.where(lost, np.nan, bare.astype(float))
    return bare if unit is None else bare * unit
