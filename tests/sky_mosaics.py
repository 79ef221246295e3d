"""Mosaics of Gaussian sources planted on the sky, in bands with pixels of their own."""

import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from astroclumps.survey.galaxies import Galaxy

CENTRE = SkyCoord(189.2, 62.24, unit="deg")
ANGLE = 0.3  # of the grid, radian
RNG = np.random.default_rng(11)
FINE, COARSE = RNG.normal(1, 0.1, (300, 260)).astype(np.float32), RNG.normal(1, 0.1, (150, 130)).astype(np.float32)


def grid(scale, *, corner=(0.0, 0.0), angle=ANGLE, frame="ICRS"):
    """WCS in pixels of ``scale`` arcsec, whose first pixel begins at ``corner`` (x, y in arcsec from `CENTRE`)."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.radesys = frame
    centre = CENTRE.icrs if frame == "ICRS" else CENTRE.fk5
    wcs.wcs.crval = [centre.ra.deg, centre.dec.deg]
    wcs.wcs.crpix = -np.array(corner) / scale + 0.5
    wcs.wcs.cd = np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale / 3600
    wcs.wcs.set()
    return wcs


def planted(wcs, shape, sources, *, scale, width=0.12):
    """Pixels of Gaussians of standard deviation ``width`` arcsec; ``sources`` are (SkyCoord, flux)."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    total = np.zeros(shape)
    sigma = width / scale
    for position, flux in sources:
        x0, y0 = wcs.world_to_pixel(position)
        total += flux / (2 * np.pi * sigma**2) * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    return total


def write_mosaic(path, data, wcs, band, *, weight=None, unit="uJy", **cards):
    """One FITS file; its weights as the extension WHT where they are given."""
    header = fits.Header() if wcs is None else wcs.to_header()
    header.update({"FILTER": band, "BUNIT": unit} | cards)
    hdus = [fits.PrimaryHDU(data, header)]
    if weight is not None:
        hdus[0].name = "SCI"
        hdus.append(fits.ImageHDU(weight, name="WHT"))
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def offset(x, y, *, angle=ANGLE):
    """Place on the sky x and y arcsec from `CENTRE` along the axes of the grid."""
    return grid(0.06, angle=angle).pixel_to_world(x / 0.06 - 0.5, y / 0.06 - 0.5)


def centroid(plane):
    """x and y of the light."""
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
    plane = plane.astype(float)
    return (plane * x).sum() / plane.sum(), (plane * y).sum() / plane.sum()


def galaxy(position=None, *, x=None, y=None, redshift=None, name="a"):
    ra, dec = (None, None) if position is None else (position.icrs.ra.deg, position.icrs.dec.deg)
    return Galaxy(name, redshift, ra, dec, x, y, {})


def same_corner(folder, *, suffix=""):
    """F606W at 0.03 arcsec and F160W at 0.06 arcsec that begin at the same corner, as `io.read_bands` needs it, with weights."""
    weight = np.full(FINE.shape, 4, dtype=np.float32)
    weight[100, 100] = 0
    files = {}
    for band, data, scale, w in (("F606W", FINE, 0.03, weight), ("F160W", COARSE, 0.06, np.full(COARSE.shape, 9, dtype=np.float32))):
        wcs = grid(scale, corner=(-4, -4))
        files[band] = write_mosaic(folder / f"{band}_sci.fits", data, wcs, band, unit="electron/s", ABZP=25.0)
        write_mosaic(folder / f"{band}_wht.fits", w, wcs, band)
    return files


def own_corners(folder, sources, *, shift=(0.0, 0.0), **options):
    """The same sources at two scales; the finer mosaic begins an odd number of its pixels away and ends elsewhere."""
    fine, coarse = grid(0.03, corner=(-6.27 + shift[0], -5.13 + shift[1])), grid(0.06, corner=(-4.2, -4.8))
    return {
        "F606W": write_mosaic(folder / "fine.fits", planted(fine, (401, 399), sources, scale=0.03), fine, "F606W", **options),
        "F160W": write_mosaic(folder / "coarse.fits", planted(coarse, (150, 170), sources, scale=0.06), coarse, "F160W", **options),
    }


def fits_wcs(path):
    return WCS(fits.getheader(path))
