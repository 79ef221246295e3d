"""`Camera`: from where a simulated galaxy is seen, and the 19 cameras of the paper's mock images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astroclumps.arguments import quantity

if TYPE_CHECKING:
    from astroclumps.simulation.snapshot import Snapshot

__all__ = ["Camera", "cameras"]

# four directions drawn once, evenly over the sphere, and their up vectors: the same for every galaxy (ours)
_FIXED = (
    ((-0.6121, 0.4853, 0.6243), (0.1270, -0.7245, 0.6775)),
    ((0.2874, -0.9411, 0.1780), (0.3361, 0.2769, 0.9002)),
    ((0.8237, 0.5286, -0.2051), (-0.4516, 0.3966, -0.7992)),
    ((-0.1492, -0.2217, -0.9636), (0.9431, -0.3280, -0.0546)),
)
_N_RANDOM = 7
_PARALLEL = 1e-6


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A camera infinitely far away (paper section 3.1.4).

    The axes of its image in the box are z' = ``direction``, y' = ``up`` and x' = y' x z' (METHODS 2). The camera looks along z', as
    Sunrise's CAMDIR does: what has the smaller z' is in front. Images have x' to the right and y' upwards, and are therefore mirrored
    against what an observer would see; nothing depends on it.

    Parameters
    ----------
    name : str
        Name, such as ``'cam00'``.
    direction : sequence of float, length 3
        Where the camera looks, of any length, along the axes of the box. Kept as a unit vector.
    up : sequence of float, length 3
        Direction of the image's y axis; its part along ``direction`` is taken away. Kept as a unit vector.
    kind : str, default ``'given'``
        What it was chosen for: 'face-on', 'edge-on', 'inclined', 'box', 'fixed', 'random', or anything else.

    Raises
    ------
    ValueError
        A vector has no length, or ``up`` lies along ``direction``.

    Examples
    --------
    >>> from astroclumps.mock.cameras import Camera
    >>> camera = Camera(name="top", direction=(0, 0, 2), up=(0, 1, 0))
    >>> camera.direction
    (0.0, 0.0, 1.0)
    >>> camera.rotation()
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    name: str
    direction: tuple
    up: tuple
    kind: str = "given"

    def __post_init__(self):
        direction, up = (_vector(value, name) for value, name in ((self.direction, "direction"), (self.up, "up")))
        up = up - (up @ direction) * direction
        length = np.linalg.norm(up)
        if length < _PARALLEL:
            raise ValueError(f"up of camera {self.name!r} must not lie along its direction {tuple(direction.tolist())}")
        object.__setattr__(self, "name", str(self.name))
        object.__setattr__(self, "direction", tuple(direction.tolist()))
        object.__setattr__(self, "up", tuple((up / length).tolist()))

    def rotation(self) -> np.ndarray:
        """Matrix from the box to the camera.

        Returns
        -------
        matrix : array, shape (3, 3)
            Rows are x', y' and z' along the axes of the box.
        """
        direction, up = np.array(self.direction), np.array(self.up)
        return np.array([np.cross(up, direction), up, direction])

    def inclination(self, axis) -> u.Quantity:
        """Angle between the line of sight and an axis.

        Parameters
        ----------
        axis : sequence of float, length 3
            Such as ``snapshot.disc.axis``.

        Returns
        -------
        `~astropy.units.Quantity` ['angle']
            0 (face-on) to 90 degrees (edge-on), from whichever side.
        """
        return np.degrees(np.arccos(min(abs(float(_vector(axis, "axis") @ np.array(self.direction))), 1.0))) * u.deg

    def turned(self, angle: u.Quantity) -> "Camera":
        """The same camera, turned about its line of sight.

        Parameters
        ----------
        angle : `~astropy.units.Quantity` ['angle']
            By which what it sees turns in the image, from +x towards +y.

        Returns
        -------
        `Camera`
        """
        if not isinstance(angle, u.Quantity) or not angle.unit.is_equivalent(u.rad):
            raise TypeError(f"angle must be a Quantity such as 90 * u.deg, got {angle!r}")
        x, y, _ = self.rotation()
        phi = float(angle.to_value(u.rad))
        return Camera(name=self.name, direction=self.direction, up=tuple(np.sin(phi) * x + np.cos(phi) * y), kind=self.kind)

    def project(self, position: u.Quantity, *, pixel: u.Quantity, shape: tuple[int, int], centre: u.Quantity | None = None):
        """Where positions lie in an image (METHODS 2): x = x'/p + (N - 1)/2, with pixel (0, 0) the centre of the first pixel.

        Parameters
        ----------
        position : `~astropy.units.Quantity` ['length'], shape (n, 3) or (3,)
            Positions along the axes of the box.
        pixel : `~astropy.units.Quantity` ['length']
            Side of a pixel at the galaxy (PIXKPC of the VELA files).
        shape : tuple of int
            Shape (y, x) of the image.
        centre : `~astropy.units.Quantity` ['length'], shape (3,), optional
            What lies in the middle of the image. Default: the origin.

        Returns
        -------
        x, y : float arrays, shape (n,)
            Pixels.
        depth : float array, shape (n,)
            z' in kpc; smaller is nearer to the observer.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astroclumps.mock.cameras import Camera
        >>> camera = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
        >>> x, y, depth = camera.project([[0, 0, 0], [1, 2, 3]] * u.kpc, pixel=0.5 * u.kpc, shape=(64, 64))
        >>> x.tolist(), y.tolist(), depth.tolist()
        ([31.5, 33.5], [31.5, 35.5], [0.0, 3.0])
        """
        if not isinstance(position, u.Quantity) or not position.unit.is_equivalent(u.kpc):
            raise TypeError(f"position must be a length such as array * u.kpc, got {type(position).__name__}")
        side = float(quantity("pixel", pixel, u.kpc, "0.5 * u.kpc", positive=True))
        places = np.atleast_2d(position.to_value(u.kpc)).astype(float)
        if centre is not None:
            if not isinstance(centre, u.Quantity) or not centre.unit.is_equivalent(u.kpc):
                raise TypeError(f"centre must be a length such as [0, 0, 0] * u.kpc, got {centre!r}")
            places = places - centre.to_value(u.kpc)
        x, y, depth = self.rotation() @ places.T
        return x / side + (shape[1] - 1) / 2, y / side + (shape[0] - 1) / 2, depth


def cameras(snapshot: "Snapshot", *, rng, n_random: int = _N_RANDOM) -> tuple[Camera, ...]:
    """The 19 cameras of a snapshot (paper section 3.1.4; the order is METHODS 2).

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy; its ``axis`` tells what is face-on.
    rng : `numpy.random.Generator` or int
        Source of the last seven; the others do not depend on it.
    n_random : int, default 7
        How many are random in each snapshot; more than the paper's seven change none of the others.

    Returns
    -------
    tuple of `Camera`, length 12 + n_random
        00-01 face-on from both sides, 02-03 edge-on from two sides at a right angle, 04 inclined by 45 degrees, 05-07 along x, y and z of
        the box, 08-11 in four directions that are the same for every galaxy, 12-18 in random directions.

    Examples
    --------
    >>> from astroclumps.mock.cameras import cameras
    >>> from astroclumps.testing import example_snapshot
    >>> seen = cameras(example_snapshot(), rng=1)
    >>> len(seen), seen[0].name, seen[0].kind, seen[18].kind
    (19, 'cam00', 'face-on', 'random')
    """
    if rng is None or isinstance(rng, bool):
        raise TypeError(f"rng must be a numpy.random.Generator or a whole number, got {rng!r}")
    if isinstance(n_random, bool) or not isinstance(n_random, int | np.integer) or n_random < 0:
        raise ValueError(f"n_random must be a whole number of at least 0, got {n_random!r}")
    rng = np.random.default_rng(rng)
    axis = np.asarray(snapshot.axis, dtype=float)
    first, second = _plane(axis)
    x, y, z = np.eye(3)
    views = [
        ("face-on", axis, second),
        ("face-on", -axis, second),
        ("edge-on", first, axis),
        ("edge-on", second, axis),
        ("inclined", axis + first, axis - first),
        ("box", x, z),
        ("box", y, x),
        ("box", z, y),
        *(("fixed", *vectors) for vectors in _FIXED),
        *(("random", *rng.standard_normal((2, 3))) for _ in range(n_random)),
    ]
    return tuple(
        Camera(name=f"cam{i:02d}", direction=tuple(direction), up=tuple(up), kind=kind) for i, (kind, direction, up) in enumerate(views)
    )


def _plane(axis):
    """Two unit vectors in the plane across an axis, as in `~astroclumps.simulation.disc.Disc.rotation`."""
    box = np.array([0.0, 1.0, 0.0]) if abs(axis[0]) > 0.8 else np.array([1.0, 0.0, 0.0])
    first = box - (box @ axis) * axis
    first /= np.linalg.norm(first)
    return first, np.cross(axis, first)


def _vector(value, name):
    vector = np.asarray(value, dtype=float)
    length = np.linalg.norm(vector) if vector.shape == (3,) else 0.0
    if not (np.isfinite(length) and length > 0):
        raise ValueError(f"{name} must be three numbers that are not all zero, such as (0, 0, 1), got {value!r}")
    return vector / length
