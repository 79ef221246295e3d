"""The columns of tables of clumps in three dimensions: stages ``found`` and ``tracked``.

Everything here is also reached through `astroclumps.catalog`. Positions are relative to the snapshot's centre, velocities to its velocity,
both along the axes of the box.
"""

import astropy.units as u

from .column import Column

__all__ = ["COLUMNS_3D", "STAGES_3D"]

STAGES_3D = ("found", "tracked")
"""Stages of a table of clumps in three dimensions, in their order."""

_KMS = u.km / u.s
_SPIN = u.kpc * u.km / u.s
_AXES = ("x", "y", "z")


def _vector(name, unit, description, ucd):
    return tuple(Column(f"{name}_{axis}", "float64", unit, f"{description}, {axis}", ucd.format(axis=axis), "found") for axis in _AXES)


def _number(name, unit, description, ucd, stage="found"):
    return Column(name, "float64", unit, description, ucd, stage)


def _whole(name, description, ucd, stage="found"):
    return Column(name, "int64", None, description, ucd, stage)


_FOUND = (
    _whole("id", "Number of the clump, 1 to n; the label of its stars", "meta.id;meta.main"),
    _whole("n_cells", "Number of cells", "meta.number"),
    _whole("n_stars", "Number of star particles", "meta.number"),
    _whole("n_gas", "Number of gas elements", "meta.number"),
    _whole("n_dark", "Number of dark-matter particles", "meta.number"),
    *_vector("pos", u.kpc, "Centre of mass of cold gas and stars", "pos.cartesian.{axis}"),
    *_vector("vel", _KMS, "Mean velocity of gas and stars, by mass", "phys.veloc;pos.cartesian.{axis}"),
    *_vector("peak", u.kpc, "Centre of the densest cell", "pos.cartesian.{axis}"),
    _number("mass", u.Msun, "Mass of gas and stars", "phys.mass"),
    _number("mass_gas", u.Msun, "Mass of gas", "phys.mass"),
    _number("mass_cold", u.Msun, "Mass of cold gas", "phys.mass"),
    _number("mass_stars", u.Msun, "Mass of stars", "phys.mass"),
    _number("mass_young", u.Msun, "Mass of young stars", "phys.mass"),
    _number("mass_dark", u.Msun, "Mass of dark matter", "phys.mass"),
    _number("sfr", u.Msun / u.yr, "Star-formation rate over the last 60 Myr, by initial masses where they are known", "phys.SFR"),
    _number("age", u.Gyr, "Mean age of the stars, by mass", "time.age"),
    _number("age_scatter", u.Gyr, "Standard deviation of the stars' ages, by mass", "stat.stdev;time.age"),
    _number("metallicity", None, "Mass fraction of metals in the stars", "phys.abund.Z"),
    _number("metallicity_gas", None, "Mass fraction of metals in the gas", "phys.abund.Z"),
    _number("radius", u.kpc, "Radius r_c of the sphere with the volume of the cells", "phys.size.radius"),
    _number("density", u.Msun / u.kpc**3, "Mass of gas and stars over the volume of the cells", "phys.density"),
    _number("t_ff", u.Myr, "Free-fall time at the density", "time.scale"),
    _number("delta", None, "Largest overdensity of any cell", "phys.density;stat.max"),
    Column("component", "str", None, "Field of the largest overdensity: cold or stars", "meta.code.class", "found"),
    _number("moment_1", u.kpc**2, "Largest principal moment of inertia of gas and stars over their mass", "phys.size"),
    _number("moment_2", u.kpc**2, "Middle principal moment of inertia over mass", "phys.size"),
    _number("moment_3", u.kpc**2, "Smallest principal moment of inertia over mass", "phys.size"),
    _number("shape", None, "Shape S_c, smallest over largest moment of inertia; 1 for a sphere", "phys.size;arith.ratio"),
    _number("sigma", _KMS, "Velocity dispersion of gas and stars in three dimensions, by mass", "phys.veloc.dispersion"),
    _number("alpha_vir", None, "Virial parameter a sigma^2 r_c / (G mass)", "phys.energy;arith.ratio"),
    _number("v_circ", _KMS, "Circular velocity sqrt(G mass / r_c)", "phys.veloc.rotat"),
    _number("r_gal", u.kpc, "Distance of the centre from the galaxy's centre", "pos.distance"),
    _number("r_cyl", u.kpc, "Distance of the centre from the galaxy's axis", "pos.distance"),
    _number("height", u.kpc, "Height of the centre above the disc's plane, with its sign", "pos.distance"),
    _number("r_norm", None, "Distance from the galaxy's axis over R_d", "pos.distance;arith.ratio"),
    *_vector("ang_mom", _SPIN, "Angular momentum over mass about the clump's own centre of mass", "phys.angMomentum;pos.cartesian.{axis}"),
    _number("j_z", _SPIN, "Angular momentum over mass of the clump's centre about the galaxy's axis", "phys.angMomentum"),
    _number(
        "energy_ratio",
        None,
        "Kinetic and thermal over gravitational energy of the clump's own elements",
        "phys.energy;arith.ratio",
    ),
    _whole("bound", "1 where energy_ratio is below 1, else 0", "meta.code.status"),
    _number("bound_fraction", None, "Part of the mass in elements of negative energy", "phys.mass;arith.ratio"),
    _number("delta_dark", None, "Overdensity of dark matter in the cells; NaN without dark matter", "phys.density;arith.ratio"),
    Column("origin", "str", None, "bulge, in situ or ex situ", "src.class", "found"),
    _whole("flags", "Sum of astroclumps.catalog.Flag3D bits", "meta.code.qual"),
)

_TRACKED = (
    _whole("snapshot", "Number of the snapshot, 0 for the first", "meta.id", "tracked"),
    _number("time", u.Gyr, "Time of the snapshot", "time.epoch", "tracked"),
    _number("scale_factor", None, "Scale factor of the snapshot", "time.epoch", "tracked"),
    _whole("node", "Number of the clump in the run, from 1", "meta.id.assoc", "tracked"),
    _whole("progenitor", "Node of the main progenitor; 0 for none", "meta.id.parent", "tracked"),
    _number("shared", None, "Part of the main progenitor's stars that the clump holds", "meta.number;arith.ratio", "tracked"),
    _whole("n_shared", "Number of stars shared with the main progenitor", "meta.number", "tracked"),
    _whole("gap", "Snapshots back to the main progenitor, 1 for the one before; 0 for none", "meta.number", "tracked"),
    _whole("n_progenitors", "Number of progenitors, main and merged", "meta.number", "tracked"),
    _whole("descendant", "Node of the descendant; 0 for none", "meta.id.cross", "tracked"),
    _whole("main", "1 where the clump is the main progenitor of its descendant, else 0", "meta.code.status", "tracked"),
    _whole("track", "Number of the main branch", "meta.id.assoc", "tracked"),
    _number("t_clump", u.Myr, "Clump time t_c", "time.age", "tracked"),
    _number("lifetime", u.Myr, "Clump time at the last snapshot of the track, t_c,max", "time.lifetime", "tracked"),
    _number("t_ff_mean", u.Myr, "Mean free-fall time over the track, by mass", "time.scale;stat.mean", "tracked"),
    Column("longevity", "str", None, "ZLC, SLC or LLC (zero, short or long life); empty for the bulge", "src.class", "tracked"),
    _whole("sf_zlc", "1 for a ZLC that forms stars, else 0", "meta.code.status", "tracked"),
    _whole(
        "censored",
        "1 where the track reaches the last snapshot: its lifetime is a lower limit",
        "meta.code.status",
        "tracked",
    ),
    _whole("left_censored", "1 where the track begins in the first snapshot, else 0", "meta.code.status", "tracked"),
)

COLUMNS_3D = _FOUND + _TRACKED
"""All columns of clumps in three dimensions, in the order of the stages."""
