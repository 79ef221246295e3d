"""`ClumpSizes`: intrinsic sizes of clumps, the point-spread function taken out, with limits where they are not resolved."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps import catalog
from astroclumps.column import Column
from astroclumps.exceptions import AstroclumpsWarning

if TYPE_CHECKING:
    from astroclumps.image import MultiBandImage

__all__ = ["SIZE_COLUMNS", "ClumpSizes"]

_PREFERRED = "F606W"
_LEAST_PIXELS = 0.5  # part of the circle around a clump that must be good
_LEAST_FLUX = 3.0  # sigma; a fainter fit tells no size
_EDGE = 0.99  # of the largest size: the fit ran away
_MANY = 3  # members of a group from which on the light behind is curved

SIZE_COLUMNS = (
    Column("size", "float64", u.arcsec, "Intrinsic half-light radius, 0 where the clump is as a point", "phys.angSize", "sized"),
    Column("size_err", "float64", u.arcsec, "1-sigma error of size", "stat.error;phys.angSize", "sized"),
    Column("size_limit", "float64", u.arcsec, "Half-light radius that the clump stays below with 95%", "phys.angSize;stat.max", "sized"),
    Column("size_kpc", "float64", u.kpc, "size at the redshift; NaN if that is not known", "phys.size", "sized"),
    Column("size_err_kpc", "float64", u.kpc, "1-sigma error of size_kpc", "stat.error;phys.size", "sized"),
    Column("size_limit_kpc", "float64", u.kpc, "size_limit at the redshift", "phys.size;stat.max", "sized"),
    Column("resolved", "int64", None, "1 if the clump is larger than a point beyond doubt, else 0", "meta.code", "sized"),
    Column("size_flux", "float64", u.uJy, "Flux density of the fitted profile", "phot.flux.density", "sized"),
    Column("size_flux_err", "float64", u.uJy, "1-sigma error of size_flux", "stat.error;phot.flux.density", "sized"),
    Column("size_chi2", "float64", None, "Squared residuals of the fit over those that noise leaves", "stat.fit.chi2", "sized"),
)
"""Columns that `ClumpSizes.measure` adds, with ``flags``."""


@dataclass(frozen=True, kw_only=True)
class ClumpSizes:
    """Fit the intrinsic sizes of clumps in one band, neighbours together, upon a local background.

    The paper gives no sizes of observed clumps; all here is ours. Each clump is a round profile behind the point-spread function of the
    image. Clumps nearer to each other than ``radius`` are fitted at once, each group upon its own polynomial; the light of the other
    groups is taken off. The square of the half-light radius is fitted and may scatter below zero, which keeps it unbiased where a
    clump is hardly resolved and makes the limit a real one.

    Parameters
    ----------
    band : str, optional
        Band of the fit. Default: F606W where the image has it, the rest-frame ultraviolet at the paper's redshifts; else the bluest
        band with data.
    profile : {'gaussian', 'sersic'}, default 'gaussian'
        A round Gaussian, or a round Sersic profile of ``index``.
    index : float, default 1.0
        Sersic index, 0.5 to 4; for ``profile='sersic'`` only. It is not fitted: the data hardly tell it.
    radius : `~astropy.units.Quantity`, default 8 pix
        Pixels within this radius of a clump are fitted; in pixels or as an angle. It must hold the clump and some of what is around it.
    largest : `~astropy.units.Quantity` ['angle'], default 0.5 arcsec
        Largest half-light radius; a fit that runs there has failed.
    background : int, default 1
        Degree of the polynomial behind a group, 0 to 3: 1 is a plane. Groups of more than three clumps take 2 at least.
    significance : float, default 2.0
        A clump is resolved where a point source is ruled out by so many sigma.

    Raises
    ------
    TypeError, ValueError
        A setting has a wrong type, unit or value.

    Notes
    -----
    Noise is the scatter of the sky's pixels and the correlation of neighbours, measured in the image; an uncertainty says how it differs
    from pixel to pixel, and is taken as it is where the sky is noisier than it allows. Errors include the correlation; error and limit
    follow chi squared away from its minimum. Where the residuals are larger than the noise, errors grow with them. Errors of the point-
    spread function are not included.

    Examples
    --------
    >>> import astropy.units as u, numpy as np
    >>> from astroclumps import MultiBandImage, catalog
    >>> from astroclumps.mock.psf import moffat
    >>> from astroclumps.photometry import ClumpSizes
    >>> noise = np.random.default_rng(1).normal(0, 1e-3, (1, 65, 65))
    >>> psf = moffat(0.17, size=65, pixel_scale=0.06)
    >>> image = MultiBandImage(data=(noise + 0.5 * psf) * u.uJy, bands=["F160W"], psf=psf)
    >>> clumps = catalog.make_table("detected", 1)
    >>> clumps["x"] = clumps["y"] = [32.0] * u.pix
    >>> sized = ClumpSizes().measure(image, clumps)
    >>> int(sized["resolved"][0]), bool(sized["size_limit"][0] < 0.05 * u.arcsec)
    (0, True)
    """

    band: str | None = None
    profile: str = "gaussian"
    index: float = 1.0
    radius: u.Quantity = 8 * u.pix
    largest: u.Quantity = 0.5 * u.arcsec
    background: int = 1
    significance: float = 2.0

    def __post_init__(self):
        if self.band is not None:
            object.__setattr__(self, "band", _bands.get(self.band).name)
        if self.profile not in ("gaussian", "sersic"):
            raise ValueError(f"profile must be 'gaussian' or 'sersic', got {self.profile!r}")
        if not 0.5 <= self.index <= 4:
            raise ValueError(f"index must lie in 0.5-4, got {self.index!r}")
        _checked(self.radius, "radius", "8 * u.pix or 0.5 * u.arcsec", (u.pix, u.arcsec))
        _checked(self.largest, "largest", "0.5 * u.arcsec", (u.arcsec,))
        if isinstance(self.background, bool) or self.background not in (0, 1, 2, 3):
            raise ValueError(f"background is the degree of a polynomial, 0 to 3, got {self.background!r}")
        if not (np.isfinite(self.significance) and self.significance > 0):
            raise ValueError(f"significance must be positive, got {self.significance!r}")

    def measure(self, image: "MultiBandImage", clumps: QTable) -> QTable:
        """Add sizes to a table of clumps.

        Parameters
        ----------
        image : `~astroclumps.image.MultiBandImage`
            The image that ``clumps`` were found in.
        clumps : `~astropy.table.QTable`
            Stage ``detected`` or later; left as it is.

        Returns
        -------
        clumps : `~astropy.table.QTable`
            A copy, all rows kept, with the columns `SIZE_COLUMNS`: ``size``, ``size_err`` and ``size_limit`` in arcsec, the same in kpc
            at the redshift of the image or of the column ``redshift`` (NaN without either), ``resolved``, ``size_flux``,
            ``size_flux_err`` and ``size_chi2``. The limit is one-sided and given for every clump; where ``resolved`` is 0 it is what the
            data say. Error and limit are infinite where sizes up to ``largest`` are allowed.
            Failures are NaN, ``resolved`` 0, and flagged ``SIZE_FAILED`` in ``flags``: less than half of the circle is good, the flux is
            below three times its error at the fitted size, or the size ran to ``largest``. Flags that the table brings are kept.

        Warns
        -----
        AstroclumpsWarning
            The point-spread function of the image is not known and the band's default is taken.
        """
        from astroclumps.image import MultiBandImage

        if not isinstance(image, MultiBandImage):
            raise TypeError(f"image must be a MultiBandImage, got {type(image).__name__}; read one with MultiBandImage.read(path)")
        catalog.validate(clumps, "detected", who="ClumpSizes")
        band = self._band(image)
        out = clumps.copy()
        values = self._measured(image, clumps, band) if len(clumps) else {column.name: [] for column in SIZE_COLUMNS}
        for column in SIZE_COLUMNS:
            array = np.asarray(values[column.name], dtype=column.dtype)
            out[column.name] = array if column.unit is None else array * column.unit
            out[column.name].info.description = f"{column.description} ({band})" if column.name == "size" else column.description
        failed = np.isnan(np.asarray(values["size"], dtype=float))
        brought = np.asarray(clumps["flags"]) & ~int(catalog.Flag.SIZE_FAILED) if "flags" in clumps.colnames else 0
        out["flags"] = np.where(failed, int(catalog.Flag.SIZE_FAILED), 0).astype(np.int64) | brought
        out["flags"].info.description = next(column.description for column in catalog.columns("measured") if column.name == "flags")
        self._note(out, image, band)
        return out

    def _band(self, image):
        if self.band is not None:
            return image.select([self.band]).bands[0]
        if _PREFERRED in image.bands:
            return _PREFERRED
        seen = [band for band, mask in zip(image.bands, image.mask, strict=True) if not mask.all()] or list(image.bands)
        return min(seen, key=lambda band: _bands.get(band).pivot)

    def _measured(self, image, clumps, band):
        """The columns, as arrays in arcsec, kpc and uJy."""
        if not image.psf_known:
            width = image.psf_fwhm[image.bands.index(band)].to_value(u.arcsec)
            warnings.warn(
                f"the point-spread function of {image.name!r} is not known; sizes are fitted with the native width of {band} "
                f'({width:.2f}"). Give MultiBandImage(..., psf=...)',
                AstroclumpsWarning,
                stacklevel=3,
            )
        pixel = image.pixel_scale.to_value(u.arcsec)
        fits = self._fits(image, clumps, band)
        largest = self.largest.to_value(u.arcsec) / pixel
        with np.errstate(invalid="ignore"):
            failed = ~((fits["signal_to_noise"] > _LEAST_FLUX) & (fits["square"] < _EDGE * largest**2))
            resolved = (fits["contrast"] > self.significance) & ~failed
            size, low, high, limit = (np.sqrt(np.fmax(fits[name], 0)) * pixel for name in ("square", "low", "high", "limit"))
        values = {
            "size": size,
            "size_err": (high - low) / 2,
            "size_limit": limit,
            "size_flux": fits["flux"],
            "size_flux_err": fits["flux_err"],
            "size_chi2": fits["chi2"],
        }
        for name, value in values.items():
            values[name] = np.where(failed, np.nan, value)
        scale = self._kpc(image, clumps)
        for name in ("size", "size_err", "size_limit"):
            values[f"{name}_kpc"] = values[name] * scale
        return values | {"resolved": resolved}

    def _fits(self, image, clumps, band):
        """Fields of `group_fit.GroupFit`, NaN where not fitted."""
        from .convolved import convolved_profile
        from .group_fit import GroupFit, fit_group
        from .size_noise import pixel_noise

        x, y = (np.asarray(clumps[name].value, dtype=float) for name in "xy")
        radius = _pixels(self.radius, image)
        largest = _pixels(self.largest, image)
        index = 0.5 if self.profile == "gaussian" else float(self.index)
        profile = convolved_profile(image, band, half=int(np.ceil(2 * radius)) + 3, largest=largest, index=index)
        plane = image.bands.index(band)
        good = ~image.mask[plane]
        sigma, correlation = pixel_noise(image, plane)
        good &= np.isfinite(sigma) & (sigma > 0)
        results = {name: np.full(len(x), np.nan) for name in GroupFit._fields}
        data = np.where(good, image.data[plane], 0).astype(float)
        fitted = np.array([_circle(good, x[i : i + 1], y[i : i + 1], radius)[1].sum() for i in range(len(x))])
        groups = _groups(x, y, fitted >= _LEAST_PIXELS * np.pi * radius**2, radius)
        circles = [_circle(good, x[members], y[members], radius) for members in groups]
        order = np.argsort([-data[box][use].max() for box, use in circles], kind="stable")
        drawn = [None] * len(groups)  # the light of each group in its box
        light = np.zeros(data.shape)
        for _ in range(2 if len(groups) > 1 else 1):
            for number in order:
                members, (box, use) = groups[number], circles[number]
                if drawn[number] is not None:
                    light[drawn[number][0]] -= drawn[number][1]
                rows, columns = np.nonzero(use)
                rows, columns = rows + box[0].start, columns + box[1].start
                fit = fit_group(
                    profile,
                    rows,
                    columns,
                    data[rows, columns] - light[rows, columns],
                    sigma[rows, columns],
                    x[members],
                    y[members],
                    correlation=correlation,
                    degree=max(self.background, 2 if len(members) > _MANY else 0),
                    largest=largest,
                )
                drawn[number] = _drawn(profile, fit, data.shape)
                light[drawn[number][0]] += drawn[number][1]
                for name, value in fit._asdict().items():
                    results[name][members] = value
        return results

    def _kpc(self, image, clumps):
        """kpc per arcsec of each clump."""
        if image.redshift is not None:
            redshift = np.full(len(clumps), float(image.redshift))
        elif "redshift" in clumps.colnames:
            redshift = np.asarray(clumps["redshift"], dtype=float)
        else:
            return np.full(len(clumps), np.nan)
        from astroclumps.stellar_grid import cosmology

        known, scale = np.isfinite(redshift) & (redshift > 0), np.full(len(clumps), np.nan)
        if known.any():
            scale[known] = 1 / cosmology().arcsec_per_kpc_proper(redshift[known]).value
        return scale

    def _note(self, table, image, band):
        from astroclumps import __version__

        psf = "as given" if image.psf_known else "the band's default"
        catalog.add_history(table, f"{self!r}; astroclumps {__version__}; sizes in {band}; PSF: {psf}")


def _checked(value, name, example, units):
    if not isinstance(value, u.Quantity):
        raise TypeError(f"{name} must be a quantity such as {example}, got {value!r}")
    if not any(value.unit.is_equivalent(unit) for unit in units):
        raise ValueError(f"{name} must be a quantity such as {example}, got {value}")
    if not (value.isscalar and np.isfinite(value.value) and value.value > 0):
        raise ValueError(f"{name} must be one positive number, got {value}")


def _pixels(value, image):
    """A length on the image in pixels."""
    if value.unit.is_equivalent(u.pix):
        return float(value.to_value(u.pix))
    return float((value / image.pixel_scale).to_value(u.dimensionless_unscaled))


def _groups(x, y, fitted, separation):
    """Clumps that are fitted at once: those linked by distances below the separation; a list of index arrays."""
    index = np.flatnonzero(fitted)
    if len(index) == 0:
        return []
    if len(index) == 1:
        return [index]
    from photutils.psf import SourceGrouper

    number = np.asarray(SourceGrouper(min_separation=separation)(x[index], y[index]))
    return [index[number == one] for one in np.unique(number)]


def _box(shape, x, y, reach):
    """Slices of an image that hold all within a distance of some places; empty beside the image."""
    return tuple(
        slice(max(0, int(np.floor(place.min() - reach))), max(0, min(side, int(np.ceil(place.max() + reach)) + 1)))
        for place, side in ((y, shape[0]), (x, shape[1]))
    )


def _circle(good, x, y, radius):
    """Box around circles, and which of its pixels are good and within one of them."""
    box = _box(good.shape, x, y, radius)
    rows, columns = np.ogrid[box]
    near = [np.hypot(columns - a, rows - b) <= radius for a, b in zip(x, y, strict=True)]
    return box, good[box] & np.any(near, axis=0)


def _drawn(profile, fit, shape):
    """Box around a fitted group, and its light in it."""
    box = _box(shape, fit.x, fit.y, profile.half)
    rows, columns = np.mgrid[box]
    light = np.zeros(rows.shape)
    for flux, x, y, square in zip(fit.flux, fit.x, fit.y, fit.square, strict=True):
        at = np.hypot(columns - x, rows - y) < profile.half
        light[at] += flux * profile.image(columns[at] - x, rows[at] - y, square)[0]
    return box, light
