"""The observed arm: galaxies of images that a telescope made, at redshifts that somebody else measured or assumed."""

import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps.detection.galaxy import galaxies
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.image import MultiBandImage
from astroclumps.pipeline import Pipeline

from .arm import Arm, join
from .measured import measure_image

__all__ = ["FAINTEST", "cut_galaxies", "field_arm"]

FAINTEST = 26.0
"""AB magnitude in the reddest band down to which galaxies of a field are taken (ours)."""

_SIDE = 64
_LEAST_R_E = 0.2
"""Arcsec: the sample's cut on R_e, below which nothing is resolved (G21 5.1); the footprint must be larger than a circle of this radius."""


def cut_galaxies(field, *, redshift, size=_SIDE, faintest=FAINTEST, exclude=()):
    """Cut the galaxies out of the image of a field.

    Parameters
    ----------
    field : `~astroclumps.MultiBandImage`
        Sky-subtracted.
    redshift : float
        For every one of them: measured, or an assumption.
    size : int, default 64
        Side of a cut-out in pixels (paper 3.2.1).
    faintest : float, default 26.0
        AB magnitude of the light of a galaxy's footprint in the reddest band (ours).
    exclude : sequence of (x, y, radius), optional
        Circles in pixels that are masked before galaxies are looked for, such as a bright star with its halo; no galaxy is taken that
        has its centre in one.

    Returns
    -------
    list of `~astroclumps.MultiBandImage`
        Brightest first; those whose cut-out would leave the image are left out. Named after the field and the galaxy's pixel.

    Raises
    ------
    ValueError
        The field is smaller than a cut-out.

    Examples
    --------
    >>> from astroclumps.reproduction.field import cut_galaxies
    >>> from astroclumps.testing import example_image
    >>> [galaxy] = cut_galaxies(example_image(), redshift=1.5, size=48)
    >>> galaxy.name, galaxy.redshift
    ('example 33 35', 1.5)
    """
    height, width = field.data.shape[1:]
    if min(height, width) < size:
        raise ValueError(f"the field has {width} x {height} pixels, less than a cut-out of {size}; give a larger field or a smaller size")
    there = [i for i in range(len(field.bands)) if not field.mask[i].all()]
    red = max(there, key=lambda i: _bands.get(field.bands[i]).pivot.to_value(u.AA))
    scale, found = field.pixel_scale.to_value(u.arcsec), []
    for one in galaxies(_without(field, exclude)):
        light = np.where(field.mask[red], 0.0, field.data[red])[one.window][one.footprint].sum()
        magnitude = 23.9 - 2.5 * np.log10(max(float(light), 1e-9))
        x, y, half = round(one.x), round(one.y), size // 2
        inside = half <= x <= width - half and half <= y <= height - half
        large = one.footprint.sum() * scale**2 > np.pi * _LEAST_R_E**2
        near = any(np.hypot(one.x - x0, one.y - y0) < radius for x0, y0, radius in exclude)
        if magnitude <= faintest and inside and large and not near:
            found.append((magnitude, x, y))
    psf = field.psf_fwhm if field.psf_known else None
    parts = [(field.cutout(x, y, size), f"{field.name} {x} {y}".strip()) for _, x, y in sorted(found)]
    return [_image(part, part.mask, psf, redshift, name) for part, name in parts]


def _image(image, mask, psf, redshift, name):
    return MultiBandImage(
        data=image.data * u.uJy, bands=image.bands, mask=mask, pixel_scale=image.pixel_scale, psf=psf, redshift=redshift, name=name
    )


def _without(field, circles):
    """The field with circles masked."""
    rows, columns = np.indices(field.data.shape[1:])
    inside = np.zeros(rows.shape, dtype=bool)
    for x, y, radius in circles:
        inside |= np.hypot(columns - x, rows - y) < radius
    if not inside.any():
        return field
    return _image(field, field.mask | inside, field.psf_fwhm if field.psf_known else None, field.redshift, field.name)


def field_arm(images, *, pipeline=None, name="field", out=None, progress=False) -> Arm:
    """Take images of galaxies through the pipeline.

    Parameters
    ----------
    images : sequence of `~astroclumps.MultiBandImage`
        One galaxy each, with redshift and names of their own: those of `cut_galaxies`, or of any catalogue.
    pipeline : `~astroclumps.Pipeline`, optional
        Default: ``Pipeline()``.
    name : str, default 'field'
        Of the arm.
    out : path-like, optional
        Folder for the tables; what is there is not read.
    progress : bool, default False

    Returns
    -------
    arm : Arm
        See `~astroclumps.reproduction.measured.measure_image`.

    Raises
    ------
    ValueError
        There are no images, or two have the same name.

    Warns
    -----
    AstroclumpsWarning
        The structure of galaxies could not be measured: they have no R_e, and cuts on it lose them.
    """
    images, pipeline = list(images), pipeline or Pipeline()
    names = [image.name for image in images]
    if not images or len(set(names)) < len(names):
        raise ValueError(f"field_arm needs images with names of their own, got {len(images)} with {len(set(names))} names")
    if progress:
        from tqdm import tqdm

        images = tqdm(images, desc="galaxies measured")
    parts = []
    for image in images:
        clumps, row = measure_image(image, pipeline, name=image.name)
        parts.append(Arm(name, clumps, QTable(rows=[row])))
    arm = join(name, parts)
    lost = int(np.isnan(arm.galaxies["axis_ratio"]).sum())
    if lost:
        warnings.warn(f"{lost} of {len(names)} galaxies have no R_e: it could not be measured", AstroclumpsWarning, stacklevel=2)
    if out is not None:
        arm.write(Path(out))
    return arm
