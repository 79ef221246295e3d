"""The priors of both backends (METHODS 5): one object that draws for the library and instructs bagpipes."""

from dataclasses import dataclass

import numpy as np

from ..photometry_grid import age_of_universe

__all__ = ["HISTORIES", "LOG_MASS", "Prior", "check_settings"]

HISTORIES = ("tau", "constant")
"""Star-formation histories that a fit may assume."""

LOG_MASS = (5.0, 11.0)
"""log10 of the mass formed in solar masses, uniform (METHODS 5)."""

_AGE_MIN = 0.01  # Gyr; uniform up to the age of the Universe
_TAU = (0.05, 10.0)  # Gyr, uniform in the logarithm
_A_V = (0.0, 3.0)  # mag, uniform
_METALLICITY = (0.1, 2.0)  # solar units, uniform in the logarithm


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Prior of a star-formation history at a redshift.

    log10 of the mass formed is uniform in 5-11; the time since the onset of star formation uniform from 0.01 Gyr to the age of the
    Universe; tau log-uniform in 0.05-10 Gyr (tau history only); A_V uniform in 0-3 mag; metallicity log-uniform in 0.1-2 Zsun.

    Parameters
    ----------
    sfh : {'tau', 'constant'}
        Star-formation history.
    redshift : float
        Redshift of the galaxy.

    Examples
    --------
    >>> from astroclumps.sed.priors import Prior
    >>> prior = Prior(sfh="tau", redshift=1.5)
    >>> age, tau, metallicity, a_v = prior.from_cube([[0.5, 0.5, 0.5, 0.5]])
    >>> tau.round(3), a_v
    (array([0.707]), array([1.5]))
    """

    sfh: str
    redshift: float

    @property
    def n_dim(self):
        """Number of parameters besides the mass: age, A_V, metallicity, and tau where there is one."""
        return 4 if self.sfh == "tau" else 3

    @property
    def age_limits(self):
        """Limits of the time since the onset of star formation, Gyr."""
        return _AGE_MIN, age_of_universe(self.redshift)

    def from_cube(self, cube):
        """Turn points of the unit cube, uniform in it, into draws from the prior.

        Parameters
        ----------
        cube : array_like, shape (n, n_dim)
            Coordinates in 0-1, in the order age, A_V, metallicity, tau.

        Returns
        -------
        age, tau, metallicity, a_v : ndarray, shape (n,)
            Gyr, Gyr (inf for a constant history), solar units, mag.
        """
        cube = np.asarray(cube, dtype=float)
        youngest, oldest = self.age_limits
        age = youngest + cube[:, 0] * (oldest - youngest)
        a_v = _A_V[0] + cube[:, 1] * (_A_V[1] - _A_V[0])
        metallicity = _METALLICITY[0] * (_METALLICITY[1] / _METALLICITY[0]) ** cube[:, 2]
        tau = _TAU[0] * (_TAU[1] / _TAU[0]) ** cube[:, 3] if self.sfh == "tau" else np.full(len(cube), np.inf)
        return age, tau, metallicity, a_v

    def bagpipes_instructions(self):
        """The same prior as fit instructions of bagpipes, a dict."""
        history = {"massformed": LOG_MASS, "metallicity": _METALLICITY, "metallicity_prior": "log_10"}
        if self.sfh == "tau":
            name = "exponential"
            history |= {"age": self.age_limits, "tau": _TAU, "tau_prior": "log_10"}
        else:
            name = "constant"
            history |= {"age_min": 0.0, "age_max": self.age_limits}
        return {"redshift": float(self.redshift), name: history, "dust": {"type": "Calzetti", "Av": _A_V}}


def check_settings(settings):
    """Check the settings that both backends share: ``sfh``, ``error_floor`` and ``seed``."""
    if settings.sfh not in (*HISTORIES, "both"):
        raise ValueError(f"sfh must be 'tau', 'constant' or 'both', got {settings.sfh!r}")
    if not 0 <= settings.error_floor < 1:
        raise ValueError(f"error_floor is a fraction of the flux, 0 to below 1, got {settings.error_floor!r}")
    if not isinstance(settings.seed, int | np.integer) or settings.seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, got {settings.seed!r}")
