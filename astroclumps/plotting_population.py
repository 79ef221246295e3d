"""Figures of what the clumps of many galaxies say (after G21 Figs. 10-13), from the tables of ``astroclumps.population``."""

from pathlib import Path

import astropy.units as u
import numpy as np

from .figures import CLASS_STYLES, figure_class, log_axis, save

__all__ = ["plot_ages", "plot_hosts", "plot_mass_function", "plot_radii"]

_ALL = ("all clumps", "#303030", "#303030", "-", "D")
_COLUMNS = 3
_BOX = {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1}
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
        log_axis(axes)
        axes.set(yscale="log", xlabel=r"mass of the clump [M$_\odot$]", ylim=(0.3 * lowest, 12 * highest))
        text = [_law(axes, fits.get(name), table), _transition(axes, transitions.get(name))]
        axes.text(0.97, 0.97, "\n".join(filter(None, text)), size=8, ha="right", va="top", color="0.3", transform=axes.transAxes, bbox=_BOX)
    _share_x(panels)
    return _finish(figure, panels, "clumps per galaxy and dex", path)


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
        _medians(axes, tables[name], medians.get(name), None, r"{:.2f} R$_{{\rm e}}$")
        axes.set(xscale="log", xlabel=r"distance from the centre / R$_{\rm e}$")
        axes.set_xticks([0.5, 1, 2, 3], ["0.5", "1", "2", "3"])
        axes.set_xticks([], minor=True)
        axes.axvline(1, ls=(0, (1, 3)), **_LINE)
    _share_x(panels)
    return _finish(figure, panels, "density [1/dex]", path)


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
        _medians(axes, tables[name], medians.get(name), u.Myr, "{:.0f} Myr")
        log_axis(axes)
        axes.set_xlabel("mean age of the stars [Myr]")
    _share_x(panels)
    return _finish(figure, panels, "density [1/dex]", path)


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
        A range of stellar masses to shade, such as `~astroclumps.survival.stellar_mass_threshold` at both ends of the sample's redshifts.

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
            axes.axvspan(*ends, color="#f3e6c8", lw=0, zorder=-1, label="supernovae disrupt clumps below (eqs. 4-8)")
        for population in _populations(table):
            part = _part(table, population)
            label, _, colour, line, mark = _style(population)
            middle = np.sqrt(part["low"].to_value(u.Msun) * part["high"].to_value(u.Msun))
            dex = np.log10(part["high"] / part["low"]).value
            held = np.asarray(part["n_galaxies"]) > 0
            share, error = (np.asarray(part[key], dtype=float) / dex for key in ("fraction", "fraction_error"))
            axes.errorbar(
                middle[held], share[held], np.nan_to_num(error[held]), color=colour, ls=line, marker=mark, ms=4, lw=1.2, capsize=2,
                label=label,
            )  # fmt: skip
        log_axis(axes)
        axes.set_xlabel(r"stellar mass of the galaxy [M$_\odot$]")
        axes.set_ylim(0, 1.3 * max(axes.get_ylim()[1], 0.1))
        text = [*_numbers(table), _transition(axes, transitions.get(name))]
        axes.text(0.03, 0.97, "\n".join(filter(None, text)), size=8, va="top", color="0.3", transform=axes.transAxes, bbox=_BOX)
    _share_x(panels)
    return _finish(figure, panels, "share of the clumps [1/dex]", path)


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


def _share_x(panels):
    """The same range for all panels; one without clumps has none of its own."""
    ranges = [axes.get_xlim() for axes in panels.values() if axes.get_xlim()[0] > 0]
    for axes in panels.values() if ranges else ():
        axes.set_xlim(min(low for low, _ in ranges), max(high for _, high in ranges))


def _finish(figure, panels, label, path):
    """Name the vertical axes, say once what is what, and write."""
    handles = {}
    for i, axes in enumerate(panels.values()):
        if i % _COLUMNS == 0:
            axes.set_ylabel(label)
        for handle, text in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(text, handle)
    handles = dict(sorted(handles.items(), key=lambda one: one[0] != _ALL[0]))
    if handles:
        columns = min(len(handles), 4 if len(panels) > 1 else 1)
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, fontsize=8.5, frameon=False)
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
        axes.errorbar(place, density, np.nan_to_num(error), color=colour, ls=line, marker=mark, ms=4, lw=1.2, capsize=2, label=label)
    axes.set_ylim(0, 1.25 * max(axes.get_ylim()[1], 0.1))


def _numbers(table):
    """How many clumps of each class there are."""
    counts = [(name, np.nansum(_part(table, name)["n"])) for name in _populations(table) if name != "all"]
    return [", ".join(f"{number:.0f} {name}" for name, number in counts)]


def _medians(axes, table, medians, unit, text):
    """Numbers and medians of the classes in words, medians as lines."""
    place = 0.97
    for population in _populations(table):
        if population == "all":
            continue
        colour, words = _style(population)[2], f"{np.nansum(_part(table, population)['n']):.0f} {population}"
        rows = [] if medians is None else list(_part(medians, population))
        if rows:
            value = float(rows[0]["median"] if unit is None else rows[0]["median"].to_value(unit))
            if np.isfinite(value):
                axes.axvline(value, color=colour, lw=1.0, ls="--", zorder=0)
                words += f", median {text.format(value)}"
        axes.text(0.03, place, words, color=colour, size=8, va="top", transform=axes.transAxes, bbox=_BOX)
        place -= 0.06


def _law(axes, fit, table):
    """Draw the fitted law over the counts of all clumps; both slopes in words."""
    if fit is None or not np.isfinite(fit.slope):
        return ""
    part = _part(table, "all")
    mass, dex = part["mass"].to_value(u.Msun), np.log10(part["high"] / part["low"]).value
    phi = np.nan_to_num(part["phi"].to_value(1 / u.dex))
    low, high = fit.low.to_value(u.Msun), fit.high.to_value(u.Msun)
    inside = (mass > low) & (mass < high)
    if (phi[inside] > 0).any():
        ends = np.array([low, min(high, 1.5 * mass[inside & (phi > 0)].max())])
        level = (phi * dex)[inside].sum() / (mass**fit.slope_log * dex)[inside].sum()
        axes.plot(ends, level * ends**fit.slope_log, ls="--", label="power law above its lower limit", **_LINE | {"zorder": 3})
    return f"dN/dM: {fit.slope:.2f} ± {fit.error:.2f}\ndN/dlogM: {fit.slope_log:.2f} ± {fit.error:.2f}"


def _transition(axes, found):
    """Draw where long-lived clumps begin to prevail; the mass in words."""
    if found is None:
        return ""
    if not np.isfinite(found.mass.value):
        return "no transition"
    axes.axvline(found.mass.to_value(u.Msun), ls="-.", label="transition to long-lived clumps", **_LINE)
    low, high = found.lower.to_value(u.Msun), found.upper.to_value(u.Msun)
    if np.isfinite(low + high):
        axes.axvspan(low, high, color="0.9", lw=0, zorder=-2)
    error = f" ± {found.error_dex:.2f}" if np.isfinite(found.error_dex) else ""
    return f"transition: 10^({found.log_mass:.2f}{error})"
