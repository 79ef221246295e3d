"""A galaxy in ACS and NIRCam bands from a file of EXPANSE, whose planes were all smoothed to the point-spread function of F444W."""

import ast
import warnings

import astropy.units as u
import h5py
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from astroclumps import MultiBandImage

LINES = {"F250M": "[O III]", "F277W": "[O III]", "F335M": "H alpha", "F356W": "H alpha"}  # of strong lines at redshift 4.13


def read_galaxy(path):
    """All bands of one galaxy, in uJy on pixels of 0.03"."""
    with h5py.File(path) as file:
        bands = ast.literal_eval(file["meta/bands"].asstr()[()])
        data, rms = (np.stack([file[f"psf_matched_{what}/star_stack/{band}"][:] for band in bands]) for what in ("data", "rms_err"))
        header = fits.Header.fromstring(file["headers/F444W"].asstr()[()])
        redshift = float(file["meta/redshift"][()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(header)
    # the width of F444W: every band was smoothed to it
    return MultiBandImage(
        data=data * u.uJy, bands=bands, uncertainty=rms * u.uJy, wcs=wcs, psf=0.145 * u.arcsec, redshift=redshift, name="JOF 36"
    )


def with_stand_ins(image, names):
    """An image whose bands are those of ``names`` (mapping of own band to the name that a network knows), and the ACS bands."""
    own = [band for band in image.bands if band in names or band in ("F435W", "F606W", "F775W", "F850LP")]
    part = image.select(own)
    return MultiBandImage(
        data=part.data * u.uJy,
        bands=[names.get(band, band) for band in own],
        wcs=part.wcs,
        psf=part.psf_fwhm,
        redshift=part.redshift,
        name=part.name,
    )
