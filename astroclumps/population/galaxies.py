"""Galaxy tables: catalogues such as those of CANDELS as the tables that this package works with (G21 5.1)."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from ..exceptions import AstroclumpsWarning, CatalogError, ImageError
from ..fits_io import open_fits
from .mappings import MAPPINGS, ColumnMap

__all__ = ["galaxy_table", "read_galaxies"]

_UNITS = {
    "ra": u.deg, "dec": u.deg, "redshift": u.one, "mass": u.Msun, "sfr": u.Msun / u.yr, "ssfr": 1 / u.yr, "r_e": u.arcsec,
    "axis_ratio": u.one, "n_sersic": u.one, "position_angle": u.deg,
}  # fmt: skip
_DEFAULTS = {name: _UNITS[name] for name in ("ra", "dec", "redshift", "axis_ratio", "n_sersic", "position_angle")}
_RANGES = {  # lower, upper, whether the lower one belongs to it
    "ra": (0, 360, True), "dec": (-90, 90, True), "redshift": (0, 20, True), "mass": (0, 1e14, False), "sfr": (0, np.inf, True),
    "ssfr": (0, np.inf, True), "r_e": (0, np.inf, False), "axis_ratio": (0, 1, False), "n_sersic": (0, np.inf, False),
}  # fmt: skip
_LARGEST_LOG = 20.0  # a mass below it in Msun is a logarithm, a logarithm above it a mass
_LINE = 10_000  # bytes in a line of text whose format is guessed
_FORMATS = {".fits": "fits", ".fit": "fits", ".ecsv": "ascii.ecsv", ".csv": "ascii.csv"}
_FORMATS |= dict.fromkeys((".vot", ".votable", ".xml"), "votable")


def read_galaxies(
    path: str | os.PathLike,
    *,
    columns: Any = None,
    missing: Any = None,
    pixel_scale: Any = None,
    out_of_range: Any = "raise",
    names: Any = None,
    format: str | None = None,
    **options: Any,
) -> QTable:
    """Read a catalogue of galaxies.

    Parameters
    ----------
    path : path-like
        FITS, ECSV, CSV, VOTable, or any text table that `~astropy.table.Table.read` recognises; ``.gz`` too.
    columns : mapping or str, optional
        What is what, or the name of one of `astroclumps.population.mappings.MAPPINGS`; see `galaxy_table`.
    missing, pixel_scale, out_of_range, names
        As in `galaxy_table`.
    format : str, optional
        Of `~astropy.table.Table.read`. Default: by suffix, other suffixes are text.
    **options
        Passed to `~astropy.table.Table.read`, such as ``hdu=2``.

    Returns
    -------
    `~astropy.table.QTable`
        As `galaxy_table` gives it.

    Raises
    ------
    FileNotFoundError
    CatalogError
        The file is no table, or `galaxy_table` refuses it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.population.galaxies import read_galaxies
    >>> text = "# NUMBER RA DEC f re q\\n7 53.1 -27.8 0 0.41 0.6\\n8 53.2 -27.7 3 -999 -999\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "sizes.cat").write_text(text)
    ...     galaxies = read_galaxies(Path(folder) / "sizes.cat", columns="3dhst-galfit", missing=[-999])
    >>> print(galaxies["galaxy", "r_e", "axis_ratio", "flag"])
    galaxy  r_e   axis_ratio flag
           arcsec
    ------ ------ ---------- ----
         7   0.41        0.6    0
         8    nan        nan    3
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    suffix = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    format = format or _FORMATS.get(suffix, "ascii")
    if format == "fits":
        options = {"hdu": _first_table(path), "character_as_bytes": False, **options}
    elif format == "ascii":
        _check_lines(path)
    elif format == "ascii.csv":
        options = {"comment": "#", **options}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", u.UnitsWarning)  # units that are not understood count as none
            warnings.filterwarnings("ignore", module=r"astropy\.")
            table = Table.read(path, format=format, **options)
    except Exception as exc:  # what parsers of tables raise over damaged ones has no end
        raise CatalogError(f"{path} is not a readable table (format {format!r}): {' '.join(str(exc).split())[:500]}") from exc
    try:
        result = galaxy_table(
            table, columns=columns, missing=missing, pixel_scale=pixel_scale, out_of_range=out_of_range, names=names, who=path.name
        )
    except (OverflowError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{path} holds what is neither text nor a number: {exc}") from exc
    result.meta["history"] = [f"read from {path.name}", *result.meta["history"]]
    return result


def galaxy_table(
    table: Table,
    *,
    columns: Any = None,
    missing: Any = None,
    pixel_scale: u.Quantity | None = None,
    out_of_range: str = "raise",
    names: str | None = None,
    who: str = "the table",
) -> QTable:
    """Make a table of galaxies from a table with other names and units.

    Parameters
    ----------
    table : `~astropy.table.Table`
        One row a galaxy.
    columns : mapping or str, optional
        ``{ours: theirs}`` or ``{ours: (theirs, unit)}``. Units are those of astropy, or their names; ``'log10 Msun'`` and
        ``u.dex(u.Msun)`` are logarithms, ``'pix'`` is pixels. Default: columns with our names. A name of
        `astroclumps.population.mappings.MAPPINGS` takes a mapping whose source is stated there.
        Upper and lower case count only where a name is not unique without.
        ``galaxy`` is needed; ``ra``, ``dec``, ``redshift``, ``mass``, ``sfr``, ``ssfr``, ``r_e``, ``axis_ratio``, ``n_sersic``,
        ``position_angle`` and ``flux_*`` are converted to deg, Msun, Msun/yr, 1/yr, arcsec and uJy; any other name keeps its unit.
    missing : sequence of float or mapping, optional
        Numbers of the file that stand for no value, such as ``(-99, 99)``, for all columns of numbers but ``galaxy`` and whole-numbered
        ones of other names; or a mapping of ours to such numbers. Default: those of a named mapping, else none.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Side of a pixel, for radii in pixels.
    out_of_range : {'raise', 'nan'}, default 'raise'
        What becomes of values that cannot be: radii and masses not above 0, axis ratios outside of 0 to 1, rates or redshifts below 0,
        positions off the sphere, infinite numbers. ``'nan'`` removes them with a warning that counts them.
    names : str, optional
        Turns ids into names, such as ``'GDS-{}'``, as the images may be called. Default: ids as they are.
    who : str, default 'the table'
        What the table is, for messages.

    Returns
    -------
    `~astropy.table.QTable`
        The columns of ``columns``, NaN where there is no value.

    Raises
    ------
    CatalogError
        A column is missing, has no unit or another one, ids are missing or occur twice, values are out of range, or masses are
        logarithms where the mapping says masses, or the other way round.

    Warns
    -----
    AstroclumpsWarning
        Values were removed with ``out_of_range='nan'``.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astroclumps.population.galaxies import galaxy_table
    >>> theirs = Table({"ID": [1, 2], "zbest": [1.2, -99.0], "M": [10.0, 9.0], "hlr": [5.0, 8.0]})
    >>> columns = {"galaxy": "ID", "redshift": "zbest", "mass": ("M", "log10 Msun"), "r_e": ("hlr", "pix")}
    >>> import astropy.units as u
    >>> print(galaxy_table(theirs, columns=columns, missing=(-99,), pixel_scale=0.06 * u.arcsec))
    galaxy redshift     mass      r_e
                      solMass    arcsec
    ------ -------- ------------- ------
         1      1.2 10000000000.0    0.3
         2      nan  1000000000.0   0.48
    """
    if out_of_range not in ("raise", "nan"):
        raise ValueError(f"out_of_range must be 'raise' or 'nan', got {out_of_range!r}")
    columns, missing, source = _mapping(columns, missing, table)
    found = _found(columns, table, who)
    if "galaxy" not in found:
        text = "map one to 'galaxy', such as columns={'galaxy': 'ID', ...}"
        raise CatalogError(f"{who} has no column that names the galaxies; {text}. It has {', '.join(table.colnames)}")
    result = QTable()
    result["galaxy"] = _ids(table[found["galaxy"][0]], names, who)
    for ours, (theirs, unit) in found.items():
        if ours != "galaxy":
            result[ours] = _convert(ours, theirs, table[theirs], unit, _sentinels(missing, ours), pixel_scale, who)
    _check_ranges(result, out_of_range, who)
    shown = ", ".join(f"{ours}: {theirs}" for ours, (theirs, _) in found.items())
    result.meta["history"] = [f"galaxy_table({source}{shown}): {len(result)} galaxies"]
    return result


def _mapping(columns, missing, table):
    """The mapping, what stands for no value, and where the mapping comes from."""
    if isinstance(columns, str):
        if columns not in MAPPINGS:
            raise ValueError(f"no mapping {columns!r}; there are {', '.join(MAPPINGS)}, or give one: columns={{'galaxy': 'ID', ...}}")
        named = MAPPINGS[columns]
        return named.columns, named.missing if missing is None else missing, f"{columns!r}; "
    if isinstance(columns, ColumnMap):
        return columns.columns, columns.missing if missing is None else missing, ""
    if columns is None:
        columns = {
            name: name for name in table.colnames if name == "galaxy" or name in _UNITS or name.startswith("flux_") or name == "bands"
        }
    elif not isinstance(columns, Mapping):
        raise TypeError(f"columns must be a mapping such as {{'galaxy': 'ID', 'mass': ('M', 'log10 Msun')}} or a name, got {columns!r}")
    return columns, () if missing is None else missing, ""


def _found(columns, table, who):
    """Their columns and units by our names."""
    found, lacking = {}, []
    for ours, entry in columns.items():
        theirs, unit = entry if isinstance(entry, tuple | list) else (entry, None)
        same = [name for name in table.colnames if name.lower() == str(theirs).lower()]
        name = theirs if theirs in table.colnames else same[0] if len(same) == 1 else None
        if name is None:
            lacking.append(f"{theirs!r} (for {ours})")
        else:
            found[ours] = (name, _unit(unit, ours))
    if lacking:
        raise CatalogError(f"{who} lacks {', '.join(lacking)}; it has {', '.join(table.colnames)}. Change or leave out these in columns")
    return found


def _unit(unit, ours):
    if unit is None:
        return None
    if isinstance(unit, str) and unit.lower().startswith("log10"):
        return u.dex(u.Unit(unit[5:].strip(" ()[]") or u.one))
    try:
        return u.Unit(unit)
    except (ValueError, TypeError) as exc:
        raise ValueError(f"the unit of {ours!r} must be one of astropy's, such as 'arcsec' or 'log10 Msun', got {unit!r}") from exc


def _ids(column, names, who):
    values = _plain(column)
    empty = _masked(column)
    if values.dtype.kind in "SU":
        values = np.char.strip(values.astype(str)) if len(values) else values.astype("U1")
        empty = empty | (values == "")
    elif values.dtype.kind == "f" and (abs(values) < 2**63).all() and (values == np.round(values)).all():
        values = values.astype(np.int64)
    elif values.dtype.kind not in "iu":
        raise CatalogError(f"the ids of {who} must be whole numbers or text, got {values.dtype}")
    if empty.any():
        raise CatalogError(f"{empty.sum()} rows of {who} have no id, the first of them row {int(np.argmax(empty))}; leave them out")
    if names is not None:
        values = np.array([names.format(value) for value in values], dtype=str)
    different, times = np.unique(values, return_counts=True)
    if (times > 1).any():
        twice = different[times > 1]
        raise CatalogError(f"{len(twice)} ids of {who} occur more than once, such as {twice[0]!s}; keep one row for each galaxy")
    return values


def _masked(column):
    return np.broadcast_to(np.asarray(getattr(column, "mask", False), dtype=bool), np.shape(column))


def _plain(column):
    """An array in native byte order, text as str."""
    column = getattr(column, "unmasked", column)
    values = np.asarray(getattr(column, "value", column))
    if values.dtype.kind in "SO":
        values = np.array([value.decode() if isinstance(value, bytes) else str(value) for value in values], dtype=str)
    return values.astype(values.dtype.newbyteorder("=")) if values.dtype.kind in "iuf" else values


def _sentinels(missing, ours):
    values = missing.get(ours, ()) if isinstance(missing, Mapping) else missing
    return np.atleast_1d(np.asarray(values, dtype=float))


def _convert(ours, theirs, column, unit, missing, pixel_scale, who):
    """A column in our unit, NaN where there is no value."""
    target = u.uJy if ours.startswith("flux_") else _UNITS.get(ours)
    stated = getattr(column, "unit", None)
    stated = None if isinstance(stated, u.UnrecognizedUnit) else stated
    values = _plain(column)
    mask = _masked(column)
    if values.dtype.kind in "SU" and ours in ("ra", "dec") and unit is not None:
        from astropy.coordinates import Angle

        try:
            return Angle(values, unit=unit).to(u.deg).view(u.Quantity)
        except ValueError as exc:
            raise CatalogError(f"{ours} of {who}, column {theirs!r}, must hold angles: {' '.join(str(exc).split())}") from exc
    if values.dtype.kind not in "iuf":
        if target is not None:
            raise CatalogError(f"{ours} of {who}, column {theirs!r}, must hold numbers, got {values.dtype}")
        return np.where(mask, "", values) if values.dtype.kind == "U" and mask.any() else values
    if target is None and values.dtype.kind in "iu" and not mask.any() and unit is None and stated is None:
        return values  # flags
    values = np.where(mask | np.isin(values, missing), np.nan, values.astype(float))
    if unit is not None and stated is not None and stated != unit:
        raise CatalogError(
            f"column {theirs!r} of {who} is in {stated}, but columns says {unit} for {ours}; leave that unit out, or mend the file"
        )
    unit = next((one for one in (unit, stated, _DEFAULTS.get(ours)) if one is not None), None)
    if target is None:
        return values if unit is None else u.Quantity(values, unit) if isinstance(unit, u.UnitBase) else unit(values)
    if unit is None:
        text = f"columns={{{ours!r}: ({theirs!r}, '{'log10 ' if ours == 'mass' else ''}{target}')}}"
        raise CatalogError(f"column {theirs!r} of {who} has no unit; say what {ours} is in, such as {text}")
    if ours == "mass":
        _check_logarithm(values, theirs, unit, who)
    return _to(ours, theirs, values, unit, target, pixel_scale, who)


def _to(ours, theirs, values, unit, target, pixel_scale, who):
    if isinstance(unit, u.function.FunctionUnitBase):
        with np.errstate(over="ignore"):
            values, unit = 10.0**values, unit.physical_unit
    equivalencies = [] if pixel_scale is None else u.pixel_scale(pixel_scale / u.pix)
    try:
        converted = u.Quantity(values, unit).to(target, equivalencies)
    except u.UnitConversionError:
        text = "; give pixel_scale, such as 0.06 * u.arcsec" if unit == u.pix else ""
        raise CatalogError(f"{ours} must be in units of {target}; column {theirs!r} of {who} is in {unit}{text}") from None
    return converted.value if target == u.one else converted


def _check_logarithm(values, theirs, unit, who):
    good = values[np.isfinite(values) & (values > 0)]
    if not len(good):
        return
    logarithms = isinstance(unit, u.function.FunctionUnitBase)
    middle = np.median(good)
    if logarithms and middle > _LARGEST_LOG:
        raise CatalogError(
            f"column {theirs!r} of {who} has a median of {middle:.3g}: masses, no logarithms; map it as ({theirs!r}, 'Msun')"
        )
    if not logarithms and u.Unit(unit).is_equivalent(u.Msun) and (middle * unit).to_value(u.Msun) < _LARGEST_LOG:
        raise CatalogError(
            f"column {theirs!r} of {who} has a median of {middle:.3g} {unit}: logarithms; map it as ({theirs!r}, 'log10 Msun')"
        )


def _check_ranges(result, out_of_range, who):
    told = []
    for name in result.colnames:
        limits = _RANGES.get(name)
        if limits is None:
            continue
        low, high, belongs = limits
        column = result[name]
        values = np.asarray(getattr(column, "value", column))
        bad = ~np.isnan(values) & ~((values >= low if belongs else values > low) & (values <= high) & np.isfinite(values))
        if not bad.any():
            continue
        first = int(np.argmax(bad))
        told.append(f"{bad.sum()} of {len(bad)} values of {name} (galaxy {result['galaxy'][first]!s}: {values[first]:.6g})")
        if out_of_range == "nan":
            values = np.where(bad, np.nan, values)
            result[name] = values * column.unit if isinstance(column, u.Quantity) else values
    if told and out_of_range == "nan":
        warnings.warn(f"{who}: {'; '.join(told)} cannot be and became NaN", AstroclumpsWarning, stacklevel=4)
    elif told:
        text = "name what stands for no value, such as missing=(-99, 99), or let out_of_range='nan' remove them"
        raise CatalogError(f"{who}: {'; '.join(told)} cannot be; {text}")


def _check_lines(path):
    """Refuse lines that no table has: to guess a format takes time that grows with their square."""
    with open(path, "rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return
        file.seek(0)
        while line := file.readline(_LINE + 1):
            if len(line) > _LINE:
                raise CatalogError(f"{path} is no table of text: it has a line of more than {_LINE} bytes; name its format if it is one")


def _first_table(path):
    """Number of the first table in a FITS file."""
    from astropy.io import fits

    try:
        with open_fits(path) as hdus:
            for i, hdu in enumerate(hdus):
                if isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    return i
            raise CatalogError(f"{path} holds no table; its extensions are {', '.join(hdu.name or 'PRIMARY' for hdu in hdus)}")
    except ImageError as exc:
        raise CatalogError(f"{path} is not a readable FITS file: {exc}") from exc
