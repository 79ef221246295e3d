"""A synthetic galaxy with known clumps that travels in the package.

It is mock 233 of ``SersicMocks(seed=2021)``, a seed that no shipped network was trained or judged on, chosen for what is in
it (bright, clumpy, both classes, HST's own point-spread functions, redshift 1.5), before any detector had seen it. It shows what the
program does and is no measure of how well: such galaxies are easier than most. The model cards hold the held-out scores.
"""

import os
from pathlib import Path

import numpy as np
from astropy.table import QTable

from .image import MultiBandImage

__all__ = ["demo_image", "demo_truth", "write_demo"]

__doctest_requires__ = {("write_demo",): ["bagpipes"]}

_FILE = Path(__file__).parent / "data" / "demo_galaxy.fits"
_SEED, _INDEX = 2021, 233


def demo_image() -> MultiBandImage:
    """Read the synthetic galaxy.

    Returns
    -------
    `~astroclumps.MultiBandImage`
        64 x 64 pixels of 0.06" in the paper's seven bands (section 3.2), with noise, PSFs and redshift.

    Examples
    --------
    >>> from astroclumps.demo import demo_image
    >>> demo_image()
    <MultiBandImage 'demo': F435W, F606W, F775W, F850LP, F105W, F125W, F160W, 64 x 64 pixels of 0.06 arcsec, redshift 1.54>
    """
    return MultiBandImage.read(_FILE, format="cube")


def demo_truth() -> QTable:
    """Read the clumps that were put into the synthetic galaxy.

    Returns
    -------
    `~astropy.table.QTable`
        One row a clump: id, x, y (pixels), longevity ('LLC' or 'SLC'), mass (surviving stellar mass), sfr, age (mass-weighted), a_v,
        uv_ratio (flux over the galaxy's in its rest-frame ultraviolet band), r_norm (radius over R_e), flux_{band}.

    Examples
    --------
    >>> from astroclumps.demo import demo_truth
    >>> truth = demo_truth()
    >>> len(truth), sorted({str(label) for label in truth["longevity"]})
    (5, ['LLC', 'SLC'])
    """
    from .fits_io import open_fits

    with open_fits(_FILE) as hdus:
        return QTable(QTable.read(hdus["TRUTH"], character_as_bytes=False), copy=True)


def write_demo(path: str | os.PathLike, *, seed: int = _SEED, index: int = _INDEX) -> Path:
    """Make the file of the synthetic galaxy anew.

    Parameters
    ----------
    path : path-like
        File to write; an existing one is replaced.
    seed, index : int, optional
        Seed and number of the mock. Default: those of the file in the package.

    Returns
    -------
    path : `~pathlib.Path`

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from astroclumps.demo import write_demo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_demo(Path(folder) / "demo_galaxy.fits").stat().st_size < 300_000
    True
    """
    from astropy.io import fits

    from .mock.sersic import SersicMocks

    path = Path(path)
    mocks = SersicMocks(seed=seed)
    image, truth = mocks.image(index)
    named = MultiBandImage(
        data=image.data * image.unit,
        bands=image.bands,
        pixel_scale=image.pixel_scale,
        psf=image.psf.astype(np.float32),
        redshift=round(image.redshift, 2),
        name="demo",
        meta={"made by": f"SersicMocks(seed={seed}).image({index})", "redshift of the mock": image.redshift},
    )
    named.write(path, overwrite=True)
    truth.meta.clear()
    with fits.open(path, mode="update") as hdus:
        hdus.append(fits.table_to_hdu(truth))
        hdus[-1].name = "TRUTH"
        hdus[0].header["NEXTEND"] = len(hdus) - 1
    return path
