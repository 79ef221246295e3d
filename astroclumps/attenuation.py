"""Dust: attenuation and extinction curves, and what becomes of the absorbed light (Draine & Li 2007)."""

from functools import lru_cache

import numpy as np

__all__ = ["CURVES", "calzetti", "curve", "dust_emission", "milky_way", "smc"]

_R_V = 4.05
_R_V_MILKY_WAY = 3.1
# Gordon et al. (2003), Table 4, SMC Bar: 1/micron and A(lambda) / A(V)
_SMC_X = np.array([0.455, 0.606, 0.8, 1.235, 1.538, 1.818, 2.273, 2.703, *np.arange(3.375, 8.7, 0.25)])
_SMC_A = np.array(
    [0.11, 0.169, 0.25, 0.567, 0.801, 1.0, 1.374, 1.672, 2.0, 2.22, 2.428, 2.661, 2.947, 3.161, 3.293, 3.489, 3.637, 3.866, 4.013, 4.243,
     4.472, 4.776, 5.0, 5.272, 5.575, 5.795, 6.074, 6.297, 6.436, 6.992]
)  # fmt: skip


def calzetti(wavelength):
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


def milky_way(wavelength):
    """Extinction of the diffuse Milky Way relative to the V band: Cardelli, Clayton & Mathis (1989) with R_V = 3.1.

    Holds from 0.1 to 3.3 micron and is continued as power laws beyond: constant below 0.1 micron, index -1.61 above.

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
    with np.errstate(divide="ignore"):
        x = np.clip(1e4 / np.asarray(wavelength, dtype=float), 0.0, 10.0)
    y, far = x - 1.82, np.maximum(x - 5.9, 0.0)
    a = np.polyval([0.32999, -0.77530, 0.01979, 0.72085, -0.02427, -0.50447, 0.17699, 1.0], y)
    b = np.polyval([-2.09002, 5.30260, -0.62251, -5.38434, 1.07233, 2.28305, 1.41338, 0.0], y)
    a_uv = 1.752 - 0.316 * x - 0.104 / ((x - 4.67) ** 2 + 0.341) - 0.04473 * far**2 - 0.009779 * far**3
    b_uv = -3.090 + 1.825 * x + 1.206 / ((x - 4.62) ** 2 + 0.263) + 0.2130 * far**2 + 0.1207 * far**3
    z = x - 8.0
    a_fuv, b_fuv = np.polyval([-0.070, 0.137, -0.628, -1.073], z), np.polyval([0.374, -0.420, 4.257, 13.670], z)
    infrared = x**1.61
    parts = [x < 1.1, x < 3.3, x < 8.0]
    a = np.select(parts, [0.574 * infrared, a, a_uv], a_fuv)
    b = np.select(parts, [-0.527 * infrared, b, b_uv], b_fuv)
    return a + b / _R_V_MILKY_WAY


def smc(wavelength):
    """Extinction of the bar of the Small Magellanic Cloud relative to the V band: the mean of Gordon et al. (2003).

    Straight lines between their points from 0.116 to 2.2 micron; the last one goes on to 0.1 micron, a power law of index
    -1.61 beyond 2.2 micron (ours).

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
    with np.errstate(divide="ignore"):
        x = np.clip(1e4 / np.asarray(wavelength, dtype=float), 0.0, 10.0)
    slope = (_SMC_A[-1] - _SMC_A[-2]) / (_SMC_X[-1] - _SMC_X[-2])
    inside = np.interp(x, _SMC_X, _SMC_A)
    return np.select([x < _SMC_X[0], x > _SMC_X[-1]], [_SMC_A[0] * (x / _SMC_X[0]) ** 1.61, _SMC_A[-1] + slope * (x - _SMC_X[-1])], inside)


CURVES = {"calzetti": calzetti, "milky way": milky_way, "smc": smc}
"""Curves by name."""


def curve(name):
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
def dust_emission():
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
