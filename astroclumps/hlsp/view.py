"""`VelaView`: from places in the box of a simulation to pixels of its image, and back to lines of sight."""

from dataclasses import dataclass, field

import astropy.units as u
import numpy as np

from astroclumps.arguments import quantity
from astroclumps.exceptions import ImageError
from astroclumps.mock.cameras import Camera

__all__ = ["VelaView", "rotated_corner", "rotated_pixel"]


@dataclass(frozen=True, kw_only=True, eq=False)
class VelaView:
    """A camera, the pixels of its image, and where its middle lies in the box (METHODS 2).

    Parameters
    ----------
    camera : `~astroclumps.mock.cameras.Camera`
        Direction (CAMDIR) and up (CAMUP).
    pixel : `~astropy.units.Quantity` ['length']
        Side of a pixel at the galaxy (PIXKPC).
    shape : tuple of int
        Shape (y, x) of the whole field.
    origin : `~astropy.units.Quantity` ['length'], shape (3,), optional
        What lies in the middle of the field, in the coordinates of the box (translate_origin). Default: zero.
    corner : tuple of int, optional
        First pixel (y, x) of a cut-out of the field. Default ``(0, 0)``.

    Notes
    -----
    With x' = up x direction, y' = up and z' = direction, r' = R (r + galaxy_centre - origin) and x = x'/p + (N - 1)/2, where pixel (0,
    0) is the centre of the first pixel. No real file was at hand: that the axes of the images are x' and y' without a mirror is what
    published code does with them, and was not tried on a real image here.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.hlsp import VelaView
    >>> from astroclumps.mock.cameras import Camera
    >>> view = VelaView(camera=Camera(name="cam05", direction=(1, 0, 0), up=(0, 0, 1)), pixel=0.5 * u.kpc, shape=(64, 64))
    >>> x, y, depth = view.project([[9, 1, 2]] * u.kpc)
    >>> x.tolist(), y.tolist(), depth.tolist()
    ([33.5], [35.5], [9.0])
    >>> view.square([[9, 1, 2]] * u.kpc).tolist()
    [[35, 33]]
    """

    camera: Camera
    pixel: u.Quantity
    shape: tuple[int, int]
    origin: u.Quantity = field(default_factory=lambda: np.zeros(3) * u.kpc)
    corner: tuple[int, int] = (0, 0)

    def __post_init__(self):
        if not isinstance(self.camera, Camera):
            raise TypeError(f"camera must be an astroclumps.mock.cameras.Camera, got {type(self.camera).__name__}")
        side = float(quantity("pixel", self.pixel, u.kpc, "0.26 * u.kpc", positive=True))
        object.__setattr__(self, "pixel", side * u.kpc)
        object.__setattr__(self, "origin", _place("origin", self.origin, (3,)))
        for name in ("shape", "corner"):
            pair = tuple(int(value) for value in getattr(self, name))
            if len(pair) != 2 or (name == "shape" and min(pair) < 1):
                raise ValueError(f"{name} must be two whole numbers (y, x), got {getattr(self, name)!r}")
            object.__setattr__(self, name, pair)

    @classmethod
    def from_image(cls, image) -> "VelaView":
        """The view of an image that `read_vela` read, or of a cut-out of it.

        Parameters
        ----------
        image : `~astroclumps.MultiBandImage`
            Its ``meta`` holds what the headers said.

        Returns
        -------
        `VelaView`

        Raises
        ------
        ImageError
            If the files stated no camera or no kpc of a pixel.
        """
        meta = image.meta
        needed = {"camera_direction": "CAMDIRX-Z", "camera_up": "CAMUPX-Z", "pixel_kpc": "PIXKPC", "field_shape": "a field"}
        missing = [key for name, key in needed.items() if meta.get(name) is None]
        if missing:
            raise ImageError(f"{image.name}: its files state no {', '.join(missing)}; make a VelaView from what you know of the camera")
        first = meta.get("field_corner", (0, 0))
        return cls(
            camera=Camera(name=meta.get("camera") or "camera", direction=tuple(meta["camera_direction"]), up=tuple(meta["camera_up"])),
            pixel=meta["pixel_kpc"] * u.kpc,
            shape=tuple(meta["field_shape"]),
            origin=np.array(meta.get("translate_origin") or (0.0, 0.0, 0.0)) * u.kpc,
            corner=(int(meta.get("y0", 0)) - first[0], int(meta.get("x0", 0)) - first[1]),
        )

    def project(self, position: u.Quantity, *, galaxy_centre: u.Quantity | None = None):
        """Pixels of places in the box.

        Parameters
        ----------
        position : `~astropy.units.Quantity` ['length'], shape (n, 3)
            Along the axes of the box; relative to ``galaxy_centre`` where that is given.
        galaxy_centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
            Added to the positions. Default: zero.

        Returns
        -------
        x, y : float arrays, shape (n,)
            Pixels; (0, 0) is the centre of the first pixel of the image, or of the cut-out.
        depth : float array, shape (n,)
            kpc along the camera's direction.
        """
        centre = self.origin if galaxy_centre is None else self.origin - _place("galaxy_centre", galaxy_centre, (3,))
        x, y, depth = self.camera.project(position, pixel=self.pixel, shape=self.shape, centre=centre)
        return x - self.corner[1], y - self.corner[0], depth

    def square(self, position: u.Quantity, *, galaxy_centre: u.Quantity | None = None) -> np.ndarray:
        """First of the four pixels in the two nearest rows and columns: a clump's 2 x 2 square of truth (METHODS 2).

        Parameters
        ----------
        position, galaxy_centre
            As in `project`.

        Returns
        -------
        int array, shape (n, 2)
            (y, x) of the pixel with the smaller indices; the square may reach over the border of the image.
        """
        x, y, _ = self.project(position, galaxy_centre=galaxy_centre)
        return np.floor(np.stack([y, x], axis=-1)).astype(int)

    def line_of_sight(self, x, y, *, galaxy_centre: u.Quantity | None = None):
        """What lies behind pixels: the line ``point + t * direction``.

        Parameters
        ----------
        x, y : float or array, shape (n,)
            Pixels.
        galaxy_centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
            Subtracted from the points, so that they are what `project` takes. Default: zero.

        Returns
        -------
        point : `~astropy.units.Quantity` ['length'], shape (n, 3)
            Where the line meets the plane across it through the middle of the field, in kpc.
        direction : float array, shape (3,)
            Unit vector; increasing depth.
        """
        x, y = np.broadcast_arrays(np.atleast_1d(np.asarray(x, dtype=float)), np.atleast_1d(np.asarray(y, dtype=float)))
        along = np.stack([x + self.corner[1] - (self.shape[1] - 1) / 2, y + self.corner[0] - (self.shape[0] - 1) / 2, np.zeros(x.shape)])
        rotation = self.camera.rotation()
        point = (rotation.T @ (along * self.pixel.value)).T * u.kpc + self.origin
        if galaxy_centre is not None:
            point = point - _place("galaxy_centre", galaxy_centre, (3,))
        return point, rotation[2]


def rotated_pixel(position: u.Quantity, *, pixel: u.Quantity, n: int) -> np.ndarray:
    """Pixel coordinate of positions that are given in the camera's axes already, around the middle of the image.

    Parameters
    ----------
    position : `~astropy.units.Quantity` ['length']
        x' or y' of a clump, as in catalogues whose z is the camera's direction and y its up.
    pixel : `~astropy.units.Quantity` ['length']
        Side of a pixel (PIXKPC).
    n : int
        Pixels along that axis.

    Returns
    -------
    float array
        x'/p + (n - 1)/2.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.hlsp import rotated_pixel
    >>> float(rotated_pixel(0.375 * u.kpc, pixel=0.25 * u.kpc, n=64))  # (p/2)(2i + 1) with i = 1
    33.0
    """
    side = float(quantity("pixel", pixel, u.kpc, "0.26 * u.kpc", positive=True))
    return _place("position", position, None).value / side + (n - 1) / 2


def rotated_corner(position: u.Quantity, *, pixel: u.Quantity) -> np.ndarray:
    """Index i of a position by the rule x = (p/2)(2i + 1), counted from the middle: floor((2x/p - 1)/2).

    Parameters
    ----------
    position, pixel
        As in `rotated_pixel`.

    Returns
    -------
    int array
        By floor this is not the nearest pixel but the first of the two nearest ones, the corner of the 2 x 2 square of truth: for even n it
        is ``floor(rotated_pixel(...)) - n // 2`` (tested).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps.hlsp import rotated_corner
    >>> rotated_corner([0.375, 0.3, 0.45] * u.kpc, pixel=0.25 * u.kpc).tolist()
    [1, 0, 1]
    """
    side = float(quantity("pixel", pixel, u.kpc, "0.26 * u.kpc", positive=True))
    return np.floor((2 * _place("position", position, None).value / side - 1) / 2).astype(int)


def _place(name, value, shape):
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.kpc):
        raise TypeError(f"{name} must be a length such as [0, 0, 0] * u.kpc, got {value!r}")
    value = value.to(u.kpc)
    if not np.isfinite(value).all() or (shape is not None and value.shape != shape):
        raise ValueError(f"{name} must be finite{'' if shape is None else f' with the shape {shape}'}, got {value}")
    return value
