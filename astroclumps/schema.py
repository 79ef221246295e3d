"""The columns of clump tables, stage by stage, with units, descriptions and UCDs.

Everything here is also reached through `astroclumps.catalog`.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import astropy.units as u
from astropy.table import QTable

from . import bands as _bands
from .column import Column
from .schema_3d import COLUMNS_3D, STAGES_3D

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["COLUMNS", "COLUMNS_3D", "STAGES", "STAGES_3D", "Column", "band_columns", "columns", "describe", "known_columns"]

STAGES = ("detected", "classified", "measured", "fitted")
"""Stages of a table of clumps in an image, in their order; ``classified`` may be left out."""

_NEEDS = {
    "detected": ("detected",),
    "classified": ("detected", "classified"),
    "measured": ("detected", "measured"),
    "fitted": ("detected", "measured", "fitted"),
    "found": ("found",),
    "tracked": ("found", "tracked"),
}


def _percentiles(name, unit, description, ucd):
    return (
        Column(name, "float64", unit, f"{description}, median", ucd, "fitted"),
        Column(f"{name}_lo", "float64", unit, f"{description}, 16th percentile", f"{ucd};stat.min", "fitted"),
        Column(f"{name}_hi", "float64", unit, f"{description}, 84th percentile", f"{ucd};stat.max", "fitted"),
    )


COLUMNS = (
    Column("id", "int64", None, "Number of the clump, 1 to n; its label in the segmentation", "meta.id;meta.main", "detected"),
    Column("x", "float64", u.pix, "Column of the centre; 0 is the centre of the first pixel", "pos.cartesian.x;instr.pixel", "detected"),
    Column("y", "float64", u.pix, "Row of the centre; 0 is the centre of the first pixel", "pos.cartesian.y;instr.pixel", "detected"),
    Column("score", "float64", None, "The detector's confidence: probability or signal-to-noise of the peak", "meta.code.qual", "detected"),
    Column("n_pixels", "int64", None, "Number of connected pixels", "meta.number;instr.pixel", "detected"),
    Column("p_long", "float64", None, "Probability of being long-lived, P; NaN where not classified", "stat.probability", "classified"),
    Column("p_long_err", "float64", None, "Scatter of p_long over turned and mirrored stamps", "stat.error;stat.probability", "classified"),
    Column("longevity", "str", None, "LLC (long-lived), SLC (short-lived) or empty", "src.class", "classified"),
    Column("flux_{band}", "float64", u.uJy, "Flux density in {band}, background subtracted", "phot.flux.density;{em}", "measured"),
    Column("flux_err_{band}", "float64", u.uJy, "1-sigma error of flux in {band}", "stat.error;phot.flux.density;{em}", "measured"),
    Column("background_{band}", "float64", u.uJy, "Background in {band} per pixel", "phot.flux.density;instr.background;{em}", "measured"),
    Column("flags", "int64", None, "Sum of astroclumps.catalog.Flag bits", "meta.code.qual", "measured"),
    Column("redshift", "float64", None, "Redshift that the fit assumed", "src.redshift", "fitted"),
    *_percentiles("mass", u.Msun, "Surviving stellar mass", "phys.mass"),
    *_percentiles("sfr", u.Msun / u.yr, "Star-formation rate over the last 100 Myr", "phys.SFR"),
    *_percentiles("age", u.Gyr, "Mass-weighted stellar age", "time.age"),
    *_percentiles("a_v", u.mag, "Attenuation in V", "phys.absorption;em.opt.V"),
    *_percentiles("metallicity", None, "Stellar metallicity in solar units", "phys.abund.Z"),
    Column("chi2", "float64", None, "Chi squared of the best model", "stat.fit.chi2", "fitted"),
    Column("log_evidence", "float64", None, "Natural logarithm of the evidence", "stat.fit.goodness", "fitted"),
    Column("n_effective", "float64", None, "Effective number of posterior samples", "meta.number", "fitted"),
    Column("sfh", "str", None, "Star-formation history: tau or constant", "meta.code", "fitted"),
    Column("best_mass_formed", "float64", u.Msun, "Mass formed in the best model", "phys.mass;stat.fit", "fitted"),
    Column("best_age", "float64", u.Gyr, "Time since star formation began in the best model", "time.age;stat.fit", "fitted"),
    Column("best_tau", "float64", u.Gyr, "E-folding time of the best model; NaN for a constant rate", "time.scale;stat.fit", "fitted"),
    Column("best_a_v", "float64", u.mag, "Attenuation in V of the best model", "phys.absorption;em.opt.V;stat.fit", "fitted"),
    Column("best_metallicity", "float64", None, "Metallicity of the best model in solar units", "phys.abund.Z;stat.fit", "fitted"),
)
"""All columns of clumps in images, in the order of the stages. Columns with ``{band}`` repeat for each band."""


def columns(stage: "str | Iterable[str]", *, bands: Iterable = ()) -> tuple[Column, ...]:
    """Columns that a table of a stage holds.

    Parameters
    ----------
    stage : str or sequence of str
        ``'detected'``, ``'classified'``, ``'measured'`` or ``'fitted'``; the stages it needs come with it. Several stages give
        the columns of all: ``('classified', 'fitted')``. Clumps in three dimensions have the stages ``'found'`` and ``'tracked'``,
        which do not go together with those of images.
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands that the templates are filled with; without any, per-band columns are left out.

    Returns
    -------
    tuple of `Column`
    """
    stages = (stage,) if isinstance(stage, str) else tuple(stage)
    for one in stages:
        if one not in _NEEDS:
            raise ValueError(f"unknown stage {one!r}; stages are {', '.join(STAGES)}; in three dimensions {', '.join(STAGES_3D)}")
    wanted = {need for one in stages for need in _NEEDS[one]}
    if wanted & set(STAGES_3D):
        if not wanted <= set(STAGES_3D):
            raise ValueError(f"stages {', '.join(stages)} mix clumps in images with clumps in three dimensions; make two tables")
        if len(_bands.names(bands)):
            raise ValueError(f"a table of stage {stages[-1]} has no columns for bands; leave bands out")
        return tuple(column for column in COLUMNS_3D if column.stage in wanted)
    bands = _bands.names(bands)
    templates = [c for c in COLUMNS if "{band}" in c.name and c.stage in wanted]
    result = []
    for column in COLUMNS:
        if column.stage not in wanted:
            continue
        if column in templates:
            if column is templates[0]:
                result += [template.for_band(band) for band in bands for template in templates]
        else:
            result.append(column)
    return tuple(result)


def describe(stage: "str | Iterable[str] | None" = None) -> QTable:
    """List the schema: name, dtype, unit, stage, UCD and description of each column.

    Parameters
    ----------
    stage : str or sequence of str, optional
        As in `columns`. Default: all stages of clumps in images; ``'tracked'`` lists all columns of clumps in three dimensions.

    Returns
    -------
    `~astropy.table.QTable`
        One row for each column; columns of bands stand as templates, such as ``flux_{band}``, where no stage is given.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> print(catalog.describe()["name", "unit", "stage"][:3])
    name unit  stage
    ---- ---- --------
      id      detected
       x  pix detected
       y  pix detected
    >>> print(catalog.describe("found")["name", "unit", "stage"][-4:-1])
         name      unit stage
    -------------- ---- -----
    bound_fraction      found
        delta_dark      found
            origin      found
    """
    listed = COLUMNS if stage is None else columns(stage)
    rows = [(c.name, c.dtype, "" if c.unit is None else c.unit.to_string(), c.stage, c.ucd, c.description) for c in listed]
    return QTable(rows=rows, names=("name", "dtype", "unit", "stage", "ucd", "description"))


def band_columns(table: "Table") -> Any:
    """Columns of the schema for the bands that a table has columns for.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.

    Returns
    -------
    list of `Column`
        Columns of bands that the package does not know are the user's own and left out.
    """
    templates = [c for c in COLUMNS if "{band}" in c.name]
    found = []
    for template in templates:
        pattern = re.compile(re.escape(template.name).replace(r"\{band\}", r"(f\d{3,4}[a-z]{1,2}\d?)"))
        for name in table.colnames:
            match = pattern.fullmatch(name)
            if match:
                try:
                    found.append(template.for_band(match[1]))
                except ValueError:
                    continue
    return found


def known_columns(table: "Table") -> dict[str, Column]:
    """Columns of the schema that a table's columns are, by their names.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table. One with ``n_cells`` and ``pos_x`` holds clumps in three dimensions, whose masses and ages are the simulation's.

    Returns
    -------
    dict of str to `Column`
    """
    solid = {"n_cells", "pos_x"} <= set(table.colnames)
    known = COLUMNS_3D if solid else (*COLUMNS, *band_columns(table))
    return {column.name: column for column in known if column.name in table.colnames}
