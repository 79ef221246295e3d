"""One image through the whole pipeline: its clumps with their radii, and the galaxy itself."""

import warnings

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps import catalog
from astroclumps.detection.sources import detection_table
from astroclumps.evaluation.hosts import hosts
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.noise import sky_correlation
from astroclumps.population.structure import measure_structure

__all__ = ["PROPERTIES", "measure_image"]

PROPERTIES = ("mass", "sfr", "age")
"""What is fitted to the whole galaxy."""


def measure_image(image, pipeline, *, name, parent=None, detections=None):
    """Find, classify, measure and fit the clumps of one galaxy, and measure the galaxy.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        Of one galaxy, sky-subtracted, with its redshift.
    pipeline : `~astroclumps.Pipeline`
        With a fit of stellar populations.
    name : str
        The image's, for the column ``galaxy``.
    parent : str, optional
        What the image is one view of. Default: the name.
    detections : dict of ndarray, optional
        ``x``, ``y`` (pixels), ``score``, ``p_long``, ``p_long_err``: what networks said of the image before. Default: the pipeline's
        detector and classifier look at it now.

    Returns
    -------
    clumps : `~astropy.table.QTable`
        As `~astroclumps.Pipeline.run` gives it, with ``galaxy`` and ``r_norm``: the distance to the centre over R_e, both on the sky.
    galaxy : dict
        ``galaxy``, ``parent``; ``redshift``; ``mass``, ``mass_lo``, ``mass_hi`` (Msun), ``sfr`` ... (Msun/yr), ``age`` ... (Gyr): a fit
        to all light of the galaxy's footprint; ``axis_ratio``, ``r_e`` (arcsec, along the long axis), ``n_sersic`` and the centre ``x``,
        ``y`` (pixels) of `~astroclumps.population.structure.measure_structure`, and ``structure``, its method: 'sersic', 'moments' where
        the fit failed, or '' where that failed, too, and the numbers are NaN; ``n_bands``, ``n_clumps``.

    Raises
    ------
    ValueError
        The pipeline has no fit of stellar populations, or the image no redshift.
    """
    if pipeline.sed is None or image.redshift is None:
        raise ValueError(f"image {name!r} needs a redshift, and the pipeline a backend for stellar populations (sed='library')")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)  # of single galaxies; the table says how many there are
        clumps = pipeline.run(image) if detections is None else _measured(image, pipeline, detections)
        flux, error = _whole(image)
        whole = pipeline.stages["sed"].fit(_photometry(image.bands, flux, error), redshift=image.redshift)
    shape = _structure(image)
    radius = np.hypot(clumps["x"].value - shape["x"], clumps["y"].value - shape["y"]) * image.pixel_scale.to_value(u.arcsec)
    clumps["galaxy"] = np.full(len(clumps), name, dtype=f"U{max(len(name), 1)}")
    clumps["r_norm"] = radius / shape["r_e"].to_value(u.arcsec)
    clumps.meta.clear()
    fitted = {f"{one}{end}": whole[f"{one}{end}"][0] for one in PROPERTIES for end in ("", "_lo", "_hi")}
    return clumps, {
        "galaxy": name, "parent": name if parent is None else parent, "redshift": float(image.redshift), **fitted, **shape,
        "n_bands": int(np.isfinite(flux).sum()), "n_clumps": len(clumps),
    }  # fmt: skip


def _measured(image, pipeline, detections):
    """Detections of before, measured and fitted."""
    x, y, score = (detections[part] for part in ("x", "y", "score"))
    clumps = detection_table(image, x, y, score, np.ones(len(x), dtype=int), history="detections of before")
    p, error = (np.asarray(detections[part], dtype=float) for part in ("p_long", "p_long_err"))
    clumps["p_long"], clumps["p_long_err"] = p, error
    clumps["longevity"] = np.where(np.isnan(p), "", np.where(p >= 0.5, "LLC", "SLC")).astype("U3")
    clumps = pipeline.stages["photometry"].measure(image, clumps)
    clumps = pipeline.stages["sed"].fit(clumps, redshift=image.redshift)
    catalog.validate(clumps, ("classified", "fitted"), who="measure_image", bands=image.bands)
    return clumps


def _whole(image):
    """Light of the galaxy's footprint and its error, uJy; NaN in bands that are missing."""
    found = hosts(image)
    empty = np.full(len(image.bands), np.nan)
    if not found:
        return empty, empty
    host = max(found, key=lambda one: np.nansum(one.flux))
    good = np.array([not (mask & host.footprint).any() for mask in image.mask])
    rho = np.clip(np.nan_to_num(sky_correlation(image.data, image.mask)), 0, None)
    error = image.sky_rms * np.sqrt(host.footprint.sum()) * (1 + 2 * rho)  # neighbours along both axes
    return np.where(good, host.flux, np.nan), np.where(good & (error > 0), error, np.nan)


def _photometry(bands, flux, error):
    table = QTable({"id": [1]})
    for band, value, sigma in zip(bands, flux, error, strict=True):
        column = _bands.get(band).column
        table[f"flux_{column}"], table[f"flux_err_{column}"] = [value] * u.uJy, [sigma] * u.uJy
    return table


def _structure(image):
    found = measure_structure(image, fallback=True)
    shape = {"axis_ratio": found.axis_ratio, "r_e": found.r_e, "n_sersic": found.n_sersic, "x": found.x.value, "y": found.y.value}
    return {**shape, "structure": found.method}
