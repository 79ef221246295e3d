"""The figures of a report: what the clumps of a survey say together, from ``astroclumps.population``; or why a figure cannot be made."""

import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from ..exceptions import AstroclumpsWarning

__all__ = ["Block", "Grid", "population_blocks"]

_ENDS = "; the interval is that of draws of whole galaxies"


class Grid(NamedTuple):
    """A small table of numbers.

    Attributes
    ----------
    caption : str
    columns : list of str
    rows : list of list of str
        The first of each row is its heading.
    folded : bool
        Whether it is long.
    """

    caption: str
    columns: list
    rows: list
    folded: bool = False


class Block(NamedTuple):
    """One result.

    Attributes
    ----------
    title : str
    figure : bytes or None
        A PNG.
    alt : str
        What it shows, in words.
    sentences : list of str
        What holds of it, or why it is not there.
    grids : list of Grid
    """

    title: str
    figure: "bytes | None"
    alt: str
    sentences: list
    grids: list


def population_blocks(clumps: QTable, galaxies: QTable, *, n_bootstrap: int = 200) -> list[Block]:
    """All figures that the columns allow.

    Parameters
    ----------
    clumps, galaxies : `~astropy.table.QTable`
        As in ``astroclumps.population``; classes are those of the column ``longevity`` where there is one.
    n_bootstrap : int, default 200
        Draws of galaxies for the errors.

    Returns
    -------
    list of Block
        A block without figure says why in its sentences.
    """
    clumps = clumps.copy(copy_data=False)
    if {"p_long", "longevity"} <= set(clumps.colnames):
        clumps.remove_column("p_long")  # the classes that the rest of the page counts, whatever the classifier's threshold was
    classified = "longevity" in clumps.colnames or "p_long" in clumps.colnames
    options = {
        "galaxies": galaxies, "n_bootstrap": n_bootstrap, "seed": 0, "populations": ("all", "LLC", "SLC") if classified else ("all",),
    }  # fmt: skip
    makers = {
        "Masses of clumps": _masses,
        "Distances from the centres of galaxies": _radii,
        "Ages of clumps": _ages,
        "Masses of the galaxies": _hosts,
    }
    return [_block(title, maker, clumps, galaxies, options, classified) for title, maker in makers.items()]


class _CannotBe(Exception):
    """Why a figure cannot be made, in a sentence."""


def _block(title, maker, clumps, galaxies, options, classified):
    if not len(clumps):
        return Block(title, None, "", ["There are no clumps."], [])
    notes = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstroclumpsWarning)
        try:
            plot, alt, sentences, grids = maker(clumps, galaxies, options, classified)
        except (_CannotBe, ValueError, TypeError) as exc:  # columns of the user's list, or of a plugin
            return Block(title, None, "", [f"No figure. {_sentence(exc)}"], [])
        figure = None
        try:
            figure = _drawn(plot)
        except ImportError as exc:
            sentences.append(f"No figure. {_sentence(exc)}")
    notes += [_sentence(one.message) for one in caught if issubclass(one.category, AstroclumpsWarning)]
    return Block(title, figure, alt, [*sentences, *dict.fromkeys(notes)], grids)


def _drawn(plot):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.png"
        plot(path)
        return path.read_bytes()


def _values(clumps, name, unit):
    """A column that has positive values, or why not."""
    if name not in clumps.colnames:
        without = {"mass": "masses", "age": "ages"}[name]
        raise _CannotBe(f"the clumps have no {without}; the survey ran without a spectral fit (sed=None).")
    values = u.Quantity(clumps[name]).to_value(unit)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values > 0)
    if not good.any():
        raise _CannotBe(f"none of {len(values):,} clumps has a finite {name}; the spectral fits failed.")
    return good


def _masses(clumps, galaxies, options, classified):
    from ..population.mass_function import mass_function
    from ..population.medians import class_medians, median_difference
    from ..population.power_law import SLOPE_MASS, fit_power_law
    from ..population.transition import transition_mass

    good = _values(clumps, "mass", u.Msun)
    table = mass_function(clumps, bins=_bins(clumps["mass"][good]), **options)
    clumps = clumps[good]
    fit = fit_power_law(clumps["mass"], groups=np.asarray(clumps["galaxy"]))
    shared = {name: value for name, value in options.items() if name != "populations"}
    transition = transition_mass(clumps, **shared) if classified else None
    medians = class_medians(clumps, column="mass", **options)
    sentences = [
        f"{len(clumps):,} clumps with a mass in {len(galaxies):,} searched galaxies, those without clumps included. Masses are those of "
        "the fits; neither clumps that were missed nor errors of masses are corrected for, and no cuts in galaxies or clumps are made."
    ]
    low = np.log10(SLOPE_MASS.to_value(u.Msun))
    if np.isfinite(fit.slope):
        sentences.append(
            f"Above 10^{low:g} Msun: dN/dM ~ M^({fit.slope:.2f} ± {fit.error:.2f}), that is dN/dlogM ~ M^({fit.slope_log:.2f} ± "
            f"{fit.error:.2f}), from {fit.n:,.0f} clumps by maximum likelihood; it means something where the counts follow a power law."
        )
    transition = _firm(transition, "Long-lived clumps outnumber short-lived ones above", sentences)
    if classified:
        difference = median_difference(clumps, column="mass", **shared)
        if np.isfinite(difference.dex):
            error = f" ± {difference.error:.2f}" if np.isfinite(difference.error) else ""
            sentences.append(f"Median masses of short- over long-lived clumps: {difference.dex:+.2f}{error} dex.")
    rows = [[*_median_row(row, u.Msun, _log)] for row in medians]
    grids = [Grid("Median masses, log10 M/Msun" + _ENDS, ["class", "clumps", "median", "68% interval"], rows), _bins_of(table)]
    return (
        lambda path: _plots().plot_mass_function(table, path, fits=fit, transitions=transition),
        "Clumps per galaxy and dex of mass against mass, by class; the numbers are in the table below.", sentences, grids,
    )  # fmt: skip


def _bins(mass):
    """The usual bins, with more of them where there are clumps beyond."""
    from ..population.mass_function import MASS_BINS

    ends, log_mass = np.log10(MASS_BINS.to_value(u.Msun))[[0, -1]], np.log10(mass.to_value(u.Msun))
    low, high = min(ends[0], np.floor(4 * log_mass.min()) / 4), max(ends[1], np.floor(4 * log_mass.max() + 1) / 4)
    return 10 ** np.arange(max(low, 0.0), min(high, 15.0) + 0.01, 0.25) * u.Msun


def _firm(transition, what, sentences):
    """A transition that most draws of galaxies have, in words; None for another."""
    if transition is None or not np.isfinite(transition.log_mass):
        return None
    if np.isfinite(transition.error_dex):
        sentences.append(f"{what} 10^({transition.log_mass:.2f} ± {transition.error_dex:.2f}) Msun.")
        return transition
    place = f"there is one at 10^{transition.log_mass:.2f} Msun"
    sentences.append(f"No firm transition between the classes: {place}, but in fewer than four of five draws of galaxies.")
    return None


def _bins_of(table):
    """The mass function as numbers."""
    rows = []
    for row in table:
        if row["n"]:
            phi, low, high, error = (row[name].to_value(1 / u.dex) for name in ("phi", "lower", "upper", "error"))
            ends = f"{_log(row['low'].to_value(u.Msun))} to {_log(row['high'].to_value(u.Msun))}"
            rows.append([str(row["population"]), ends, f"{row['n']:,.0f}", f"{phi:.3g}", f"{low:.3g} to {high:.3g}", _number(error)])
    columns = ["class", "log10 M/Msun", "clumps", "per galaxy and dex", "68% Poisson", "error over galaxies"]
    return Grid("Mass function, bins with clumps", columns, rows, True)


def _radii(clumps, galaxies, options, classified):
    from ..population.radial import RADIAL_BINS, radial_distribution, radial_medians

    sentences = []
    if "r_norm" not in clumps.colnames:
        clumps = clumps.copy(copy_data=False)
        clumps["r_norm"] = _r_norm(clumps, galaxies)
        sentences.append(
            "Distances on the sky from the positions of the list (centres of the images where it has none), over its r_e; not deprojected."
        )
    r_norm = np.asarray(clumps["r_norm"], dtype=float)
    with np.errstate(invalid="ignore"):
        inside = int(((r_norm >= RADIAL_BINS[0]) & (r_norm < RADIAL_BINS[-1])).sum())
    sentences.append(f"{inside:,} of {len(clumps):,} clumps lie between {RADIAL_BINS[0]:g} and {RADIAL_BINS[-1]:g} R_e.")
    if not inside:
        raise _CannotBe(sentences[-1].replace(f"{inside:,} of", "none of"))
    table = radial_distribution(clumps, **options)
    medians = radial_medians(clumps, thresholds=[0.5], **options)
    rows = [[*_median_row(row, None, "{:.2f}".format), _number(row["inside"])] for row in medians]
    grid = Grid("Median distances in R_e" + _ENDS, ["class", "clumps", "median", "68% interval", "share inside R_e"], rows)
    alt = "Density of clumps against the logarithm of their distance in effective radii, by class; the medians are in the table below."
    return lambda path: _plots().plot_radii(table, path, medians=medians), alt, sentences, [grid]


def _r_norm(clumps, galaxies):
    """Distances over R_e from sky positions and sizes of the list, in a plane that touches the sky at the galaxy."""
    from astropy.coordinates import SkyCoord

    from ..population.distances import normalised_radius
    from ..population.sample import Sample

    if "r_e" not in galaxies.colnames:
        raise _CannotBe("the list of galaxies has no column r_e (effective radius as an angle) to measure distances with.")
    if not {"ra", "dec"} <= set(galaxies.colnames) or not {"ra", "dec"} <= set(clumps.colnames):
        raise _CannotBe("the list of galaxies has no positions on the sky.")
    at, centre = (np.array([u.Quantity(one[name], u.deg).value for name in ("ra", "dec")]) for one in (clumps, galaxies))
    if not np.isfinite(at).all(axis=0).any():
        raise _CannotBe("no clump has a position on the sky; the images have no WCS.")
    if not np.isfinite(centre).all(axis=0).any():
        raise _CannotBe("no galaxy of the list has a position on the sky.")
    index = Sample(clumps, galaxies, n_draws=0).index
    dx, dy = SkyCoord(*centre[:, index] * u.deg).spherical_offsets_to(SkyCoord(*at * u.deg))
    plane = QTable({"galaxy": clumps["galaxy"], "x": dx.to_value(u.arcsec) * u.pix, "y": dy.to_value(u.arcsec) * u.pix})
    hosts = QTable({"galaxy": galaxies["galaxy"], "r_e": galaxies["r_e"]})
    hosts["x"] = hosts["y"] = np.zeros(len(hosts)) * u.pix
    return normalised_radius(plane, hosts, pixel_scale=1 * u.arcsec)


def _ages(clumps, galaxies, options, classified):
    from ..population.distribution import AGE_BINS, distribution
    from ..population.medians import class_medians

    good = _values(clumps, "age", u.Myr)
    clumps = clumps[good]
    clumps["age"] = clumps["age"].to(u.Myr)
    table = distribution(clumps, column="age", bins=AGE_BINS, **options)
    medians = class_medians(clumps, column="age", **options)
    rows = [[*_median_row(row, u.Myr, "{:.0f}".format)] for row in medians]
    grid = Grid("Median ages in Myr" + _ENDS, ["class", "clumps", "median", "68% interval"], rows)
    alt = "Density of clumps against the logarithm of their mass-weighted age, by class; the medians are in the table below."
    sentences = [f"{len(clumps):,} clumps with an age: mass-weighted means of the stars that remain, medians of the fits."]
    outside = int(((clumps["age"] < AGE_BINS[0]) | (clumps["age"] >= AGE_BINS[-1])).sum())
    if outside:
        sentences.append(f"{outside:,} of them lie outside {AGE_BINS[0]:g} to {AGE_BINS[-1]:g}: not in the figure, but in the medians.")
    return lambda path: _plots().plot_ages(table, path, medians=medians), alt, sentences, [grid]


def _hosts(clumps, galaxies, options, classified):
    from ..population.hosts import HOST_BINS, host_masses, host_transition

    if "mass" not in galaxies.colnames:
        raise _CannotBe("the list of galaxies has no column mass (stellar mass).")
    if getattr(galaxies["mass"], "unit", None) is None:
        raise _CannotBe("the list's column mass has no unit; give it one (FITS, ECSV, VOTable) such as solMass.")
    shared = {name: value for name, value in options.items() if name not in ("galaxies", "populations")}
    table = host_masses(clumps, galaxies, populations=options["populations"], **shared)
    transition = host_transition(clumps, galaxies, **shared) if classified else None
    ends = np.log10(HOST_BINS.to_value(u.Msun))[[0, -1]]
    sentences = [
        f"Stellar masses of the list, from 10^{ends[0]:g} to 10^{ends[1]:g} Msun; galaxies beyond, or without a mass, do not count."
    ]
    transition = _firm(transition, "Long-lived clumps prevail in galaxies above", sentences)
    alt = "Shares of the clumps in bins of the stellar mass of their galaxies, by class."
    return lambda path: _plots().plot_hosts(table, path, transitions=transition), alt, sentences, []


def _plots():
    from .. import plotting_population

    return plotting_population


def _median_row(row, unit, form):
    value, low, high = (float(row[name] if unit is None else row[name].to_value(unit)) for name in ("median", "lower", "upper"))
    ends = f"{form(low)} to {form(high)}" if np.isfinite(low + high) else "-"
    return str(row["population"]), f"{row['n']:,.0f}", form(value) if np.isfinite(value) else "-", ends


def _log(mass):
    return f"{np.log10(mass):.2f}"


def _number(value):
    return f"{value:.3g}" if np.isfinite(value) else "-"


def _sentence(what):
    text = " ".join(str(what).split()) or type(what).__name__
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
