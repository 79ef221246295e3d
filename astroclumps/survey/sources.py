"""Where the images of a survey's galaxies come from."""

import glob
import hashlib
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from ..exceptions import ImageError, PluginError, SurveyError
from ..image import MultiBandImage
from .galaxies import Galaxy

__all__ = ["ImageFiles", "ImageSource", "make_source"]


@runtime_checkable
class ImageSource(Protocol):
    """The contract of what gives the images of a survey; it travels to the workers, so it can be pickled and holds no open file."""

    bands: tuple[str, ...] | None
    """Bands of all images; None where only the images tell."""

    def read(self, galaxy: Galaxy) -> MultiBandImage: ...

    def describe(self) -> dict[str, Any]:
        """What decides over the pixels, as JSON would hold it: a survey whose source changed is not gone on with."""
        ...


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """One file, folder or pattern a galaxy.

    Parameters
    ----------
    pattern : str
        Path with columns of the list in braces, such as ``'images/{id}.fits'``, ``'images/{id}/'`` (a folder with one file a band),
        ``'images/{id}_*_sci.fits'`` or ``'{image}'``. Format specifications work: ``'{number:05d}.fits'``.
    format : str, optional
        Image reader (`astroclumps.io.read`). Default: found from the first byte of each file.
    size : int, optional
        Side in pixels of a cut-out around the galaxy's ``x`` and ``y``, or ``ra`` and ``dec``. Default: the whole image.
    options : mapping, optional
        Passed to the reader, such as ``{"psf": 0.3 * u.arcsec, "unit": u.nJy}``.

    Raises
    ------
    ValueError
        The pattern has no column in braces, or cannot be understood.

    Examples
    --------
    >>> from astroclumps.survey.galaxies import Galaxy
    >>> from astroclumps.survey.sources import ImageFiles
    >>> files = ImageFiles(pattern="images/{id}_z{redshift:.2f}.fits")
    >>> files.path(Galaxy("a12", 1.5, None, None, None, None, {}))
    'images/a12_z1.50.fits'
    """

    pattern: str
    format: str | None = None
    size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    bands = None

    def __post_init__(self):
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(str(self.pattern)) if name is not None]
        except ValueError as exc:
            raise ValueError(f"images: the pattern {self.pattern!r} cannot be understood: {exc}") from None
        if not names:
            raise ValueError(f"images: the pattern {self.pattern!r} must hold a column in braces, such as 'images/{{id}}.fits'")
        odd = [name for name in names if not name.replace("_", "a").isalnum()]
        if odd:  # format strings can reach into objects
            raise ValueError(f"images: the pattern {self.pattern!r} holds {odd[0]!r}; only names of columns may stand in braces")
        if self.size is not None and not (isinstance(self.size, int) and self.size > 0):
            raise ValueError(f"size must be a positive number of pixels, got {self.size!r}")
        object.__setattr__(self, "pattern", str(self.pattern))
        object.__setattr__(self, "options", dict(self.options))

    @property
    def _is_glob(self):
        return any(mark in text for text, *_ in string.Formatter().parse(self.pattern) for mark in "*?[")

    def path(self, galaxy: Galaxy) -> str:
        """The path of a galaxy; where the pattern holds ``*``, ``?`` or ``[``, a pattern of files."""
        known = {"id": galaxy.id, "redshift": galaxy.redshift, "ra": galaxy.ra, "dec": galaxy.dec, "x": galaxy.x, "y": galaxy.y}
        known = {name: value for name, value in known.items() if value is not None} | galaxy.fields
        if self._is_glob:
            known = {name: _Escaped(value) if isinstance(value, str) else value for name, value in known.items()}
        try:
            return self.pattern.format_map(known)
        except KeyError as exc:
            raise SurveyError(f"the pattern {self.pattern!r} asks for the column {exc}; the list has {', '.join(known)}") from None
        except (ValueError, TypeError, IndexError) as exc:
            raise ImageError(f"the pattern {self.pattern!r} cannot be filled for galaxy {galaxy.id!r}: {exc}") from None

    def read(self, galaxy: Galaxy) -> MultiBandImage:
        """The image of a galaxy, with its redshift where the list states it."""
        from .. import io

        path = self.path(galaxy)
        if not (glob.glob(path) if self._is_glob else Path(path).exists()):
            raise ImageError(f"there is no file {path}")
        options = dict(self.options)
        if galaxy.redshift is not None:
            options["redshift"] = galaxy.redshift
        image = _reader(self.format or io.detect_format(path))(path, **options)
        if not isinstance(image, MultiBandImage):
            raise PluginError(f"image reader {self.format!r} must return a MultiBandImage, got {type(image).__name__}")
        return self._part(galaxy, image)

    def describe(self) -> dict[str, Any]:
        """Pattern and options; the files themselves are not looked at."""
        options = {name: _text(self.options[name]) for name in sorted(self.options)}
        return {"kind": "files", "pattern": self.pattern, "format": self.format, "size": self.size, "options": options}

    def _part(self, galaxy, image):
        if self.size is None:
            return image
        x, y = galaxy.x, galaxy.y
        if x is None or y is None:
            if galaxy.ra is None or galaxy.dec is None or image.wcs is None:
                raise ImageError(f"a cut-out of {self.size} pixels needs x and y of galaxy {galaxy.id!r}, or ra and dec and a WCS")
            from astropy.coordinates import SkyCoord

            x, y = image.wcs.world_to_pixel(SkyCoord(galaxy.ra, galaxy.dec, unit="deg"))
        return image.cutout(round(float(x), 6), round(float(y), 6), self.size)  # 40.0000000001 by a WCS is meant as 40


@lru_cache(maxsize=8)
def _reader(name):
    """A reader, looked up once a process: metadata of all packages take as long as an image."""
    from .. import plugins

    return plugins.load("image_readers", name)


class _Escaped(str):
    """Text of a list inside a pattern: its own brackets and stars stand for themselves."""

    def __format__(self, spec):
        return glob.escape(format(str(self), spec))


def make_source(images, *, options: Mapping[str, Any] | None = None, size: int | None = None, format: str | None = None):
    """What gives the images.

    Parameters
    ----------
    images : str, path-like, mapping, sequence, or `ImageSource`
        A pattern with columns in braces is `ImageFiles`; anything else that stands for files is mosaics, from which galaxies are cut out
        (`~astroclumps.survey.mosaics.Mosaics`). An object with ``read`` and ``describe`` is taken as it is.
    options : mapping, optional
        Passed to the reader of the files, or to the mosaics.
    size : int, optional
        Side of a cut-out in pixels; default the whole file, and 64 pixels of mosaics.
    format : str, optional
        Image reader; for `ImageFiles` only.

    Returns
    -------
    source : ImageSource
    """
    if isinstance(images, ImageSource):
        if options or size is not None or format is not None:
            raise ValueError(f"options, size and format do not go with {type(images).__name__}, which has its own settings")
        return images
    options = dict(options or {})
    if isinstance(images, str) and "{" in images:
        return ImageFiles(pattern=images, format=format, size=size, options=options)
    if format is not None:
        raise ValueError(f"format={format!r} is for one file a galaxy; a pattern for those has a column in braces, such as '{{id}}.fits'")
    from .mosaics import Mosaics

    return Mosaics(images, **(options if size is None else options | {"size": size}))


def _text(value):
    """A setting as text; long arrays by their sha256."""
    import numpy as np

    array = getattr(value, "value", value)
    if isinstance(array, np.ndarray) and array.size > 32:
        unit = getattr(value, "unit", "")
        return f"array {array.shape} {array.dtype} {unit} sha256 {hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"
    if isinstance(value, Mapping):
        return {str(name): _text(one) for name, one in value.items()}
    return repr(value)
