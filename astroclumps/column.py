"""One column of the schema of clump tables; reached through `astroclumps.catalog`."""

from dataclasses import dataclass
from typing import Any

import astropy.units as u

from . import bands as _bands

__all__ = ["Column"]


@dataclass(frozen=True)
class Column:
    """One column of the schema.

    Parameters
    ----------
    name : str
        Name of the column; ``{band}`` stands for the band in lower case.
    dtype : str
        ``'int64'``, ``'float64'`` or ``'str'``.
    unit : `~astropy.units.UnitBase` or None
        Unit of the column; None for pure numbers.
    description : str
        What it is.
    ucd : str
        Unified content descriptor (IVOA UCD1+); ``{em}`` stands for the spectral range of the band.
    stage : str
        Stage that adds the column.

    Examples
    --------
    >>> from astroclumps import catalog
    >>> template = next(column for column in catalog.COLUMNS if column.name == "flux_{band}")
    >>> template.for_band("F160W").name, template.unit
    ('flux_f160w', Unit("uJy"))
    """

    name: str
    dtype: str
    unit: u.UnitBase | None
    description: str
    ucd: str
    stage: str

    def for_band(self, band: Any) -> "Column":
        """The column for one band, from a template.

        Parameters
        ----------
        band : str or `~astroclumps.bands.Band`
            The band.

        Returns
        -------
        column : `Column`
            Such as ``flux_f160w`` from ``flux_{band}``.
        """
        band = _bands.get(band)
        ucd = self.ucd.format(em=_spectral_range(band)) if "{em}" in self.ucd else self.ucd
        return Column(self.name.format(band=band.column), self.dtype, self.unit, self.description.format(band=band.name), ucd, self.stage)


def _spectral_range(band):
    edges = {4000: "em.opt.U", 5000: "em.opt.B", 6000: "em.opt.V", 7500: "em.opt.R", 10000: "em.opt.I", 15000: "em.IR.J"}
    edges |= {20000: "em.IR.H", 30000: "em.IR.K", 40000: "em.IR.3-4um", 80000: "em.IR.4-8um"}
    pivot = band.pivot.to_value(u.AA)
    return next((name for edge, name in edges.items() if pivot < edge), "em.IR")
