"""`MockImager`: simulated galaxies as HST would see them."""

from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astroclumps import bands as _bands
from astroclumps.arguments import quantity
from astroclumps.simulation.snapshot import Snapshot

from .cameras import Camera
from .dust import Dust
from .optics import Optics
from .particle_scene import Scene, make_scene
from .sky import SkyModel
from .truth import clump_truth

if TYPE_CHECKING:
    from astropy.cosmology import FLRW

    from astroclumps.image import MultiBandImage

__all__ = ["MockImager"]

__doctest_requires__ = {("MockImager", "MockImager.*"): ["bagpipes"]}

_MARGIN = 16  # pixels around the image in which light is followed; the reach of the point-spread functions
_DUST_MARGIN = 4  # pixels around the image in which stars are dimmed
_DUST_TO_METALS = 0.4  # METHODS 2
_KERNEL = 31  # pixels, side of the point-spread functions that the image carries


@dataclass(frozen=True, kw_only=True, eq=False)
class MockImager:
    """Mock HST images of simulated galaxies (paper section 3.1.4).

    Each star particle is a simple population (`astroclumps.mock.particle_light`), dimmed by the metals in front of it
    (`astroclumps.mock.dust`), spread by a small kernel, projected, convolved with the point-spread function and sampled at each
    band's native pixels, rebinned by summing flux, and put on correlated sky with the photon noise of the source.

    Parameters
    ----------
    bands : tuple, default the paper's seven
        Names or `~astroclumps.bands.Band`.
    shape : tuple of int, default (64, 64)
        Shape (y, x) of an image (paper section 3.2.1).
    pixel_scale : `~astropy.units.Quantity` ['angle'], default 0.06 arcsec
        A whole multiple of the bands' native pixels.
    psf : `~astropy.units.Quantity` ['angle'] or mapping, optional
        FWHM of Moffat profiles (`astroclumps.mock.psf.MOFFAT_BETA`), one or one a band; or by band arrays (y, x) at native pixels, as
        `astroclumps.mock.optics.read_psf` gives them. They are used out to 16 pixels from their middle and normalised there. Default: the
        bands' ``psf_fwhm``.
    sky : object with ``sample``, optional
        `~astroclumps.mock.sky.SkyModel` or `~astroclumps.mock.sky.SkyPatches`. Default: CANDELS GOODS-N, ``SkyModel.candels(bands)``.
    dust : `~astroclumps.mock.dust.Dust`, optional
        Curve, opacity and so on. Default: Milky Way, with ``dust_to_metals``.
    dust_to_metals : float, default 0.4
        Mass of dust over that of metals in cold gas (METHODS 2), where ``dust`` is not given.
    smoothing : str or `~astropy.units.Quantity` ['length'], default 'adaptive'
        ``'adaptive'``: kernels of `astroclumps.mock.particle_light.kernel_widths`; a length: the standard deviation of one Gaussian for
        all, at most 1 kpc; 0 kpc: points.
    cold_temperature : `~astropy.units.Quantity` ['temperature'], default 1.5e4 K
        Hotter gas holds no dust.

    Raises
    ------
    TypeError
        An argument lacks its unit.
    ValueError
        Pixels or point-spread functions do not fit the bands.

    Notes
    -----
    `render` takes a snapshot or a `Scene`. What does not depend on the camera is kept as long as the snapshot lives, so that further
    cameras cost little.

    Examples
    --------
    >>> from astroclumps import MockImager
    >>> from astroclumps.mock.cameras import cameras
    >>> from astroclumps.testing import example_snapshot
    >>> galaxy = example_snapshot()
    >>> imager = MockImager(shape=(32, 32))
    >>> image = imager.render(galaxy, cameras(galaxy, rng=1)[0], rng=1)
    >>> image
    <MultiBandImage 'example cam00': F435W, F606W, F775W, F850LP, F105W, F125W, F160W, 32 x 32 pixels of 0.06 arcsec, redshift 2>
    """

    bands: tuple = _bands.CANDELS
    shape: tuple = (64, 64)
    pixel_scale: u.Quantity = 0.06 * u.arcsec
    psf: object = field(default=None, repr=False)
    sky: object = None
    dust: Dust | None = None
    dust_to_metals: float = _DUST_TO_METALS
    smoothing: object = "adaptive"
    cold_temperature: u.Quantity = 1.5e4 * u.K
    _kept: WeakKeyDictionary = field(default_factory=WeakKeyDictionary, init=False, repr=False)

    def __post_init__(self):
        def put(name, value):
            object.__setattr__(self, name, value)

        put("bands", _bands.names(self.bands))
        if len(set(self.bands)) != len(self.bands) or not self.bands:
            raise ValueError(f"bands must be one or more different bands, got {self.bands}")
        if len(self.shape) != 2 or min(self.shape) < 4:
            raise ValueError(f"shape must be (y, x) with at least 4 pixels a side, got {self.shape}")
        put("shape", tuple(int(n) for n in self.shape))
        quantity("pixel_scale", self.pixel_scale, u.arcsec, "0.06 * u.arcsec", positive=True)
        put("psf", _checked_psf(self.psf, self.bands))
        put("sky", SkyModel.candels(self.bands) if self.sky is None else self.sky)
        _check_sky(self.sky, self.bands, self.pixel_scale)
        if self.dust is not None and self.dust_to_metals not in (_DUST_TO_METALS, self.dust.dust_to_metals):
            raise ValueError(f"dust_to_metals is {self.dust_to_metals} beside {self.dust}; give it there")
        Dust(dust_to_metals=self.dust_to_metals)  # checks it
        quantity("cold_temperature", self.cold_temperature, u.K, "1.5e4 * u.K")
        if not (isinstance(self.smoothing, str) and self.smoothing == "adaptive"):
            if isinstance(self.smoothing, str):
                raise ValueError(f"smoothing must be 'adaptive' or a length such as 100 * u.pc, got {self.smoothing!r}")
            if quantity("smoothing", self.smoothing, u.kpc, "100 * u.pc") > 1:
                raise ValueError(f"smoothing must be at most 1 kpc, got {self.smoothing}")

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name not in ("_kept", "_optics_of", "psf_arrays")}

    def __setstate__(self, state):
        self.__dict__.update(state, _kept=WeakKeyDictionary())

    def scene(self, snapshot: Snapshot, *, redshift: float | None = None) -> Scene:
        """Stellar light, kernels and metals of a snapshot, for all cameras.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot`
            The galaxy.
        redshift : float, optional
            At which it is seen, above 0. Default: the snapshot's.

        Returns
        -------
        `Scene`
        """
        redshift = float(snapshot.redshift if redshift is None else redshift)
        scene = self._kept.get(snapshot)
        if scene is None:
            scene = make_scene(snapshot, self.bands, redshift, smoothing=self.smoothing, cold_temperature=self.cold_temperature)
        elif scene.redshift != redshift:
            scene = scene.moved(snapshot, redshift)
        self._kept[snapshot] = scene
        return scene

    def render(
        self,
        snapshot: "Snapshot | Scene",
        camera: Camera,
        *,
        redshift: float | None = None,
        rng: int | np.random.Generator | None = None,
        noise: bool = True,
    ) -> "MultiBandImage":
        """An image of a galaxy.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot` or `Scene`
            The galaxy; its centre is the middle of the image.
        camera : `~astroclumps.mock.cameras.Camera`
            From where it is seen.
        redshift : float, optional
            At which it is seen. Default: the snapshot's.
        rng : `numpy.random.Generator` or int
            Source of the noise. Needed with ``noise``; the same seed gives the same bytes.
        noise : bool, default True
            Whether sky and photon noise are added.

        Returns
        -------
        `~astroclumps.image.MultiBandImage`
            In uJy, with redshift and point-spread functions (31 x 31 pixels). Its ``meta`` holds the camera, ``pixel_kpc``, ``n_stars``
            and ``n_outside``, the stars that lie so far outside the image (16 pixels) that they are ignored.
        """
        if noise and rng is None:
            raise TypeError("render needs rng, a numpy.random.Generator or a whole number, for the noise; or noise=False")
        scene = self._scene(snapshot, redshift)
        data, outside, _ = self._draw(scene, camera)
        if noise:
            data = data + self.sky.sample(self.shape, rng=np.random.default_rng(rng), source=data)
        return self._image(scene, camera, data, outside)

    def _image(self, scene, camera, data, outside):
        from astroclumps.image import MultiBandImage

        meta = {
            "camera": camera.name,
            "camera_kind": camera.kind,
            "direction": list(camera.direction),
            "up": list(camera.up),
            "pixel_kpc": self.pixel_kpc(scene),
            "n_stars": len(scene.flux),
            "n_outside": int(outside),
            "history": [f"{self!r}, astroclumps {version('astroclumps')}"],
        }
        return MultiBandImage(
            data=u.Quantity(data, u.uJy, copy=False, dtype=np.float32),
            bands=self.bands,
            pixel_scale=self.pixel_scale,
            psf=self.psf_arrays,
            redshift=scene.redshift,
            name=f"{scene.name} {camera.name}",
            meta=meta,
        )

    def clump_light(self, snapshot: "Snapshot | Scene", camera: Camera, star_labels: Any, *, redshift: float | None = None) -> QTable:
        """Flux of the stars of each clump, as a camera sees them.

        Parameters
        ----------
        snapshot, camera, redshift
            As in `render`.
        star_labels : int array, shape (n_stars,)
            Number of the clump of each star, 0 for none, as `~astroclumps.ClumpFinder3D` gives them.

        Returns
        -------
        `~astropy.table.QTable`
            A row for each number from 1 to the largest: ``id``; ``flux_{band}`` and ``intrinsic_{band}``, with and without dust, in
            uJy.
        """
        return self.render_with_clumps(snapshot, camera, star_labels, redshift=redshift)[1]

    def render_with_clumps(
        self, snapshot: "Snapshot | Scene", camera: Camera, star_labels: Any, *, redshift: float | None = None
    ) -> "tuple[MultiBandImage, QTable]":
        """A noiseless image, and the flux of the stars of each clump in it, drawn once.

        Parameters
        ----------
        snapshot, camera, star_labels, redshift
            As in `clump_light`.

        Returns
        -------
        image : `~astroclumps.image.MultiBandImage`
            As from ``render(..., noise=False)``.
        light : `~astropy.table.QTable`
            As from `clump_light`.
        """
        scene = self._scene(snapshot, redshift)
        labels = np.asarray(star_labels)
        if labels.shape != (len(scene.flux),) or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
            raise ValueError(
                f"star_labels must be {len(scene.flux)} whole numbers of 0 and up, one a star, got {labels.dtype} {labels.shape}"
            )
        data, outside, light = self._draw(scene, camera, keep=True)
        labels = labels[scene.rows]
        members, n = np.flatnonzero(labels), int(labels.max(initial=0))
        table = QTable({"id": np.arange(1, n + 1)})
        for name, values in (("flux", light), ("intrinsic", scene.flux)):
            for i, band in enumerate(self.bands):
                sums = np.bincount(labels[members], weights=values[members, i], minlength=n + 1)
                table[f"{name}_{band.lower()}"] = sums[1:] * u.uJy
        return self._image(scene, camera, data, outside), table

    def truth(
        self, clumps: QTable, camera: Camera, *, redshift: float | None = None, cosmology: "FLRW | None" = None, **policy: Any
    ) -> tuple[np.ndarray, QTable]:
        """Where the clumps of a 3D table lie in the image, and the map that the detector learns.

        Parameters
        ----------
        clumps : `~astropy.table.QTable`
            Of the stage "found" or "tracked".
        camera : `~astroclumps.mock.cameras.Camera`
            From where they are seen.
        redshift : float, optional
            Default: from the column ``scale_factor`` of tracked clumps.
        cosmology : `~astropy.cosmology.FLRW`, optional
            Default: VELA's, as in `~astroclumps.Snapshot`.
        **policy
            ``sf_zlc`` and ``disc_sfr`` of `astroclumps.mock.truth.clump_truth`.

        Returns
        -------
        squares : array of float32, shape (y, x)
            1 in squares of 2x2 pixels at the clumps that are positives (paper section 3.2.1), else 0.
        table : `~astropy.table.QTable`
            See `astroclumps.mock.truth.clump_truth`.
        """
        return clump_truth(clumps, camera, shape=self.shape, pixel_scale=self.pixel_scale, redshift=redshift, cosmology=cosmology, **policy)

    @cached_property
    def psf_arrays(self) -> np.ndarray:
        """Point-spread functions at the image's pixels, shape (n_band, 31, 31): a point in the middle of a pixel."""
        return self._optics(1.0).kernels(_KERNEL)

    @property
    def dust_model(self) -> Dust:
        """The dust that is used: ``dust``, or the default with ``dust_to_metals``."""
        return Dust(dust_to_metals=self.dust_to_metals) if self.dust is None else self.dust

    def pixel_kpc(self, scene: Scene) -> float:
        """Side of a pixel at the galaxy.

        Parameters
        ----------
        scene : `Scene`
            From `scene`; its redshift counts.

        Returns
        -------
        side : float
            Physical kpc.
        """
        return float(self.pixel_scale.to_value(u.arcsec)) * scene.kpc_per_arcsec

    @cached_property
    def _optics_of(self):
        return {}

    def _optics(self, kpc):
        """Grids for kernels as wide as this snapshot's; ``kpc`` in an arcsec. Few differ, as widths are powers of two."""
        widest = 0.0
        if isinstance(self.smoothing, str) or self.smoothing.value > 0:
            widest = (0.3 if isinstance(self.smoothing, str) else self.smoothing.to_value(u.kpc)) / kpc
        key = 0 if widest == 0 else int(np.ceil(np.log2(max(widest, 1e-3) / self.pixel_scale.to_value(u.arcsec)))) + 20
        if key not in self._optics_of:
            reach = 0.0 if widest == 0 else 2.0 ** (key - 20) * self.pixel_scale.to_value(u.arcsec)
            psf = self.psf.to_value(u.arcsec) if isinstance(self.psf, u.Quantity) else self.psf
            self._optics_of[key] = Optics(self.bands, self.shape, self.pixel_scale.to_value(u.arcsec), psf, margin=_MARGIN, widest=reach)
        return self._optics_of[key]

    def _scene(self, snapshot, redshift):
        if isinstance(snapshot, Scene):
            if snapshot.bands != self.bands:
                raise ValueError(f"the scene has bands {', '.join(snapshot.bands)}; this imager has {', '.join(self.bands)}")
            if redshift is not None and float(redshift) != snapshot.redshift:
                raise ValueError(f"the scene is made for redshift {snapshot.redshift:g}, not {redshift:g}; make another with scene()")
            return snapshot
        return self.scene(snapshot, redshift=redshift)

    def _draw(self, scene, camera, keep=False):
        """Noiseless image, number of stars outside, and where asked for the dimmed light of each star."""
        from .particle_kernels import deposit_light

        kpc = scene.kpc_per_arcsec
        optics = self._optics(kpc)
        half = 0.5 * (max(self.shape) + 2 * _DUST_MARGIN) * self.pixel_kpc(scene)
        a_v = self.dust_model.a_v(scene.metals, camera, scene.position, half_width=half)
        level, share = optics.levels(scene.width / kpc)
        maps = np.zeros((len(optics.widths), *optics.full, len(self.bands)))
        light = np.empty((len(scene.flux) if keep else 0, len(self.bands)), dtype=np.float32)
        outside = deposit_light(
            scene.position,
            scene.flux,
            a_v,
            self.dust_model.reddening(self.bands, scene.redshift),
            self.dust_model.transmission(),
            level,
            share,
            camera.rotation(),
            1 / (kpc * optics.fine),
            optics.middle,
            maps.reshape(*maps.shape[:2], -1),
            light,
        )
        return optics.image(maps), outside, light


def _checked_psf(psf, bands):
    """None, a FWHM for each band, or arrays by band."""
    if psf is None:
        return None
    if isinstance(psf, u.Quantity):
        widths = np.broadcast_to(quantity("psf", psf, u.arcsec, "0.15 * u.arcsec", positive=True), (len(bands),))
        return widths * u.arcsec
    if not hasattr(psf, "keys"):
        raise TypeError(f"psf must be an angle such as 0.15 * u.arcsec or a mapping of arrays by band, got {type(psf).__name__}")
    given = {_bands.get(name).name: np.asarray(array, dtype=float) for name, array in psf.items()}
    missing = [band for band in bands if band not in given]
    if missing:
        raise ValueError(f"psf holds no array for {', '.join(missing)}; it has {', '.join(given) or 'none'}")
    return {band: given[band] for band in bands}


def _check_sky(sky, bands, pixel_scale):
    if not hasattr(sky, "sample"):
        raise TypeError(f"sky must be a SkyModel or SkyPatches, got {type(sky).__name__}")
    number = len(sky.rms) if hasattr(sky, "rms") else len(bands)
    if number != len(bands) or tuple(getattr(sky, "bands", bands)) != bands:
        raise ValueError(f"the sky has {getattr(sky, 'bands', f'{number} bands')}; the image has {', '.join(bands)}")
    if abs(getattr(sky, "pixel_scale", pixel_scale) / pixel_scale - 1) > 1e-2:
        raise ValueError(f"the sky has pixels of {sky.pixel_scale}, the image of {pixel_scale}")
