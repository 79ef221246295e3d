"""`Scene`: the stars and metals of a snapshot, ready to be seen by any camera."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import astropy.units as u
import numpy as np

from astroclumps.simulation.snapshot import Snapshot

from .dust import Metals, metals_of
from .particle_light import band_fluxes, kernel_widths
from .truth import kpc_per_arcsec

__all__ = ["Scene", "make_scene"]

__doctest_requires__ = {("make_scene",): ["bagpipes"]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """What does not depend on the camera: made once a snapshot.

    Parameters
    ----------
    name : str
        Name of the snapshot.
    redshift : float
        At which it is seen.
    cosmology : `~astropy.cosmology.FLRW`
        The snapshot's.
    bands : tuple of str
        Names of the bands.
    rows : array of int, shape (n,)
        Row of each star in the snapshot: neighbours in space follow each other, which makes drawing faster.
    position : array of float32, shape (n, 3)
        Of the stars; kpc, relative to the snapshot's centre, along the box.
    flux : array of float32, shape (n, n_band)
        Of the stars without dust, uJy.
    width : array of float32, shape (n,)
        Standard deviation of each star's kernel, kpc.
    metals : `~astroclumps.mock.dust.Metals`
        Metals in the cold gas.
    """

    name: str
    redshift: float
    cosmology: object
    bands: tuple
    rows: np.ndarray = field(repr=False)
    position: np.ndarray = field(repr=False)
    flux: np.ndarray = field(repr=False)
    width: np.ndarray = field(repr=False)
    metals: Metals = field(repr=False)

    @cached_property
    def kpc_per_arcsec(self) -> float:
        """Proper kpc in an arcsec."""
        return kpc_per_arcsec(self.cosmology, self.redshift)

    def moved(self, snapshot: Snapshot, redshift: float) -> "Scene":
        """The same galaxy at another redshift.

        Parameters
        ----------
        snapshot : `~astroclumps.Snapshot`
            The one it was made of.
        redshift : float
            At which it is seen, above 0.

        Returns
        -------
        `Scene`
            With new fluxes.
        """
        return replace(self, redshift=float(redshift), flux=_flux(snapshot, self.bands, redshift)[self.rows])


def make_scene(snapshot: Snapshot, bands, redshift: float, *, smoothing="adaptive", cold_temperature: u.Quantity = 1.5e4 * u.K) -> Scene:
    """Stellar light, kernels and metals of a snapshot.

    Parameters
    ----------
    snapshot : `~astroclumps.Snapshot`
        The galaxy.
    bands : tuple of str
        Names of the bands.
    redshift : float
        At which it is seen, above 0.
    smoothing, cold_temperature
        As in `~astroclumps.mock.imager.MockImager`.

    Returns
    -------
    `Scene`

    Examples
    --------
    >>> from astroclumps.mock.particle_scene import make_scene
    >>> from astroclumps.testing import example_snapshot
    >>> make_scene(example_snapshot(), ("F606W",), 2.0).flux.shape
    (600, 1)
    """
    stars = snapshot.stars
    if isinstance(smoothing, str):
        width = kernel_widths(stars["position"], stars["age"]).value
    else:
        width = np.full(len(stars), smoothing.to_value(u.kpc), dtype=np.float32)
    position = (stars["position"].value - snapshot.centre.value).astype(np.float32)
    rows, metals = _in_space(position), metals_of(snapshot, cold_temperature=cold_temperature)
    gas_rows = _in_space(metals.position)
    return Scene(
        name=snapshot.name,
        redshift=float(redshift),
        cosmology=snapshot.cosmology,
        bands=tuple(bands),
        rows=rows,
        position=position[rows],
        flux=_flux(snapshot, bands, redshift)[rows],
        width=width[rows],
        metals=Metals(*(array[gas_rows] for array in metals)),
    )


def _in_space(position):
    """Order in which positions of the same cell of 0.5 kpc follow each other."""
    cells = np.clip(np.floor(2 * position) + 128, 0, 255).astype(np.int64)
    return np.argsort(cells @ np.array([1 << 16, 1 << 8, 1]), kind="stable")


def _flux(snapshot, bands, redshift):
    stars = snapshot.stars
    given = "initial_mass" if "initial_mass" in stars.colnames else "mass"
    populations = {"age": stars["age"], "metallicity": stars["metallicity"], given: stars[given]}
    return band_fluxes(bands, redshift, cosmology=snapshot.cosmology, **populations).value
