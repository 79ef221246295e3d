"""Real images for the benchmarks: galaxies of the XDF and of COSMOS, blank CANDELS sky, a VELA galaxy and the group's map of it."""

import warnings

import astropy.units as u
import numpy as np

from astroclumps import MultiBandImage, bands
from astroclumps.exceptions import AstroclumpsWarning

__all__ = ["COSMOS_EXPOSURE", "blank_field", "cosmos_galaxies", "group_sources", "sky_image", "vela", "xdf_galaxies", "xdf_knots"]

SIDE = 64
SCALE = 0.06 * u.arcsec
SKY_FILES = "b v i z f105 f125 f160".split()  # in the order of the bands
XDF_PSF = 0.30 * u.arcsec  # every band was smoothed to the widest; measured 0.25-0.35"
STAR = (115, 380, 60)  # x, y and radius of the bright star of the XDF field, whose core is broken
XDF_FAINTEST = 26.0  # F160W, AB
COSMOS_EXPOSURE = 2028 * u.s
COSMOS_ZEROPOINT = 25.937  # AB of 1 electron/s: what the catalogue's magnitudes and its fluxes of stamps make of each other
COSMOS_FAINTEST = 24.0
COSMOS_LEAST_SIDE = 50  # pixels of 0.03"
VELA = "VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00"
VELA_REDSHIFT = 1 / 0.410 - 1


def xdf_knots(data, name):
    """A cut-out whose knots are known; its redshift is assumed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        return MultiBandImage.read(data / "hst_xdf" / f"cutout64_{name}.fits", redshift=1.5, psf=XDF_PSF)


def xdf_galaxies(data, limit=None):
    """Cut-outs of 64 pixels around the extended galaxies of the XDF field, brightest first; the redshift 1.5 is an assumption."""
    import sep

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        files = {band.name: data / "hst_xdf" / f"{band.column}_sci.fits.gz" for band in bands.CANDELS}
        field = MultiBandImage.read(files, psf=XDF_PSF, name="XDF")
    red = np.ascontiguousarray(field.band("F160W").astype(float))
    rms = float(field.sky_rms[-1])
    sources = sep.extract(red, 8 * rms, minarea=40, deblend_nthresh=32, deblend_cont=0.002)
    magnitude = 23.9 - 2.5 * np.log10(np.maximum(sources["flux"], 1e-9))
    half = SIDE // 2
    images = []
    for i in np.argsort(magnitude):
        x, y = float(sources["x"][i]), float(sources["y"][i])
        near_star = np.hypot(x - STAR[0], y - STAR[1]) < STAR[2]
        inside = half <= x < 500 - half and half <= y < 500 - half
        if magnitude[i] > XDF_FAINTEST or near_star or not inside or sources["a"][i] < 2.0:
            continue
        part = field.cutout(round(x), round(y), SIDE)
        images.append(_named(part, f"XDF {round(x)} {round(y)}"))
    return images[:limit]


def cosmos_galaxies(data, limit=None):
    """COSMOS F814W galaxies brighter than 24, rebinned to 0.06" and laid on sky of their own noise, brightest first."""
    from astropy.io import fits

    folder = data / "cosmos_f814w"
    table = fits.getdata(folder / "real_galaxy_catalog_26_extension_example.fits", 1)
    more = fits.getdata(folder / "real_galaxy_catalog_26_extension_example_fits.fits", 1)
    images = []
    with (
        fits.open(folder / "real_galaxy_images_extension.fits.gz") as stamps,
        fits.open(folder / "real_galaxy_PSF_images_extension.fits.gz") as psfs,
    ):
        for i in np.argsort(table["MAG"]):
            stamp = stamps[int(table["GAL_HDU"][i])].data.astype(float)
            if table["MAG"][i] > COSMOS_FAINTEST or not COSMOS_LEAST_SIDE <= max(stamp.shape) <= 2 * SIDE:
                continue
            number = int(table["GAL_HDU"][i])
            pixels = _on_sky(_rebinned(stamp), np.random.default_rng(number), float(table["NOISE_VARIANCE"][i]))
            images.append(
                MultiBandImage(
                    data=pixels[None] * u.electron / u.s, bands=["F814W"], zeropoint=COSMOS_ZEROPOINT, pixel_scale=SCALE,
                    psf=_psf(psfs[int(table["PSF_HDU"][i])].data), redshift=float(more["ZPHOT"][i]), name=f"COSMOS {number}",
                )
            )  # fmt: skip
    return images[:limit]


def blank_field(data, number):
    """One field of blank CANDELS sky in uJy, (band, y, x), by the zeropoints of the headers."""
    from astropy.io import fits

    planes = []
    for name in SKY_FILES:
        values, header = fits.getdata(data / "candels_sky" / f"bk_{name}_{number}.fits", header=True)
        zeropoint = -2.5 * np.log10(header["PHOTFLAM"]) - 5 * np.log10(header["PHOTPLAM"]) - 2.408
        planes.append(values.astype(float) * 10 ** (-0.4 * (zeropoint - 23.9)))
    return np.stack(planes)


def sky_image(planes, names=None):
    return MultiBandImage(
        data=planes * u.uJy, bands=bands.CANDELS if names is None else names, pixel_scale=SCALE, redshift=1.5, name="blank sky"
    )


def vela(data, *, rebin=True):
    """The VELA07 image in F606W: rebinned to 0.06", or its 0.03" pixels as they are, labelled 0.06" so that a network takes them."""
    from astropy.io import fits

    light = fits.getdata(data / "vela" / f"{VELA}.fits").astype(float) * 0.03**2  # uJy/arcsec2 -> uJy a pixel
    light -= _sky_level(light)
    if rebin:
        light = _rebinned(light)
    fwhm = 0.11 if rebin else 0.20  # 0.10" at 0.03" is 0.20" at the label's scale
    return MultiBandImage(
        data=light[None] * u.uJy, bands=["F606W"], pixel_scale=SCALE, psf=fwhm * u.arcsec, redshift=VELA_REDSHIFT, name="VELA07"
    )


def group_sources(data, mesh=64):
    """x, y (0.03" pixels) and peak of the sources that the group's settings (METHODS 3) find on the group's own map, brightest first.

    68 with sep's own mesh of 64 pixels for the background and its scatter, 67 with meshes of 128 or 256.
    """
    import sep
    from astropy.io import fits

    values = np.ascontiguousarray(fits.getdata(data / "vela" / f"{VELA}-pred.fits").astype(float))
    background = sep.Background(values, bw=mesh, bh=mesh)
    found = sep.extract(
        values - background.back(), 5, err=background.globalrms, minarea=4, filter_kernel=None, deblend_nthresh=32, deblend_cont=1e-4,
        clean=True, clean_param=1.0,
    )  # fmt: skip
    order = np.argsort(-found["peak"])
    return found["x"][order], found["y"][order], found["peak"][order]


def _sky_level(plane):
    """Median of the faint half, clipped."""
    values = np.sort(plane.ravel())[: plane.size // 2]
    for _ in range(10):
        keep = abs(values - np.median(values)) < 3 * values.std()
        if keep.all():
            break
        values = values[keep]
    return float(np.median(values))


def _named(image, name):
    return MultiBandImage(
        data=image.data * u.uJy, bands=image.bands, mask=image.mask, pixel_scale=image.pixel_scale, psf=XDF_PSF, redshift=1.5, name=name
    )


def _rebinned(plane):
    ny, nx = (n - n % 2 for n in plane.shape)
    return plane[:ny, :nx].reshape(ny // 2, 2, nx // 2, 2).sum(axis=(1, 3))


def _on_sky(stamp, rng, variance):
    """A stamp in the middle of 64 pixels of white noise (four native pixels' variance, a little low as drizzled pixels correlate)."""
    ny, nx = (min(n, SIDE) for n in stamp.shape)
    rows, columns = (stamp.shape[0] - ny) // 2, (stamp.shape[1] - nx) // 2
    out = rng.normal(0, np.sqrt(4 * variance), (SIDE, SIDE))
    top, left = (SIDE - ny) // 2, (SIDE - nx) // 2
    out[top : top + ny, left : left + nx] = stamp[rows : rows + ny, columns : columns + nx]
    return out


def _psf(native):
    """A point-spread function at 0.03" as pixels of 0.06" see it, its middle in the middle of a pixel."""
    from scipy.ndimage import map_coordinates

    native = native.astype(float)
    y0, x0 = np.unravel_index(native.argmax(), native.shape)
    n = 20
    offsets = np.arange(-n, n + 1) * 2.0
    total = np.zeros((2 * n + 1, 2 * n + 1))
    for dy in (-0.5, 0.5):  # the four native pixels of one that is twice as large
        for dx in (-0.5, 0.5):
            total += map_coordinates(native, np.meshgrid(y0 + dy + offsets, x0 + dx + offsets, indexing="ij"), order=3, mode="constant")
    return np.clip(total, 0, None) / np.clip(total, 0, None).sum()
