"""Clump tables in other forms: ECSV, FITS and VOTable files, and regions for DS9.

Everything here is also reached through `astroclumps.catalog`.
"""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from . import schema
from .exceptions import CatalogError
from .whole_files import write_whole

__all__ = ["read", "to_regions", "write"]

_FORMATS = {".ecsv": "ecsv", ".fits": "fits", ".fit": "fits", ".vot": "votable", ".votable": "votable", ".xml": "votable", ".reg": "reg"}
_META = "meta."  # names of the VOTable INFO elements that carry the table's meta
_COLOURS = {"LLC": "red", "SLC": "deepskyblue", "": "lime"}


def write(table: QTable, path: str | os.PathLike, overwrite: bool = False) -> None:
    """Write a clump table; the suffix decides the format.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table.
    path : path-like
        ``.ecsv`` (the home format), ``.fits``, ``.vot`` / ``.votable`` / ``.xml`` (VOTable with UCDs) or ``.reg`` (DS9 circles in pixels).
        FITS and VOTable hold the sky position as columns ``ra`` and ``dec`` (ICRS).
    overwrite : bool, optional
        Replace an existing file once the new one is complete. Default False.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps import catalog
    >>> clumps = catalog.make_table("detected", 3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     catalog.write(clumps, Path(folder) / "clumps.fits")
    ...     len(catalog.read(Path(folder) / "clumps.fits"))
    3
    """
    path, kind = _format(path, "write")
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; use overwrite=True to replace it")
    writer = {"ecsv": _write_ecsv, "fits": _write_fits, "votable": _write_votable, "reg": _write_regions}[kind]
    write_whole(path, lambda partial: writer(table, partial))


def read(path: str | os.PathLike) -> QTable:
    """Read a clump table that `write` wrote.

    Parameters
    ----------
    path : path-like
        ``.ecsv``, ``.fits`` or ``.vot`` / ``.votable`` / ``.xml``.

    Returns
    -------
    `~astropy.table.QTable`
        With units, ``sky`` as `~astropy.coordinates.SkyCoord` and ``meta['history']``.

    Raises
    ------
    CatalogError
        If the file is not such a table, or is damaged.
    """
    path, kind = _format(path, "read")
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.filterwarnings("ignore", module=r"astropy\.")  # damage is an error, and what else they say changes no number
            return _restore({"ecsv": _read_ecsv, "fits": _read_fits, "votable": _read_votable}[kind](path))
    except CatalogError as exc:
        raise exc if path.name in str(exc) else CatalogError(f"{path} is not a readable {kind} table: {exc}") from exc
    except Exception as exc:  # what parsers of tables raise over damaged ones has no end
        raise CatalogError(f"{path} is not a readable {kind} table: {' '.join(str(exc).split())[:500]}") from exc


def to_regions(
    table: QTable, *, radius: u.Quantity = 4 * u.pix, frame: str = "pixel", pixel_scale: u.Quantity[u.arcsec] | None = None
) -> Any:
    """Make circles around the clumps for DS9 and other viewers.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        A table of stage ``detected`` or later.
    radius : `~astropy.units.Quantity`, optional
        Radius in pixels, or an angle. Default 4 pixels, the circle that the photometry masks (section 5.1).
    frame : {'pixel', 'sky'}, optional
        Pixel circles (default), or sky circles where the table has the column ``sky``.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        Side of a pixel, to turn a radius in pixels into an angle or back.

    Returns
    -------
    `regions.Regions`
        ``meta['text']`` is the id and the class; long-lived clumps are red, short-lived blue, others green.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import catalog
    >>> clumps = catalog.make_table("detected", 1)
    >>> clumps["x"], clumps["y"] = [3.0] * u.pix, [4.0] * u.pix
    >>> catalog.to_regions(clumps)[0]
    <CirclePixelRegion(center=PixCoord(x=3.0, y=4.0), radius=4.0)>
    """
    from regions import CirclePixelRegion, CircleSkyRegion, PixCoord, RegionMeta, Regions, RegionVisual

    if frame not in ("pixel", "sky"):
        raise ValueError(f"frame must be 'pixel' or 'sky', got {frame!r}")
    if frame == "sky" and "sky" not in table.colnames:
        raise CatalogError("the table has no column 'sky', for its image had no WCS; use frame='pixel'")
    if frame == "pixel" and "x" not in table.colnames:
        raise CatalogError("the table has no column 'x'; only clumps in images become regions")
    size = _radius(radius, u.pix if frame == "pixel" else u.arcsec, pixel_scale)
    labels = np.asarray(table["longevity"]) if "longevity" in table.colnames else np.full(len(table), "")
    circles = []
    for i, label in enumerate(labels):
        meta = RegionMeta({"text": f"{int(table['id'][i])} {label}".strip()})
        visual = RegionVisual({"color": _COLOURS.get(str(label), "lime")})
        if frame == "pixel":
            centre = PixCoord(float(table["x"][i].value), float(table["y"][i].value))
            circles.append(CirclePixelRegion(centre, radius=size.value, meta=meta, visual=visual))
        else:
            circles.append(CircleSkyRegion(table["sky"][i], radius=size, meta=meta, visual=visual))
    return Regions(circles)


def _format(path, verb):
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    allowed = sorted(suffix for suffix in _FORMATS if verb == "write" or suffix != ".reg")
    if path.suffix.lower() not in allowed:
        raise ValueError(f"cannot {verb} a table as {path.name!r}; the suffix must be one of {', '.join(allowed)}")
    return path, kind


def _write_ecsv(table, path):
    table.write(path, format="ascii.ecsv", overwrite=True)


def _read_ecsv(path):
    return QTable.read(path, format="ascii.ecsv")


def _write_fits(table, path):
    from astropy.io import fits

    from .fits_io import metadata_hdu

    hdu = fits.table_to_hdu(_flat(table))
    hdu.name = "CLUMPS"
    fits.HDUList([fits.PrimaryHDU(), hdu, metadata_hdu(table.meta)]).writeto(path, overwrite=True)


def _read_fits(path):
    from .exceptions import ImageError
    from .fits_io import open_fits, read_metadata

    try:
        with open_fits(path) as hdus:
            tables = [hdu for hdu in hdus if hdu.is_image is False and hdu.name != "META"]
            if not tables:
                raise CatalogError(f"{path} holds no table; its extensions are {', '.join(hdu.name or 'PRIMARY' for hdu in hdus)}")
            table = QTable(Table.read(tables[0], character_as_bytes=False), copy=True)
            meta = read_metadata(hdus)
    except ImageError as exc:
        raise CatalogError(str(exc)) from exc
    table.meta = meta
    return table


def _write_votable(table, path):
    from astropy.io.votable.tree import CooSys, Info, VOTableFile

    flat = _flat(table)
    meta, flat.meta = dict(table.meta), {}
    for name in flat.colnames:
        if flat[name].dtype.kind == "U":  # VOTable counts in UTF-16, where some characters take two places
            places = max((len(text.encode("utf-16-be")) // 2 for text in flat[name].tolist()), default=1)
            if places > flat[name].dtype.itemsize // 4:
                flat[name] = flat[name].astype(f"U{places}")
    votable = VOTableFile.from_table(flat)
    resource = votable.resources[0]
    resource.coordinate_systems.append(CooSys(ID="ICRS", system="ICRS"))
    ucds = {column.name: column.ucd for column in schema.known_columns(flat).values()}
    ucds |= {"ra": "pos.eq.ra;meta.main", "dec": "pos.eq.dec;meta.main"}
    tree = votable.get_first_table()
    for field in tree.fields:
        field.ucd = ucds.get(field.name)
        if field.name in ("ra", "dec"):
            field.ref = "ICRS"
    for key, value in meta.items():
        tree.infos.append(Info(name=f"{_META}{key}", value=json.dumps(value, default=str)))
    votable.to_xml(str(path), tabledata_format="binary2")


def _read_votable(path):
    from astropy.io.votable import parse

    tree = parse(str(path)).get_first_table()
    table = QTable(tree.to_table(use_names_over_ids=True))
    table.meta = {info.name[len(_META) :]: json.loads(info.value) for info in tree.infos if info.name.startswith(_META)}
    return table


def _write_regions(table, path):
    to_regions(table).write(str(path), format="ds9", overwrite=True)


def _flat(table):
    """A plain table with ``sky`` as ra and dec, and no meta."""
    flat = QTable(table, copy=True)
    if "sky" in flat.colnames:
        sky, where = flat["sky"].icrs, flat.colnames.index("sky")
        flat.remove_column("sky")
        flat.add_columns([sky.ra.to(u.deg).view(u.Quantity), sky.dec.to(u.deg).view(u.Quantity)], [where, where], ["ra", "dec"])
        flat["ra"].info.description, flat["dec"].info.description = "Right ascension (ICRS)", "Declination (ICRS)"
    flat.meta = {}
    return flat


def _restore(table):
    """Schema dtypes, NaN for masked numbers, ra and dec as SkyCoord, history as a list."""
    known = schema.known_columns(table)
    for name in table.colnames:
        column = table[name]
        if not hasattr(column, "dtype") or name == "sky":
            continue
        info = (column.info.description, column.unit if hasattr(column, "unit") else None)
        values = _plain(getattr(column, "value", column))
        if name in known:
            values = _cast(values, known[name].dtype, name)
            info = (known[name].description, info[1] if info[1] is not None else known[name].unit)
        table[name] = values if info[1] is None else values * info[1]
        table[name].info.description = info[0]
    if {"ra", "dec"} <= set(table.colnames) and "sky" not in table.colnames:
        from astropy.coordinates import SkyCoord

        where = table.colnames.index("ra")
        sky = SkyCoord(table["ra"], table["dec"], unit="deg", frame="icrs")
        table.remove_columns(["ra", "dec"])
        table.add_column(sky, name="sky", index=where)
    table.meta = dict(table.meta)
    table.meta["history"] = _history(table.meta.get("history", []))
    return table


def _history(lines):
    """Lines of text; lists within the list are refused, for their aliases can stand for any length."""
    lines = [lines] if isinstance(lines, str) else lines
    if not isinstance(lines, (list, tuple)) or any(isinstance(line, (list, tuple, dict, set)) for line in lines):
        raise CatalogError("its history is not a list of lines")
    return [str(line) for line in lines]


def _cast(values, dtype, name):
    """Values of the type of the schema; what would change by it is refused."""
    kind = np.dtype(dtype).kind
    broken = kind in "iu" and values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.round(values))).all()
    if broken or (kind in "fiu" and values.dtype.kind == "c"):
        raise CatalogError(f"column {name!r} must hold {'whole numbers' if kind in 'iu' else 'real numbers'}, but holds {values.dtype}")
    return values.astype(dtype)


def _plain(values):
    """An array of numbers in native byte order or of str, with NaN or '' for what was masked."""
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else getattr(values, "mask", None)
    data = np.asarray(getattr(values, "unmasked", values))
    if data.dtype.kind in "OSU":
        data = np.array([value.decode() if isinstance(value, bytes) else str(value) for value in data], dtype=str if len(data) else "U1")
        missing = ""
    else:
        data = data.astype(data.dtype.newbyteorder("="))
        missing = np.nan if data.dtype.kind == "f" else 0
    if mask is not None and np.any(mask):
        data = np.where(mask, missing, data)
    return data


def _radius(radius, unit, pixel_scale):
    if not isinstance(radius, u.Quantity):
        raise TypeError(f"radius must be in pixels or an angle, such as 4 * u.pix, got {radius!r}")
    equivalencies = [] if pixel_scale is None else u.pixel_scale(pixel_scale / u.pix)
    try:
        size = radius.to(unit, equivalencies)
    except u.UnitConversionError:
        raise ValueError(f"a radius of {radius} needs pixel_scale to become {unit}; give pixel_scale=0.06 * u.arcsec or the like") from None
    if not size > 0:
        raise ValueError(f"radius must be positive, got {radius}")
    return size
