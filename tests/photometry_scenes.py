"""Point sources whose fluxes are known, drawn without the code that measures them."""

import astropy.units as u
import numpy as np

from astroclumps import MultiBandImage, catalog

SCALE = 0.06  # arcsec per pixel


def star(fwhm, x, y, shape, *, fine=7):
    """Pixel integrals of a Moffat profile (beta 3) of unit flux; fwhm in arcsec."""
    alpha = fwhm / SCALE / (2 * np.sqrt(2 ** (1 / 3) - 1))
    offset = (np.arange(fine) - (fine - 1) / 2) / fine
    columns = (np.arange(shape[1])[:, None] + offset - x).ravel()
    rows = (np.arange(shape[0])[:, None] + offset - y).ravel()
    density = 2 / (np.pi * alpha**2) * (1 + (rows[:, None] ** 2 + columns**2) / alpha**2) ** -3
    return density.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


def add_stars(plane, fwhm, x, y, flux, *, reach=16):
    """Add point sources to a plane, each on a stamp around it."""
    ny, nx = plane.shape
    for x0, y0, f in zip(x, y, np.broadcast_to(flux, np.shape(x)), strict=True):
        left, right = max(0, int(x0) - reach), min(nx, int(x0) + reach + 1)
        low, high = max(0, int(y0) - reach), min(ny, int(y0) + reach + 1)
        plane[low:high, left:right] += f * star(fwhm, x0 - left, y0 - low, (high - low, right - left))
    return plane


def kernels(fwhm):
    """Point-spread functions as arrays that hold 99.9% of the light."""
    if np.ndim(fwhm) == 0:
        return star(float(fwhm), 32, 32, (65, 65))
    return np.array([star(width, 32, 32, (65, 65)) for width in fwhm])


def table(x, y):
    clumps = catalog.make_table("detected", len(x))
    clumps["x"] = np.asarray(x, dtype=float) * u.pix
    clumps["y"] = np.asarray(y, dtype=float) * u.pix
    return clumps


def image(data, *, bands=("F606W", "F160W"), psf=0.17 * u.arcsec, **options):
    data = np.asarray(data, dtype=float)
    if isinstance(psf, u.Quantity):
        psf = kernels(psf.to_value(u.arcsec))
    return MultiBandImage(data=data * u.uJy, bands=list(bands)[: len(data)], psf=psf, **options)


def field(flux=1.0, *, x=(32.0,), y=(32.0,), fwhm=(0.17, 0.17), level=0.0, shape=(64, 64), **options):
    """Point sources in two bands on a flat background, and their table."""
    planes = [add_stars(np.full(shape, float(level)), width, x, y, flux) for width in fwhm]
    return image(planes, psf=np.array(fwhm) * u.arcsec, **options), table(x, y)


def fluxes(measured, name="flux", bands=("f606w", "f160w")):
    return np.array([measured[f"{name}_{band}"].to_value(u.uJy) for band in bands])
