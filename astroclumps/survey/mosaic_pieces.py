"""Where a cut-out lies in the tiles of mosaics, and its pixels from one of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..band_grid import GRID_TOLERANCE, block_sum, blocks_wcs
from ..cube_io import sigma_of
from ..exceptions import ImageError
from ..image import box
from .mosaic_tiles import Tile

__all__ = ["Piece", "Placed", "frame_of", "place", "plane", "wcs_at"]

_DIGITS = 6  # of a pixel: the middle of a pixel stays there on its way over the sky
_FAR = 2**40  # pixels; farther away there is nothing to tell apart


@dataclass(frozen=True, kw_only=True, eq=False)
class Piece:
    """A tile with what makes uJy of its pixels.

    Attributes
    ----------
    tile : `~astroclumps.survey.mosaic_tiles.Tile`
    weight : `~astroclumps.survey.mosaic_tiles.Tile` or None
        Inverse variance on the same pixels.
    factor : int
        Pixels of the tile on a side of a pixel of the result.
    ujy : float
        uJy for a pixel value of 1.
    frame : astropy frame or None
        Of the WCS; None where that is ICRS, or there is none.
    """

    tile: Tile
    weight: Tile | None
    factor: int
    ujy: float
    frame: Any

    @property
    def shape(self) -> tuple[int, int]:
        """Whole pixels of the result, (y, x)."""
        return self.tile.shape[0] // self.factor, self.tile.shape[1] // self.factor

    def pixels_of(self, lon, lat, frame):
        """x and y in pixels of the tile; NaN where the sky cannot be seen from it."""
        lon, lat = _in_frame(lon, lat, frame, self.frame)
        wcs = self.tile.wcs
        sky = (lon, lat) if wcs.wcs.lng == 0 else (lat, lon)
        try:
            return tuple(np.asarray(one, dtype=float) for one in wcs.world_to_pixel_values(*sky))
        except (ValueError, RuntimeError):  # wcslib refuses what lies behind a projection
            return np.full(np.shape(lon), np.nan), np.full(np.shape(lon), np.nan)

    def sky_of(self, x, y):
        """Longitude and latitude of pixels of the tile, degrees, in its own frame."""
        wcs = self.tile.wcs
        sky = wcs.pixel_to_world_values(x, y)
        return sky if wcs.wcs.lng == 0 else sky[::-1]


class Placed(NamedTuple):
    """A cut-out in a tile: its first row and column there, which may lie outside; no piece where no tile reaches it."""

    piece: Piece | None
    row: int = 0
    column: int = 0


def place(name, layout, sky, pixel, sides, *, partial):
    """Find the corner of a cut-out and the tile of each band.

    Parameters
    ----------
    name : str
        Name of the galaxy, for messages.
    layout : dict of str to tuple of Piece
        Tiles by band.
    sky : (float, float) or None
        RA and Dec (ICRS), degrees.
    pixel : (float, float) or None
        x and y in pixels of the result.
    sides : (int, int)
        Rows and columns of the cut-out.
    partial : bool
        Allow cut-outs across edges.

    Returns
    -------
    corner : (int, int)
        y and x of its first pixel in the first entry of the coarsest band, in pixels of the result.
    reference : Piece
        The tile whose grid that is.
    placed : dict of str to Placed

    Raises
    ------
    ImageError
        If there is no such place, tile, or common grid.
    """
    band = min(layout, key=lambda one: layout[one][0].factor)
    corner, reference = _reference(name, band, layout[band], sky, pixel, sides, partial)
    placed = {one: _tile_of(name, one, layout[one], reference, corner, sides, partial) for one in layout if one != band}
    placed[band] = Placed(reference, corner[0] * reference.factor, corner[1] * reference.factor)
    return corner, reference, placed


def plane(placed, sides):
    """Flux and standard deviation of a band in uJy per pixel of the result, shape (y, x); NaN and infinite where there is no tile.

    The standard deviation is None where the band has no weights.
    """
    piece = placed.piece
    if piece is None:
        return np.full(sides, np.nan), None
    factor = piece.factor
    flux = block_sum(_window(piece.tile, placed, sides).astype(float), factor) * piece.ujy
    if piece.weight is None:
        return flux, None
    sigma = sigma_of(_window(piece.weight, placed, sides))
    return flux, (sigma if factor == 1 else np.sqrt(block_sum(sigma**2, factor))) * piece.ujy


def frame_of(wcs):
    """Frame of a WCS; None for ICRS."""
    from astropy.coordinates import ICRS
    from astropy.wcs.utils import wcs_to_celestial_frame

    if wcs is None:
        return None
    frame = wcs_to_celestial_frame(wcs)
    return None if isinstance(frame, ICRS) else frame


def wcs_at(reference, corner, sides):
    """WCS of the result, from that of the tile whose grid it has; the corner may lie outside of the tile."""
    wcs, f = reference.tile.wcs, reference.factor
    if wcs is None:
        return None
    row, column = (start * f for start in corner)
    if min(row, column) < 0:  # slices count such numbers from the end
        wcs = wcs.deepcopy()
        shift = np.array([min(column, 0), min(row, 0)])
        if wcs.cpdis1 is not None or wcs.cpdis2 is not None:
            raise ImageError(f"{reference.tile.path} has a WCS with tables of distortion, which do not reach beyond its edges")
        wcs.wcs.crpix = wcs.wcs.crpix - shift
        if wcs.sip is not None:
            from astropy.wcs import Sip

            wcs.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, wcs.sip.crpix - shift)
        wcs.wcs.set()
        row, column = max(row, 0), max(column, 0)
    ny, nx = (side * f for side in sides)
    wcs = blocks_wcs(reference.tile.path, wcs, f, (slice(row, row + ny), slice(column, column + nx)))
    wcs.pixel_shape = sides[::-1]
    return wcs


def _reference(name, band, pieces, sky, pixel, sides, partial):
    on_sky = [piece for piece in pieces if piece.tile.wcs is not None]
    found = []
    if sky is not None and on_sky:
        for piece in on_sky:
            x, y = piece.pixels_of(sky[0], sky[1], None)
            x, y = (round((float(one) + 0.5) / piece.factor - 0.5, _DIGITS) for one in (x, y))
            if np.isfinite(x) and np.isfinite(y) and max(abs(x), abs(y)) < _FAR:
                found.append((box(x, y, sides)[:2], piece))
        where = f"RA {sky[0]:.6f}, Dec {sky[1]:.6f}"
    elif pixel is None:
        raise ImageError(
            f"{name}: {'no ra and dec' if on_sky else 'no x and y'}, so that it cannot be found in the mosaics"
            + ("" if on_sky or sky is None else f"; they have no WCS, so that RA {sky[0]:.6f}, Dec {sky[1]:.6f} say nothing")
        )
    elif len(pieces) > 1:
        raise ImageError(f"{name}: x and y do not tell in which of the tiles of {band} it lies ({_names(pieces)}); give ra and dec")
    else:
        if not max(abs(pixel[0]), abs(pixel[1])) < _FAR:
            raise ImageError(f"{name}: x and y must be finite, got {pixel[0]}, {pixel[1]}")
        found = [(box(*pixel, sides)[:2], pieces[0])]
        where = f"x {pixel[0]:g}, y {pixel[1]:g}"
    best = _best(found, sides, partial)
    if best is None and partial and found:  # the grid is known where the band has no pixels
        best = max(found, key=lambda one: _margin(one[0], sides, one[1].shape))
    if best is None:
        raise ImageError(f"{name} at {where}: {_outside(band, pieces, found, sides, partial)}")
    return best


def _tile_of(name, band, pieces, reference, corner, sides, partial):
    ny, nx = sides
    x, y = np.array([-0.5, nx - 0.5, -0.5, nx - 0.5, (nx - 1) / 2]), np.array([-0.5, -0.5, ny - 0.5, ny - 0.5, (ny - 1) / 2])
    sky = None
    if reference.tile.wcs is not None:
        f = reference.factor
        sky = reference.sky_of((x + corner[1] + 0.5) * f - 0.5, (y + corner[0] + 0.5) * f - 0.5)
    found = []
    for piece in pieces:
        f = piece.factor
        if sky is None or piece.tile.wcs is None:
            if piece.shape != reference.shape:
                raise ImageError(
                    f"{piece.tile.path} with {piece.shape[1]} x {piece.shape[0]} pixels of the result cannot be brought onto "
                    f"{reference.tile.path} with {reference.shape[1]} x {reference.shape[0]}: one of them has no WCS"
                )
            found.append((corner, Placed(piece, corner[0] * f, corner[1] * f), 0.0, (0.0, 0.0)))
            continue
        px, py = piece.pixels_of(*sky, reference.frame)
        origin_x, origin_y = (px + 0.5) / f - (x + 0.5), (py + 0.5) / f - (y + 0.5)  # of the cut-out in the tile, pixels of the result
        if not (np.isfinite(origin_x).all() and np.isfinite(origin_y).all() and max(abs(origin_x).max(), abs(origin_y).max()) < _FAR):
            continue
        row, column = round(float(origin_y[-1]) * f), round(float(origin_x[-1]) * f)
        dx, dy = origin_x - column / f, origin_y - row / f
        found.append(((row / f, column / f), Placed(piece, row, column), float(np.hypot(dx, dy).max()), (float(dx[-1]), float(dy[-1]))))
    best = _best([(one[0], one[1].piece, one) for one in found], sides, partial)
    if best is None:
        if partial:
            return Placed(None)
        raise ImageError(f"{name}: {_outside(band, pieces, [(one[0], one[1].piece) for one in found], sides, partial)}")
    _, placed, offset, shift = best[2]
    if not offset <= GRID_TOLERANCE:
        dx, dy = (round(one, 2) + 0.0 for one in shift)  # no -0.00
        raise ImageError(
            f"{name}: {placed.piece.tile.path} and {reference.tile.path} are not on a common grid: at the cut-out they are shifted by "
            f"({dx:.2f}, {dy:.2f}) pixels of the result and differ by up to {offset:.2f}, where {GRID_TOLERANCE:g} is allowed; "
            "resample one onto the grid of the other first, with the package reproject for instance"
        )
    return placed


def _best(found, sides, partial):
    """Of the tiles that hold the cut-out, that in which it is farthest from an edge; else, if allowed, that which holds most of it."""
    inside = [one for one in found if _margin(one[0], sides, one[1].shape) >= 0]
    if inside:
        return max(inside, key=lambda one: _margin(one[0], sides, one[1].shape))
    if not partial:
        return None
    across = [one for one in found if _overlap(one[0], sides, one[1].shape) > 0]
    return max(across, key=lambda one: _overlap(one[0], sides, one[1].shape), default=None)


def _margin(corner, sides, shape):
    """Pixels of the result between a cut-out and the nearest edge; negative outside."""
    return min(min(start, whole - start - side) for start, side, whole in zip(corner, sides, shape, strict=True))


def _overlap(corner, sides, shape):
    rows, columns = (min(start + side, whole) - max(start, 0) for start, side, whole in zip(corner, sides, shape, strict=True))
    return max(rows, 0) * max(columns, 0)


def _outside(band, pieces, found, sides, partial):
    places = []
    for corner, piece in ((one[0], one[1]) for one in found):
        (y0, x0), (ny, nx), (height, width) = (int(np.floor(one)) for one in corner), sides, piece.shape
        x, y = f"x = {x0} to {x0 + nx - 1} of 0 to {width - 1}", f"y = {y0} to {y0 + ny - 1} of 0 to {height - 1}"
        places.append(f"{piece.tile.path.name} (it would be {x}, {y})")
    if len(places) > 4:
        places = [*places[:4], f"and {len(places) - 4} more"]
    one = f"the cut-out of {sides[1]} x {sides[0]} pixels does not lie inside a mosaic of {band}"
    return f"{one}: {', '.join(places) or f'it cannot be seen from {_names(pieces)}'}" + (
        "" if partial else "; partial=True (on the command line --reader-option partial=True) pads with masked pixels"
    )


def _names(pieces):
    names = [piece.tile.path.name for piece in pieces]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _window(tile, placed, sides):
    """The part of a tile under the cut-out, NaN outside of it."""
    f = placed.piece.factor
    ny, nx = sides[0] * f, sides[1] * f
    rows = slice(max(placed.row, 0), min(placed.row + ny, tile.shape[0]))
    columns = slice(max(placed.column, 0), min(placed.column + nx, tile.shape[1]))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return np.full((ny, nx), np.nan)
    data = tile.read(rows, columns)
    if data.shape == (ny, nx):
        return data
    whole = np.full((ny, nx), np.nan, dtype=data.dtype)
    r, c = rows.start - placed.row, columns.start - placed.column
    whole[r : r + data.shape[0], c : c + data.shape[1]] = data
    return whole


def _in_frame(lon, lat, given, wanted):
    """The same places in another frame; None is ICRS."""
    if given is wanted or (given is not None and wanted is not None and given.is_equivalent_frame(wanted)):
        return lon, lat
    from astropy.coordinates import ICRS, SkyCoord

    sky = SkyCoord(lon, lat, unit="deg", frame=ICRS() if given is None else given)
    there = sky.transform_to(ICRS() if wanted is None else wanted).spherical
    return there.lon.deg, there.lat.deg
