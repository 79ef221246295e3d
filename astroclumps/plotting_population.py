"""Figures of what the clumps of many galaxies say (after G21 Figs. 10-13), from the tables of `astroclumps.population`."""

from pathlib import Path

import astropy.units as u
import numpy as np

from .figures import CLASS_STYLES, figure_class, log_axis, save

__all__ = ["plot_ages", "plot_hosts", "plot_mass_function", "plot_radii"]

_ALL = ("all clumps", "#303030", "#303030", "-", "D")
_COLUMNS = 3
_LINE = {"color": "0.45", "lw": 1.0, "zorder": 0}


def plot_mass_function(tables, path, *, fits=None, transitions=None, title: str = "") -> Path:
    """Clumps per galaxy and dex of mass, by class (after G21 Fig. 10).

    Parameters
    ----------
    tables : `~astropy.table.QTable` or dict
        From `~astroclumps.population.mass_function.mass_function`; a dict has a panel for each, by its title.
    path : path-like
        File to write; the suffix decides the format. The same tables give the same bytes.
    fits : `~astroclumps.population.power_law.PowerLawFit` or dict, optional
        Drawn as dashed lines over 'all', and both slopes written beside them; a dict by the panel's title.
    transitions : `~astroclumps.population.transition.Transition` or dict, optional
        Drawn as vertical lines with their error.
    title : str, optional

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    tables, fits, transitions = _named(tables), _named(fits), _named(transitions)
    figure, panels = _panels("plot_mass_function", tables, title)
    seen = [_seen(table, "phi") for table in tables.values()]
    lowest = min((values.min() for values in seen if len(values)), default=1e-3)
    highest = max((values.max() for values in seen if len(values)), default=1.0)
    for name, axes in panels.items():
        table = tables[name]
        for population in _populations(table):
            part = _part(table, population)
            label, _, colour, line, mark = _style(population)
            mass, phi = part["mass"].to_value(u.Msun), part["phi"].to_value(1 / u.dex)
            low, high = (part[end].to_value(1 / u.dex) for end in ("lower", "upper"))
            error = np.nan_to_num(part["error"].to_value(1 / u.dex))
            held = np.nan_to_num(phi) > 0
            below, above = np.maximum(phi - low, error)[held], np.maximum(high - phi, error)[held]
            below = np.minimum(below, 0.999 * phi[held])
            axes.errorbar(mass[held], phi[held], [below, above], color=colour, ls=line, marker=mark, ms=4, lw=1.2, capsize=2, label=label)
        axes.set(xscale="log", yscale="log", xlabel=r"mass of the clump [M$_\odot$]")
        axes.set_ylim(0.4 * lowest, 6 * highest)
        _law(axes, fits.get(name), table)
        _transition(axes, transitions.get(name), "transition")
        axes.legend(fontsize=8, frameon=False, loc="lower left")
    _label_first(panels, "clumps per galaxy and dex")
    return _write(figure, path)


def plot_radii(tables, path, *, medians=None, title: str = "") -> Path:
    """Distances of clumps from the centre of their galaxy, by class (after G21 Fig. 11).

    Parameters
    ----------
    tables : `~astropy.table.QTable` or dict
        From `~astroclumps.population.radial.radial_distribution`; a dict has a panel for each, by its title.
    path, title
        As in `plot_mass_function`.
    medians : `~astropy.table.QTable` or dict, optional
        From `~astroclumps.population.radial.radial_medians`, of one threshold each: vertical lines.

    Returns
    -------
    path : `~pathlib.Path`
    """
    tables, medians = _named(tables), _named(medians)
    figure, panels = _panels("plot_radii", tables, title)
    for name, axes in panels.items():
        _densities(axes, tables[name], "r_norm", None)
        _medians(axes, medians.get(name), None, r"{:.2f} R$_{{\rm e}}$")
        log_axis(axes)
        axes.set(xlabel=r"distance from the centre / R$_{\rm e}$", ylim=(0, None))
        axes.axvline(1, ls=(0, (1, 3)), **_LINE)
        axes.legend(fontsize=8, frameon=False)
    _label_first(panels, "density [1/dex]")
    return _write(figure, path)


def plot_ages(tables, path, *, medians=None, title: str = "") -> Path:
    """Ages of clumps, by class (after G21 Fig. 13).

    Parameters
    ----------
    tables : `~astropy.table.QTable` or dict
        From `~astroclumps.population.distribution.distribution` of a column that is a time.
    path, title
        As in `plot_mass_function`.
    medians : `~astropy.table.QTable` or dict, optional
        From `~astroclumps.population.medians.class_medians`: vertical lines.

    Returns
    -------
    path : `~pathlib.Path`
    """
    tables, medians = _named(tables), _named(medians)
    figure, panels = _panels("plot_ages", tables, title)
    for name, axes in panels.items():
        _densities(axes, tables[name], "middle", u.Myr)
        _medians(axes, medians.get(name), u.Myr, "{:.0f} Myr")
        log_axis(axes)
        axes.set(xlabel="mean age of the stars [Myr]", ylim=(0, None))
        axes.legend(fontsize=8, frameon=False)
    _label_first(panels, "density [1/dex]")
    return _write(figure, path)


def plot_hosts(tables, path, *, transitions=None, limits=None, title: str = "") -> Path:
    """Over which galaxies clumps are distributed, by class (after G21 Fig. 12).

    Parameters
    ----------
    tables : `~astropy.table.QTable` or dict
        From `~astroclumps.population.hosts.host_masses`; a dict has a panel for each, by its title.
    path, title
        As in `plot_mass_function`.
    transitions : `~astroclumps.population.transition.Transition` or dict, optional
        From `~astroclumps.population.hosts.host_transition`: vertical lines with their error.
    limits : `~astropy.units.Quantity` ['mass'], shape (2,), optional
        A range of stellar masses to shade, such as `~astroclumps.survival.stellar_mass_limit` at both ends of the sample's redshifts.

    Returns
    -------
    path : `~pathlib.Path`
    """
    tables, transitions = _named(tables), _named(transitions)
    figure, panels = _panels("plot_hosts", tables, title)
    for name, axes in panels.items():
        table = tables[name]
        if limits is not None:
            ends = sorted(limits.to_value(u.Msun))
            axes.axvspan(*ends, color="0.92", lw=0, zorder=-1, label="disruption by supernovae below (eqs. 4-8)")
        for population in _populations(table):
            part = _part(table, population)
            label, _, colour, line, mark = _style(population)
            middle = np.sqrt(part["low"].to_value(u.Msun) * part["high"].to_value(u.Msun))
            dex = np.log10(part["high"] / part["low"]).value
            held = np.asarray(part["n_galaxies"]) > 0
            share, error = (np.asarray(part[key], dtype=float) / dex for key in ("fraction", "fraction_error"))
            label = f"{label}: {np.nansum(part['n']):.0f}"
            axes.errorbar(
                middle[held], share[held], np.nan_to_num(error[held]), color=colour, ls=line, marker=mark, ms=4, lw=1.2, capsize=2,
                label=label,
            )  # fmt: skip
        axes.set(xscale="log", xlabel=r"stellar mass of the galaxy [M$_\odot$]")
        axes.set_ylim(0, 1.45 * max(axes.get_ylim()[1], 0.1))
        _transition(axes, transitions.get(name), "transition")
        axes.legend(fontsize=8, frameon=False, loc="upper left")
    _label_first(panels, "share of the clumps [1/dex]")
    return _write(figure, path)


def _named(one):
    """A dict of panels, whatever was given."""
    return {} if one is None else one if isinstance(one, dict) else {"": one}


def _panels(who, tables, title):
    """A figure with an axes for each table, three in a row."""
    if not tables:
        raise ValueError(f"{who} needs a table; got none")
    new_figure = figure_class(who)
    columns = min(len(tables), _COLUMNS)
    rows = -(-len(tables) // columns)
    figure = new_figure(figsize=(4.3 * columns + 0.3, 3.9 * rows + 0.3), dpi=110, facecolor="white", layout="constrained")
    if title:
        figure.suptitle(title, size=10)
    panels = {}
    for i, name in enumerate(tables):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.set_title(name, size=10)
        axes.tick_params(labelsize=8.5)
        panels[name] = axes
    return figure, panels


def _label_first(panels, text):
    """The vertical axis is named in the first panel of each row."""
    for i, axes in enumerate(panels.values()):
        if i % _COLUMNS == 0:
            axes.set_ylabel(text)


def _write(figure, path):
    save(figure, Path(path))
    return Path(path)


def _style(population):
    return _ALL if population == "all" else CLASS_STYLES[population]


def _populations(table):
    return list(dict.fromkeys(str(name) for name in table["population"]))


def _part(table, population):
    return table[np.asarray(table["population"]).astype(str) == population]


def _seen(table, column):
    values = np.asarray(table[column].value, dtype=float) if len(table) else np.zeros(0)
    return values[np.isfinite(values) & (values > 0)]


def _densities(axes, table, column, unit):
    for population in _populations(table):
        part = _part(table, population)
        label, _, colour, line, mark = _style(population)
        place = np.asarray(part[column] if unit is None else part[column].to_value(unit), dtype=float)
        density, error = (part[key].to_value(1 / u.dex) for key in ("density", "error"))
        label = f"{label}: {np.nansum(part['n']):.0f}"
        axes.errorbar(
            place, density, np.nan_to_num(error), color=colour, ls=line, marker=mark, ms=4, lw=1.2, capsize=2, label=label
        )  # fmt: skip


def _medians(axes, table, unit, text):
    if table is None:
        return
    place = 0.97
    for row in table:
        value = float(row["median"] if unit is None else row["median"].to_value(unit))
        if not np.isfinite(value) or row["population"] == "all":
            continue
        colour = _style(str(row["population"]))[2]
        axes.axvline(value, color=colour, lw=1.0, ls="--", zorder=0)
        axes.text(0.02, place, text.format(value), color=colour, size=8, va="top", transform=axes.transAxes)
        place -= 0.06


def _law(axes, fit, table):
    """The fitted law over the counts of all clumps."""
    if fit is None or not np.isfinite(fit.slope):
        return
    part = _part(table, "all")
    mass, dex = part["mass"].to_value(u.Msun), np.log10(part["high"] / part["low"]).value
    phi = np.nan_to_num(part["phi"].to_value(1 / u.dex))
    low, high = fit.low.to_value(u.Msun), fit.high.to_value(u.Msun)
    inside = (mass > low) & (mass < high) & (phi > 0)
    if not inside.any():
        return
    ends = np.array([low, min(high, 1.5 * mass[inside].max())])
    level = (phi * dex)[inside].sum() / (mass**fit.slope_log * dex)[(mass > low) & (mass < high)].sum()
    axes.plot(ends, level * ends**fit.slope_log, ls="--", **_LINE | {"zorder": 3})
    text = f"dN/dM: {fit.slope:.2f} ± {fit.error:.2f}\ndN/dlogM: {fit.slope_log:.2f} ± {fit.error:.2f}"
    axes.text(0.97, 0.97, text, size=8, ha="right", va="top", color="0.3", transform=axes.transAxes)


def _transition(axes, found, what):
    if found is None or not np.isfinite(found.mass.value):
        return
    axes.axvline(found.mass.to_value(u.Msun), ls="-.", label=f"{what}: 10$^{{{found.log_mass:.2f}}}$ M$_\\odot$", **_LINE)
    low, high = found.lower.to_value(u.Msun), found.upper.to_value(u.Msun)
    if np.isfinite(low + high):
        axes.axvspan(low, high, color="0.9", lw=0, zorder=-2)
