"""Where simulated clumps lie in mock images, and the squares that the detector learns."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps.arguments import quantity
from astroclumps.simulation.snapshot import vela_cosmology

__all__ = ["clump_truth", "kpc_per_arcsec", "square_map"]

_POLICIES = ("none", "all")


def kpc_per_arcsec(cosmology, redshift) -> float:
    """Proper kpc in an arcsec.

    Examples
    --------
    >>> from astroclumps.mock.truth import kpc_per_arcsec
    >>> from astroclumps.simulation.snapshot import vela_cosmology
    >>> round(64 * 0.06 * kpc_per_arcsec(vela_cosmology(), 2.0), 1)  # METHODS 2
    32.7
    """
    if not redshift > 0:
        raise ValueError(f"redshift must lie above 0, or the galaxy is nowhere; got {redshift:g}")
    return float(cosmology.angular_diameter_distance(redshift).to_value(u.kpc) * u.arcsec.to(u.rad))


def square_map(x, y, shape) -> np.ndarray:
    """Squares of 2x2 pixels, the four whose centres are nearest (paper section 3.2.1, METHODS 2).

    Parameters
    ----------
    x, y : array of float, shape (n,)
        Pixels; (0, 0) is the centre of the first.
    shape : tuple of int
        Shape (y, x) of the map.

    Returns
    -------
    array of float32, shape (y, x)
        1 inside squares, else 0; squares across the edge are cut.

    Examples
    --------
    >>> from astroclumps.mock.truth import square_map
    >>> square_map([1.2], [0.7], (3, 4))
    array([[0., 1., 1., 0.],
           [0., 1., 1., 0.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    out = np.zeros(shape, dtype=np.float32)
    for column, row in zip(np.floor(x).astype(int), np.floor(y).astype(int), strict=True):
        out[max(row, 0) : max(row + 2, 0), max(column, 0) : max(column + 2, 0)] = 1
    return out


def clump_truth(clumps: QTable, camera, *, shape, pixel_scale, redshift=None, cosmology=None, sf_zlc="all", disc_sfr=None):
    """Map and table of the clumps that a camera sees.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        Of the stage "found" or "tracked": all of one snapshot.
    camera : `~astroclumps.mock.cameras.Camera`
        From where they are seen.
    shape : tuple of int
        Shape (y, x) of the image.
    pixel_scale : `~astropy.units.Quantity` ['angle']
        Its pixel.
    redshift : float, optional
        Default: from the column ``scale_factor``.
    cosmology : `~astropy.cosmology.FLRW`, optional
        Default: VELA's.
    sf_zlc : {'all', 'none'} or float, default 'all'
        Which zero-lifetime clumps that form stars are positives: all, none, or those with more than this part of ``disc_sfr``
        (paper section 3.2.1: 1e-3). Those that form no stars never are.
    disc_sfr : `~astropy.units.Quantity`, optional
        Star-formation rate of the disc, needed for a number.

    Returns
    -------
    squares : array of float32, shape (y, x)
        See `square_map`; of the positives.
    table : `~astropy.table.QTable`
        A copy of ``clumps`` with ``x``, ``y`` (pixels), ``depth`` (kpc along the line of sight, smaller is nearer), ``inside`` (1 where the
        centre lies in a pixel of the image, else 0), ``label`` ('bulge', 'ex situ', 'ZLC', 'SLC', 'LLC'; 'in situ' where clumps were not
        tracked) and ``positive`` (1 for all but the bulge and the ZLC that are left out, METHODS 2 and 3).

    Raises
    ------
    ValueError
        The redshift is not known, or clumps of several snapshots are given.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import catalog
    >>> from astroclumps.mock.cameras import Camera
    >>> from astroclumps.mock.truth import clump_truth
    >>> clumps = catalog.make_table("found", 1)
    >>> clumps["origin"] = "in situ"
    >>> for axis in "xyz":
    ...     clumps[f"pos_{axis}"] = 0 * u.kpc
    >>> camera = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))
    >>> squares, table = clump_truth(clumps, camera, shape=(64, 64), pixel_scale=0.06 * u.arcsec, redshift=2.0)
    >>> print(squares.sum(), table["x"][0], table["label"][0])
    4.0 31.5 pix in situ
    """
    cosmology = vela_cosmology() if cosmology is None else cosmology
    if redshift is None:
        redshift = _redshift(clumps)
    side = float(quantity("pixel_scale", pixel_scale, u.arcsec, "0.06 * u.arcsec")) * kpc_per_arcsec(cosmology, float(redshift))
    places = np.column_stack([clumps[f"pos_{axis}"].to_value(u.kpc) for axis in "xyz"]) * u.kpc
    x, y, depth = camera.project(places, pixel=side * u.kpc, shape=shape)
    inside = (x >= -0.5) & (y >= -0.5) & (x < shape[1] - 0.5) & (y < shape[0] - 0.5)
    table = clumps.copy()
    table["x"], table["y"], table["depth"] = x * u.pix, y * u.pix, depth * u.kpc
    table["inside"] = inside.astype(np.int64)
    origin = np.asarray(clumps["origin"]).astype(str)
    tracked = "longevity" in clumps.colnames
    label = np.where(origin == "in situ", np.asarray(clumps["longevity"]).astype(str), origin) if tracked else origin
    table["label"] = label.astype("U7")
    table["positive"] = ((origin != "bulge") & ~_left_out(clumps, label, sf_zlc, disc_sfr)).astype(np.int64)
    chosen = table["positive"] == 1
    return square_map(x[chosen], y[chosen], shape), table


def _left_out(clumps, label, sf_zlc, disc_sfr):
    """Zero-lifetime clumps that are no positives."""
    rate = clumps["sfr"].to_value(u.Msun / u.yr)
    zero = label == "ZLC"
    if isinstance(sf_zlc, str):
        if sf_zlc not in _POLICIES:
            raise ValueError(f"sf_zlc must be 'all', 'none' or a part of the disc's star formation such as 1e-3, got {sf_zlc!r}")
        return zero if sf_zlc == "none" else zero & ~(rate > 0)
    if disc_sfr is None:
        raise ValueError(f"sf_zlc={sf_zlc!r} needs disc_sfr, such as snapshot.disc.sfr")
    limit = float(sf_zlc) * float(quantity("disc_sfr", disc_sfr, u.Msun / u.yr, "20 * u.Msun / u.yr"))
    return zero & ~(rate > limit)


def _redshift(clumps):
    if "scale_factor" not in clumps.colnames or not len(clumps):
        raise ValueError("the table does not tell its redshift; give redshift, such as snapshot.redshift")
    factors = np.unique(np.asarray(clumps["scale_factor"]))
    if len(factors) != 1:
        raise ValueError(f"the table holds clumps of {len(factors)} snapshots; choose the rows of one")
    return 1 / float(factors[0]) - 1
