"""Figures of one galaxy: colour image, detector's map, clumps by class, spectral energy distributions."""

import os
from pathlib import Path

import astropy.units as u
import numpy as np

from . import bands as _bands
from .image import MultiBandImage
from .pipeline import PipelineResult

__all__ = ["CLASS_COLOURS", "colour_image", "quicklook"]

__doctest_requires__ = {("quicklook",): ["matplotlib"]}

CLASS_COLOURS = {"LLC": "#ff4040", "SLC": "#40b0ff", "": "#d0d0d0"}
"""Colours of long-lived, short-lived and unclassified clumps."""

_DARK = {"LLC": "#c01818", "SLC": "#1060c0", "": "#505050"}  # the same on white
_NAMES = {"LLC": "long-lived (LLC)", "SLC": "short-lived (SLC)", "": "not classified"}
_N_PANELS = 4
_RADIUS = 3.0  # pixels, the circles' radius: the default aperture

_ELSEWHERE = {
    "plotting_3d": ("plot_clumps_3d",),
    "plotting_tracks": ("plot_tracks",),
    "plotting_injection": ("plot_injection",),
    "plotting_evaluation": (
        "plot_clumps_per_square", "plot_completeness", "plot_detectors", "plot_purity", "plot_squares", "plot_true_detection",
    ),
    "plotting_classifier": ("plot_band_use", "plot_classifier", "plot_p_long"),
    "plotting_failures": ("plot_failures",),
    "plotting_population": ("plot_ages", "plot_hosts", "plot_mass_function", "plot_radii"),
}  # fmt: skip


def __getattr__(name):
    """The figures of other modules, which import this one."""
    for module, names in _ELSEWHERE.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f".{module}", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def colour_image(image: MultiBandImage, *, softening: float = 12.0) -> np.ndarray:
    """Colour picture of an image from three well separated bands.

    Red is the reddest band, blue the bluest, green the one nearest to the middle in logarithmic wavelength; bands that are
    masked everywhere are passed over. Red and blue are weighed by wavelength**-1/2, green such that the galaxy as a whole is
    neither green nor purple; intensity is compressed with an asinh, which keeps the colours (Lupton et al. 2004). A picture to look
    at, not to measure.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        One band gives a grey picture.
    softening : float, optional
        How strongly bright parts are compressed; larger shows fainter parts.

    Returns
    -------
    rgb : ndarray of float, shape (y, x, 3)
        In 0 to 1.

    Examples
    --------
    >>> from astroclumps.plotting import colour_image
    >>> from astroclumps.testing import example_image
    >>> colour_image(example_image()).shape
    (64, 64, 3)
    """
    names = _three(image)
    weight = [_bands.get(band).pivot.to_value(u.um) ** -0.5 for band in names]
    cube = np.array([factor * _filled(image, band) for factor, band in zip(weight, names, strict=True)])
    mean = cube.mean(axis=0)
    rms = np.nan_to_num([image.sky_rms[image.bands.index(band)] for band in names])
    noise = max(float(np.hypot.reduce(weight * rms)) / len(names), 1e-30)
    seen = cube[:, mean > 5 * noise].sum(axis=-1)
    if seen.min() > 0:
        cube[1] *= np.clip(np.sqrt(seen[0] * seen[2]) / seen[1], 0.5, 2)
        mean = cube.mean(axis=0)
    top = max(np.quantile(mean, 0.998), 20 * noise)
    light = np.clip(mean + 0.5 * noise, 0, None)
    factor = np.arcsinh(softening * light / top) / np.arcsinh(softening) / np.maximum(light, 1e-3 * noise)
    colour = 1 / (1 + (2 * noise / np.maximum(light, 1e-3 * noise)) ** 2)  # noise has none
    rgb = (light + colour * (np.clip(cube + 0.5 * noise, 0, None) - light)) * factor
    rgb /= np.maximum(rgb.max(axis=0), 1)  # what is too bright keeps its colour
    return np.moveaxis(np.clip(rgb, 0, 1), 0, -1)


def quicklook(result: PipelineResult, path: str | os.PathLike, *, sed: object = None, redshift_note: str = "") -> Path:
    """Write a figure of what a pipeline found in an image.

    Above: the colour image, the clumps in it numbered and coloured by class, the detector's map. Below: the spectral energy
    distributions of the brightest clumps.

    Parameters
    ----------
    result : `~astroclumps.pipeline.PipelineResult`
        From `astroclumps.Pipeline.run_with_maps`.
    path : path-like
        File to write; the suffix decides the format.
    sed : object, optional
        The SED backend; if it has a method ``spectrum``, best models are drawn.
    redshift_note : str, optional
        Follows the redshift in the title, such as ``'assumed'``.

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
    >>> from astroclumps import Pipeline, plotting
    >>> from astroclumps.demo import demo_image
    >>> result = Pipeline(detector="contrast", classifier=None, sed=None).run_with_maps(demo_image())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plotting.quicklook(result, Path(folder) / "quicklook.png").name
    'quicklook.png'
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as exc:
        raise ImportError('quicklook needs matplotlib; install it with  pip install "astroclumps[plot]"') from exc
    path = Path(path)
    figure = Figure(figsize=(13, 8.2), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    above = figure.add_gridspec(1, 3, left=0.012, right=0.952, top=0.885, bottom=0.435, wspace=0.03)
    below = figure.add_gridspec(1, _N_PANELS, left=0.055, right=0.988, top=0.345, bottom=0.075, wspace=0.24)
    figure.text(0.012, 0.975, _title(result.image, redshift_note), size=14, weight="bold", va="top")
    figure.text(0.012, 0.936, _summary(result.clumps), size=10.5, va="top", color="0.25")
    rgb = colour_image(result.image)
    plain, marked, mapped = (figure.add_subplot(cell) for cell in above)
    for axes, title in (
        (plain, _rgb_title(result.image)),
        (marked, "clumps by class" if "longevity" in result.clumps.colnames else "clumps"),
    ):
        _picture(axes, rgb, title)
    _scale_bar(plain, result.image)
    _map(figure, mapped, result)
    for axes in (marked, mapped):
        _circles(axes, result)
    _legend(marked, result.clumps)
    _spectra(figure, below, result, sed)
    metadata = {"Software": None} if path.suffix.lower() == ".png" else None
    figure.savefig(path, metadata=metadata)
    return path


def _three(image):
    """The bands of blue, green and red, in the order red, green, blue."""
    good = [band for i, band in enumerate(image.bands) if not image.mask[i].all()] or list(image.bands)
    good = sorted(good, key=lambda band: _bands.get(band).pivot)
    middle = np.sqrt(_bands.get(good[0]).pivot * _bands.get(good[-1]).pivot)
    inner = good[1:-1] or good[:1]
    green = min(inner, key=lambda band: abs(np.log(_bands.get(band).pivot / middle)))
    return good[-1], green, good[0]


def _filled(image, band):
    """Pixels of a band, masked ones replaced by its median."""
    plane, bad = image.band(band).astype(float), image.mask[image.bands.index(band)]
    return plane if bad.all() or not bad.any() else np.where(bad, np.median(plane[~bad]), plane)


def _title(image, note):
    redshift = "redshift unknown" if image.redshift is None else f"z = {image.redshift:g}{f' ({note})' if note else ''}"
    return f"{image.name.replace('$', ' ')}   {redshift}"


def _summary(clumps):
    parts = [f"{len(clumps)} clump{'' if len(clumps) == 1 else 's'}"]
    if "longevity" in clumps.colnames and len(clumps):
        counts = [(_NAMES[label], int((clumps["longevity"] == label).sum())) for label in _NAMES]
        parts.append(", ".join(f"{n} {name}" for name, n in counts if n))
    if "mass" in clumps.colnames and np.isfinite(clumps["mass"]).any():
        total = np.nansum(clumps["mass"].to_value(u.Msun))
        parts.append(rf"stellar mass in clumps $10^{{{np.log10(total):.1f}}}$ M$_\odot$")
    return "   ·   ".join(parts)


def _rgb_title(image):
    red, green, blue = _three(image)
    return f"{blue}, {green}, {red}" if len(image.bands) > 1 else red


def _picture(axes, rgb, title):
    axes.imshow(rgb, origin="lower", interpolation="nearest")
    axes.set_title(title, size=10)
    axes.set(xticks=[], yticks=[])


def _scale_bar(axes, image):
    """A bar of a round angle, about a quarter of the picture, and its length in kpc."""
    ny, nx = image.data.shape[1:]
    pixel = image.pixel_scale.to_value(u.arcsec)
    angle = max((step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60) if step <= 0.3 * nx * pixel), default=0.1)
    text = f'{angle:g}"'
    if image.redshift:
        from .stellar_grid import cosmology

        kpc = cosmology().kpc_proper_per_arcmin(image.redshift).to_value(u.kpc / u.arcsec) * angle
        text += f" = {kpc:.1f} kpc"
    x, y = 0.05 * nx, 0.06 * ny
    axes.plot([x, x + angle / pixel], [y, y], color="white", lw=2.5, solid_capstyle="butt")
    axes.text(x, y + 0.02 * ny, text, color="white", size=10, va="bottom", path_effects=_outline())
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))


def _map(figure, axes, result):
    """The detector's map, or its segmentation where it has none."""
    if result.map is None:
        axes.imshow(result.segmentation > 0, origin="lower", cmap="gray", interpolation="nearest", vmin=0, vmax=2)
        axes.set_title("segmentation", size=10)
    else:
        probability = bool(np.nanmin(result.map) >= 0 and np.nanmax(result.map) <= 1)
        top = 1.0 if probability else max(float(np.nanquantile(result.map, 0.999)), 5.0)
        shown = axes.imshow(result.map, origin="lower", cmap="magma", interpolation="nearest", vmin=0, vmax=top)
        box = axes.get_position()
        bar = figure.colorbar(shown, cax=figure.add_axes([box.x1 + 0.006, box.y0, 0.009, box.height]))
        bar.ax.tick_params(labelsize=8)
        axes.set_title("clump probability" if probability else "detector's map (signal-to-noise)", size=10)
    axes.set(xticks=[], yticks=[])


def _labels(clumps):
    return [str(label) for label in clumps["longevity"]] if "longevity" in clumps.colnames else [""] * len(clumps)


def _outline():
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=1.5, foreground="black")]


def _circles(axes, result):
    from matplotlib.patches import Circle

    clumps = result.clumps
    x, y = clumps["x"].value, clumps["y"].value
    ny, nx = result.image.data.shape[1:]
    places = _number_places(x, y, (nx, ny))
    for number, label, cx, cy, (tx, ty) in zip(clumps["id"], _labels(clumps), x, y, places, strict=True):
        colour = CLASS_COLOURS[label]
        axes.add_patch(Circle((cx, cy), _RADIUS, fill=False, ec=colour, lw=1.6))
        axes.text(tx, ty, str(number), color=colour, size=11, weight="bold", ha="center", va="center", path_effects=_outline())
    axes.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))


def _number_places(x, y, size):
    """Places of the numbers: beside their circles, away from other circles and numbers, inside the picture."""
    step = 0.022 * max(size)  # half a digit
    taken = [(a, b, _RADIUS) for a, b in zip(x, y, strict=True)]
    places = []
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        best = None
        for distance in (_RADIUS + 1.6 * step, _RADIUS + 3.2 * step):
            for angle in np.radians(np.arange(45, 405, 22.5)):
                tx, ty = a + distance * np.cos(angle), b + distance * np.sin(angle)
                others = taken[:i] + taken[i + 1 :]
                room = min([np.hypot(tx - ox, ty - oy) - r - step for ox, oy, r in others], default=np.inf)
                room = min(room, tx - 1.5 * step, ty - 1.5 * step, size[0] - 1 - tx - 1.5 * step, size[1] - 1 - ty - 1.5 * step, step)
                worth = room - 0.1 * distance
                if best is None or worth > best[0] + 1e-9:
                    best = worth, tx, ty
        places.append(best[1:])
        taken.append((*best[1:], step))
    return places


def _legend(axes, clumps):
    from matplotlib.lines import Line2D

    present = set(_labels(clumps))
    shown = [label for label in _NAMES if label in present]
    if not shown:
        return
    style = {"marker": "o", "ls": "", "mfc": "none", "mew": 1.6, "ms": 9}
    handles = [Line2D([], [], color=CLASS_COLOURS[label], label=_NAMES[label], **style) for label in shown]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, -0.005), ncols=3, fontsize=9, frameon=True, facecolor="0.15",
                edgecolor="none", labelcolor="white", borderaxespad=0.3, handletextpad=0.2, columnspacing=1.0)  # fmt: skip


def _spectra(figure, grid, result, sed):
    clumps, image = result.clumps, result.image
    if not len(clumps):
        axes = figure.add_subplot(grid[:])
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no clumps found", ha="center", va="center", size=16, color="0.4")
        return
    reddest = f"flux_{max(image.bands, key=lambda band: _bands.get(band).pivot).lower()}"
    bright = np.nan_to_num(clumps[reddest].to_value(u.uJy), nan=-np.inf)
    order = np.argsort(-bright, kind="stable")[:_N_PANELS]
    for panel, row in enumerate(sorted(order, key=lambda i: clumps["id"][i])):
        axes = figure.add_subplot(grid[panel])
        _sed_panel(axes, clumps[int(row)], image, sed)
        if panel == 0:
            axes.set_ylabel(r"$f_\nu$ [$\mu$Jy]", size=9)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="lower right", fontsize=8, frameon=False, handletextpad=0.3)


def _sed_panel(axes, row, image, sed):
    label = str(row["longevity"]) if "longevity" in row.colnames else ""
    colour = _DARK[label]
    pivot = np.array([_bands.get(band).pivot.to_value(u.um) for band in image.bands])
    flux = np.array([row[f"flux_{band.lower()}"].to_value(u.uJy) for band in image.bands])
    error = np.array([row[f"flux_err_{band.lower()}"].to_value(u.uJy) for band in image.bands])
    seen = np.isfinite(flux) & np.isfinite(error) & (flux > error)
    limit = np.isfinite(flux) & np.isfinite(error) & ~seen & (error > 0)
    values = np.concatenate([flux[seen], 2 * error[limit]])
    model = _model(row, image, sed)
    if model is not None:
        wavelength, spectrum, photometry = model
        axes.plot(wavelength, spectrum, color="0.55", lw=0.7, zorder=1)
        axes.plot(pivot, photometry, "s", mfc="none", mec="0.25", ms=7, mew=1.0, zorder=2, label="best model")
        values = np.append(values, photometry)
    axes.errorbar(pivot[seen], flux[seen], error[seen], fmt="o", color=colour, ms=5, lw=1.2, capsize=2, zorder=3, label="measured")
    axes.plot(pivot[limit], 2 * error[limit], "v", mfc="white", mec=colour, ms=6, zorder=3, label="2-sigma limit" if limit.any() else None)
    values = values[np.isfinite(values) & (values > 0)]
    axes.set_title(_sed_title(row, label), size=9.5, loc="left", color=colour)
    if not len(values):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "no flux could be measured", transform=axes.transAxes, ha="center", va="center", size=9, color="0.4")
        return
    axes.set(xscale="log", yscale="log", xlim=(0.85 * pivot.min(), 1.18 * pivot.max()))
    # at least a factor of ten, so that noise does not fill the panel
    middle, half = np.sqrt(values.min() * values.max()), max(np.sqrt(values.max() / values.min()) * 1.6, 10**0.5)
    axes.set_ylim(middle / half, middle * half)
    _ticks(axes)
    axes.set_xlabel(r"observed wavelength [$\mu$m]", size=9)


def _ticks(axes):
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in (0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0) if low <= tick <= high]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)


def _sed_title(row, label):
    first = f"clump {row['id']}"
    if label:
        first += f"   {label}"
    if "p_long" in row.colnames and np.isfinite(row["p_long"]):
        first += f" (P = {row['p_long']:.2f})"
    if "mass" not in row.colnames or not np.isfinite(row["mass"]):
        return first
    mass = np.log10([row[name].to_value(u.Msun) for name in ("mass_lo", "mass", "mass_hi")])
    second = rf"log M = {mass[1]:.2f}$^{{+{mass[2] - mass[1]:.2f}}}_{{-{mass[1] - mass[0]:.2f}}}$"
    age, low, high = (row[name].to_value(u.Myr) for name in ("age", "age_lo", "age_hi"))
    second += rf"   age {age:.0f}$^{{+{high - age:.0f}}}_{{-{age - low:.0f}}}$ Myr"
    return f"{first}\n{second}"


def _model(row, image, sed):
    """Best spectrum (wavelength in um, uJy) within the bands, and its fluxes in the bands; None where there is none."""
    if sed is None or not hasattr(sed, "spectrum") or "mass" not in row.colnames or not np.isfinite(row["mass"]):
        return None
    spectrum = sed.spectrum(row, redshift=image.redshift)
    wavelength, flux = spectrum.spectral_axis.to_value(u.AA), spectrum.flux.to_value(u.uJy)
    photometry = np.array([_band_flux(band, wavelength, flux) for band in image.bands])
    curves = [_bands.get(band).curve()[0] for band in image.bands]
    inside = (wavelength > 0.9 * min(curve[0] for curve in curves)) & (wavelength < 1.1 * max(curve[-1] for curve in curves))
    return wavelength[inside] / 1e4, flux[inside], photometry


def _band_flux(band, wavelength, flux):
    """Mean flux density in a band for a detector that counts photons."""
    at, transmission = _bands.get(band).curve()
    weight = transmission / at
    return np.trapezoid(np.interp(at, wavelength, flux) * weight, at) / np.trapezoid(weight, at)
