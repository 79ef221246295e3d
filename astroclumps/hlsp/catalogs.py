"""Text catalogues of the VELA galaxies, and lists of clumps in their images."""

from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table

from astroclumps.exceptions import CatalogError

from .view import VelaView

__all__ = ["clump_pixels", "read_vela_catalog"]

_KPC, _KMS, _NONE = u.kpc, u.km / u.s, u.dimensionless_unscaled


class _Column(NamedTuple):
    name: str
    unit: u.UnitBase
    description: str
    n: int = 1


_SCALE = _Column("scale_factor", _NONE, "scale factor a")
_MOTION = (
    _Column("position", _KPC, "centre of mass; the unit is not stated and taken to be kpc", 3),
    _Column("velocity", _KMS, "velocity of the centre of mass; the unit is not stated and taken to be km/s", 3),
)
_CONTENT = (
    _Column("mass_gas", u.Msun, "gas"),
    _Column("mass_cold", u.Msun, "cold component"),
    _Column("mass_stars", u.Msun, "stars"),
    _Column("mass_ex_situ", u.Msun, "stars born elsewhere"),
    _Column("mass_dark", u.Msun, "dark matter"),
    _Column("sfr", u.Msun / u.yr, "star-formation rate"),
    _Column("age", u.Myr, "age of the stars"),
    _Column("oxygen_gas", _NONE, "12 + log(O/H) of the gas"),
    _Column("oxygen_stars", _NONE, "12 + log(O/H) of the stars"),
)
_LAYOUTS = {
    "disc": (
        _SCALE,
        *_MOTION,
        _Column("axis", _NONE, "direction of the angular momentum, a unit vector", 3),
        _Column("ang_mom", _KPC * _KMS, "specific angular momentum; the unit is not stated and taken to be kpc km/s"),
        _Column("r_d", _KPC, "radius R_d"),
        _Column("h_d", _KPC, "half-thickness H_d"),
        *_CONTENT,
    ),
    "sphere": (_SCALE, *_MOTION, _Column("radius", _KPC, "radius of the sphere; the unit is not stated and taken to be kpc"), *_CONTENT),
    "halo": (
        _SCALE,
        _Column("r_vir", _KPC, "virial radius"),
        _Column("mass_vir", u.Msun, "virial mass"),
        _Column("v_vir", _KMS, "virial velocity"),
    ),
}


def read_vela_catalog(path) -> QTable:
    """Read a catalogue of one galaxy through time: its disc, its sphere or its halo.

    Parameters
    ----------
    path : path-like
        Text: the number of rows, then a row for each scale factor with 22 (disc), 17 (sphere) or 4 (halo) numbers.

    Returns
    -------
    `~astropy.table.QTable`
        ``scale_factor``, ``redshift``, then disc: ``position``, ``velocity``, ``axis`` (three components each), ``ang_mom``, ``r_d``,
        ``h_d``; sphere: ``position``, ``velocity``, ``radius``; both: ``mass_gas``, ``mass_cold``, ``mass_stars``, ``mass_ex_situ``,
        ``mass_dark``, ``sfr``, ``age``, ``oxygen_gas``, ``oxygen_stars`` (12 + log(O/H)); halo: ``r_vir``, ``mass_vir``, ``v_vir``.
        ``meta["kind"]`` says which it is. Units that nothing states, and what is assumed instead, stand in the columns' descriptions.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CatalogError
        If rows are missing or have another number of columns.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.hlsp import read_vela_catalog
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "halo_catalog.txt"
    ...     _ = path.write_text("2\\n 0.25 20.0 1e11 146.6\\n 0.50 80.0 1e12 231.9\\n")
    ...     halo = read_vela_catalog(path)
    >>> halo["redshift"].tolist(), halo["r_vir"]
    ([3.0, 1.0], <Quantity [20., 80.] kpc>)
    """
    path = Path(path)
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as exc:
        raise CatalogError(f"{path} is no text of numbers: {exc}") from exc
    if not lines or len(lines[0]) != 1 or not (lines[0][0].isdigit() and len(lines[0][0]) < 10):
        raise CatalogError(
            f"{path}: the first line must be the number of rows, got {' '.join(lines[0])[:40]!r}" if lines else f"{path} is empty"
        )
    rows = lines[1:]
    if len(rows) != int(lines[0][0]):
        raise CatalogError(f"{path} announces {lines[0][0]} rows, but holds {len(rows)}")
    widths = {len(row) for row in rows}
    known = {sum(column.n for column in layout): kind for kind, layout in _LAYOUTS.items()}
    if len(widths) != 1 or widths - set(known):
        allowed = ", ".join(f"{width} ({kind})" for width, kind in known.items())
        raise CatalogError(f"{path} has rows of {', '.join(map(str, sorted(widths))) or 'no'} numbers; there are catalogues of {allowed}")
    try:
        values = np.array(rows, dtype=float)
    except ValueError as exc:
        raise CatalogError(f"{path}: {exc}") from exc
    kind = known[values.shape[1]]
    table, first = QTable(meta={"kind": kind, "file": path.name}), 0
    for column in _LAYOUTS[kind]:
        part = values[:, first] if column.n == 1 else values[:, first : first + column.n]
        table[column.name] = part if column.unit is _NONE else part * column.unit
        table[column.name].info.description = column.description
        first += column.n
    if not ((table["scale_factor"] > 1e-6) & np.isfinite(table["scale_factor"])).all():
        raise CatalogError(f"{path} has a scale factor that is not positive; the first column must be a")
    table.add_column(1 / table["scale_factor"] - 1, name="redshift", index=1)
    table["redshift"].info.description = "1/a - 1"
    return table


def clump_pixels(clumps: Table, galaxies: Table, view: VelaView, *, galaxy, scale_factor: float, drop: bool = True) -> QTable:
    """Where the clumps of a list lie in an image, by the rules of published code that reads such lists.

    Parameters
    ----------
    clumps : `~astropy.table.Table`
        Columns ``galaxy``, ``a``, ``x``, ``y``, ``z`` along the axes of the box, relative to the galaxy's centre; with ``drop`` also
        ``lifetime`` (``'Bulg'``, ``'ZLC'``, ...) and ``SFR``; if there is ``Rc``, a box is given. Other columns are kept. Columns
        without a unit are in kpc.
    galaxies : `~astropy.table.Table`
        Columns ``galaxy``, ``a``, ``center_x``, ``center_y``, ``center_z``, in the coordinates of the box.
    view : `VelaView`
        The image.
    galaxy, scale_factor
        Which rows: value of the column ``galaxy``, and ``a`` to 0.0005.
    drop : bool, optional
        Leave out bulges, and zero-lifetime clumps that form no stars, as the code does. Default True.

    Returns
    -------
    `~astropy.table.QTable`
        The clumps with ``x_pix``, ``y_pix`` (pix), ``depth`` (kpc), and ``box`` (pix): 3 Rc, the side of the box around a clump.

    Raises
    ------
    CatalogError
        If a column is missing, or the galaxy is not there exactly once.

    Notes
    -----
    No such list was at hand, and neither its file format nor its units are documented: kpc follows from what the code does with them.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import Table
    >>> from astroclumps.hlsp import VelaView, clump_pixels
    >>> from astroclumps.mock.cameras import Camera
    >>> camera = Camera(name="cam07", direction=(0, 0, 1), up=(0, 1, 0))
    >>> view = VelaView(camera=camera, pixel=0.5 * u.kpc, shape=(64, 64), origin=[9, 0, 0] * u.kpc)
    >>> galaxies = Table({"galaxy": [7], "a": [0.41], "center_x": [9.0], "center_y": [0.0], "center_z": [0.0]})
    >>> clumps = Table({"galaxy": [7, 7], "a": [0.41, 0.41], "x": [2.0, 0.0], "y": [1.0, 0.0], "z": [0.0, 0.0]})
    >>> clumps["lifetime"], clumps["SFR"], clumps["Rc"] = ["LLC", "Bulg"], [1.0, 1.0], [0.25, 0.5]
    >>> found = clump_pixels(clumps, galaxies, view, galaxy=7, scale_factor=0.41)
    >>> print(found["x_pix"], found["y_pix"], found["box"])
    [35.5] pix [33.5] pix [1.5] pix
    """
    _columns(clumps, ("galaxy", "a", "x", "y", "z", *(("lifetime", "SFR") if drop else ())), "clumps")
    _columns(galaxies, ("galaxy", "a", "center_x", "center_y", "center_z"), "galaxies")
    here = [(table["galaxy"] == galaxy) & (abs(_plain(table["a"], _NONE) - scale_factor) < 5e-4) for table in (clumps, galaxies)]
    if np.count_nonzero(here[1]) != 1:
        raise CatalogError(f"galaxies has {np.count_nonzero(here[1])} rows for galaxy {galaxy!r} at a = {scale_factor}, one is needed")
    rows = QTable(clumps)[np.asarray(here[0])]
    if drop:
        life = np.char.strip(np.asarray(rows["lifetime"], dtype=str))
        rows = rows[(life != "Bulg") & ~((life == "ZLC") & (_plain(rows["SFR"], None) <= 0))]
    centre = np.array([_plain(galaxies[f"center_{axis}"][here[1]], _KPC)[0] for axis in "xyz"]) * u.kpc
    places = np.stack([_plain(rows[axis], _KPC) for axis in "xyz"], axis=-1).reshape(-1, 3) * u.kpc
    x, y, depth = view.project(places, galaxy_centre=centre)
    rows["x_pix"], rows["y_pix"], rows["depth"] = x * u.pix, y * u.pix, depth * u.kpc
    if "Rc" in rows.colnames:
        rows["box"] = 3 * _plain(rows["Rc"], _KPC) / view.pixel.to_value(u.kpc) * u.pix
    return rows


def _columns(table, names, what):
    missing = [name for name in names if name not in table.colnames]
    if missing:
        raise CatalogError(f"{what} lacks the columns {', '.join(missing)}; it has {', '.join(table.colnames)}")


def _plain(column, unit):
    """Numbers of a column, in a unit where it has one."""
    if isinstance(column, u.Quantity):
        return column.value if unit is None else np.asarray(column.to_value(unit), dtype=float)
    if getattr(column, "unit", None) is not None and unit is not None:
        return np.asarray((np.asarray(column, dtype=float) * column.unit).to_value(unit))
    return np.asarray(column, dtype=float)
