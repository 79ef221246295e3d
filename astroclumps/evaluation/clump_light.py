"""The light of an added clump: its colour in an image's bands, and its pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.arguments import number, quantity

__all__ = ["COLOURS", "Population", "band_ratios", "check_colour", "clump_planes", "electrons_per_ujy", "with_clumps"]

__doctest_requires__ = {("Population",): ["bagpipes"]}

_AB = 23.9  # magnitude of 1 uJy

_POINT = 0.3  # samples of a table: half-light radii below it are points
_REACH = 8.0  # half-light radii of a Sersic profile that are drawn
_LEAST_HALF, _MOST_HALF = 20, 60  # pixels from the centre of a clump that are drawn


@dataclass(frozen=True, kw_only=True)
class Population:
    """Stars of a clump that is put into an image: constant star formation behind dust (`astroclumps.starlight`).

    Parameters
    ----------
    age : `~astropy.units.Quantity` ['time'], default 100 Myr
        Time since star formation began.
    a_v : float, default 0.5
        Attenuation in V after Calzetti et al. (2000), mag, 0-5.
    metallicity : float, default 0.5
        In solar units.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.evaluation.clump_light import Population
    >>> Population(age=10 * u.Myr, a_v=0).fluxes(["F435W", "F160W"], 2.0).round(2)  # a blue clump
    array([1.  , 0.44])
    """

    age: u.Quantity = 100 * u.Myr
    a_v: float = 0.5
    metallicity: float = 0.5

    def __post_init__(self):
        quantity("age", self.age, u.Gyr, "100 * u.Myr", positive=True)
        number("metallicity", self.metallicity)
        if not 0 <= number("a_v", self.a_v) <= 5:
            raise ValueError(f"a_v must lie in 0-5 mag, got {self.a_v!r}")

    def fluxes(self, bands, redshift: float) -> np.ndarray:
        """Fluxes in bands over that in the first.

        Parameters
        ----------
        bands : sequence of str or `~astroclumps.bands.Band`
        redshift : float

        Returns
        -------
        ndarray, shape (band,)
        """
        from astroclumps import starlight

        made = starlight.component_fluxes(bands, redshift, age=self.age, a_v=self.a_v, metallicity=self.metallicity)
        flux = made.flux.value[0]
        return flux / flux[0]


COLOURS = {"young": Population(), "old": Population(age=700 * u.Myr, a_v=0.2)}
"""Populations by name (ours)."""


def check_colour(colour):
    """Refuse what `band_ratios` cannot use; a mapping comes back with the bands' own names."""
    if isinstance(colour, Population) or colour in ("galaxy", "flat") or (isinstance(colour, str) and colour in COLOURS):
        return colour
    if isinstance(colour, Mapping):
        if not colour:
            raise ValueError("colour names no band; give a flux for each band of the image, such as {'F606W': 1.0, 'F160W': 1.5}")
        return {_bands.get(band).name: float(number(f"colour of {band}", value)) for band, value in colour.items()}
    known = ", ".join(map(repr, ["galaxy", "flat", *COLOURS]))
    raise ValueError(f"colour is {known}, a Population, or a mapping from band to relative flux; got {colour!r}")


def band_ratios(colour, image, band, host_flux) -> np.ndarray:
    """Fluxes of a clump in all bands of an image over that in one of them.

    Parameters
    ----------
    colour : str, `Population` or mapping
        ``'galaxy'``: that of the host; ``'flat'``: the same flux density in all bands; ``'young'``, ``'old'``: `COLOURS`; a `Population`;
        or relative fluxes by band.
    image : `~astroclumps.MultiBandImage`
        Where the clump will lie.
    band : str
        Band in which the ratio is one.
    host_flux : ndarray, shape (band,)
        Of the host, uJy.

    Returns
    -------
    ndarray, shape (band,)

    Raises
    ------
    ValueError
        The image has no redshift for a population, a mapping lacks a band, or the reference band has no flux.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.evaluation.clump_light import band_ratios
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W", "F160W"])
    >>> band_ratios({"F606W": 2.0, "F160W": 3.0}, image, "F606W", None)
    array([1. , 1.5])
    """
    index = image.bands.index(band)
    if isinstance(colour, str) and colour == "flat":
        return np.ones(len(image.bands))
    if isinstance(colour, str) and colour == "galaxy":
        values = np.clip(np.asarray(host_flux, dtype=float), 0, None)
    elif isinstance(colour, Mapping):
        missing = [name for name in image.bands if name not in colour]
        if missing:
            raise ValueError(f"colour has no flux for {', '.join(missing)} of {image.name!r}; it has {', '.join(colour)}")
        values = np.array([colour[name] for name in image.bands])
    else:
        if image.redshift is None:
            raise ValueError(
                f"{image.name!r} has no redshift, which the colour of a population needs; give it one, or a flux for each band"
            )
        population = COLOURS[colour] if isinstance(colour, str) else colour
        values = population.fluxes(image.bands, image.redshift)
    if not values[index] > 0:
        raise ValueError(f"colour {colour!r} gives no flux in {band}, in which the clumps' fluxes are chosen")
    return values / values[index]


def clump_planes(image, x, y, flux, radius, *, index=0.5):
    """Pixels of clumps as an image would show them, without noise.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
        Its point-spread functions are used, as the photometry takes them (``astroclumps.photometry.correction``).
    x, y : array_like, shape (n,)
        Pixels.
    flux : array_like, shape (n, band)
        Total fluxes, uJy.
    radius : array_like, shape (n,)
        Half-light radii before the point-spread function, pixels; 0 is a point.
    index : float, default 0.5
        Sersic index, 0.3-8; 0.5 is a Gaussian.

    Returns
    -------
    ndarray of float32, shape (band, y, x)
        uJy. What the wings of the point-spread function carry beyond 20 pixels (60 for wide clumps) is lost.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.evaluation.clump_light import clump_planes
    >>> from astroclumps.testing import example_image
    >>> light = clump_planes(example_image(bands=["F606W"]), [30.3], [33.0], [[2.0]], [1.0])
    >>> light.shape, np.unravel_index(light[0].argmax(), (64, 64)) == (33, 30)
    ((1, 64, 64), True)
    >>> print(f"{light.sum():.2f}")  # the rest is in the wings
    1.99
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    from astroclumps.photometry.correction import OVERSAMPLING, psf_tables

    height, width = image.data.shape[1:]
    out = np.zeros(image.data.shape, dtype=np.float32)
    for x0, y0, values, size in zip(x, y, np.atleast_2d(flux), radius, strict=True):
        half = int(np.clip(np.ceil(_REACH * size), _LEAST_HALF, _MOST_HALF))
        table = psf_tables(image, half=half)
        side = next_fast_len(2 * table.shape[-1], real=True)
        column, row = round(float(x0)), round(float(y0))
        ky, kx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
        shift = np.exp(-2j * np.pi * OVERSAMPLING * ((x0 - column) * kx + (y0 - row) * ky))
        light = rfft2(table, s=(side, side)) * (shift * _profile(size * OVERSAMPLING, index, side))
        stamp = irfft2(light, s=(side, side))[:, : table.shape[-1] : OVERSAMPLING, : table.shape[-1] : OVERSAMPLING]
        bottom, left = row - half, column - half
        rows = slice(max(bottom, 0), min(bottom + 2 * half + 1, height))
        columns = slice(max(left, 0), min(left + 2 * half + 1, width))
        if rows.start < rows.stop and columns.start < columns.stop:
            part = stamp[:, rows.start - bottom : rows.stop - bottom, columns.start - left : columns.stop - left]
            out[:, rows, columns] += values[:, None, None] * part
    return out


def with_clumps(image, x, y, flux, radius, *, index=0.5, exposure=None, rng=None):
    """A copy of an image with clumps added.

    Parameters
    ----------
    image : `~astroclumps.MultiBandImage`
    x, y, flux, radius, index
        See `clump_planes`.
    exposure : `~astropy.units.Quantity` ['time'] or mapping, optional
        Adds the clumps' photon noise; a band that a mapping lacks gets none.
    rng : `numpy.random.Generator` or int, optional
        Needed with ``exposure``.

    Returns
    -------
    `~astroclumps.MultiBandImage`

    Examples
    --------
    >>> from astroclumps.evaluation.clump_light import with_clumps
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W"])
    >>> more = with_clumps(image, [30.0], [33.0], [[1.0]], [0.0])
    >>> print((more.data - image.data).sum().round(2))
    0.99
    """
    from astroclumps.image import MultiBandImage

    light = clump_planes(image, x, y, flux, radius, index=index).astype(float)
    if exposure is not None:
        if rng is None:
            raise ValueError("photon noise needs rng, a numpy.random.Generator or a whole number")
        rng = np.random.default_rng(rng)
        for plane, electrons in zip(light, electrons_per_ujy(image.bands, exposure), strict=True):
            if np.isfinite(electrons):
                plane[:] = rng.poisson(np.clip(plane, 0, None) * electrons) / electrons
    return MultiBandImage(
        data=(image.data + light) * u.uJy,
        bands=image.bands,
        uncertainty=image.uncertainty,
        mask=image.mask,
        wcs=image.wcs,
        pixel_scale=image.pixel_scale,
        psf=image.psf if image.psf is not None else image.psf_fwhm if image.psf_known else None,
        redshift=image.redshift,
        name=image.name,
        meta=image.meta,
    )


def electrons_per_ujy(bands, exposure) -> np.ndarray:
    """Electrons that one uJy gives in an exposure; infinite for bands that a mapping lacks.

    Parameters
    ----------
    bands : sequence of str or `~astroclumps.bands.Band`
    exposure : `~astropy.units.Quantity` ['time'] or mapping
        One time, or times by band.

    Returns
    -------
    ndarray, shape (band,)

    Raises
    ------
    ValueError
        A band has no zeropoint.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.evaluation.clump_light import electrons_per_ujy
    >>> electrons_per_ujy(["F606W"], 1000 * u.s).round(0)
    array([11015.])
    """
    times = {_bands.get(name).name: time for name, time in exposure.items()} if isinstance(exposure, Mapping) else None
    out = np.full(len(bands), np.inf)
    for i, name in enumerate(bands):
        band = _bands.get(name)
        if times is not None and band.name not in times:
            continue
        if band.zeropoint is None:
            raise ValueError(f"{band.name} has no zeropoint, so its electrons are not known; give exposure as a mapping without it")
        seconds = float(quantity("exposure", exposure if times is None else times[band.name], u.s, "2000 * u.s", positive=True))
        out[i] = seconds * 10 ** (0.4 * (band.zeropoint - _AB))
    return out


def _profile(radius, index, side):
    """Fourier transform of a Sersic profile of unit flux around the origin; the radius in grid points."""
    if radius < _POINT:
        return 1.0
    if index == 0.5:
        ky, kx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
        return np.exp(-2 * (np.pi * radius) ** 2 / (2 * np.log(2)) * (kx**2 + ky**2))
    from scipy.fft import rfft2

    from astroclumps.mock.profiles import sersic_map

    reach = side // 2 - 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    drawn = np.zeros((side, side))
    drawn[: 2 * reach + 1, : 2 * reach + 1] = sersic_map((x, y), x0=0.0, y0=0.0, r_eff=radius, n=index, axis_ratio=1.0, angle=0.0)
    return rfft2(np.roll(drawn, (-reach, -reach), axis=(0, 1)))
