"""Probabilities that mean what they say: scaling of logits, and correction to another mix of the classes."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["correct_mix", "estimate_mix", "fit_scaling"]

_EDGE = 1e-6


def _logit(p):
    p = np.clip(np.asarray(p, dtype=float), _EDGE, 1 - _EDGE)
    return np.log(p) - np.log1p(-p)


def fit_scaling(truth: "ArrayLike", p: "ArrayLike") -> tuple[float, float]:
    """Scale and shift of the logits that are most likely, both classes counting alike (Platt scaling).

    Parameters
    ----------
    truth : array_like of bool, shape (n,)
        True for long-lived; both classes must be there.
    p : array_like, shape (m, n) or (n,)
        Probabilities; what is averaged over the first axis (orientations) after the scaling.

    Returns
    -------
    scale, shift : float
        ``sigmoid(scale * logit(p) + shift)`` is the probability in a balanced mix.

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.longevity.calibration import fit_scaling
    >>> rng = np.random.default_rng(0)
    >>> logit = rng.normal(0, 2, 20000)
    >>> truth = rng.random(20000) < 1 / (1 + np.exp(-logit))
    >>> sharper = 1 / (1 + np.exp(-(3 * logit + 1)))  # three times too sure, and shifted
    >>> np.abs(np.array(fit_scaling(truth, sharper)) - [1 / 3, -1 / 3]).max() < 0.02
    np.True_
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    truth = np.asarray(truth, dtype=bool)
    if truth.all() or not truth.any():
        raise ValueError("both classes must be present in truth")
    logits = np.atleast_2d(_logit(p))
    weight = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    wanted = np.where(truth, 1 - 1 / (truth.sum() + 2), 1 / ((~truth).sum() + 2))  # Platt's targets: no certainty from few stamps

    def cost(parameters):
        log_scale, shift = parameters
        q = np.clip(expit(np.exp(min(log_scale, 20)) * logits + shift).mean(axis=0), 1e-9, 1 - 1e-9)
        return -(weight * (wanted * np.log(q) + (1 - wanted) * np.log1p(-q))).mean()

    log_scale, shift = minimize(cost, [0.0, 0.0], method="Nelder-Mead").x
    return float(np.exp(log_scale)), float(shift)


def correct_mix(p: "ArrayLike", share: float, *, before: float = 0.5) -> np.ndarray:
    """Probability where long-lived clumps are more or less common than in the mix that a probability is meant for.

    Only the mix may differ: the stamps of each class must look the same.

    Parameters
    ----------
    p : array_like
        Such as ``p_long``, which is meant for as many long-lived as short-lived clumps.
    share : float
        Share of long-lived clumps where it is to be used, between 0 and 1; `estimate_mix` finds it.
    before : float, default 0.5
        Share that ``p`` is meant for.

    Returns
    -------
    p : ndarray

    Examples
    --------
    >>> from astroclumps.longevity.calibration import correct_mix
    >>> correct_mix([0.5, 0.9], 0.1).round(3)
    array([0.1, 0.5])
    """
    for name, value in (("share", share), ("before", before)):
        if not 0 < value < 1:
            raise ValueError(f"{name} is a share between 0 and 1, got {value!r}")
    p = np.asarray(p, dtype=float)
    long, short = p * share / before, (1 - p) * (1 - share) / (1 - before)
    return long / (long + short)


def estimate_mix(p: "ArrayLike", *, before: float = 0.5, n_steps: int = 1000) -> float:
    """Share of long-lived clumps in a catalogue, from its probabilities alone.

    Expectation maximisation of Saerens et al. (2002): the most likely share, if ``p`` is calibrated and only the mix differs.

    Parameters
    ----------
    p : array_like, shape (n,)
        Such as ``p_long``; NaN is left out.
    before : float, default 0.5
        Share that ``p`` is meant for.
    n_steps : int, default 1000
        At most so many steps.

    Returns
    -------
    share : float

    Examples
    --------
    >>> import numpy as np
    >>> from astroclumps.longevity.calibration import estimate_mix
    >>> rng = np.random.default_rng(0)
    >>> score = rng.normal(np.where(np.arange(20000) < 2000, 1, -1), 1)  # a tenth are long-lived
    >>> round(estimate_mix(1 / (1 + np.exp(-2 * score))), 2)
    0.1
    """
    p = np.asarray(p, dtype=float)
    p = p[np.isfinite(p)]
    if not len(p):
        raise ValueError("there is no finite probability to estimate the mix from")
    share = float(before)
    for _ in range(n_steps):
        new = float(np.clip(correct_mix(p, share, before=before).mean(), _EDGE, 1 - _EDGE))
        if abs(new - share) < 1e-7:
            break
        share = new
    return new
