"""The table "paper (VELA), paper (CANDELS), ours": every number that the paper quotes, with ours beside it."""

import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import survival
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.population.hosts import clump_fractions, host_transition, mean_fraction
from astroclumps.population.medians import class_medians, median_difference
from astroclumps.population.power_law import fit_power_law
from astroclumps.population.radial import radial_medians
from astroclumps.population.transition import transition_mass

from .paper import PAPER
from .populations import FEWEST, FITTED

__all__ = ["detector_numbers", "number_table", "population_numbers", "slope_fit", "theory_numbers", "to_rst"]

_CLASSES = ("LLC", "SLC")
_MASSES = ("median_mass_LLC", "median_mass_SLC", "slope_dM", "slope_dlogM", "transition")
_AGES = ("median_age_LLC", "median_age_SLC")


def population_numbers(population, *, n_bootstrap=200, seed=0) -> dict:
    """What the paper's sections 5.2 and its Figs. 10-13 quote, of one sample.

    Parameters
    ----------
    population : `~astroclumps.reproduction.populations.Population`
    n_bootstrap, seed : int
        Of the errors, which draw whole galaxies.

    Returns
    -------
    dict
        Key of `~astroclumps.reproduction.paper.PAPER` -> (value, error); NaN where the sample does not tell, or has fewer than
        `~astroclumps.reproduction.populations.FEWEST` clumps to tell it by. Corrected masses have no ages, radii and hosts of their own.
    """
    clumps, galaxies = population.clumps, population.galaxies
    drawn = {"galaxies": galaxies, "n_bootstrap": n_bootstrap, "seed": seed}
    numbers = {}
    if not len(clumps) or len(galaxies) < 1:
        return numbers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)  # what cannot be told is NaN in the table
        for row in class_medians(clumps, column="mass", populations=_CLASSES, draws=population.draws, **drawn):
            numbers[f"median_mass_{row['population']}"] = _told(row["n"], _dex(row, u.Msun))
        fit = slope_fit(population)
        numbers["slope_dM"], numbers["slope_dlogM"] = (_told(fit.n, (one, fit.error)) for one in (fit.slope, fit.slope_log))
        found = transition_mass(clumps, draws=population.draws, **drawn)
        numbers["transition"] = _told(found.n, (found.log_mass, found.error_dex))
        if population.draws is None:
            numbers |= _other_numbers(population, drawn)
    return numbers


def slope_fit(population):
    """Slope above 10^7.5 Msun, with errors over whole galaxies.

    Parameters
    ----------
    population : `~astroclumps.reproduction.populations.Population`
        Draws of corrected masses count equally, as in the mass function, so that their prior stays in the slope. To divide it out takes
        the completeness below the limit, from where draws come in.

    Returns
    -------
    `~astroclumps.population.power_law.PowerLawFit`
    """
    clumps, galaxies, draws = population.clumps, population.galaxies, population.draws
    parents = galaxies["parent" if "parent" in galaxies.colnames else "galaxy"]
    place = {str(name): str(parent) for name, parent in zip(galaxies["galaxy"], parents, strict=True)}
    groups = np.array([place[str(name)] for name in clumps["galaxy"]], dtype=str)
    if draws is None:
        return fit_power_law(clumps["mass"], groups=groups)
    n_draws = draws.shape[1]
    weights = np.full(draws.size, 1 / n_draws)
    return fit_power_law(draws.ravel(), high=population.high, weights=weights, groups=np.repeat(groups, n_draws))


def _other_numbers(population, drawn):
    clumps, galaxies = population.clumps, population.galaxies
    numbers = {}
    for row in class_medians(clumps, column="age", populations=_CLASSES, **drawn):
        value = tuple(row[name].to_value(u.Myr) for name in ("median", "error"))
        numbers[f"median_age_{row['population']}"] = _told(row["n"], value)
    if population.values != FITTED:
        return numbers
    for threshold in (0.5, 0.7):
        if population.classes == "network" or threshold == 0.5:
            difference = median_difference(clumps, column="r_norm", threshold=threshold, **drawn)
            rows = class_medians(clumps, column="r_norm", populations=_CLASSES, threshold=threshold, **drawn | {"n_bootstrap": 0})
            numbers[f"radius_{threshold}"] = _told(rows["n"].min(), (difference.dex, difference.error))
    [row] = radial_medians(clumps, thresholds=[0.5], populations=["LLC"], **drawn)
    numbers["inside"] = _told(row["n"], (float(row["inside"]), float(row["inside_error"])))
    rest = {name: drawn[name] for name in ("n_bootstrap", "seed")}
    found = host_transition(clumps, galaxies, **rest)
    numbers["host_transition"] = _told(found.n, (found.log_mass, found.error_dex))
    if "sfr" in clumps.colnames and "sfr" in galaxies.colnames and population.classes == "network":
        shares = clump_fractions(clumps, galaxies, columns=("sfr",), populations=("all",))
        numbers["sfr_share"] = mean_fraction(shares, column="sfr_fraction_all", **rest)
    return numbers


def _told(n, value):
    """The value and its error, or NaN where too few clumps tell it."""
    return value if n >= FEWEST else (np.nan, np.nan)


def _dex(row, unit):
    """log10 of a median and its error, half of the interval."""
    median, lower, upper = (row[name].to_value(unit) for name in ("median", "lower", "upper"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.log10(median)), float(0.5 * np.log10(upper / lower))


def detector_numbers(comparison, classifier=None) -> dict:
    """Numbers of Figs. 6-9.

    Parameters
    ----------
    comparison : `~astroclumps.evaluation.comparison.Comparison` or None
        Its first detector.
    classifier : dict, optional
        ``all`` of the scores of `~astroclumps.evaluation.classifier_report.classifier_report`.

    Returns
    -------
    dict
        Key -> (value, error).
    """
    numbers = {}
    if comparison is not None:
        squares = next(iter(comparison.scores.values()))["squares"]
        for size in ("8", "10"):
            numbers[f"completeness_{size}"] = tuple(squares[size]["own"]["all"]["completeness"])
        numbers["true_detection_10"] = tuple(squares["10"]["own"]["all"]["true_detection"])
        table = comparison.tables["clumps_per_square"]
        for size in (6, 8, 10):
            numbers[f"per_square_{size}"] = (float(table["median"][np.asarray(table["size"]) == size][0]), np.nan)
    if classifier:
        for key, name in (("balanced_completeness",) * 2, ("precision_natural", "precision_at_recall_80"),
                          ("precision_balanced", "balanced_precision_at_recall_80")):  # fmt: skip
            if name in classifier:
                numbers[key] = tuple(classifier[name])
    return numbers


def theory_numbers() -> dict:
    """Eqs. 4-8 by `astroclumps.survival`; they have no sample and no error.

    Examples
    --------
    >>> from astroclumps.reproduction.numbers import theory_numbers
    >>> {key: round(value, 2) for key, (value, _) in theory_numbers().items() if key in ("v_sn", "v_vir", "halo_mass_2")}
    {'v_sn': 30.0, 'v_vir': 150.0, 'halo_mass_2': 4.22}
    """
    numbers = {
        "v_sn": survival.clump_velocity_threshold().to_value(u.km / u.s),
        "v_vir": survival.halo_velocity_threshold().to_value(u.km / u.s),
    }
    for z in (1, 2, 3):
        numbers[f"halo_mass_{z}"] = survival.halo_mass_threshold(z).to_value(1e11 * u.Msun)
        numbers[f"stellar_mass_{z}"] = survival.stellar_mass_threshold(z).to_value(1e9 * u.Msun)
    return {key: (float(value), np.nan) for key, value in numbers.items()}


def number_table(samples, *, detector=None, n_bootstrap=200, seed=0) -> QTable:
    """Every number of the paper with ours.

    Parameters
    ----------
    samples : sequence of `~astroclumps.reproduction.populations.Population`
        Of the arms 'suite' and 'field'.
    detector : dict, optional
        From `detector_numbers`.
    n_bootstrap, seed
        As in `population_numbers`.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each number and, where it depends on them, each kind of masses or ages: ``figure``, ``quantity``, ``unit``, ``values``
        (whose masses or ages), ``paper_vela``, ``paper_candels`` (text), ``ours_suite``, ``ours_suite_error`` (classes of the network),
        ``ours_suite_true``, ``ours_suite_true_error`` (true classes), ``ours_field``, ``ours_field_error`` and ``note``. NaN where there
        is no number. Eqs. 4-8 stand under ``ours_suite`` but belong to no sample.
    """
    made = {}
    for one in samples:
        column = "ours_field" if one.arm != "suite" else "ours_suite_true" if one.classes == "true" else "ours_suite"
        made[one.values, column] = population_numbers(one, n_bootstrap=n_bootstrap, seed=seed)
    alone = (detector or {}) | theory_numbers()
    rows = []
    for number in PAPER:
        kinds = [""]
        if number.key in _MASSES + _AGES:
            kinds = list(dict.fromkeys(values for (values, _), found in made.items() if number.key in found)) or [FITTED]
        for values in kinds:
            row = {"figure": number.figure, "quantity": number.quantity, "unit": number.unit, "values": values}
            row |= {"paper_vela": number.vela, "paper_candels": number.candels}
            for column in ("ours_suite", "ours_suite_true", "ours_field"):
                value = made.get((values or FITTED, column), {}).get(number.key, (np.nan, np.nan))
                if column == "ours_suite" and number.key in alone:
                    value = alone[number.key]
                row[column], row[f"{column}_error"] = (float(part) for part in value)
            rows.append(row | {"note": number.note})
    return QTable(rows=rows)


def to_rst(table) -> str:
    """The table as a reStructuredText list-table, errors behind their numbers.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        From `number_table`.

    Returns
    -------
    str
    """
    titles = ("", "paper (VELA)", "paper (CANDELS)", "ours, suite", "ours, suite, true classes", "ours, field", "note")
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in (titles, *(printed(row) for row in table)):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}".rstrip() for i, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def printed(row) -> tuple:
    """Cells of a row as text."""
    unit = f" [{row['unit']}]" if row["unit"] else ""
    values = f" ({row['values']})" if row["values"] else ""
    where = f"Fig. {row['figure']}" if row["figure"][0].isdigit() and "." not in row["figure"] else str(row["figure"])
    ours = [_pair(row[name], row[f"{name}_error"]) for name in ("ours_suite", "ours_suite_true", "ours_field")]
    return (f"{where}: {row['quantity']}{unit}{values}", str(row["paper_vela"]), str(row["paper_candels"]), *ours, str(row["note"]))


def _pair(value, error):
    if not np.isfinite(value):
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 20 else 2
    return f"{value:.{digits}f}" + (f" ± {error:.{digits}f}" if np.isfinite(error) else "")
