"""`Injection`: how bright a clump must be to be found in one's own images, by any detector."""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps import catalog
from astroclumps.arguments import number, quantity
from astroclumps.exceptions import AstroclumpsWarning, NoClumpsWarning

from .clump_light import band_ratios, check_colour, with_clumps
from .hosts import free_pixels, hosts
from .matching import match

__all__ = ["Injection"]

log = logging.getLogger(__name__)

_DISC = 1.678  # half-light radius of an exponential disc over its scale length


@dataclass(frozen=True, kw_only=True)
class Injection:
    """Put clumps of known flux, colour and size into images and see which of them a detector finds (METHODS 3).

    Each run of an image adds clumps to a copy of it, as its point-spread function shows them, and lets every detector look at the copy.
    Detections within ``match_radius`` of what the detector had found before are taken away, one to one, and the rest is matched with the
    clumps, one to one. All detectors see the same clumps.

    Parameters
    ----------
    ratio : (float, float), optional
        Limits, the smaller first, of the flux of a clump over that of its galaxy (its footprint,
        `astroclumps.detection.galaxy.galaxies`), drawn uniformly in the logarithm. Give this or ``flux``.
    flux : `~astropy.units.Quantity` [(float, float)], optional
        Limits of the flux of a clump, the fainter first, such as ``[0.01, 1] * u.uJy`` or ``[28, 24] * u.ABmag``.
    band : str or `~astroclumps.bands.Band`, optional
        Band of ``ratio`` and ``flux``. Default: the first of the image.
    colour : str, `~astroclumps.evaluation.clump_light.Population` or mapping, default ``'galaxy'``
        ``'galaxy'``: the clump has the colour of its galaxy; ``'flat'``: the same flux density in all bands; ``'young'`` or ``'old'``: 100
        Myr behind A_V = 0.5 or 700 Myr behind 0.2 (ours); any population; or relative fluxes by band.
    size : `~astropy.units.Quantity`, default 0 arcsec
        Half-light radius before the point-spread function, an angle or a length (which needs a redshift); or two limits, uniform in the
        logarithm. 0: a point.
    index : float, default 0.5
        Sersic index, 0.3-8; 0.5 is a Gaussian.
    n_clumps : int, default 1
        Clumps in one copy. With more of them a galaxy's light and a detector's thresholds change.
    repeats : int, default 10
        Copies of each image.
    radii : (float, float), default (0.5, 3)
        Limits of the elliptical distance from the galaxy's centre over its half-light radius (paper section 5.1); the clump also lies
        inside the footprint.
    places : {'disc', 'area'}, default 'disc'
        How places are drawn between these limits: with the surface density of an exponential disc that has the galaxy's half-light
        radius, or uniformly in area, which puts most clumps into the outskirts (ours).
    gap : float, default 6
        Least distance in pixels between clumps, and from the detections before, so that no detection is near both. 0: anywhere.
    edge : int, default 4
        Pixels along the image's edge that stay free.
    match_radius : float, default 3
        Pixels (METHODS 3).
    exposure : `~astropy.units.Quantity` ['time'] or mapping, optional
        Exposure time, or one by band: the clump's own photon noise is added, without correlation between pixels. Default: none, as
        its photons are few beside the sky's. Needs bands with a zeropoint.
    seed : int, default 0
        Seed of places, fluxes and noise.

    Raises
    ------
    TypeError
        ``flux``, ``size`` or ``exposure`` has no unit.
    ValueError
        Both or neither of ``ratio`` and ``flux`` are given, or a number is outside its range.

    Examples
    --------
    >>> from astroclumps import ContrastDetector
    >>> from astroclumps.evaluation.injection import Injection
    >>> from astroclumps.testing import example_image
    >>> image = example_image(bands=["F606W", "F160W"])
    >>> clumps = Injection(ratio=(0.01, 0.5), repeats=5, seed=1).run([image], ContrastDetector())
    >>> len(clumps), clumps.colnames[:4]
    (5, ['detector', 'galaxy', 'image', 'run'])
    """

    ratio: tuple | None = None
    flux: u.Quantity | None = None
    band: "str | _bands.Band | None" = None
    colour: object = "galaxy"
    size: u.Quantity = 0 * u.arcsec
    index: float = 0.5
    n_clumps: int = 1
    repeats: int = 10
    radii: tuple = (0.5, 3.0)
    places: str = "disc"
    gap: float = 6.0
    edge: int = 4
    match_radius: float = 3.0
    exposure: object = None
    seed: int = 0

    def __post_init__(self):
        if (self.ratio is None) == (self.flux is None):
            raise ValueError("give the limits of the clumps' fluxes, ratio=(0.01, 0.3) or flux=[0.01, 1] * u.uJy, one of them")
        if self.flux is None:
            limits = number("ratio", self.ratio, positive=True)
        else:
            limits = _ujy(self.flux)
        if limits.shape != (2,):
            raise ValueError(
                f"{'ratio' if self.flux is None else 'flux'} has two limits, got {self.ratio if self.flux is None else self.flux}"
            )
        if limits[0] > limits[1]:
            told = f"ratio has two limits, the smaller first, got {self.ratio}"
            raise ValueError(told if self.flux is None else f"flux has two limits, the fainter first, got {self.flux}")
        object.__setattr__(self, "colour", check_colour(self.colour))
        if self.band is not None:
            object.__setattr__(self, "band", _bands.get(self.band).name)
        unit = u.kpc if isinstance(self.size, u.Quantity) and self.size.unit.is_equivalent(u.kpc) else u.arcsec
        size = quantity("size", self.size, unit, "0.1 * u.arcsec or 0.3 * u.kpc")
        if size.shape not in ((), (2,)) or (size.shape == (2,) and not (size > 0).all()):
            raise ValueError(f"size is one half-light radius, or two positive limits, got {self.size}")
        if not 0.3 <= self.index <= 8:
            raise ValueError(f"index is a Sersic index of 0.3 to 8, got {self.index!r}")
        for name, least in (("n_clumps", 1), ("repeats", 1), ("edge", 0)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is a whole number, at least {least}, got {value!r}")
        radii = number("radii", self.radii)
        if radii.shape != (2,) or not radii[0] < radii[1]:
            raise ValueError(f"radii are two limits, the smaller first, got {self.radii!r}")
        if self.places not in ("disc", "area"):
            raise ValueError(f"places are 'disc' or 'area', got {self.places!r}")
        number("gap", self.gap)
        number("match_radius", self.match_radius, positive=True)
        if self.exposure is not None:
            times = self.exposure.values() if isinstance(self.exposure, Mapping) else [self.exposure]
            for time in times:
                quantity("exposure", time, u.s, "2000 * u.s", positive=True)

    def run(self, images, detectors) -> QTable:
        """Put clumps into images and look for them.

        Parameters
        ----------
        images : iterable of `~astroclumps.MultiBandImage`
            Sky-subtracted; images of one name count as one galaxy.
        detectors : object or mapping of objects
            Whatever has ``detect(image)``, or several by name.

        Returns
        -------
        `~astropy.table.QTable`
            A row for each clump and detector: ``detector``, ``galaxy`` (name), ``image`` and ``run`` (counted from 0), ``x``, ``y``,
            ``r_norm``, ``flux`` and ``ratio`` (in the reference band), ``size`` (half-light radius, arcsec), ``found`` (bool), ``distance``
            (pixels) and ``score`` of its detection, ``n_before`` (detections without the clumps), ``n_lost`` (those of them that the
            copy no longer has) and ``n_extra`` (detections in the copy that are neither). ``meta`` has the reference bands and the
            history.

        Warns
        -----
        AstroclumpsWarning
            An image holds no galaxy, or no room for a clump, and is left out; or it has room for fewer clumps than asked for.
        """
        if not isinstance(detectors, Mapping):
            detectors = {type(detectors).__name__: detectors}
        if not detectors:
            raise ValueError("detectors is empty; give an object with a method detect, or a mapping of them by name")
        rows, used = [], set()
        for number_, image in enumerate(images):
            band = self._band(image)
            used.add(band)
            rows += self._image(number_, image, band, detectors)
            log.info("%s: %d rows", image.name, len(rows))
        return self._table(rows, sorted(used), detectors)

    def _band(self, image):
        if self.band is None:
            return image.bands[0]
        if self.band not in image.bands:
            raise ValueError(f"band {self.band} of the clumps' fluxes is not in {image.name!r}, which has {', '.join(image.bands)}")
        return self.band

    def _image(self, number_, image, band, detectors):
        found = hosts(image)
        before = {name: _detect(detector, image, quiet=False) for name, detector in detectors.items()}
        taken = np.concatenate([np.stack([x, y], axis=1) for x, y, _ in before.values()])
        rows, placed = [], 0
        for run in range(self.repeats):
            rng = np.random.default_rng([self.seed, number_, run])
            clumps = self._draw(image, band, found, taken, rng)
            if not clumps:
                break
            placed += len(clumps)
            copy = with_clumps(
                image, *(np.array([clump[key] for clump in clumps]) for key in ("x", "y", "fluxes", "radius")),
                index=self.index, exposure=self.exposure, rng=rng,
            )  # fmt: skip
            for name, detector in detectors.items():
                seen = _judged(before[name], _detect(detector, copy), clumps, self.match_radius)
                for clump, (distance, score) in zip(clumps, seen["clumps"], strict=True):
                    rows.append(
                        (
                            name, image.name, number_, run, clump["x"], clump["y"], clump["r_norm"], clump["flux"], clump["ratio"],
                            clump["size"], np.isfinite(distance), distance, score, len(before[name][0]), seen["lost"], seen["extra"],
                        )
                    )  # fmt: skip
        if not rows:
            why = "holds no galaxy" if not found else f"has no room for a clump inside the galaxy, {self.gap:g} pixels from all detections"
            warnings.warn(f"{image.name!r} {why}; left out", AstroclumpsWarning, stacklevel=4)
        elif placed < self.n_clumps * self.repeats:
            warnings.warn(
                f"{image.name!r} had room for {placed / self.repeats:.3g} of {self.n_clumps} clumps in a copy ({placed} of "
                f"{self.n_clumps * self.repeats} in all): they keep {self.gap:g} pixels from each other and from all detections; ask for "
                "fewer, or lower gap",
                AstroclumpsWarning,
                stacklevel=4,
            )
        return rows

    def _draw(self, image, band, found, taken, rng):
        """Clumps of one copy; fewer than asked for where there is no room."""
        clumps, index = [], image.bands.index(band)
        for _ in range(self.n_clumps if found else 0):
            host = found[rng.integers(len(found))]
            share, u0, dx, dy = rng.random(), rng.random(), *rng.uniform(-0.5, 0.5, 2)
            if self.flux is None and not host.flux[index] > 0:
                continue
            others = np.array([[clump["x"], clump["y"]] for clump in clumps]).reshape(-1, 2)
            near = np.concatenate([taken, others]) if self.gap > 0 else np.zeros((0, 2))
            free = free_pixels(image, host, radii=self.radii, taken_x=near[:, 0], taken_y=near[:, 1], gap=self.gap + 0.71, edge=self.edge)
            places = np.argwhere(free)
            if not len(places):
                continue
            density = np.exp(-_DISC * host.r_norm[free]) if self.places == "disc" else np.ones(len(places))
            row, column = places[rng.choice(len(places), p=density / density.sum())]
            limits = np.asarray(self.ratio, dtype=float) * host.flux[index] if self.flux is None else _ujy(self.flux)
            flux = float(np.exp(np.log(limits[0]) + share * np.log(limits[1] / limits[0])))
            size = self._size(image, u0)
            fluxes = flux * band_ratios(self.colour, image, band, host.flux)
            ratio = flux / host.flux[index] if host.flux[index] > 0 else np.nan
            clumps.append(
                {
                    "x": column + dx, "y": row + dy, "flux": flux, "fluxes": fluxes, "ratio": ratio, "size": size,
                    "radius": size / image.pixel_scale.to_value(u.arcsec), "r_norm": host.r_norm[row, column],
                }
            )  # fmt: skip
        return clumps

    def _size(self, image, share):
        """Half-light radius in arcsec."""
        size = self.size
        if not size.unit.is_equivalent(u.arcsec):
            if image.redshift is None:
                raise ValueError(f"{image.name!r} has no redshift, which a size in {size.unit} needs; give it one, or the size as an angle")
            from astroclumps.mock.truth import kpc_per_arcsec
            from astroclumps.simulation.snapshot import vela_cosmology

            size = size.to_value(u.kpc) / kpc_per_arcsec(vela_cosmology(), image.redshift) * u.arcsec
        values = np.atleast_1d(size.to_value(u.arcsec))
        return float(values[0] if len(values) == 1 else np.exp(np.log(values[0]) + share * np.log(values[1] / values[0])))

    def _table(self, rows, used, detectors):
        names = ("detector", "galaxy", "image", "run", "x", "y", "r_norm", "flux", "ratio", "size", "found", "distance", "score")
        names += ("n_before", "n_lost", "n_extra")
        units = {"x": u.pix, "y": u.pix, "flux": u.uJy, "size": u.arcsec, "distance": u.pix}
        types = {"detector": str, "galaxy": str, "found": bool} | dict.fromkeys(("image", "run", "n_before", "n_lost", "n_extra"), np.int64)
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        table = QTable()
        for name, values in zip(names, columns, strict=True):
            plain = np.array(values, dtype=types.get(name, float))
            table[name] = plain * units[name] if name in units else plain
        table.meta["bands"] = ", ".join(used)
        from astroclumps import __version__

        catalog.add_history(table, f"{self!r}; astroclumps {__version__}")
        for name, detector in detectors.items():
            catalog.add_history(table, f"{name}: {detector!r}")
        return table


def _ujy(flux):
    """Limits in uJy, of flux densities or AB magnitudes."""
    if isinstance(flux, u.Quantity) and (flux.unit == u.ABmag or flux.unit.is_equivalent(u.uJy)):
        return number("flux", flux.to_value(u.uJy), positive=True)
    raise TypeError(f"flux must be a Quantity such as [0.01, 1] * u.uJy or [28, 24] * u.ABmag, got {flux!r}")


def _detect(detector, image, *, quiet=True):
    """x, y and score of what a detector finds; what it warns about is told once, for the image without clumps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning if quiet else NoClumpsWarning)
        table = detector.detect(image)
    x, y = (table[name].to_value(u.pix) if isinstance(table[name], u.Quantity) else np.asarray(table[name], float) for name in ("x", "y"))
    return x, y, np.asarray(table["score"], dtype=float) if "score" in table.colnames else np.full(len(x), np.nan)


def _judged(before, after, clumps, radius):
    """Distance and score of each clump's detection (NaN where it has none), and the numbers of lost and of extra detections."""
    x, y, score = after
    old, known = match(x, y, before[0], before[1], radius=radius)
    new = np.setdiff1d(np.arange(len(x)), old)
    places = np.array([[clump["x"], clump["y"]] for clump in clumps])
    hit, which = match(x[new], y[new], places[:, 0], places[:, 1], radius=radius)
    seen = np.full((len(clumps), 2), np.nan)
    for i, j in zip(new[hit], which, strict=True):
        seen[j] = np.hypot(x[i] - places[j, 0], y[i] - places[j, 1]), score[i]
    return {"clumps": seen, "lost": len(before[0]) - len(known), "extra": len(new) - len(hit)}
