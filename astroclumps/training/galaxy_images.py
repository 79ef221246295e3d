"""`GalaxyImages`: from the snapshots of a galaxy to mock images with the truth of finder and tracker."""

import time
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import astropy.units as u
import numpy as np

from astroclumps import bands as _bands
from astroclumps.arguments import quantity
from astroclumps.exceptions import NoClumpsWarning
from astroclumps.mock.cameras import cameras
from astroclumps.mock.dust import Dust
from astroclumps.mock.imager import MockImager
from astroclumps.mock.light_fit import fit_light
from astroclumps.mock.observation import draw_observation
from astroclumps.simulation.finder import ClumpFinder3D
from astroclumps.simulation.tracking import ClumpTracker

from .galaxy_set import CLUMP_COLUMNS, IMAGE_COLUMNS

__all__ = ["GalaxyImages", "evenly"]

_IMAGERS = 8  # point-spread functions and dusts of a galaxy
_SKIES = 64
_CURVES = (("milky way", 0.5), ("smc", 0.25), ("calzetti", 0.25))
_DUST_TO_METALS = (0.2, 0.5)
_VISIBLE = 30.0  # least signal over noise of the galaxy
_CIRCLE = 0.6  # arcsec, radius of the circle for its noise
_STREAM = 0x6D6F636B  # keeps seeds apart from those of suites


@dataclass(frozen=True, kw_only=True)
class GalaxyImages:
    """How a simulated galaxy becomes training images (paper sections 3.1.2 to 3.2.1).

    Every snapshot is searched and tracked; those that are kept are seen by the 19 cameras (`astroclumps.mock.cameras.cameras`), of
    which those are chosen that see an axis ratio above 0.5. What an image is seen through is drawn at random: redshift, point-spread
    function, sky (`astroclumps.mock.observation`) and dust. For each galaxy eight pairs of point-spread function and dust are drawn: a
    curve of the Milky Way (half of them), SMC or Calzetti, and a ratio of dust to metals of 0.2-0.5 (ours, about METHODS 2's 0.4, and lower
    because all scattered light counts as lost). Each image draws one pair, its redshift, and a sky that goes with it: one in which the
    galaxy's light in the reddest band is at least 30 times the noise of a circle of 0.6 arcsec (ours: magnitude 25.2 in CANDELS), or
    the deepest; faint galaxies are looked at in deep fields only.

    Parameters
    ----------
    seed : int
        Of all that is drawn.
    finder : `~astroclumps.ClumpFinder3D`, optional
        Default: the paper's settings.
    tracking : dict, optional
        Settings of `~astroclumps.ClumpTracker`. Default: the paper's.
    bands : tuple, default the paper's seven
        Names or `~astroclumps.bands.Band`.
    shape : tuple of int, default (64, 64)
        Shape (y, x) of an image, in pixels of 0.06 arcsec (paper section 3.2.1).
    redshift : tuple of float, default (1, 3)
        Between which a galaxy is seen, whatever the time of its snapshot (ours: that of the sample in section 5.1).
    snapshots : int, optional
        So many are imaged, evenly over the run. Default: all.
    axis_ratio : float, default 0.5
        Cameras that see less are left out (paper section 3.1.4). Measured by `astroclumps.mock.light_fit.fit_light` in the noiseless image
        of the reddest band, weighted by the noise that the image is going to have.
    inclination : `~astropy.units.Quantity` ['angle'], default 45 deg
        Where the fit fails, cameras nearer than this to the disc's axis are kept (paper section 3.1.4).
    steepest : `~astropy.units.Quantity` ['angle'], default 75 deg
        Cameras farther than this from the disc's axis are not tried (ours, to save time: of 200 in two synthetic galaxies none saw an axis
        ratio above 0.5).
    random_cameras : int, default 7
        Of the cameras, those in directions of their own in each snapshot (METHODS 2).
    all_cameras : bool, default False
        Keep all cameras.

    Raises
    ------
    ValueError
        An argument is out of range.
    """

    seed: int
    finder: ClumpFinder3D = field(default_factory=ClumpFinder3D)
    tracking: dict = field(default_factory=dict)
    bands: tuple = _bands.CANDELS
    shape: tuple = (64, 64)
    redshift: tuple = (1.0, 3.0)
    snapshots: int | None = None
    axis_ratio: float = 0.5
    inclination: u.Quantity = 45 * u.deg
    steepest: u.Quantity = 75 * u.deg
    random_cameras: int = 7
    all_cameras: bool = False

    def __post_init__(self):
        if isinstance(self.seed, bool) or not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise ValueError(f"seed must be a whole number of at least 0, got {self.seed!r}")
        object.__setattr__(self, "bands", tuple(_bands.names(self.bands)))
        low, high = (float(value) for value in self.redshift)
        if not 0 < low <= high <= 10:
            raise ValueError(f"redshift must be two numbers above 0, the lower first, such as (1, 3), got {self.redshift!r}")
        object.__setattr__(self, "redshift", (low, high))
        if self.snapshots is not None and not self.snapshots >= 1:
            raise ValueError(f"snapshots must be at least 1, got {self.snapshots!r}")
        if not 0 <= self.axis_ratio < 1:
            raise ValueError(f"axis_ratio must be at least 0 and below 1, got {self.axis_ratio!r}")
        quantity("inclination", self.inclination, u.deg, "45 * u.deg")
        if isinstance(self.random_cameras, bool) or not isinstance(self.random_cameras, int | np.integer) or self.random_cameras < 0:
            raise ValueError(f"random_cameras must be a whole number of at least 0, got {self.random_cameras!r}")
        quantity("steepest", self.steepest, u.deg, "75 * u.deg")
        ClumpTracker(**self.tracking).close()  # checks the settings

    def make(self, snapshots, *, galaxy, n_snapshots=None, report=None):
        """Images of a galaxy.

        Parameters
        ----------
        snapshots : iterable of `~astroclumps.Snapshot`
            In the order of time; each is looked at once.
        galaxy : int
            Number of the galaxy: with the seed it decides what is drawn.
        n_snapshots : int, optional
            How many there are; needed where not all are imaged.
        report : callable, optional
            Called without arguments after each snapshot.

        Returns
        -------
        data : array of float32, shape (n, band, y, x)
        images : dict of array
            `astroclumps.training.galaxy_set.IMAGE_COLUMNS`.
        clumps : list of dict of array
            `astroclumps.training.galaxy_set.CLUMP_COLUMNS`.
        seconds : dict of float
            What took how long.
        """
        if self.snapshots is not None and n_snapshots is None:
            raise ValueError("n_snapshots is needed where not all snapshots are imaged")
        kept = None if self.snapshots is None else evenly(n_snapshots, self.snapshots)
        watch, views = _Watch(), []
        outfits = _Outfits(self, galaxy)
        with ClumpTracker(**self.tracking) as tracker, warnings.catch_warnings():
            warnings.simplefilter("ignore", NoClumpsWarning)
            for k, snapshot in enumerate(watch.each(snapshots, "reading")):
                with watch("finding"):
                    clumps, labels = self.finder.find(snapshot)
                with watch("tracking"):
                    tracker.add(snapshot, clumps, labels)
                if kept is None or k in kept:
                    views += self._views(snapshot, labels, outfits, galaxy, k, watch)
                if report is not None:
                    report()
            with watch("tracking"):
                tracked = tracker.finish()
        data, images = _stack(views, self)
        return data, images, _truth(views, tracked, self), dict(watch)

    def _views(self, snapshot, labels, outfits, galaxy, k, watch):
        """What the chosen cameras see of a snapshot."""
        disc, axis, views, base = snapshot.disc, snapshot.axis, [], None
        steepest = np.inf if self.all_cameras else self.steepest.to_value(u.deg)
        rng = np.random.default_rng([self.seed, _STREAM, galaxy, k])
        for j, camera in enumerate(cameras(snapshot, rng=rng, n_random=self.random_cameras)):
            inclination = float(camera.inclination(axis).to_value(u.deg))
            if inclination > steepest:
                continue
            rng = np.random.default_rng([self.seed, _STREAM, galaxy, k, j])
            redshift = float(rng.uniform(*self.redshift))
            imager, skies = outfits.draw(rng)
            with watch("light"):
                if base is None:
                    base = imager.scene(snapshot, redshift=redshift)
                scene = base if redshift == base.redshift else base.moved(snapshot, redshift)
            with watch("drawing"):
                data, light = imager.render_with_clumps(scene, camera, labels)
            sky = self._visible(data, skies)
            with watch("fitting"):
                fit = self._fit(data, imager, sky)
            enough = fit.axis_ratio > self.axis_ratio if fit.success else inclination < self.inclination.to_value(u.deg)
            if not (enough or self.all_cameras):
                continue
            columns = {
                "snapshot": k, "camera": camera.name, "redshift": redshift, "pixel_kpc": data.meta["pixel_kpc"],
                "axis_ratio": fit.axis_ratio if fit.success else np.nan, "inclination": inclination,
                "psf_fwhm": imager.psf.to_value(u.arcsec), "rms": sky.rms, "correlation": sky.correlation,
                "electrons": sky.electrons_per_ujy, "galaxy_flux": data.data.sum(axis=(1, 2), dtype=float),
                "disc_sfr": disc.sfr.to_value(u.Msun / u.yr), "disc_mass": (disc.gas_mass + disc.star_mass).to_value(u.Msun),
                "r_d": disc.r_d.to_value(u.kpc), "time": snapshot.time.to_value(u.Gyr), "dust_curve": imager.dust.curve,
                "dust_to_metals": imager.dust.dust_to_metals,
            }  # fmt: skip
            flux = np.column_stack([light[f"flux_{band.lower()}"].value for band in self.bands]).astype(np.float32)
            views.append((np.array(data.data, dtype=np.float32), columns, camera, flux))
        return views

    @property
    def _red(self):
        return int(np.argmax([_bands.get(band).pivot.value for band in self.bands]))

    def _visible(self, image, skies):
        """The first of some skies in which the galaxy is seen well, or the deepest."""
        red = self._red
        noise = np.array([sky.rms[red] for sky in skies]) * np.sqrt(np.pi) * _CIRCLE / image.pixel_scale.to_value(u.arcsec)
        good = np.flatnonzero(image.data[red].sum(dtype=float) >= _VISIBLE * noise)
        return skies[good[0] if len(good) else int(np.argmin(noise))]

    def _fit(self, image, imager, sky):
        red = self._red
        return fit_light(
            image.data[red],
            noise=sky.rms[red],
            psf_fwhm=imager.psf[red].to_value(u.arcsec),
            pixel_scale=imager.pixel_scale.to_value(u.arcsec),
            electrons_per_unit=sky.electrons_per_ujy[red],
        )


def evenly(n, count) -> set[int]:
    """Numbers of ``count`` of ``n`` snapshots, evenly spread, the last among them.

    Examples
    --------
    >>> from astroclumps.training.galaxy_images import evenly
    >>> sorted(evenly(20, 5)), sorted(evenly(3, 12))
    ([3, 7, 11, 15, 19], [0, 1, 2])
    """
    if count >= n:
        return set(range(n))
    return {int(one) for one in np.floor((np.arange(count) + 1) * n / count + 1e-9) - 1}


class _Outfits:
    """What a galaxy is seen through: few point-spread functions and dusts, for their grids are kept, and many skies."""

    def __init__(self, recipe, galaxy):
        rng = np.random.default_rng([recipe.seed, _STREAM, galaxy])
        self._skies = {False: [], True: []}
        self._imagers, names, weights = [], *zip(*_CURVES, strict=True)
        while len(self._imagers) < _IMAGERS or not all(self._skies.values()) or sum(map(len, self._skies.values())) < _SKIES:
            seen = draw_observation(rng, recipe.bands)
            self._skies[seen.matched].append(seen.sky)
            if len(self._imagers) < _IMAGERS:
                dust = Dust(curve=str(rng.choice(names, p=weights)), dust_to_metals=round(rng.uniform(*_DUST_TO_METALS), 3))
                imager = MockImager(bands=recipe.bands, shape=recipe.shape, psf=seen.psf_fwhm * u.arcsec, dust=dust)
                self._imagers.append((imager, seen.matched))

    def draw(self, rng):
        """An imager, and skies that go with its point-spread function in random order."""
        imager, matched = self._imagers[rng.integers(len(self._imagers))]
        skies = self._skies[matched]
        return imager, [skies[i] for i in rng.permutation(len(skies))]


class _Watch(Counter):
    """Seconds by name."""

    @contextmanager
    def __call__(self, name):
        start = time.perf_counter()
        yield
        self[name] += time.perf_counter() - start

    def each(self, iterable, name):
        """The items, with the time that it takes to get them."""
        iterator = iter(iterable)
        while True:
            with self(name):
                item = next(iterator, self)
            if item is self:
                return
            yield item


def _stack(views, recipe):
    """Images of all views, and their columns."""
    n = len(views)
    data = np.empty((n, len(recipe.bands), *recipe.shape), dtype=np.float32)
    for i, (image, *_) in enumerate(views):
        data[i] = image
    by_band = ("psf_fwhm", "rms", "correlation", "electrons", "galaxy_flux")
    columns = {}
    for name in IMAGE_COLUMNS:
        values = [columns_of[name] for _, columns_of, *_ in views]
        columns[name] = np.array(values) if n else np.empty((0, len(recipe.bands)) if name in by_band else 0)
    return data, columns


def _truth(views, tracked, recipe):
    """Clumps of each view whose centres lie in the image."""
    units = {"mass": u.Msun, "mass_stars": u.Msun, "mass_gas": u.Msun, "sfr": u.Msun / u.yr, "age": u.Gyr, "radius": u.kpc}
    units |= dict.fromkeys(("t_clump", "lifetime", "t_ff_mean"), u.Myr)
    columns = {}
    for name in (name for name in CLUMP_COLUMNS if name not in ("x", "y", "depth", "flux")):
        columns[name] = tracked[name].to_value(units[name]) if name in units else np.asarray(tracked[name])
    places = np.column_stack([tracked[f"pos_{axis}"].to_value(u.kpc) for axis in "xyz"])
    of_snapshot, ny, nx = np.asarray(tracked["snapshot"]), *recipe.shape
    made = []
    for _, view, camera, flux in views:
        rows = np.flatnonzero(of_snapshot == view["snapshot"])
        x, y, depth = camera.project(places[rows].reshape(-1, 3) * u.kpc, pixel=view["pixel_kpc"] * u.kpc, shape=recipe.shape)
        inside = (x >= -0.5) & (y >= -0.5) & (x < nx - 0.5) & (y < ny - 0.5)
        rows = rows[inside]
        clumps = {"x": x[inside], "y": y[inside], "depth": depth[inside], "flux": np.zeros((len(rows), len(recipe.bands)))}
        clumps |= {name: values[rows] for name, values in columns.items()}
        lit = clumps["id"] <= len(flux)  # a clump of gas alone has no light
        clumps["flux"][lit] = flux[clumps["id"][lit] - 1]
        made.append(clumps)
    return made
