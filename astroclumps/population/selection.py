"""The paper's samples: cuts in galaxies and clumps, with what each of them costs (G21 5.1, 5.2)."""

import warnings
from dataclasses import KW_ONLY, dataclass, fields
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .. import bands as _bands
from ..arguments import bare
from ..exceptions import CatalogError, NoClumpsWarning
from .hosts import with_hosts
from .sample import values_of

__all__ = ["ClumpCuts", "GalaxyCuts", "Selection"]


class Selection(NamedTuple):
    """What cuts leave.

    Attributes
    ----------
    table : `~astropy.table.QTable`
        Rows that pass all cuts.
    kept : ndarray of bool
        Which rows of the given table they are.
    losses : `~astropy.table.QTable`
        A row for each cut: ``cut``, ``limits``, ``n_before`` (rows that pass the cuts above it), ``n_lost`` (of them, by this cut),
        ``n_alone`` (rows of the whole table that fail it) and ``n_missing`` (of those, without a value).
    """

    table: QTable
    kept: np.ndarray
    losses: QTable


@dataclass(frozen=True)
class GalaxyCuts:
    """Which galaxies are analysed; the defaults are the sample of G21 5.1. None switches a cut off.

    Parameters
    ----------
    redshift : (float, float), default (1, 3)
        Limits, exclusive.
    mass : (`~astropy.units.Quantity` ['mass'], `~astropy.units.Quantity` ['mass']), default 1e9 to 1e12 Msun
        Limits of the stellar mass, exclusive; ``[1e9, 1e12] * u.Msun`` does too.
    axis_ratio : float, default 0.5
        b/a lies above it: no galaxies seen from the side.
    r_e : `~astropy.units.Quantity` ['angle'], default 0.2 arcsec
        The effective radius lies above it.
    ssfr : `~astropy.units.Quantity` [1 / time], default 1e-10 / yr
        The specific star-formation rate lies above it.
    bands : sequence of str, default the seven of CANDELS
        Bands that must be there.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.selection import GalaxyCuts
    >>> galaxies = QTable({"galaxy": [1, 2, 3], "redshift": [1.5, 2.0, 3.4], "axis_ratio": [0.8, 0.3, 0.2]})
    >>> selection = GalaxyCuts(mass=None, r_e=None, ssfr=None, bands=None).apply(galaxies)
    >>> print(selection.losses["cut", "limits", "n_before", "n_lost", "n_alone"])
       cut     limits n_before n_lost n_alone
    ---------- ------ -------- ------ -------
      redshift 1 to 3        3      1       1
    axis_ratio  > 0.5        2      1       2
    """

    _: KW_ONLY
    redshift: tuple | None = (1.0, 3.0)
    mass: tuple | None = (1e9 * u.Msun, 1e12 * u.Msun)
    axis_ratio: float | None = 0.5
    r_e: "u.Quantity | None" = 0.2 * u.arcsec
    ssfr: "u.Quantity | None" = 1e-10 / u.yr
    bands: tuple | None = tuple(band.name for band in _bands.CANDELS)

    def __post_init__(self):
        object.__setattr__(self, "redshift", _pair("redshift", self.redshift))
        object.__setattr__(self, "mass", _pair("mass", self.mass, u.Msun, "(1e9 * u.Msun, 1e12 * u.Msun)"))
        _single("axis_ratio", self.axis_ratio)
        _single("r_e", self.r_e, u.arcsec, "0.2 * u.arcsec")
        _single("ssfr", self.ssfr, 1 / u.yr, "1e-10 / u.yr")
        if self.bands is not None:
            object.__setattr__(self, "bands", _bands.names(self.bands))

    def apply(self, galaxies: QTable) -> Selection:
        """Cut a table of galaxies.

        Parameters
        ----------
        galaxies : `~astropy.table.QTable`
            With the columns of the cuts that are on: ``redshift``, ``mass``, ``axis_ratio``, ``r_e`` (angle), ``ssfr`` or ``sfr`` and
            ``mass``, and ``bands`` (such as ``'F435W,F606W'``) or a column ``flux_f435w`` and so on for each band, NaN
            where there is none. A galaxy without a value fails.

        Returns
        -------
        Selection

        Raises
        ------
        CatalogError
            A column is missing or has the wrong unit.
        """
        cuts = []
        if self.redshift is not None:
            cuts.append(("redshift", _between(self.redshift), *_inside(values_of(galaxies, "redshift", of="galaxies"), self.redshift)))
        if self.mass is not None:
            limits = u.Quantity(self.mass).to_value(u.Msun)
            cuts.append(("mass", f"{_between(limits)} Msun", *_inside(values_of(galaxies, "mass", u.Msun, of="galaxies"), limits)))
        if self.axis_ratio is not None:
            values = values_of(galaxies, "axis_ratio", of="galaxies")
            cuts.append(("axis_ratio", f"> {self.axis_ratio:g}", *_inside(values, (self.axis_ratio, np.inf))))
        if self.r_e is not None:
            limit, values = self.r_e.to_value(u.arcsec), values_of(galaxies, "r_e", u.arcsec, of="galaxies")
            cuts.append(("r_e", f"> {limit:g} arcsec", *_inside(values, (limit, np.inf))))
        if self.ssfr is not None:
            limit = self.ssfr.to_value(1 / u.yr)
            cuts.append(("ssfr", f"> {limit:g} / yr", *_inside(_ssfr(galaxies), (limit, np.inf))))
        if self.bands is not None:
            there = _have_bands(galaxies, self.bands)
            cuts.append(("bands", " ".join(self.bands), there, ~there))
        return _select(galaxies, cuts, self, "galaxies")


@dataclass(frozen=True)
class ClumpCuts:
    """Which clumps are analysed; the defaults are those of G21 5.2. None switches a cut off.

    Parameters
    ----------
    r_norm : (float, float), default (0.5, 3)
        Limits of r / R_e, exclusive: no bulges, few mergers.
    mass_ratio : float, default 0.2
        The clump's mass over its galaxy's lies below it: few mergers.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.selection import ClumpCuts
    >>> clumps = QTable({"galaxy": [1, 1, 2], "r_norm": [0.3, 1.0, 2.0], "mass": [1e8, 1e8, 5e9] * u.Msun})
    >>> galaxies = QTable({"galaxy": [1, 2], "mass": [1e10, 1e10] * u.Msun})
    >>> selection = ClumpCuts().apply(clumps, galaxies)
    >>> selection.kept.tolist(), selection.losses["n_lost"].tolist()
    ([False, True, False], [1, 1])
    """

    _: KW_ONLY
    r_norm: tuple | None = (0.5, 3.0)
    mass_ratio: float | None = 0.2

    def __post_init__(self):
        object.__setattr__(self, "r_norm", _pair("r_norm", self.r_norm))
        _single("mass_ratio", self.mass_ratio)

    def apply(self, clumps: QTable, galaxies: QTable | None = None) -> Selection:
        """Cut a table of clumps.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            With ``r_norm``, and for ``mass_ratio`` with ``mass`` and ``galaxy``. A clump without a value fails.
        galaxies : `~astropy.table.QTable`, optional
            With ``galaxy`` and ``mass``; needed for ``mass_ratio``.

        Returns
        -------
        Selection

        Raises
        ------
        CatalogError
            A column is missing or has the wrong unit.
        ValueError
            There are no galaxies to take the ratio of masses with.
        """
        cuts = []
        if self.r_norm is not None:
            cuts.append(("r_norm", _between(self.r_norm), *_inside(values_of(clumps, "r_norm"), self.r_norm)))
        if self.mass_ratio is not None:
            if galaxies is None:
                raise ValueError("the cut mass_ratio needs the galaxies' masses: pass galaxies, or set mass_ratio=None")
            host = values_of(with_hosts(clumps, galaxies, columns=["mass"]), "host_mass", u.Msun)
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.where(host > 0, values_of(clumps, "mass", u.Msun) / host, np.nan)
            cuts.append(("mass_ratio", f"< {self.mass_ratio:g}", *_inside(ratio, (-np.inf, self.mass_ratio))))
        return _select(clumps, cuts, self, "clumps")


def _select(table, cuts, who, what):
    kept = np.ones(len(table), dtype=bool)
    rows = []
    for name, limits, good, missing in cuts:
        rows.append((name, limits, kept.sum(), (kept & ~good).sum(), (~good).sum(), missing.sum()))
        kept = kept & good
    names = ("cut", "limits", "n_before", "n_lost", "n_alone", "n_missing")
    losses = QTable(rows=rows, names=names) if rows else QTable({name: [] for name in names})
    result = table[kept]
    shown = ", ".join(f"{field.name}={getattr(who, field.name)}" for field in fields(who))
    result.meta["history"] = [*table.meta.get("history", []), f"{type(who).__name__}({shown}): {kept.sum()} of {len(kept)}"]
    if not kept.any():
        warnings.warn(
            f"no {what} of {len(kept)} pass the cuts; the table of losses shows which cut takes them", NoClumpsWarning, stacklevel=3
        )
    return Selection(result, kept, losses)


def _inside(values, limits):
    """Which values lie between the limits, and which are missing."""
    return (values > limits[0]) & (values < limits[1]), np.isnan(values)


def _between(limits):
    return f"{limits[0]:g} to {limits[1]:g}"


def _ssfr(galaxies):
    if "ssfr" in galaxies.colnames:
        return values_of(galaxies, "ssfr", 1 / u.yr, of="galaxies")
    rate, mass = values_of(galaxies, "sfr", u.Msun / u.yr, of="galaxies"), values_of(galaxies, "mass", u.Msun, of="galaxies")
    return np.divide(rate, mass, out=np.full(len(mass), np.nan), where=mass > 0)


def _have_bands(galaxies, bands):
    if "bands" in galaxies.colnames:
        listed = [set(str(cell).upper().replace(",", " ").split()) for cell in galaxies["bands"]]
        return np.array([set(bands) <= names for names in listed], dtype=bool)
    lacking = [f"flux_{band.lower()}" for band in bands if f"flux_{band.lower()}" not in galaxies.colnames]
    if lacking:
        text = f"galaxies need a column 'bands' or fluxes in each band; {', '.join(lacking)} are missing"
        raise CatalogError(f"{text}. Set bands=None to leave the cut out")
    columns = [galaxies[f"flux_{band.lower()}"] for band in bands]
    return np.all([np.isfinite(bare(column)) for column in columns], axis=0)


def _pair(name, value, unit=None, example="(1, 3)"):
    """Two limits as a tuple, or an error."""
    if value is None:
        return None
    if np.isscalar(value) or getattr(value, "isscalar", False) or len(value) != 2:
        raise ValueError(f"{name} must be two limits such as {example}, or None; got {value!r}")
    if unit is not None and not all(isinstance(one, u.Quantity) and one.unit.is_equivalent(unit) for one in value):
        raise TypeError(f"{name} must be two limits with a unit, such as {example}, or None; got {value!r}")
    if not value[0] < value[1]:
        raise ValueError(f"the limits of {name} must increase, as in {example}; got {value!r}")
    return tuple(value) if unit is not None else tuple(float(one) for one in value)


def _single(name, value, unit=None, example="0.5"):
    if value is None:
        return
    if unit is not None and not (isinstance(value, u.Quantity) and value.unit.is_equivalent(unit)):
        raise TypeError(f"{name} must be a Quantity such as {example}, or None, got {value!r}")
    if not np.isfinite(value) or np.ndim(value) or value < 0 * value:
        raise ValueError(f"{name} must be one number, zero or above, such as {example}, or None; got {value!r}")
