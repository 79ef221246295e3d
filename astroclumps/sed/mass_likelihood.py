"""`MassLikelihood`: which mass is fitted to a clump of known mass, measured on mocks that went through the whole chain."""

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import astropy.units as u
import numpy as np

from ..arguments import one_number, quantity
from ..exceptions import AstroclumpsWarning
from ..npz_files import read_npz_arrays
from .conditional_density import choose_width, choose_widths, conditional_density, density, folds_of, trend

__all__ = ["RADII", "MassLikelihood"]

RADII = (0.5, 1.0, 2.0, 3.0)
"""Edges of the bins of r/R_e (ours, after Huertas-Company et al. 2020)."""

_FORMAT = 1
_STEP = 0.05  # dex, of both grids
_BIN = 0.25  # dex
_IN_BIN = 10
_LEAST = 20.0
_ARRAYS = ("r_edges", "log_mass", "log_observed", "density", "detected", "n", "n_empty", "observed_limits")


@dataclass(frozen=True, kw_only=True, eq=False)
class MassLikelihood:
    """Density p(M_obs | M, d) of the fitted mass of clumps that were detected, at true mass M and radius d.

    Make it with `measure`, or `read` one. Masses are log10 of Msun.

    Attributes
    ----------
    r_edges : ndarray, shape (n_r + 1,)
        Edges of the bins of d = r/R_e; a radius on an edge is in the bin above it, one on the last in the last.
    log_mass : ndarray, shape (n_mass,)
        Middles of the cells of true mass, 0.05 dex wide. Their range is that in which clumps were measured.
    log_observed : ndarray, shape (n_observed,)
        Fitted masses.
    density : ndarray, shape (n_r, n_observed, n_mass)
        1/dex, sums to one over ``log_observed``. NaN in bins of radius without enough clumps.
    detected : ndarray, shape (n_r, n_mass)
        1/dex, sums to one: true masses of the detected clumps in each bin of radius, p(M | d, detected).
    n, n_empty : ndarray of int, shape (n_r,)
        Clumps that it was measured on, and detections without any clump in their square, which are no part of it.
    observed_limits : ndarray, shape (n_r, 2)
        Range of fitted masses inside which it was measured.
    meta : dict
        How it was made: text and numbers.
    """

    r_edges: np.ndarray
    log_mass: np.ndarray
    log_observed: np.ndarray
    density: np.ndarray
    detected: np.ndarray
    n: np.ndarray
    n_empty: np.ndarray
    observed_limits: np.ndarray
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in _ARRAYS:
            values = np.asarray(getattr(self, name))
            values = values.astype(np.int64 if name in ("n", "n_empty") else np.float64)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        n_r, n_m, n_o = len(self.r_edges) - 1, self.log_mass.size, self.log_observed.size
        shapes = {
            "density": (n_r, n_o, n_m), "detected": (n_r, n_m), "n": (n_r,), "n_empty": (n_r,), "observed_limits": (n_r, 2)
        }  # fmt: skip
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has the shape {getattr(self, name).shape}, but the axes ask for {shape}")
        for name in ("r_edges", "log_mass", "log_observed"):
            values = getattr(self, name)
            if values.ndim != 1 or len(values) < 2 or not (np.diff(values) > 0).all() or not np.isfinite(values).all():
                raise ValueError(f"{name} must increase and be finite")
        for name, axis in (("log_mass", self.log_mass), ("log_observed", self.log_observed)):
            if not np.allclose(np.diff(axis), axis[1] - axis[0], atol=1e-6):
                raise ValueError(f"{name} must have even steps")
        there = self.measured
        if not there.any():
            raise ValueError("density is NaN at every radius: nothing was measured")
        sums = self.density[there].sum(axis=1) * (self.log_observed[1] - self.log_observed[0])
        cells = self.detected[there].sum(axis=1) * self.step
        if not (self.density[there] > 0).all() or not np.allclose(sums, 1, atol=1e-3):
            raise ValueError("density must be positive and sum to one over log_observed")
        if not (self.detected[there] >= 0).all() or not np.allclose(cells, 1, atol=1e-3):
            raise ValueError("detected must not be negative and sum to one over log_mass")

    @property
    def measured(self) -> np.ndarray:
        """Which bins of radius have a likelihood, shape (n_r,)."""
        return ~np.isnan(self.density).any(axis=(1, 2))

    @property
    def step(self) -> float:
        """Width of the cells of true mass, dex."""
        return float(self.log_mass[1] - self.log_mass[0])

    @property
    def mass_function(self) -> np.ndarray:
        """True masses of all detected clumps, whatever their radius: 1/dex, sums to one, shape (n_mass,)."""
        weight = np.where(self.measured, self.n, 0)
        return np.average(np.nan_to_num(self.detected), axis=0, weights=weight)

    @property
    def empty_share(self) -> np.ndarray:
        """Share of detections with no clump in their square, shape (n_r,); NaN without detections."""
        total = self.n + self.n_empty
        return np.divide(self.n_empty, total, out=np.full(len(total), np.nan), where=total > 0)

    def __repr__(self):
        parts = ", ".join(f"{a:g}-{b:g} R_e: {n}" for a, b, n in zip(self.r_edges[:-1], self.r_edges[1:], self.n, strict=True))
        low, high = self.log_mass[0] - self.step / 2, self.log_mass[-1] + self.step / 2
        return f"<MassLikelihood '{self.meta.get('name', 'unnamed')}': 10^{low:.2f} to 10^{high:.2f} Msun, clumps at {parts}>"

    @classmethod
    def measure(
        cls, true_mass, observed_mass, r_norm, *, groups=None, r_edges=RADII, min_clumps=50, beyond=5, name="own", meta=None
    ) -> "MassLikelihood":
        """Measure the likelihood on mock clumps that were detected and fitted.

        In each bin of radius the fitted masses have a trend with true mass, a parabola in the logarithms. Around it, the density at a
        true mass is that of the residuals of the clumps near this mass: Gaussian kernels in log M and in log M_obs. Their widths
        are those under which clumps of other groups tell the held-out ones best (ten folds of whole groups). Where fewer than 20 clumps
        count, by their effective number, the kernel in log M grows. 1% of the density is spread evenly. Kernels take the place of bins
        of 0.25 dex (ours).

        The range of true masses is the run of 0.25 dex bins with ten clumps or more, around the median. Clumps outside it still
        count in the kernels, but no posterior will reach there.

        Parameters
        ----------
        true_mass : `~astropy.units.Quantity` ['mass'], shape (n,)
            Stars of the 3D clumps inside the square of 10 x 10 pixels around each detection. Zero: there is none; such detections are
            counted and left out.
        observed_mass : `~astropy.units.Quantity` ['mass'], shape (n,)
            As fitted. Detections with NaN are left out.
        r_norm : array_like, shape (n,)
            r/R_e. Detections outside the edges are left out.
        groups : array_like, shape (n,), optional
            What hangs together, such as the simulated galaxy of many images. Default: each clump on its own.
        r_edges : sequence of float, default (0.5, 1, 2, 3)
        min_clumps : int, default 50
            Bins of radius with fewer have no likelihood (ours).
        beyond : int, default 5
            So many clumps lie beyond each end of ``observed_limits`` (ours).
        name : str, default 'own'
        meta : dict, optional
            Text and numbers to keep with it.

        Returns
        -------
        MassLikelihood

        Warns
        -----
        AstroclumpsWarning
            A bin of radius has too few clumps.

        Raises
        ------
        TypeError, ValueError
            Masses without unit, arrays of different lengths, or no bin with enough clumps.

        Examples
        --------
        >>> import astropy.units as u
        >>> import numpy as np
        >>> from astroclumps.sed.mass_likelihood import MassLikelihood
        >>> rng = np.random.default_rng(1)
        >>> log_mass = rng.uniform(7, 9, 600)
        >>> fitted = log_mass + 0.5 + rng.normal(0, 0.3, 600)
        >>> MassLikelihood.measure(10**log_mass * u.Msun, 10**fitted * u.Msun, rng.uniform(0.5, 3, 600))
        <MassLikelihood 'own': 10^7.00 to 10^9.00 Msun, clumps at 0.5-1 R_e: 125, 1-2 R_e: 254, 2-3 R_e: 221>
        """
        true, seen, radius, groups = _arrays(true_mass, observed_mass, r_norm, groups)
        min_clumps = int(one_number("min_clumps", min_clumps, "a number of at least 10", lambda n: n >= 10))
        beyond = int(one_number("beyond", beyond, "zero or a positive number", lambda n: n >= 0))
        edges = np.asarray(r_edges, dtype=float)
        if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all() or edges[0] < 0:
            raise ValueError(f"r_edges must increase, be two at least and none below zero, got {r_edges}")
        place = bins_of(radius, edges)
        fitted = np.isfinite(seen) & (seen > 0) & (place >= 0)
        good = fitted & (true > 0)
        n_r = len(edges) - 1
        n, n_empty = (np.bincount(place[rows], minlength=n_r) for rows in (good, fitted & (true == 0)))
        if not (n >= min_clumps).any():
            raise ValueError(f"{n} clumps in the bins of radius, and each needs {min_clumps}; measure on more mocks or lower min_clumps")
        x, y, groups, place = np.log10(true[good]), np.log10(seen[good]), groups[good], place[good]
        log_mass = _cells(x)
        log_observed = np.arange(np.floor((y.min() - 1) / _STEP), np.ceil((y.max() + 1) / _STEP) + 1) * _STEP
        tables = {"density": np.full((n_r, len(log_observed), len(log_mass)), np.nan), "detected": np.full((n_r, len(log_mass)), np.nan)}
        limits, widths = np.full((n_r, 2), np.nan), []
        for k in range(n_r):
            mine = place == k
            if n[k] < min_clumps:
                text = f"{n[k]} mock clumps at {edges[k]:g}-{edges[k + 1]:g} R_e, fewer than {min_clumps}: masses there cannot be corrected"
                warnings.warn(text, AstroclumpsWarning, stacklevel=2)
                widths.append(None)
                continue
            tables["density"][k], tables["detected"][k], found = _tables(x[mine], y[mine], groups[mine], log_mass, log_observed)
            limits[k] = np.sort(y[mine])[[min(beyond, n[k] // 4), -1 - min(beyond, n[k] // 4)]]
            widths.append(found)
        made = {"format": _FORMAT, "name": name, "widths_dex": widths, "n_groups": len(np.unique(groups)), **(meta or {})}
        axes = {"r_edges": edges, "log_mass": log_mass, "log_observed": log_observed}
        return cls(**axes, **tables, n=n, n_empty=n_empty, observed_limits=limits, meta=made)

    def write(self, path):
        """Write an NPZ file (no pickle); the same likelihood makes the same bytes.

        Parameters
        ----------
        path : path-like
            Replaced when it is complete.
        """
        path = Path(path)
        partial = path.with_name(f"partial-{path.name}")
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        arrays["density"] = arrays["density"].astype(np.float32)
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays, meta=np.array(json.dumps({"format": _FORMAT, **self.meta}, sort_keys=True)))
        partial.replace(path)

    @classmethod
    def read(cls, path) -> "MassLikelihood":
        """Read what `write` wrote.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        MassLikelihood

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ValueError
            It is damaged, or something else.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no mass likelihood at {path}; MassLikelihood.write makes such files")
        try:
            arrays = read_npz_arrays(path, (*_ARRAYS, "meta"))
            meta = json.loads(str(arrays.pop("meta")))
            wrong = [name for name, values in arrays.items() if values.dtype.kind not in "fiu"]
            if wrong:
                raise ValueError(f"{', '.join(wrong)} must hold numbers")
            if meta.get("format") != _FORMAT:
                raise ValueError(f"format {meta.get('format')!r}, and this version reads {_FORMAT}")
            with np.errstate(all="ignore"):  # the checks refuse what is not finite
                return cls(**arrays, meta=meta)
        except Exception as error:  # a damaged archive raises errors of zipfile, zlib, numpy and json
            raise ValueError(f"{path} is no file of a mass likelihood, or damaged: {error}") from error


def bins_of(r_norm, edges):
    """Bin of each radius; -1 outside the edges and for NaN. The last edge is inside."""
    place = np.searchsorted(edges, r_norm, side="right") - 1
    place = np.where(r_norm == edges[-1], len(edges) - 2, place)
    return np.where((place >= 0) & (place < len(edges) - 1), place, -1)


def _arrays(true_mass, observed_mass, r_norm, groups):
    true = quantity("true_mass", true_mass, u.Msun, "[1e8] * u.Msun")
    if not isinstance(observed_mass, u.Quantity) or not observed_mass.unit.is_equivalent(u.Msun):
        raise TypeError(f"observed_mass must be a Quantity such as [1e8] * u.Msun, got {observed_mass!r}")
    seen, radius = observed_mass.to_value(u.Msun).astype(float), np.asarray(r_norm, dtype=float)
    groups = np.arange(true.size) if groups is None else np.asarray(groups)
    for name, values in (("observed_mass", seen), ("r_norm", radius), ("groups", groups)):
        if true.ndim != 1 or values.shape != true.shape:
            raise ValueError(f"true_mass and {name} must be arrays of one length, got {true.shape} and {values.shape}")
    return true, seen, radius, groups


def _cells(x):
    """Middles of the cells between the outermost of the 0.25 dex bins, around the median, that hold enough clumps."""
    number = np.floor(x / _BIN + 1e-9).astype(int)
    first = number.min()
    enough = np.bincount(number - first) >= _IN_BIN
    middle = int(np.floor(np.median(x) / _BIN + 1e-9)) - first
    if not enough[middle]:
        raise ValueError(f"fewer than {_IN_BIN} clumps in the 0.25 dex around the median true mass; measure on more mocks")
    low, high = middle, middle
    while low > 0 and enough[low - 1]:
        low -= 1
    while high < len(enough) - 1 and enough[high + 1]:
        high += 1
    start, n = (first + low) * _BIN, round((high - low + 1) * _BIN / _STEP)
    return start + (np.arange(n) + 0.5) * _STEP


def _tables(x, y, groups, log_mass, log_observed):
    """Likelihood and true masses of the clumps of one bin of radius, and the widths of the kernels."""
    folds, centre = folds_of(groups), trend(x, y)
    residual = y - centre(x)
    x_width, y_width, _ = choose_widths(x, residual, folds, span=float(np.ptp(log_observed)))
    table = conditional_density(x, residual, centre, log_mass, log_observed, x_width=x_width, y_width=y_width, least=_LEAST)
    width = choose_width(x, folds, span=float(np.ptp(log_mass)))
    return table, density(x, log_mass, width), [x_width, y_width, width]
