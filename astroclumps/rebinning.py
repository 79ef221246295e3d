"""Images on coarser pixels, by summing flux (paper section 3.2.1)."""

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from .band_grid import blocks_wcs

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["rebin"]


def rebin(image: "MultiBandImage", factor: int = 2) -> "MultiBandImage":
    """Sum the flux of ``factor`` x ``factor`` pixels of an image to one.

    Parameters
    ----------
    image : `~astroclumps.image.MultiBandImage`
        Any size that holds one new pixel. Rows and columns at the upper end that fill no whole pixel are left out.
    factor : int, default 2
        Pixels of the image on a side of a new one.

    Returns
    -------
    image : `~astroclumps.image.MultiBandImage`
        A copy with its WCS, pixel scale and point-spread functions on the new pixels. Variances add, as if pixels were independent; a
        pixel is masked if one of its parts is. Point-spread functions stay centred on their middle: a fine pixel across the border
        of two new ones is shared between them.

    Raises
    ------
    ValueError
        The factor is no positive whole number, or larger than the image.
    ImageError
        The WCS has distortions.

    Examples
    --------
    >>> from astroclumps.rebinning import rebin
    >>> from astroclumps.testing import example_image
    >>> fine = example_image()
    >>> coarse = rebin(fine, 2)
    >>> coarse.data.shape[1:], coarse.pixel_scale
    ((32, 32), <Quantity 0.12 arcsec>)
    >>> bool(abs(coarse.data.sum() / fine.data.sum() - 1) < 1e-5)
    True
    """
    from .image import MultiBandImage

    if isinstance(factor, bool) or not isinstance(factor, int | np.integer) or factor < 1:
        raise ValueError(f"factor must be a whole number of pixels, 1 or more, got {factor!r}")
    rows, columns = (side // factor for side in image.data.shape[1:])
    if 0 in (rows, columns):
        raise ValueError(f"factor {factor} leaves nothing of an image of {image.data.shape[2]} x {image.data.shape[1]} pixels")

    def blocks(planes):
        return planes[:, : rows * factor, : columns * factor].reshape(len(planes), rows, factor, columns, factor)

    whole = slice(0, rows * factor), slice(0, columns * factor)
    sigma = None
    if image.uncertainty is not None:
        variance = blocks(image.uncertainty.array.astype(float) ** 2).sum(axis=(2, 4))
        sigma = np.where(np.isfinite(variance), np.sqrt(variance), np.inf) * u.uJy
    psf = image.psf_fwhm if image.psf is None and image.psf_known else image.psf
    if image.psf is not None:
        psf = np.stack([_kernel(plane, factor) for plane in image.psf])
    return MultiBandImage(
        data=blocks(image.data.astype(float)).sum(axis=(2, 4)) * u.uJy,
        bands=image.bands,
        uncertainty=sigma,
        mask=blocks(image.mask).any(axis=(2, 4)),
        wcs=None if image.wcs is None else blocks_wcs(image.name, image.wcs, factor, whole),
        pixel_scale=image.pixel_scale * factor,
        psf=psf,
        redshift=image.redshift,
        name=image.name,
        meta={**image.meta, "rebinned": int(factor) * int(image.meta.get("rebinned", 1))},
    )


def _kernel(kernel, factor):
    """A kernel on pixels ``factor`` times as large, about the same middle."""
    weights = []
    for side in kernel.shape:
        reach = int(np.ceil((side / factor - 1) / 2))
        edges = (np.arange(-reach, reach + 2) - 0.5) * factor
        fine = np.arange(side + 1) - side / 2
        shares = np.array([np.interp(edges, fine, np.r_[np.zeros(i + 1), np.ones(side - i)]) for i in range(side)])
        weights.append(np.diff(shares, axis=1).T)
    return weights[0] @ kernel @ weights[1].T
