"""Cut-outs of galaxies from mosaics: by position on the sky, each band by its own WCS, on one pixel grid."""

import uuid
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import astropy.units as u
import numpy as np

from .. import band_grid
from .. import bands as _bands
from ..band_files import short
from ..band_grid import Calibration, check_angle, per_band
from ..calibration import header_number
from ..cube_io import build, warn_assumed
from ..exceptions import AstroclumpsWarning, ImageError
from ..image import DEFAULT_PIXEL_SCALE, MultiBandImage, box
from .mosaic_files import absolute, tile_files, tile_weights
from .mosaic_pieces import Piece, frame_of, place, plane, wcs_at
from .mosaic_tiles import header_digest, open_tile

__all__ = ["Mosaics"]

_MOST_LAYOUTS = 16  # sets of mosaics whose headers a process keeps
_layouts: OrderedDict = OrderedDict()


@dataclass(frozen=True, eq=False)
class Mosaics:
    """Cut galaxies out of mosaics that are never read as a whole.

    Parameters
    ----------
    files : mapping, sequence, folder, glob pattern or path-like
        One file a band, or several tiles: a mapping of band to a file, a pattern or a sequence of files; files; a folder; or a pattern.
        Bands are found as in `astroclumps.io.read_bands`: from headers, else from file names.
    weights : mapping, sequence or False, optional
        Files of inverse variance; False for none. Default: the extension ``WHT`` of each file, else the file named ``wht`` beside one
        named ``sci``, ``drz`` or ``drc``.
    size : int or (int, int), default 64
        Side of a cut-out in pixels of the result, or (y, x) sides.
    pixel_scale : `~astropy.units.Quantity` ['angle'], default 0.06 arcsec
        Side of a pixel of the result. Finer mosaics are brought onto it by summing whole blocks (section 3.2.1).
    bands : sequence of str or `~astroclumps.bands.Band`, optional
        Bands to keep, in this order. Default: all.
    unit, zeropoint, native_scale : optional
        As in `astroclumps.io.read_bands`: what a pixel value of 1 means, AB zeropoints, sides of the pixels in the files.
    psf : array or `~astropy.units.Quantity` ['angle'], optional
        As in `~astroclumps.MultiBandImage`, on the grid of the result.
    partial : bool, default False
        Pad with masked pixels where a cut-out lies across an edge, instead of raising. A band without any tile there is masked.

    Attributes
    ----------
    bands : tuple of str or None
        None where only the files tell.

    Raises
    ------
    TypeError, ValueError
        For arguments that mean nothing. Files are looked at when the first galaxy is read.

    Notes
    -----
    The grid of a result is that of the coarsest band at the galaxy. Grids of the others must coincide with it within 0.1 pixel of the
    result over the whole cut-out; nothing is resampled. Files may begin anywhere on the sky. Of overlapping tiles the one is taken in
    which the cut-out lies farthest from an edge. A band without a good pixel there (NaN, weight 0, or 0 all over) is masked.

    Nothing stays open in an object of this class, and it can be pickled.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> import astropy.units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from astropy.io import fits
    >>> from astropy.wcs import WCS
    >>> from astroclumps.survey.mosaics import Mosaics
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for band, side, scale in (("F606W", 400, 0.03), ("F160W", 200, 0.06)):
    ...         wcs = WCS(naxis=2)
    ...         wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [53.1, -27.8]
    ...         wcs.wcs.crpix, wcs.wcs.cdelt = [side / 2 + 0.5] * 2, [-scale / 3600, scale / 3600]
    ...         header = wcs.to_header()
    ...         header.update({"FILTER": band, "BUNIT": "nJy"})
    ...         fits.writeto(f"{folder}/{band}.fits", np.ones((side, side), dtype=np.float32), header)
    ...     mosaics = Mosaics(folder, size=32)
    ...     image = mosaics.cutout(SkyCoord(53.1, -27.8, unit="deg"), name="a12", redshift=1.5)
    >>> image
    <MultiBandImage 'a12': F606W, F160W, 32 x 32 pixels of 0.06 arcsec, redshift 1.5>
    >>> [float(plane[0, 0].round(4)) for plane in image.data]  # four pixels of 0.03" make one of 0.06"
    [0.004, 0.001]
    """

    files: Any
    _: KW_ONLY
    weights: Any = None
    size: Any = 64
    pixel_scale: u.Quantity[u.arcsec] = DEFAULT_PIXEL_SCALE
    bands: Any = None
    unit: Any = None
    zeropoint: Any = None
    native_scale: Any = None
    psf: Any = None
    partial: bool = False
    _places: Any = field(init=False, repr=False, default=None)

    def __post_init__(self):
        check_angle("pixel_scale", self.pixel_scale)
        box(0.0, 0.0, self.size)
        if not isinstance(self.partial, bool | np.bool_):
            raise TypeError(f"partial must be True or False, got {self.partial!r}")
        bands = self.bands
        if bands is None and isinstance(self.files, Mapping):
            bands = self.files
        elif isinstance(bands, str):
            bands = [bands]
        places = {
            "files": absolute(self.files),
            "weights": absolute(self.weights),
            "token": uuid.uuid4().hex,
            "quiet": False,
        }
        object.__setattr__(self, "bands", None if bands is None else _bands.names(bands))
        object.__setattr__(self, "_places", places)

    def __getstate__(self):
        return self.__dict__ | {"_places": self._places | {"quiet": True}}  # the workers of a survey need not say it again

    def read(self, galaxy) -> MultiBandImage:
        """Cut out a galaxy of a list.

        Parameters
        ----------
        galaxy : `~astroclumps.survey.galaxies.Galaxy`
            With ``ra`` and ``dec`` in degrees (ICRS), or else ``x`` and ``y`` in pixels of the result, counted from the first block of the
            coarsest band's file. Where it has both, the sky decides if the mosaics have a WCS.

        Returns
        -------
        `~astroclumps.MultiBandImage`

        Raises
        ------
        ImageError
            As in `cutout`.
        """
        sky = None if galaxy.ra is None or galaxy.dec is None else (float(galaxy.ra), float(galaxy.dec))
        pixel = None if galaxy.x is None or galaxy.y is None else (float(galaxy.x), float(galaxy.y))
        return self._cut(sky, pixel, galaxy.redshift, str(galaxy.id))

    def cutout(self, position, *, redshift: float | None = None, name: str = "image") -> MultiBandImage:
        """Cut out one galaxy.

        Parameters
        ----------
        position : `~astropy.coordinates.SkyCoord` or (float, float)
            Place on the sky, or x and y in pixels of the result.
        redshift, name : optional
            As in `~astroclumps.MultiBandImage`. Default of the redshift: ``REDSHIFT`` of the headers, if it stands there.

        Returns
        -------
        `~astroclumps.MultiBandImage`
            Centred on the position as in `MultiBandImage.cutout`. ``meta['files']`` names the files; ``x0`` and ``y0`` are the corner in
            the first of the coarsest of them, in pixels of the result.

        Raises
        ------
        ImageError
            If the cut-out does not lie inside a tile of each band, no band has a good pixel there, grids do not coincide, or a file is
            damaged or was changed since it was first looked at.

        Warns
        -----
        AstroclumpsWarning
            With the first galaxy: where a zeropoint or pixel scale had to be assumed, and of files that must be decompressed as a whole.
        """
        if hasattr(position, "icrs"):
            icrs = position.icrs
            return self._cut((float(icrs.ra.deg), float(icrs.dec.deg)), None, redshift, name)
        x, y = position
        return self._cut(None, (float(x), float(y)), redshift, name)

    def describe(self) -> dict[str, Any]:
        """Settings, and name, size in bytes and sha256 of the headers of each file, as JSON would hold them; pixels are not read."""
        from .sources import _text

        tiles = tile_files(self._places["files"], bands=self.bands)
        weights = tile_weights(self._places["weights"], tiles)
        settings = {name: _text(getattr(self, name)) for name in ("unit", "zeropoint", "native_scale", "psf")}
        self._layout()
        return {
            "kind": "mosaics",
            "files": {band: [_described(file) for file in files] for band, files in tiles.items()},
            "weights": {band: [_described(file) if file else file for file in files] for band, files in weights.items()},
            "size": list(box(0.0, 0.0, self.size)[2:]),
            "pixel_scale": float(self.pixel_scale.to_value(u.arcsec)),
            "partial": bool(self.partial),
        } | settings

    def _cut(self, sky, pixel, redshift, name):
        layout = self._layout()
        sides = box(0.0, 0.0, self.size)[2:]
        corner, reference, placed = place(name, layout, sky, pixel, sides, partial=self.partial)
        planes = [plane(placed[band], sides) for band in layout]
        flux = np.stack([one for one, _ in planes])
        sigma = None
        if any(piece.weight is not None for pieces in layout.values() for piece in pieces):
            sigma = np.stack([np.full(sides, np.inf) if one is None else one for _, one in planes])
        good = np.isfinite(flux) & (True if sigma is None else np.isfinite(sigma))
        empty = ~(good & (flux != 0)).any(axis=(1, 2))
        if empty.all():
            raise ImageError(f"{name}: no band has a good pixel within the cut-out; it lies outside of what was observed")
        wcs = wcs_at(reference, corner, sides)
        if redshift is None:
            stated = (header_number(one.piece.tile.header, "REDSHIFT", one.piece.tile.path) for one in placed.values() if one.piece)
            redshift = next((value for value in stated if value is not None), None)
        files = [placed[band].piece.tile.path.name if placed[band].piece else None for band in layout]
        return build(
            name,
            data=flux * u.uJy,
            bands=list(layout),
            uncertainty=None if sigma is None else sigma * u.uJy,
            mask=np.broadcast_to(empty[:, None, None], flux.shape),
            wcs=wcs,
            pixel_scale=None if wcs is not None else self.pixel_scale,
            psf=self.psf,
            redshift=redshift,
            name=name,
            meta={"files": files, "x0": corner[1], "y0": corner[0]},
        )

    def _layout(self) -> dict[str, tuple[Piece, ...]]:
        """Tiles of each band with what their headers say, looked at once a process."""
        token = self._places["token"]
        if token not in _layouts:
            _layouts[token] = self._looked_at()
            while len(_layouts) > _MOST_LAYOUTS:
                _layouts.popitem(last=False)
        return _layouts[token]

    def _looked_at(self):
        tiles = tile_files(self._places["files"], bands=self.bands)
        weights = tile_weights(self._places["weights"], tiles)
        names = list(tiles)
        stated = Calibration(
            unit=self.unit,
            zeropoint=per_band(self.zeropoint, names, "zeropoint"),
            native=per_band(self.native_scale, names, "native_scale"),
            pixel_scale=self.pixel_scale,
        )
        assumed: dict[str, list[str]] = {}
        layout = {
            band: tuple(
                _piece(file, weight, band, stated, assumed.setdefault(band, []))
                for file, weight in zip(tiles[band], weights[band], strict=True)
            )
            for band in names
        }
        pieces = [piece for several in layout.values() for piece in several]
        without = [piece.tile.path for piece in pieces if piece.weight is None]
        if without and len(without) < len(pieces):
            listed = ", ".join(str(path) for path in without[:4])
            raise ImageError(f"no weights for {listed}, but for other mosaics; give weights, or weights=False")
        if not self._places["quiet"]:
            self._say(assumed, pieces)
        return layout

    def _say(self, assumed, pieces):
        """Warnings that go with the mosaics rather than with a galaxy."""
        for what, value in (("zeropoint", "the bands' own"), ("pixel scale", str(self.pixel_scale))):
            bands = [band for band, found in assumed.items() if what in found]
            if bands:
                warn_assumed(short(self.files), f"the {what} of {', '.join(bands)} is taken to be {value}")
        tiles = [tile for piece in pieces for tile in (piece.tile, piece.weight) if tile is not None and tile.kind == "whole"]
        if tiles:
            pixels = sum(tile.shape[0] * tile.shape[1] * abs(tile.bitpix) // 8 for tile in tiles)
            more = f" and {len(tiles) - 1} more" if len(tiles) > 1 else ""
            warnings.warn(
                f"{tiles[0].path.name}{more}: compressed as a whole, so that each process must decompress all of it and keep "
                f"{pixels / 2**20:.0f} MiB in memory; gunzip the files, or compress them with fpack",
                AstroclumpsWarning,
                stacklevel=5,
            )


def _piece(file, weight_file, band, stated, assumed):
    tile = open_tile(file)
    native = band_grid.native_scale(file, tile.header, tile.wcs, band, stated, assumed)
    if weight_file is False:
        weight = None
    elif weight_file is None:
        weight = open_tile(file, names=("WHT",)) if "WHT" in tile.names else None
    else:
        weight = open_tile(weight_file, names=("WHT", "SCI"))
    if weight is not None and weight.shape != tile.shape:
        raise ImageError(f"weights {weight.path} have the shape {weight.shape}, the image {file} has {tile.shape}")
    return Piece(
        tile=tile,
        weight=weight,
        factor=band_grid.block_size(file, native, stated.pixel_scale),
        ujy=float(band_grid.ujy_of_one(file, tile.header, band, native, stated, assumed)),
        frame=frame_of(tile.wcs),
    )


def _described(path):
    return {"name": path.name, "bytes": path.stat().st_size, "headers": header_digest(path)}
