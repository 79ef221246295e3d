"""Fluxes, errors and redshifts for a fit, read from a clump table and checked."""

import re
from typing import NamedTuple

import astropy.units as u
import numpy as np

from .. import bands as _bands
from ..exceptions import CatalogError
from ..photometry_grid import check_redshift

__all__ = ["Measurements", "read"]

_MIN_BANDS = 2


class Measurements(NamedTuple):
    """What a fit is made to.

    Attributes
    ----------
    bands : tuple of str
        Names of the bands, in the table's order.
    flux : ndarray, shape (n, n_band)
        uJy; 0 where missing.
    error : ndarray, shape (n, n_band)
        1 sigma in uJy, the floor included; inf where missing.
    redshift : ndarray, shape (n,)
    """

    bands: tuple
    flux: np.ndarray
    error: np.ndarray
    redshift: np.ndarray

    @property
    def usable(self):
        """Rows (n,) with at least two bands."""
        return np.isfinite(self.error).sum(axis=1) >= _MIN_BANDS


def _is_band(name):
    try:
        _bands.get(name)
    except ValueError:
        return False
    return True


def read(photometry, *, redshift, error_floor, who) -> Measurements:
    """Take fluxes and errors out of a table.

    Parameters
    ----------
    photometry : `~astropy.table.QTable`
        Columns ``flux_{band}`` and ``flux_err_{band}`` for each band, any unit of flux density.
    redshift : float or array_like
        One redshift, or one for each row.
    error_floor : float
        Fraction of the flux added to its error in quadrature.
    who : str
        Named in the errors.

    Returns
    -------
    measurements : Measurements
    """
    names, columns = [], []
    for column in photometry.colnames:
        match = re.fullmatch(r"flux_(?!err_)(\w+)", column)
        if match and f"flux_err_{match[1]}" not in photometry.colnames and not _is_band(match[1]):
            continue  # another quantity, such as the flux_fraction of a detector
        if match and f"flux_err_{match[1]}" not in photometry.colnames:
            raise CatalogError(f"{who}: column {column} has no errors beside it; add flux_err_{match[1]}")
        if match:
            names.append(_bands.get(match[1]).name)
            columns.append(match[1])
    if not names:
        given = ", ".join(photometry.colnames) or "none"
        raise CatalogError(f"{who}: needs columns flux_<band> and flux_err_<band>, such as flux_f160w; the table has columns {given}")
    ids = list(photometry["id"]) if "id" in photometry.colnames else list(range(1, len(photometry) + 1))
    flux = np.empty((len(photometry), len(names)))
    error = np.empty_like(flux)
    for b, column in enumerate(columns):
        flux[:, b] = _micro_jansky(photometry, f"flux_{column}", who)
        error[:, b] = _micro_jansky(photometry, f"flux_err_{column}", who)
    missing = ~np.isfinite(flux) | ~np.isfinite(error)
    wrong = np.argwhere(~missing & (error <= 0))
    if len(wrong):
        i, b = wrong[0]
        raise ValueError(
            f"{who}: clump {ids[i]} has an error of {error[i, b]:g} uJy in {names[b]}; errors must be positive, "
            "a band without a measurement is NaN"
        )
    error = np.hypot(error, error_floor * np.where(missing, 0.0, flux))
    flux[missing], error[missing] = 0.0, np.inf
    return Measurements(tuple(names), flux, error, _redshifts(redshift, ids, who))


def _micro_jansky(table, name, who):
    column = table[name]
    unit = getattr(column, "unit", None)
    if unit is None or not unit.is_equivalent(u.uJy):
        raise CatalogError(f"{who}: column {name} must be a flux density such as uJy, got {'no unit' if unit is None else f'unit {unit}'}")
    values = u.Quantity(np.ma.filled(column, np.nan) if np.ma.isMaskedArray(column) else getattr(column, "unmasked", column), unit)
    values = values.to_value(u.uJy).astype(float)
    mask = getattr(column, "mask", None)
    return values if mask is None else np.where(mask, np.nan, values)


def _redshifts(redshift, ids, who):
    if redshift is None:
        raise ValueError(f"{who} needs the redshift of the galaxy, such as redshift=1.5")
    try:
        values = np.asarray(u.Quantity(redshift, u.dimensionless_unscaled).value, dtype=float)
    except (TypeError, ValueError, u.UnitConversionError):
        raise ValueError(f"{who}: redshift must be a number or one number a row, got {redshift!r}") from None
    if values.ndim > 1 or (values.ndim == 1 and len(values) != len(ids)):
        raise ValueError(f"{who}: redshift must be one number or one for each of the {len(ids)} rows, got shape {values.shape}")
    if values.ndim == 0:
        return np.full(len(ids), check_redshift(values))
    for number, value in zip(ids, values, strict=True):
        try:
            check_redshift(value)
        except ValueError as exc:
            raise ValueError(f"{who}: clump {number}: {exc}") from None
    return values.copy()
