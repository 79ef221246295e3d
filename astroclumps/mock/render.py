"""Light on the sky to pixels: point-spread function and pixel grid, for smooth maps and for compact sources."""

import numpy as np

from .psf import moffat, transfer_function

__all__ = ["FineGrid"]


class FineGrid:
    """Grid with two points a pixel and a margin, on which a scene is drawn before it is convolved and rebinned.

    Parameters
    ----------
    shape : tuple of int
        Shape (y, x) of the final image in pixels.
    pixel_scale : float
        Arcsec per pixel of the final image.
    margin : int, optional
        Pixels around the final image in which light is followed too.

    Notes
    -----
    Two points a pixel of 0.06" are the 0.03" pixels of ACS: rebinning sums them, so flux is conserved.
    """

    oversampling = 2

    def __init__(self, shape, pixel_scale, *, margin=12):
        self.shape = tuple(int(n) for n in shape)
        self.margin = int(margin)
        self.pixel_scale = float(pixel_scale)
        self.full = tuple((n + 2 * self.margin) * self.oversampling for n in self.shape)
        y, x = np.mgrid[: self.full[0], : self.full[1]].astype(float)
        self.xy = (x, y)
        self.ky = np.fft.fftfreq(self.full[0])
        self.kx = np.fft.rfftfreq(self.full[1])

    def to_fine(self, value):
        """Pixel coordinate of the final image -> coordinate of a grid point."""
        return (np.asarray(value, dtype=float) + 0.5 + self.margin) * self.oversampling - 0.5

    def length(self, arcsec):
        """Arcsec -> grid points."""
        return arcsec / self.pixel_scale * self.oversampling

    def psf_transfer(self, fwhm):
        """Transfer functions of Moffat PSFs.

        Parameters
        ----------
        fwhm : sequence of float, length n_bands
            Arcsec.

        Returns
        -------
        transfer : ndarray of complex64, shape (band, ky, kx)
        """
        fine_scale = self.pixel_scale / self.oversampling
        known = {}
        for value in fwhm:
            value = float(value)
            if value not in known:
                known[value] = transfer_function(moffat(value, size=61, pixel_scale=fine_scale), self.full)
        return np.stack([known[float(value)] for value in fwhm])

    def blobs(self, *, x, y, sigma, axis_ratio, angle, flux):
        """Fourier transform of elliptical Gaussians.

        Parameters
        ----------
        x, y : array_like, shape (n,)
            Centres in pixels of the final image.
        sigma : array_like, shape (n,)
            Dispersion along the major axis in arcsec; 0 is a point.
        axis_ratio, angle : array_like, shape (n,)
            Minor over major axis; position angle in radian from +x towards +y.
        flux : array_like, shape (n, band)
            Total fluxes.

        Returns
        -------
        transform : ndarray of complex64, shape (band, ky, kx)
        """
        flux = np.asarray(flux, dtype=np.float32)
        if len(flux) == 0:
            return np.zeros((flux.shape[1] if flux.ndim == 2 else 1, len(self.ky), len(self.kx)), dtype=np.complex64)
        major = self.length(np.asarray(sigma, dtype=float))[:, None, None]
        minor = major * np.asarray(axis_ratio, dtype=float)[:, None, None]
        cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
        along = self.kx * cos + self.ky[:, None] * sin
        across = self.ky[:, None] * cos - self.kx * sin
        shape = np.exp(-2 * np.pi**2 * ((along * major) ** 2 + (across * minor) ** 2)).astype(np.float32)
        # numpy's transform has the first point at the origin
        ramp_x = np.exp(-2j * np.pi * np.multiply.outer(self.to_fine(x), self.kx)).astype(np.complex64)
        ramp_y = np.exp(-2j * np.pi * np.multiply.outer(self.to_fine(y), self.ky)).astype(np.complex64)
        waves = shape * ramp_y[:, :, None] * ramp_x[:, None, :]
        return np.tensordot(flux.T.astype(np.complex64), waves, axes=1)

    def image(self, maps, fluxes, *, transfer, transform=None):
        """Convolve with the PSF and rebin to pixels.

        Parameters
        ----------
        maps : ndarray, shape (component, y, x)
            Maps on the fine grid.
        fluxes : ndarray, shape (component, band)
            Flux of a component in each band for a map of sum 1.
        transfer : ndarray, shape (band, ky, kx)
            From `psf_transfer`.
        transform : ndarray, shape (band, ky, kx), optional
            From `blobs`; added.

        Returns
        -------
        image : ndarray of float32, shape (band, y, x)
            Flux per pixel.
        """
        from scipy.fft import irfft2, rfft2

        total = transform
        if len(maps):
            smooth = rfft2(np.tensordot(np.asarray(fluxes, dtype=np.float32).T, np.asarray(maps, dtype=np.float32), axes=1))
            total = smooth if total is None else total + smooth
        fine = irfft2(total * transfer, s=self.full)
        cut = self.margin * self.oversampling
        fine = fine[:, cut:-cut, cut:-cut]
        n = self.oversampling
        return fine.reshape(len(fine), self.shape[0], n, self.shape[1], n).sum(axis=(2, 4)).astype(np.float32)
