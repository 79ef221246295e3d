"""`Optics`: from light on a fine grid to pixels, each band with its native pixel and point-spread function, rebinned by summing flux."""

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands

from .psf import moffat

__all__ = ["Optics", "read_psf"]

_TOLERANCE = 0.01  # TinyTim's files say 0.0302" for 0.03"
_FINEST = 0.5  # grid points, width of the narrowest kernel
_STEP = 2.0
_CORE = 1.5  # native pixels, of the Gaussian in which the middle of a point-spread function is measured


class Optics:
    """The pixels of an image: grids, kernels and transforms that do not depend on the galaxy.

    Light is drawn as triangular clouds over three cells of a grid as fine as the finest native pixel; in Fourier space the clouds are
    divided out and the kernels and point-spread functions multiplied, so that positions between pixels count: a lone star's pixels are
    right to 2% of its peak in ACS (3% with the sharpest measured point-spread function) and 0.5% in WFC3, wherever it lies; where many
    overlap the errors cancel. Each band is sampled at its native pixels, then blocks of these are summed.

    Parameters
    ----------
    bands : tuple of str
        Names of the bands.
    shape : tuple of int
        Shape (y, x) of the image.
    pixel_scale : float
        Arcsec; a whole multiple of the native pixel of every band (0.03" ACS, 0.06" WFC3; METHODS 2).
    psf : None, float array, shape (n_band,), or mapping of array
        FWHM in arcsec of Moffat profiles; None: those of the bands. Or by band arrays at native pixels.
    margin : int
        Pixels around the image in which light is followed too; the reach of the point-spread functions.
    widest : float
        Largest standard deviation of the kernels in arcsec.
    """

    def __init__(self, bands, shape, pixel_scale, psf=None, *, margin=16, widest=0.0):
        self.bands, self.shape, self.pixel_scale, self.margin = tuple(bands), tuple(shape), float(pixel_scale), int(margin)
        natives = np.array([_bands.get(band).pixel_scale.to_value(u.arcsec) for band in self.bands])
        self.fine = float(natives.min())
        self._coarser = [_multiple(native, self.fine, band, "pixels") for native, band in zip(natives, self.bands, strict=True)]
        self._blocks = [_multiple(self.pixel_scale, native, band, "pixel_scale") for native, band in zip(natives, self.bands, strict=True)]
        self._per_pixel = _multiple(self.pixel_scale, self.fine, self.bands[0], "pixel_scale")
        self.full = tuple((n + 2 * self.margin) * self._per_pixel for n in self.shape)
        self.middle = tuple((n - 1) / 2 for n in self.full[::-1])
        widths = [0.0]
        if widest > 0:
            widths.append(_FINEST)
            while widths[-1] < widest / self.fine:
                widths.append(widths[-1] * _STEP)
        self.widths = np.array(widths)
        ky, kx = np.fft.fftfreq(self.full[0]), np.fft.rfftfreq(self.full[1])
        cloud = np.multiply.outer(np.sinc(ky) ** 3, np.sinc(kx) ** 3)
        self._gauss = np.stack([np.exp(-2 * (np.pi * w) ** 2 * np.add.outer(ky**2, kx**2)) / cloud for w in self.widths]).astype(np.float32)
        self._native = {band: _kernel(band, i, psf, native, self) for i, (band, native) in enumerate(zip(self.bands, natives, strict=True))}
        self._groups = [self._group(coarser) for coarser in sorted(set(self._coarser))]

    def _group(self, coarser):
        """Bands of one native pixel: their indexes, the block that is summed, the modes they keep and their transfer functions."""
        index = [i for i, c in enumerate(self._coarser) if c == coarser]
        ny, nx = self.full[0] // coarser, self.full[1] // coarser
        ky, kx = np.fft.fftfreq(ny), np.fft.rfftfreq(nx)
        # the middle of a native pixel lies between the points of the fine grid that it holds
        ramp = np.exp(1j * np.pi * (coarser - 1) / coarser * np.add.outer(ky, kx))
        if coarser > 1:
            ramp[abs(ky) == 0.5] = 0  # the two ends of the spectrum are one number, which cannot be moved
            ramp[:, abs(kx) == 0.5] = 0
        transfer = np.stack([_transfer(self._native[self.bands[i]], ky, kx) * ramp for i in index]).astype(np.complex64)
        rows = np.r_[0 : (ny + 1) // 2, self.full[0] - ny // 2 : self.full[0]] if coarser > 1 else np.arange(ny)
        return index, self._blocks[index[0]], rows, len(kx), (ny, nx), transfer

    def levels(self, sigma):
        """Kernels that together have a standard deviation: index of the narrower one and the part of light in the wider one.

        Parameters
        ----------
        sigma : array of float, shape (n,)
            Arcsec; limited to the widest kernel.

        Returns
        -------
        level : array of int8, shape (n,)
        share : array of float32, shape (n,)
        """
        if len(self.widths) == 1:
            return np.zeros(len(sigma), dtype=np.int8), np.zeros(len(sigma), dtype=np.float32)
        variance, known = (np.asarray(sigma) / self.fine) ** 2, self.widths**2
        level = np.clip(np.searchsorted(known, variance, side="right") - 1, 0, len(known) - 2)
        share = np.clip((variance - known[level]) / (known[level + 1] - known[level]), 0, 1)
        return level.astype(np.int8), share.astype(np.float32)

    def image(self, maps):
        """Pixels of the image.

        Parameters
        ----------
        maps : array of float, shape (n_level, y, x, n_band)
            Light on the fine grid, one map for each width of the kernel.

        Returns
        -------
        array of float32, shape (n_band, y, x)
            Flux per pixel.
        """
        from scipy.fft import irfft2, rfft2

        out = np.empty((len(self.bands), *self.shape), dtype=np.float32)
        total = 0
        for plane, gauss in zip(maps, self._gauss, strict=True):
            if plane.any():
                total = total + rfft2(np.ascontiguousarray(np.moveaxis(plane, 2, 0), dtype=np.float32)) * gauss
        if isinstance(total, int):
            out[:] = 0
            return out
        for index, block, rows, columns, size, transfer in self._groups:
            native = irfft2(total[index][:, rows, :columns] * transfer, s=size)
            cut = self.margin * block
            native = native[:, cut : size[0] - cut, cut : size[1] - cut]
            out[index] = native.reshape(len(index), self.shape[0], block, self.shape[1], block).sum(axis=(2, 4))
        return out

    def kernels(self, size=31):
        """Point-spread functions as they are in the image: a point in the middle of the middle pixel.

        Parameters
        ----------
        size : int, default 31
            Odd number of pixels.

        Returns
        -------
        array, shape (n_band, size, size)
            Of sum one.
        """
        psf = {band: kernel for band, (kernel, _) in self._native.items()}
        small = Optics(self.bands, (size, size), self.pixel_scale, psf, margin=self.margin)
        maps = np.zeros((1, *small.full, len(self.bands)))
        lines = [_cloud(middle, n) for middle, n in zip(small.middle[::-1], small.full, strict=True)]
        maps[0] = np.multiply.outer(*lines)[:, :, None]
        image = small.image(maps).astype(float)
        return image / image.sum(axis=(1, 2), keepdims=True)


def read_psf(path, *, pixel_scale=None):
    """A point-spread function from a FITS file.

    Parameters
    ----------
    path : path-like
        The first image in it is taken.
    pixel_scale : `~astropy.units.Quantity` ['angle'], optional
        What the file's ``PIXSCALE`` must be to 1%, where it has one.

    Returns
    -------
    array, shape (y, x)
        Of sum one.

    Raises
    ------
    ValueError
        Another pixel scale, no image, or one whose sum is not positive.
    """
    from astropy.io import fits

    with fits.open(path) as hdus:
        planes = [hdu for hdu in hdus if hdu.data is not None and getattr(hdu.data, "ndim", 0) == 2]
        if not planes:
            raise ValueError(f"{path} holds no image of two dimensions")
        data, stated = np.asarray(planes[0].data, dtype=float), planes[0].header.get("PIXSCALE")
    if pixel_scale is not None and stated is not None and abs(stated / pixel_scale.to_value(u.arcsec) - 1) > _TOLERANCE:
        raise ValueError(f"{path} has pixels of {stated} arcsec, not of {pixel_scale}")
    return _normalised(data, path)


def _normalised(data, what):
    data = np.asarray(data, dtype=float)
    if data.ndim != 2 or not np.isfinite(data).all() or not data.sum() > 0:
        raise ValueError(f"the point-spread function of {what} must be a finite image (y, x) of positive sum, got shape {data.shape}")
    return data / data.sum()


def _multiple(large, small, band, what):
    factor = round(large / small)
    if factor < 1 or abs(large / small / factor - 1) > _TOLERANCE:
        raise ValueError(
            f'{what}: {large:g}" is no whole multiple of {small:g}", the native pixel of {band} or of the finest band; choose another '
            "pixel_scale or other bands"
        )
    return factor


def _kernel(band, i, psf, native, optics):
    """Point-spread function of a band at native pixels, and the place (y, x) of its middle."""
    size = 2 * round(optics.margin * optics.pixel_scale / native) + 1
    if psf is None or not hasattr(psf, "keys"):
        fwhm = _bands.get(band).psf_fwhm.to_value(u.arcsec) if psf is None else float(psf[i])
        kernel = moffat(fwhm, size=size, pixel_scale=native)
    else:
        kernel = _normalised(psf[band], band)
    row, column = np.unravel_index(kernel.argmax(), kernel.shape)
    half = size // 2
    kernel = kernel[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
    row, column = np.unravel_index(kernel.argmax(), kernel.shape)
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    y0, x0 = float(row), float(column)
    for _ in range(30):  # windowed centroid (Bertin & Arnouts 1996, SExtractor's XWIN)
        core = kernel * np.exp(-0.5 * ((y - y0) ** 2 + (x - x0) ** 2) / _CORE**2)
        y0, x0 = y0 + 2 * (core * (y - y0)).sum() / core.sum(), x0 + 2 * (core * (x - x0)).sum() / core.sum()
    return kernel / kernel.sum(), (y0, x0)


def _cloud(place, n):
    """The triangular cloud of a point on a line of n cells."""
    distance = abs(np.arange(n) - place)
    return np.where(distance < 0.5, 0.75 - distance**2, 0.5 * np.clip(1.5 - distance, 0, None) ** 2)


def _transfer(kernel, ky, kx):
    """Fourier transform of a kernel about its middle, at given frequencies."""
    data, (y0, x0) = kernel
    rows = np.exp(-2j * np.pi * np.multiply.outer(ky, np.arange(data.shape[0]) - y0))
    columns = np.exp(-2j * np.pi * np.multiply.outer(np.arange(data.shape[1]) - x0, kx))
    return rows @ data @ columns
