"""`read_vela_maps`: maps of mass and star formation of the VELA-Sunrise release."""

from typing import NamedTuple

import astropy.units as u

from astroclumps.exceptions import ImageError
from astroclumps.fits_io import listing, open_fits, pixels

from .headers import number
from .names import parse_name

__all__ = ["VelaMaps", "read_vela_maps"]

SFR_TIME = 1.2e7 * u.yr
"""Time by which the plane of star formation of files without HLSPID is divided."""


class VelaMaps(NamedTuple):
    """Maps on the pixels of the pristine images, each with the shape (y, x)."""

    gas_mass: u.Quantity
    """Gas in each pixel, Msun."""
    metal_mass: u.Quantity
    """Metals in each pixel, Msun."""
    sfr: u.Quantity
    """Star-formation rate of each pixel, Msun/yr."""
    stellar_mass: u.Quantity
    """Stars in each pixel, Msun."""
    pixel: u.Quantity
    """Side of a pixel, kpc."""


def read_vela_maps(path, *, camera: int | None = None) -> VelaMaps:
    """Read a file ``hlsp_vela_none_none_..._aux_..._sim.fits``.

    No such file was at hand: the planes (0 gas, 1 metals, 2 star formation, 4 stars, per kpc2), the side of a pixel (CD1_1, kpc) and
    the time of the star-formation rate are those of the public code that writes the files. That masses are in Msun and rates in Msun/yr
    is our reading of that code; no unit is stated.

    Parameters
    ----------
    path : path-like
        The file.
    camera : int, optional
        Number of the camera, for the HDU ``CAMERA{n}-AUX``. Default: by the name of the file.

    Returns
    -------
    `VelaMaps`

    Raises
    ------
    ImageError
        If the file is damaged, has another name and ``camera`` is not given, or lacks HDU, planes or CD1_1.
    """
    if camera is None:
        name = parse_name(path)
        if name.product != "aux":
            raise ImageError(f"{path} is not named as a file of maps (..._aux_..._sim.fits); give camera, its number")
        camera = name.camera
    with open_fits(path) as hdus:
        wanted = f"CAMERA{int(camera)}-AUX"
        hdu = next((one for one in hdus if one.name.upper() == wanted and one.is_image), None)
        if hdu is None:
            raise ImageError(f"{path} has no image HDU {wanted}; its HDUs are {listing(hdus)}")
        if len(hdu.shape) != 3 or hdu.shape[0] < 5:
            raise ImageError(f"{path} (HDU {wanted}) has the shape {hdu.shape}; at least five planes are needed")
        side = number(hdu, "CD1_1", path)
        if side is None or side == 0:
            raise ImageError(f"{path} (HDU {wanted}) has no CD1_1, the side of a pixel in kpc")
        cube = pixels(hdu, path).astype(float) * side**2
        divided = any("HLSPID" in one.header for one in hdus)
    sfr = cube[2] * u.Msun / u.yr if divided else (cube[2] * u.Msun / SFR_TIME).to(u.Msun / u.yr)
    return VelaMaps(cube[0] * u.Msun, cube[1] * u.Msun, sfr, cube[4] * u.Msun, abs(side) * u.kpc)
