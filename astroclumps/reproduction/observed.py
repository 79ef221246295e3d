"""The observed arm of a run: images of a field, or tables that somebody has made of galaxies of his own."""

import hashlib
import json
import warnings
from pathlib import Path

from astroclumps import bands as _bands
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.image import MultiBandImage

from .arm import Arm, join
from .field import cut_galaxies, field_arm

__all__ = ["is_catalogue", "observed_arm", "read_field"]

_TABLES = ("clumps.fits", "galaxies.fits")


def is_catalogue(folder) -> bool:
    """Whether a folder holds the two tables of an `~astroclumps.reproduction.arm.Arm`.

    Examples
    --------
    >>> from astroclumps.reproduction.observed import is_catalogue
    >>> is_catalogue("nowhere")
    False
    """
    return all((Path(folder) / name).is_file() for name in _TABLES)


def read_field(folder, *, redshift, psf_fwhm=None, exclude=()):
    """Galaxies cut out of the images of a field.

    Parameters
    ----------
    folder : path-like
        With one image a band of the seven, named after it and ``_sci`` (``f160w_sci.fits.gz``), or what `~astroclumps.MultiBandImage.read`
        takes.
    redshift : float
        Of every galaxy: an assumption, unless the field holds one.
    psf_fwhm : `~astropy.units.Quantity` ['angle'], optional
        Of the images. Default: what the bands have.
    exclude : sequence of (x, y, radius), optional
        Circles in pixels in which nothing is taken.

    Returns
    -------
    list of `~astroclumps.MultiBandImage`
        As `~astroclumps.reproduction.field.cut_galaxies` gives them.
    """
    options = {} if psf_fwhm is None else {"psf": psf_fwhm}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        field = MultiBandImage.read(_files(folder) or folder, name=Path(folder).resolve().name, **options)
        return cut_galaxies(field, redshift=redshift, exclude=exclude)


def observed_arm(folders, *, out, pipeline, redshift=None, psf_fwhm=None, exclude=(), progress=False):
    """Take fields through the pipeline, or read tables; what was made before is not made again.

    Parameters
    ----------
    folders : sequence of path-like
        Each a field for `read_field` or tables for `~astroclumps.reproduction.arm.Arm.read`.
    out : path-like
        Folder for the tables of fields.
    pipeline : `~astroclumps.Pipeline`
    redshift, psf_fwhm, exclude
        As in `read_field`; tables have their own.
    progress : bool, default False

    Returns
    -------
    arm : `~astroclumps.reproduction.arm.Arm`
        Named 'field'.
    digest : str
        Of what it was made of.

    Raises
    ------
    ValueError
        A field has no redshift.
    """
    arms, digests = [], []
    for number, folder in enumerate(map(Path, folders)):
        if is_catalogue(folder):
            arms.append(Arm.read(folder, name="field"))
            digests.append(_digest([folder / name for name in _TABLES]))
            continue
        if redshift is None:
            raise ValueError(f"the galaxies of {folder} need a redshift; state one, such as 1.5, though it be an assumption")
        files = list((_files(folder) or {}).values()) or sorted(one for one in folder.iterdir() if one.is_file())
        given = {"pipeline": repr(pipeline), "redshift": redshift, "psf_fwhm": str(psf_fwhm), "exclude": [list(one) for one in exclude]}
        text = json.dumps(given | {"files": _digest(files)}, indent=1, sort_keys=True)
        place = Path(out) / f"{number}-{folder.resolve().name}"
        digests.append(text)
        if (place / "settings.json").is_file() and (place / "settings.json").read_text() == text and is_catalogue(place):
            arms.append(Arm.read(place, name="field"))
            continue
        images = read_field(folder, redshift=redshift, psf_fwhm=psf_fwhm, exclude=exclude)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroclumpsWarning)  # the table of losses says it
            arms.append(field_arm(images, pipeline=pipeline, out=place, progress=progress))
        (place / "settings.json").write_text(text)
    return join("field", arms), hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _files(folder):
    """One image a band, by its name; None where a band has none."""
    found = {}
    for band in _bands.CANDELS:
        named = sorted(Path(folder).glob(f"{band.column}_sci.fits*"))
        if not named:
            return None
        found[band.name] = named[0]
    return found


def _digest(files):
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
