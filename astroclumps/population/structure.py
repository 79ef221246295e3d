"""Effective radius and axis ratio of a galaxy, measured where no catalogue has them (G21 5.1)."""

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .. import bands as _bands
from ..detection.galaxy import galaxies
from ..exceptions import AstroclumpsWarning
from ..mock.light_fit import fit_light

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["Structure", "measure_structure", "measure_structures"]

_FINE = 5  # points a pixel in the middle of the profile: r_e within 1% up to a Sersic index of 4
_LEAST_NOISE = 1e-3  # of the brightest pixel: a fit needs some noise
_SMOOTH = 2.0  # pixels, standard deviation, before neighbours are looked for
_SIGMA = 3.0
_MARGIN = 2  # pixels around a neighbour
_FAINT = 0.03  # of the galaxy's light: what is fainter is as likely a scrap of its outskirts as a neighbour
_CLUMP = 4.0  # pixels: radius in which clumps are left out, the circle that the photometry masks (G21 5.1)
_LARGEST = 1 / 3  # of the image's side: a larger radius is the sky's or cut off
_LEAST_SEEN = 0.5  # of the pixels must be good


class Structure(NamedTuple):
    """Shape of a galaxy in one band.

    Attributes
    ----------
    r_e : `~astropy.units.Quantity` ['angle']
        Half-light radius along the long axis, arcsec: what van der Wel et al. (2012) list and G21 divide by.
    r_e_circular : `~astropy.units.Quantity` ['angle']
        ``r_e`` times the root of the axis ratio, arcsec.
    axis_ratio : float
        b/a.
    angle : `~astropy.units.Quantity` ['angle']
        Of the long axis from +x towards +y in the image, -90 to 90 deg.
    position_angle : `~astropy.units.Quantity` ['angle']
        Of the long axis from north through east, 0 to 180 deg; NaN where the image has no WCS.
    n_sersic : float
        NaN with ``method`` 'moments'.
    x, y : `~astropy.units.Quantity`
        Centre, pixels.
    flux : `~astropy.units.Quantity`
        Of the model in the image, uJy.
    band : str
    method : str
        'sersic', 'moments' (the fallback), or '' where nothing could be measured: then all numbers are NaN.
    success : bool
        Whether the Sersic fit converged on a galaxy in the image, as `~astroclumps.mock.light_fit.LightFit` has it, with a radius below
        a third of the image's side (ours).
    """

    r_e: u.Quantity
    r_e_circular: u.Quantity
    axis_ratio: float
    angle: u.Quantity
    position_angle: u.Quantity
    n_sersic: float
    x: u.Quantity
    y: u.Quantity
    flux: u.Quantity
    band: str
    method: str
    success: bool


def measure_structure(
    image: "MultiBandImage", *, band: Any = None, clumps: QTable | None = None, mask_neighbours: bool = True, fallback: bool = False
) -> Structure:
    """Fit a Sersic profile with the image's point-spread function to one band.

    `~astroclumps.mock.light_fit.fit_light` does the fit, with the profile's middle sampled finely. Pixels are weighted by the image's
    uncertainty, else by one number, the measured scatter of its sky.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Of one galaxy near its middle, sky-subtracted.
    band : str or `~astroclumps.bands.Band`, optional
        Default: the reddest band that has half of its pixels (F160W of the paper's seven).
    clumps : `~astropy.table.QTable`, optional
        With ``x``, ``y`` (pixels): discs of 4 pixels around them do not count, so that the smooth galaxy is fitted. Default: all light
        counts, as in catalogues.
    mask_neighbours : bool, default True
        Leave out neighbours: regions above 3 sigma of the band, smoothed by 2 pixels, outside of the footprint that
        `~astroclumps.detection.galaxy.galaxies` finds, if they have 3% of its light, with 2 pixels around them (ours).
    fallback : bool, default False
        Where the fit fails, give half-light radius and axis ratio from the light in the galaxy's footprint and its moments, with the
        PSF's width taken off in quadrature; the documentation has their accuracy.

    Returns
    -------
    Structure

    Raises
    ------
    ValueError
        The image has no such band.

    Examples
    --------
    >>> from astroclumps.population.structure import measure_structure
    >>> from astroclumps.testing import example_image
    >>> found = measure_structure(example_image())
    >>> found.band, found.success
    ('F160W', True)
    """
    i = _plane(image, band)
    if i is None:
        return _nothing("")
    name, scale = image.bands[i], image.pixel_scale.to_value(u.arcsec)
    data, bad = image.data[i].astype(float), image.mask[i]
    noise = max(float(np.nan_to_num(image.sky_rms[i])), _LEAST_NOISE * float(data[~bad].max(initial=0.0)))
    if not noise > 0:
        return _nothing(name)
    galaxy, neighbours = _regions(image, data, bad, noise)
    out = bad | neighbours if mask_neighbours else bad.copy()
    if clumps is not None:
        out |= _discs(clumps, data.shape)
    if image.uncertainty is None:
        weights = noise
    else:
        weights = np.where(bad, noise, np.maximum(image.uncertainty.array[i].astype(float), _LEAST_NOISE * noise))
    fwhm = float(image.psf_fwhm[i].to_value(u.arcsec))
    kernel = None if image.psf is None else image.psf[i]
    try:
        fit = fit_light(data, noise=weights, psf_fwhm=fwhm, pixel_scale=scale, psf=kernel, mask=out, fine=_FINE)
    except np.linalg.LinAlgError:
        fit = None
    if fit is not None and fit.success and fit.r_eff < _LARGEST * min(data.shape):
        return _made(image, name, (fit.r_eff, fit.axis_ratio, fit.angle, fit.n_sersic, fit.x, fit.y, fit.flux), "sersic", True)
    if fallback:
        found = _by_moments(data, galaxy & ~bad, fwhm / scale)
        if found is not None:
            return _made(image, name, found, "moments", False)
    return _nothing(name)


def measure_structures(images: Any, *, band: Any = None, mask_neighbours: Any = True, fallback: Any = False) -> QTable:
    """Measure the structure of many galaxies.

    Parameters
    ----------
    images : iterable of `~astroclumps.image.MultiBandImage`
        One galaxy each.
    band, mask_neighbours, fallback
        As in `measure_structure`.

    Returns
    -------
    `~astropy.table.QTable`
        A row an image: ``galaxy`` (the image's name), ``redshift``, ``bands`` (those with half of their pixels, as
        `~astroclumps.population.selection.GalaxyCuts` takes them), ``pixel_scale`` (arcsec), ``ra``, ``dec`` of the centre (deg, NaN
        without WCS), and the attributes of `Structure`.

    Warns
    -----
    AstroclumpsWarning
        The fit failed for some; ``success`` says for which.

    Examples
    --------
    >>> from astroclumps.population.structure import measure_structures
    >>> from astroclumps.testing import example_image
    >>> table = measure_structures([example_image()])
    >>> table["galaxy", "band", "success"].as_array().tolist()
    [('example', 'F160W', True)]
    """
    rows = [
        (image.name, _redshift(image), _listed(image), image.pixel_scale, measure_structure(
            image, band=band, mask_neighbours=mask_neighbours, fallback=fallback
        ), image)
        for image in images
    ]  # fmt: skip
    found = [row[4] for row in rows]
    table = QTable()
    table["galaxy"], table["redshift"] = _text(row[0] for row in rows), np.array([row[1] for row in rows], dtype=float)
    table["bands"], table["pixel_scale"] = _text(row[2] for row in rows), _numbers((row[3] for row in rows), u.arcsec)
    sky = [_sky(image, one) for one, image in zip(found, (row[5] for row in rows), strict=True)]
    table["ra"], table["dec"] = (np.array([one[k] for one in sky], dtype=float) * u.deg for k in (0, 1))
    for name in Structure._fields:
        values = [getattr(one, name) for one in found]
        unit = getattr(_nothing(""), name)
        if isinstance(unit, u.Quantity):
            table[name] = _numbers(values, unit.unit)
        else:
            table[name] = _text(values) if isinstance(unit, str) else np.array(values, dtype=type(unit))
    failed = int((~table["success"]).sum()) if len(table) else 0
    if failed:
        text = f"the Sersic fit failed for {failed} of {len(table)} galaxies; the column 'success' says for which"
        warnings.warn(text, AstroclumpsWarning, stacklevel=2)
    table.meta["history"] = [f"measure_structures(band={band!r}, fallback={fallback}): {len(table) - failed} of {len(table)} fitted"]
    return table


def _there(image):
    """Which bands have enough good pixels."""
    return [(~mask).mean() >= _LEAST_SEEN for mask in image.mask]


def _plane(image, band):
    if band is not None:
        name = _bands.get(band).name
        if name not in image.bands:
            raise ValueError(f"no band {name}; the image has bands {', '.join(image.bands)}")
        index = image.bands.index(name)
        return index if _there(image)[index] else None
    seen = [i for i, there in enumerate(_there(image)) if there]
    return max(seen, key=lambda i: _bands.get(image.bands[i]).pivot.to_value(u.AA), default=None)


def _regions(image, data, bad, noise):
    """The galaxy's footprint and its neighbours' pixels."""
    from scipy import ndimage

    middle = (np.array(data.shape)[::-1] - 1) / 2
    found = min(galaxies(image), key=lambda one: np.hypot(one.x - middle[0], one.y - middle[1]), default=None)
    own, nobody = np.zeros(data.shape, dtype=bool), np.zeros(data.shape, dtype=bool)
    if found is None:
        return own, nobody
    own[found.window] = found.footprint
    kernel = ndimage.gaussian_filter(np.pad([[1.0]], 8), _SMOOTH)
    smooth = ndimage.gaussian_filter(np.where(bad, 0.0, data), _SMOOTH)
    level = _SIGMA * max(_scatter(smooth[~bad]), noise * np.sqrt((kernel**2).sum()))
    labels, n = ndimage.label((smooth > level) & ~own)
    light = ndimage.sum(np.where(bad, 0.0, data), labels, np.arange(1, n + 1))
    others = np.append(False, light > _FAINT * data[own & ~bad].sum())[labels]
    return own, ndimage.binary_dilation(others, iterations=_MARGIN) & ~own


def _discs(clumps, shape):
    y, x = np.indices(shape)
    inside = np.zeros(shape, dtype=bool)
    for cx, cy in zip(*(np.asarray(getattr(clumps[name], "value", clumps[name])) for name in ("x", "y")), strict=True):
        inside |= np.hypot(x - cx, y - cy) < _CLUMP
    return inside


def _scatter(values):
    """Scatter of the sky from what lies below zero."""
    low = values[values < 0]
    return 1.4826 * np.median(-low) if len(low) else 0.0


def _by_moments(data, galaxy, fwhm):
    """Radius, axis ratio, angle and so on of the pixels of a galaxy, lengths in pixels; None where there is too little."""
    light = np.where(galaxy, data, 0.0)
    total = light.sum()
    if galaxy.sum() < 10 or not total > 0:
        return None
    y, x = np.indices(data.shape)
    x0, y0 = (light * x).sum() / total, (light * y).sum() / total
    xx, yy, xy = ((light * a * b).sum() / total for a, b in ((x - x0, x - x0), (y - y0, y - y0), (x - x0, y - y0)))
    blur = (fwhm / 2.3548) ** 2
    turn = 0.5 * np.arctan2(2 * xy, xx - yy)
    spread = np.hypot((xx - yy) / 2, xy)
    long, short = (xx + yy) / 2 + spread - blur, (xx + yy) / 2 - spread - blur
    if not (long > 0 and short > 0):
        return None
    q = float(np.sqrt(short / long))
    along, across = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn), (y - y0) * np.cos(turn) - (x - x0) * np.sin(turn)
    distance = np.hypot(along, across / q)[galaxy]
    order = np.argsort(distance)
    seen = distance[order][np.searchsorted(np.cumsum(data[galaxy][order]), 0.5 * total)]
    r_e = float(np.sqrt(max(seen**2 - (fwhm / 2) ** 2, 0.25)))
    return r_e, q, float(turn), np.nan, float(x0), float(y0), float(total)


def _made(image, band, values, method, success):
    r_e, q, turn, n, x, y, flux = values
    r_e = r_e * image.pixel_scale.to(u.arcsec)
    angle = (turn * u.rad).to(u.deg)
    sky = _position_angle(image, x, y, turn)
    return Structure(r_e, r_e * np.sqrt(q), q, angle, sky, n, x * u.pix, y * u.pix, flux * u.uJy, band, method, success)


def _nothing(band):
    nan = np.nan
    return Structure(
        nan * u.arcsec, nan * u.arcsec, nan, nan * u.deg, nan * u.deg, nan, nan * u.pix, nan * u.pix, nan * u.uJy, band, "", False
    )


def _position_angle(image, x, y, turn):
    if image.wcs is None:
        return np.nan * u.deg
    here, there = image.sky(x, y), image.sky(x + np.cos(turn), y + np.sin(turn))
    return (here.position_angle(there).to_value(u.deg) % 180.0) * u.deg


def _sky(image, found):
    if image.wcs is None or not np.isfinite(found.x):
        return np.nan, np.nan
    place = image.sky(found.x.value, found.y.value)
    return float(place.ra.deg), float(place.dec.deg)


def _redshift(image):
    return np.nan if image.redshift is None else image.redshift


def _listed(image):
    return ",".join(name for name, there in zip(image.bands, _there(image), strict=True) if there)


def _text(values):
    values = list(values)
    return np.array(values, dtype=str) if values else np.zeros(0, dtype="U1")


def _numbers(values, unit):
    return np.array([value.to_value(unit) for value in values], dtype=float) * unit
