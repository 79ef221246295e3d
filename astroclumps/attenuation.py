"""Dust: attenuation and extinction curves, and what becomes of the absorbed light (Draine & Li 2007)."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["CURVES", "calzetti", "curve", "dust_emission", "milky_way", "smc"]

_R_V = 4.05
_R_V_MILKY_WAY = 3.1
_INFRARED_INDEX = 1.61  # of 1/wavelength, Cardelli et al. (1989)


def calzetti(wavelength: "ArrayLike") -> np.ndarray:
    """Attenuation of the Calzetti et al. (2000) law relative to the V band.

    The published polynomials hold from 0.12 to 2.2 micron. Below 0.12 micron the curve is continued as a power law
    with index -0.77, above 2.2 micron the red polynomial is continued until it reaches zero near 2.2-3.1 micron
    (both continuations are those of bagpipes, so that the two backends of ``astroclumps.sed`` share one curve; METHODS 5).

    Parameters
    ----------
    wavelength : array_like of float
        Rest-frame wavelength in Angstrom, any shape.

    Returns
    -------
    ratio : ndarray of float
        ``A(wavelength) / A_V``, same shape; 1 near 5500 Angstrom.

    Examples
    --------
    >>> from astroclumps.attenuation import calzetti
    >>> calzetti([1500.0, 5500.0, 22000.0]).round(2)
    array([2.55, 1.  , 0.09])
    """
    micron = np.asarray(wavelength, dtype=float) * 1e-4

    def blue(x):
        return 2.659 * (-2.156 + 1.509 / x - 0.198 / x**2 + 0.011 / x**3) + _R_V

    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        curve = np.select(
            [micron < 0.12, micron < 0.63, micron < 3.1],
            [blue(0.12) * (micron / 0.12) ** -0.77, blue(micron), 2.659 * (-1.857 + 1.040 / micron) + _R_V],
            default=0.0,
        )
    return curve / _R_V


def milky_way(wavelength: "ArrayLike") -> np.ndarray:
    """Extinction of the diffuse Milky Way relative to the V band: Cardelli, Clayton & Mathis (1989) with R_V = 3.1.

    That of `dust_extinction <https://dust-extinction.readthedocs.io>`_ (``CCM89``), which holds from 0.1 to 3.33 micron; continued beyond
    (ours): constant below 0.1 micron, a power law of index -1.61 above 3.33 micron.

    Parameters
    ----------
    wavelength : array_like of float
        Rest-frame wavelength in Angstrom, any shape.

    Returns
    -------
    ratio : ndarray of float
        ``A(wavelength) / A_V``, same shape.

    Examples
    --------
    >>> from astroclumps.attenuation import milky_way
    >>> milky_way([1500.0, 2175.0, 5500.0, 20000.0]).round(2)
    array([2.66, 3.19, 1.  , 0.13])
    """
    from dust_extinction.parameter_averages import CCM89

    return _continued(CCM89(Rv=_R_V_MILKY_WAY), wavelength)


def smc(wavelength: "ArrayLike") -> np.ndarray:
    """Extinction of the bar of the Small Magellanic Cloud relative to the V band: the mean of Gordon et al. (2003).

    That of `dust_extinction <https://dust-extinction.readthedocs.io>`_ (``G03_SMCBar``): a smooth curve, within 6% of the published points
    and of lines between them from 0.1 to 2.2 micron. It holds from 0.1 to 3.33 micron and is continued beyond (ours): constant below 0.1
    micron, a power law of index -1.61 above 3.33 micron.

    Parameters
    ----------
    wavelength : array_like of float
        Rest-frame wavelength in Angstrom, any shape.

    Returns
    -------
    ratio : ndarray of float
        ``A(wavelength) / A_V``, same shape.

    Examples
    --------
    >>> from astroclumps.attenuation import smc
    >>> smc([1500.0, 5500.0]).round(1)
    array([4.8, 1. ])
    """
    from dust_extinction.averages import G03_SMCBar

    return _continued(G03_SMCBar(), wavelength)


def _continued(model, wavelength):
    """A curve of dust_extinction, which raises outside its range, continued beyond it."""
    import astropy.units as u

    with np.errstate(divide="ignore"):
        x = np.asarray(1e4 / np.asarray(wavelength, dtype=float))
    low, high = (float(end) for end in model.x_range)
    inside = np.asarray(model(np.clip(x.ravel(), low, high) / u.um), dtype=float).reshape(x.shape)
    return np.where(x < low, inside * (x / low) ** _INFRARED_INDEX, inside)


CURVES = {"calzetti": calzetti, "milky way": milky_way, "smc": smc}
"""Curves by name."""


def curve(name: Any) -> Callable:
    """A curve by its name.

    Parameters
    ----------
    name : str or callable
        ``'calzetti'``, ``'milky way'``, ``'smc'``, or a function from Angstrom to ``A / A_V``, which is returned as it is.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        There is no curve of that name.

    Examples
    --------
    >>> from astroclumps.attenuation import curve
    >>> curve("smc").__name__
    'smc'
    """
    if callable(name):
        return name
    if name not in CURVES:
        raise ValueError(f"no dust curve {name!r}; known: {', '.join(map(repr, CURVES))}, or give a function of the wavelength in Angstrom")
    return CURVES[name]


@lru_cache(maxsize=1)
def dust_emission() -> tuple[np.ndarray, np.ndarray]:
    """Spectrum of the dust's own emission, for an absorbed luminosity of one (Draine & Li 2007).

    Read from the grids that bagpipes installs, with its default parameters: 2% of the dust in aromatic molecules (q_PAH), starlight of
    U_min = 1, and 1% of the dust in brighter fields (gamma = 0.01). It begins at 1 micron: no matter for HST, except a young dusty
    population at redshift 0.5 (4% in F160W), but it counts in the red bands of NIRCam.

    Returns
    -------
    wavelength : ndarray, shape (n,)
        Rest-frame wavelength in Angstrom, ascending.
    luminosity : ndarray, shape (n,)
        Per Angstrom; its integral is 1.
    """
    from astropy.io import fits

    from .stellar_grid import grid_folder

    q_pah = np.array([0.10, 0.47, 0.75, 1.12, 1.49, 1.77, 2.37, 2.50, 3.19, 3.90, 4.58])
    u_min = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 1.0])  # the first nine of the columns
    upper = int(np.searchsorted(q_pah, 2.0))
    part = (2.0 - q_pah[upper - 1]) / (q_pah[upper] - q_pah[upper - 1])
    column = len(u_min)  # column 0 is the wavelength
    spectra = []
    for name in ("dl07_grids_umin_only_no_norm.fits", "dl07_grids_umin_umax_no_norm.fits"):
        with fits.open(grid_folder() / name, memmap=False) as hdus:  # plane i + 1 belongs to q_pah[i]
            wavelength = hdus[1].data[:, 0].astype(float)
            spectra.append((1 - part) * hdus[upper].data[:, column] + part * hdus[upper + 1].data[:, column])
    luminosity = 0.99 * spectra[0] + 0.01 * spectra[1]
    order = np.argsort(wavelength)
    wavelength, luminosity = wavelength[order], luminosity[order]
    return wavelength, luminosity / np.trapezoid(luminosity, wavelength)
