"""How any property of clumps is distributed, by class (G21 Fig. 13 of ages)."""

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from .radial import radial_distribution
from .sample import P_0, POPULATIONS, values_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["AGE_BINS", "distribution"]

AGE_BINS = np.geomspace(10, 10_000, 13) * u.Myr
"""Edges in age, 0.25 dex wide (ours)."""


def distribution(
    clumps: QTable,
    *,
    column: str,
    bins: "u.Quantity | ArrayLike",
    populations: Any = POPULATIONS,
    threshold: Any = P_0,
    galaxies: QTable | None = None,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> QTable:
    """Probability density of the logarithm of a column, for each class.

    Parameters
    ----------
    clumps : `~astropy.table.QTable`
        With ``galaxy``, the column, and ``p_long`` or ``longevity``. Values outside the bins do not count.
    column : str
        Such as ``'age'``.
    bins : array_like or `~astropy.units.Quantity`
        Edges, positive and increasing; with a unit where the column has one.
    populations, threshold, galaxies, n_bootstrap, seed
        As in `~astroclumps.population.radial.radial_distribution`.

    Returns
    -------
    `~astropy.table.QTable`
        A row for each population and bin: ``population``, ``low``, ``high``, ``middle`` (in the logarithm), ``n``, ``density`` (1/dex; its
        integral over the bins is 1), ``error`` (bootstrap over galaxies). NaN where a population has no clumps inside the bins.

    Raises
    ------
    TypeError
        The bins have no unit where the column has one, or the other way round.

    Warns
    -----
    NoClumpsWarning
        There are no clumps: the table has no rows.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from astroclumps.population.distribution import distribution
    >>> clumps = QTable({"galaxy": [1, 2, 3, 4], "age": [200, 300, 2000, 20] * u.Myr, "p_long": [0.1, 0.2, 0.9, 0.3]})
    >>> table = distribution(clumps, column="age", bins=[10, 100, 1000, 10000] * u.Myr, populations=["SLC"])
    >>> table["n"].tolist(), table["density"].value.round(3).tolist()
    ([1.0, 2.0, 0.0], [0.333, 0.667, 0.0])
    """
    unit = getattr(clumps[column], "unit", None) if column in clumps.colnames else None
    if (unit is None) == isinstance(bins, u.Quantity):
        needs = "have no unit" if unit is None else f"be edges in units of {unit}"
        raise TypeError(f"bins of {column} must {needs}, got {bins!r}")
    edges = np.asarray(bins if unit is None else bins.to_value(unit), dtype=float)
    plain = QTable({"galaxy": clumps["galaxy"], "r_norm": values_of(clumps, column, unit)}, meta=clumps.meta)
    for name in ("p_long", "longevity"):
        if name in clumps.colnames:
            plain[name] = clumps[name]
    options = {"populations": populations, "threshold": threshold, "galaxies": galaxies, "n_bootstrap": n_bootstrap, "seed": seed}
    table = radial_distribution(plain, bins=edges, **options)
    table.rename_column("r_norm", "middle")
    if unit is not None:
        for name in ("low", "high", "middle"):
            table[name] = np.asarray(table[name]) * unit
    table.meta["history"] = [*clumps.meta.get("history", []), f"distribution of {column} of {len(clumps)} clumps"]
    return table
