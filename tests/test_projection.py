"""Maps of surface density: where mass goes, how much of it, what is left out."""

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import clump_table, disc_positions, galaxy, gas_table, star_table

from astroclumps.simulation.projection import project, surface_density

SIDE = 6 * u.kpc


def total(pixels, half=6.0):
    """Mass in a map."""
    return pixels.sum(dtype=float) * (2e3 * half / pixels.shape[1]) ** 2


def test_all_mass_is_in_the_maps():
    maps = project(galaxy(), half_width=SIDE, n_pixels=120)
    assert total(maps.face_on["stars"]) == pytest.approx(3e8, rel=1e-3)
    assert total(maps.edge_on["stars"]) == pytest.approx(3e8, rel=1e-3)
    assert not maps.face_on["cold"].any()


def test_an_even_disc_has_an_even_surface_density():
    pixels = project(galaxy(star_table(disc_positions(40_000))), half_width=SIDE, n_pixels=120).face_on["stars"]
    expected = 4e9 / (np.pi * 4000**2)
    inner = pixels[45:75, 45:75]
    assert inner.mean() == pytest.approx(expected, rel=0.05)
    assert inner.std() < 0.3 * expected  # 12 elements scatter by 29%


def test_dense_regions_stay_sharp_and_lone_particles_are_spread():
    lone = surface_density(np.array([0.02]), np.array([0.02]), np.ones(1), (2, 2), (60, 60))
    dense = surface_density(np.full(100, 0.02), np.full(100, 0.02), np.full(100, 0.01), (2, 2), (60, 60))
    assert dense.max() > 0.7 * dense.sum()
    assert (lone > 0).sum() > 100
    assert lone.sum() == pytest.approx(dense.sum(), rel=0.01)


def test_hot_gas_is_left_out():
    places = disc_positions(500)
    cold = gas_table(places)
    warm = gas_table(places, first=500, temperature=2e4 * u.K)
    from astropy.table import vstack

    maps = project(galaxy(gas=vstack([cold, warm])), half_width=SIDE, n_pixels=60)
    assert total(maps.face_on["cold"]) == pytest.approx(5e7, rel=0.01)
    maps = project(galaxy(gas=vstack([cold, warm])), half_width=SIDE, n_pixels=60, cold_temperature=3e4 * u.K)
    assert total(maps.face_on["cold"]) == pytest.approx(1e8, rel=0.01)


def test_right_is_e1_up_is_e2_and_in_edge_on_maps_up_is_the_axis():
    places = np.tile([[2.0, 1.0, 0.5]], (200, 1))
    maps = project(galaxy(star_table(places)), half_width=SIDE, n_pixels=60)
    assert np.unravel_index(maps.face_on["stars"].argmax(), (60, 60)) == (35, 40)
    assert np.unravel_index(maps.edge_on["stars"].argmax(), (20, 60)) == (12, 40)


def test_clumps_lie_where_their_stars_are_drawn():
    axis = np.array([1.0, 2.0, 2.0]) / 3
    place = np.array([1.0, -2.0, 1.5])
    snapshot = galaxy(star_table(np.tile(place + 5.0, (200, 1))), axis=axis, centre=[5, 5, 5] * u.kpc)
    maps = project(snapshot, half_width=SIDE, n_pixels=60)
    (right, up, height), *_ = maps.places(clump_table([place]))
    row, column = np.unravel_index(maps.face_on["stars"].argmax(), (60, 60))
    assert abs(right - (column - 29.5) * 0.2) <= 0.1
    assert abs(up - (row - 29.5) * 0.2) <= 0.1
    assert height == pytest.approx(place @ axis)


def test_what_lies_outside_the_map_or_its_depth_is_left_out():
    maps = project(galaxy(star_table([[0, 0, 8], [8, 0, 0], [0, 3, 3], [1, 1, 0]] * 50)), half_width=SIDE, n_pixels=60)
    assert total(maps.face_on["stars"]) == pytest.approx(1e7, rel=0.01)  # two of four
    assert total(maps.edge_on["stars"]) == pytest.approx(5e6, rel=0.01)  # z beyond a third of the side


def test_edge_on_maps_hold_the_cylinder_that_is_searched():
    thick = galaxy(star_table(disc_positions(3000) * [1, 1, 5]))
    disc = thick.disc
    for extent in (1, 3), (1.5, 5):
        maps = project(thick, n_pixels=60, extent=extent)
        assert maps.half_width == pytest.approx(max(1.4, 1.1 * extent[0]) * disc.r_d.value)
        assert maps.half_height > 1.05 * extent[1] * disc.h_d.value
        assert maps.half_height > maps.half_width / 3
        assert maps.half_height == pytest.approx(maps.half_width * len(maps.edge_on["stars"]) / 60)
        assert maps.extent == extent
    assert project(thick, n_pixels=60, extent=(1, 100)).edge_on["stars"].shape == (120, 60)
    assert project(galaxy(), n_pixels=60, extent=(1, 0.1)).edge_on["stars"].shape == (20, 60)


def test_face_on_maps_are_as_deep_as_edge_on_maps_are_high():
    snapshot = galaxy(star_table(disc_positions(3000) * [1, 1, 5]))
    maps = project(snapshot, half_width=4 * u.kpc, n_pixels=60, extent=(1, 100))
    assert maps.half_height == pytest.approx(8)
    assert total(maps.face_on["stars"], 4.0) == pytest.approx(total(maps.edge_on["stars"], 4.0), rel=0.02)


def test_the_default_width_is_that_of_the_disc():
    snapshot = galaxy()
    assert project(snapshot, n_pixels=60).half_width == pytest.approx(1.4 * snapshot.disc.r_d.value)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"half_width": 5.0}, TypeError, r"half_width must be a Quantity such as 8 \* u.kpc, got 5.0"),
        ({"half_width": -5 * u.kpc}, ValueError, "half_width must be one positive number"),
        ({"n_pixels": 100}, ValueError, "n_pixels must be a multiple of 6, got 100"),
        ({"cold_temperature": 1e4}, TypeError, "cold_temperature must be a Quantity"),
    ],
)
def test_wrong_arguments_are_named(options, error, words):
    with pytest.raises(error, match=words):
        project(galaxy(), **options)
