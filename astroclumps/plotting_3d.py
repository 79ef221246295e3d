"""Figures of clumps in simulations: maps with the clumps circled by class; what becomes of them in time is drawn by `plot_tracks`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from .figures import CLASS_STYLES, classes, figure_class, save
from .plotting import _number_places
from .plotting_tracks import plot_tracks
from .simulation.projection import Projection, project

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["CLASS_STYLES", "classes", "plot_clumps_3d", "plot_tracks"]

__doctest_requires__ = {("plot_clumps_3d",): ["matplotlib"]}

_DECADES = 3.3  # of surface density that a map shows
_RING = 2.0  # radii of a clump: the circle's radius
_LEAST_RING = 0.017  # of a map's side
_WIDTH, _SIDE = 11.0, 5.378  # inches: the figure, a map with the gap beside it
_ABOVE, _BELOW = 0.722, 1.128  # inches above and below the maps
_MAPS = {"cold": ("cold gas", r"$\Sigma_{\rm cold}$"), "stars": ("stars", r"$\Sigma_{\rm stars}$")}


def plot_clumps_3d(
    snapshot: Any, clumps: "QTable", path: str | os.PathLike, *, half_width: u.Quantity | None = None, n_numbers: int = 10, note: str = ""
) -> Path:
    """Maps of cold gas and stars, face-on and edge-on, with the clumps circled by class (after G21 Fig. 3).

    A dotted line is the disc's outline, R_d and H_d to both sides; a dashed one that of the cylinder that is searched for clumps. Of a
    snapshot that is ClumpFinder3D's default, R_d and 3 H_d; a projection knows its own.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot` or `~astroclumps.simulation.projection.Projection`
        The galaxy, or its maps from `~astroclumps.simulation.projection.project`, which need less memory to keep.
    clumps : `~astropy.table.QTable`
        Its clumps, stage "found" or "tracked"; rows of other snapshots must have been taken out. Circles have twice the radius of the
        clump, and at least 1.7% of the map's side.
    path : path-like
        File to write; the suffix decides the format.
    half_width : `~astropy.units.Quantity` ['length'], optional
        Half of a map's side; default 1.4 R_d. Not for a projection, which has its own. Edge-on maps are as high as the searched cylinder
        asks for, at least a third of that.
    n_numbers : int, default 10
        So many clumps, the most massive, are numbered: by their track where they have one, else by id.
    note : str, optional
        Follows the time in the title.

    Returns
    -------
    path : `~pathlib.Path`

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import astropy.units as u, numpy as np
    >>> from astropy.table import QTable
    >>> from astroclumps import Snapshot, catalog
    >>> from astroclumps.plotting_3d import plot_clumps_3d
    >>> from astroclumps.simulation.elements import empty_elements
    >>> rng = np.random.default_rng(0)
    >>> stars = QTable({"particle_id": np.arange(2000), "position": rng.normal(0, [2, 2, 0.1], (2000, 3)) * u.kpc,
    ...                 "velocity": np.zeros((2000, 3)) * u.km / u.s, "mass": np.full(2000, 1e5) * u.Msun,
    ...                 "age": np.full(2000, 50) * u.Myr, "metallicity": np.full(2000, 0.02)})
    >>> snapshot = Snapshot(name="blob", stars=stars, gas=empty_elements("gas"), r_vir=50 * u.kpc, axis=[0, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_clumps_3d(snapshot, catalog.make_table("found"), Path(folder) / "blob.png").name
    'blob.png'
    """
    new_figure = figure_class("plot_clumps_3d")
    if isinstance(snapshot, Projection):
        if half_width is not None:
            raise ValueError("half_width belongs to the projection; give it to project()")
        maps = snapshot
    else:
        maps = project(snapshot, half_width=half_width)
    path, labels, places = Path(path), classes(clumps), maps.places(clumps)
    edge_on = maps.half_height / maps.half_width
    inches = _SIDE * (1 + edge_on) + _ABOVE + _BELOW
    figure = new_figure(figsize=(_WIDTH, inches), dpi=120, facecolor="white")
    grid = figure.add_gridspec(2, 2, left=0.012, right=0.988, top=1 - _ABOVE / inches, bottom=_BELOW / inches, wspace=0.018, hspace=0.012,
                               height_ratios=[1, edge_on])  # fmt: skip
    figure.text(0.012, 1 - 0.108 / inches, _title(maps, note), size=14, weight="bold", va="top")
    figure.text(0.012, 1 - 0.442 / inches, _summary(clumps), size=10.5, va="top", color="0.25")
    figure.text(0.988, 1 - 0.442 / inches, _caption(clumps, n_numbers), size=9, va="top", ha="right", color="0.4")
    for column, kind in enumerate(_MAPS):
        low, high = _limits(maps, kind)
        for row, view in enumerate(("face_on", "edge_on")):
            axes = figure.add_subplot(grid[row, column])
            shown = _map(axes, maps, kind, view, low, high)
            _circles(axes, maps, clumps, labels, places[:, [0, 1 + row]], n_numbers if row == 0 else 0)
            none = "" if getattr(maps, view)[kind].any() else ": none"
            _words(axes, f"{_MAPS[kind][0]}, {view.replace('_', '-')}{none}")
            _disc(axes, maps, view)
            if column == 0 and row == 0:
                _scale_bar(axes, maps)
        box = axes.get_position()
        place = [box.x0 + 0.02, 0.884 / inches, box.width - 0.04, 0.126 / inches]
        bar = figure.colorbar(shown, cax=figure.add_axes(place), orientation="horizontal")
        bar.set_label(rf"{_MAPS[kind][1]} [M$_\odot$ pc$^{{-2}}$]", size=10, labelpad=1)
        bar.ax.tick_params(labelsize=9)
    _legend(figure, labels)
    save(figure, path)
    return path


def _title(maps, note):
    words = [maps.name.replace("$", " "), f"t = {maps.time.to_value(u.Gyr):.3g} Gyr"]
    if maps.scale_factor != 1:
        words.append(f"z = {1 / maps.scale_factor - 1:.2f}")
    return "   ".join([*words, note]).rstrip()


def _summary(clumps):
    """Their number, and the mass in those off the centre."""
    if not len(clumps):
        return "no clumps"
    off = np.asarray(clumps["origin"]) != "bulge"
    mass = np.nansum(clumps["mass"].to_value(u.Msun)[off])
    return f"{len(clumps)} clump{'' if len(clumps) == 1 else 's'}" + (
        rf"   ·   $10^{{{np.log10(mass):.1f}}}$ M$_\odot$ in those off the centre" if mass > 0 else ""
    )


def _caption(clumps, n_numbers):
    if not len(clumps):
        return ""
    text = f"circles: {_RING:g} clump radii or more"
    if n_numbers:
        text += f"; numbers: {'tracks' if 'track' in clumps.colnames else 'ids'} of the {n_numbers} most massive"
    return text


def _limits(maps, kind):
    """Lowest and highest surface density shown, round numbers, the same for both views."""
    seen = np.concatenate([view[kind].ravel() for view in (maps.face_on, maps.edge_on)])
    seen = seen[seen > 0]
    if not len(seen):
        return 1.0, 10**_DECADES
    high = 10 ** (np.ceil(2 * np.log10(np.quantile(seen, 0.9985))) / 2)
    return high / 10**_DECADES, high


def _map(axes, maps, kind, view, low, high):
    from matplotlib.colors import LogNorm

    pixels = getattr(maps, view)[kind]
    side, up = maps.half_width, maps.half_width * pixels.shape[0] / pixels.shape[1]
    shown = axes.imshow(
        np.maximum(pixels, low),
        origin="lower",
        norm=LogNorm(low, high),
        cmap="gray",
        interpolation="bilinear",
        extent=(-side, side, -up, up),
    )
    axes.set(xticks=[], yticks=[])
    return shown


def _circles(axes, maps, clumps, labels, places, n_numbers):
    from matplotlib.patches import Circle

    half_x, half_y = axes.get_xlim()[1], axes.get_ylim()[1]
    inside = (abs(places[:, 0]) < half_x) & (abs(places[:, 1]) < half_y)
    rings = np.maximum(_RING * clumps["radius"].to_value(u.kpc), _LEAST_RING * 2 * half_x)
    rank = {label: i for i, label in enumerate(reversed(CLASS_STYLES))}
    for i in sorted(np.flatnonzero(inside), key=lambda i: rank[labels[i]]):  # long-lived ones on top
        _, colour, _, line, _ = CLASS_STYLES[labels[i]]
        width = 1.5 if n_numbers else 1.1
        axes.add_patch(Circle(places[i], rings[i], fill=False, ec=colour, lw=width, ls=line, path_effects=_outline(width + 1.1)))
    numbers = _numbers(clumps)
    mass = np.where(inside & (numbers > 0), np.nan_to_num(clumps["mass"].to_value(u.Msun)), -1.0)
    chosen = [i for i in np.argsort(-mass, kind="stable")[:n_numbers] if mass[i] >= 0]
    # _number_places works in pixels, with circles of 3
    scale = 3.0 / (_LEAST_RING * 2 * half_x)
    x, y = (places[:, 0] + half_x) * scale, (places[:, 1] + half_y) * scale
    order = chosen + [i for i in np.flatnonzero(inside) if i not in chosen]
    spots = _number_places(x[order], y[order], (2 * half_x * scale, 2 * half_y * scale))[: len(chosen)] if chosen else []
    for i, (tx, ty) in zip(chosen, spots, strict=True):
        text = {"color": CLASS_STYLES[labels[i]][1], "size": 10, "weight": "bold", "ha": "center", "va": "center"}
        axes.text(tx / scale - half_x, ty / scale - half_y, str(numbers[i]), path_effects=_outline(2.0), **text)
    axes.set(xlim=(-half_x, half_x), ylim=(-half_y, half_y))


def _numbers(clumps):
    return np.asarray(clumps["track"] if "track" in clumps.colnames else clumps["id"])


def _outline(width):
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]


def _words(axes, text):
    axes.text(0.018, 0.98, text, transform=axes.transAxes, color="white", size=10.5, va="top", path_effects=_outline(2.0))


def _disc(axes, maps, view):
    """Outlines of the disc, R_d and H_d to both sides (dotted), and of the cylinder that is searched (dashed)."""
    from matplotlib.patches import Circle, Rectangle

    for (in_r_d, in_h_d), line in (((1.0, 1.0), (0, (1, 3))), (maps.extent, (0, (6, 4)))):
        style = {"fill": False, "ec": "white", "lw": 0.8, "ls": line, "alpha": 0.7}
        r, h = in_r_d * maps.r_d, in_h_d * maps.h_d
        if view == "edge_on":
            axes.add_patch(Rectangle((-r, -h), 2 * r, 2 * h, **style))
        elif in_h_d == 1 or in_r_d != 1:  # else it is the disc's own
            axes.add_patch(Circle((0, 0), r, **style))


def _scale_bar(axes, maps):
    """A bar of a round length, about a quarter of the map."""
    half = maps.half_width
    length = max((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if step <= 0.6 * half), default=0.1)
    x, y = -0.95 * half, -0.94 * half
    axes.plot([x, x + length], [y, y], color="white", lw=2.5, solid_capstyle="butt", path_effects=_outline(4))
    axes.text(
        x + length / 2, y + 0.02 * half, f"{length:g} kpc", color="white", size=10.5, ha="center", va="bottom", path_effects=_outline(2.0)
    )


def _legend(figure, labels):
    from matplotlib.lines import Line2D

    shown = [label for label in CLASS_STYLES if label in set(labels)]
    if not shown:
        return
    handles = []
    for label in shown:
        name, colour, _, line, _ = CLASS_STYLES[label]
        handles.append(Line2D([], [], color=colour, ls=line, lw=2, label=f"{name}: {int((labels == label).sum())}"))
    figure.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 0.004), ncols=len(shown), fontsize=10, facecolor="0.15",
                  edgecolor="none", labelcolor="white", handlelength=2.6, columnspacing=1.6)  # fmt: skip
