"""Mass on a grid, its Gaussian background, and particles in labelled cells."""

from types import SimpleNamespace

import astropy.units as u
import numba
import numpy as np
import pytest
from finder3d_reference import cloud_in_cell, in_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import fft, ndimage

from astroclumps.simulation import grid as grid_module
from astroclumps.simulation.grid import Grid, cells_of, deposit, members
from astroclumps.simulation.smoothing import Smoothing, smooth

SHAPE = (70, 33, 100)


def grid(shape=SHAPE, cell=0.07, origin=(-1.0, 0.3, 2.0), margin=0):
    return Grid(origin=np.array(origin), cell=cell, shape=shape, margin=margin)


def particles(n=20_000, *, within=None, seed=0):
    within = grid() if within is None else within
    rng = np.random.default_rng(seed)
    size = np.array(within.shape) * within.cell
    return within.origin + rng.uniform(-0.05, 1.05, (n, 3)) * size, 10 ** rng.uniform(3, 7, n)


def field(shape=SHAPE, seed=0):
    """Ten decades between the cells, and empty ones."""
    rng = np.random.default_rng(seed)
    mass = 10 ** rng.uniform(0, 5, shape)
    mass[rng.random(shape) < 0.7] = 0
    mass[tuple(n // 2 for n in shape)] = 1e10
    return mass.astype(np.float32)


# deposit


def test_deposit_gives_each_cell_what_the_reference_does():
    position, mass = particles()
    made, n_outside = deposit(position, mass, grid())
    expected = cloud_in_cell(position, mass, grid().origin, 0.07, SHAPE)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, expected, rtol=1e-6, atol=1e-7 * mass.max())  # places are kept to 3e-8 of a cell
    place = (position - grid().origin) / 0.07
    assert n_outside == np.sum(np.any((place < 0.5) | (place >= np.array(SHAPE) - 0.5), axis=1)) > 1000


@given(
    share=hnp.arrays(float, (7, 3), elements=st.floats(0.02, 0.98)),
    mass=hnp.arrays(float, 7, elements=st.floats(1e-3, 1e9)),
    single=st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_deposit_conserves_mass(share, mass, single):
    within = Grid(origin=np.zeros(3), cell=1.0, shape=(64, 40, 33))
    position = share * np.array(within.shape)
    kind = np.float32 if single else np.float64
    made, n_outside = deposit(position.astype(kind), mass.astype(kind), within)
    assert n_outside == 0
    assert made.sum(dtype=float) == pytest.approx(mass.sum(), rel=1e-6)


def test_deposit_conserves_the_mass_of_a_hundred_thousand_particles_in_one_place():
    # added one by one in single precision they would lose 0.4% of it
    position, mass = np.full((100_000, 3), 5.3), np.full(100_000, 1e4)
    made, _ = deposit(position, mass, Grid(origin=np.zeros(3), cell=1.0, shape=(10, 10, 10)))
    assert made.sum(dtype=float) == pytest.approx(1e9, rel=1e-6)
    assert made[4, 4, 4] == pytest.approx(1e9 * 0.2**3, rel=1e-6)
    assert made[5, 5, 5] == pytest.approx(1e9 * 0.8**3, rel=1e-6)


def test_deposit_does_not_depend_on_the_order_of_particles():
    position, mass = particles()
    order = np.random.default_rng(1).permutation(len(mass))
    one, other = deposit(position, mass, grid()).field, deposit(position[order], mass[order], grid()).field
    np.testing.assert_allclose(one, other, rtol=2e-7)


def test_deposit_gives_the_same_bits_with_any_number_of_threads(monkeypatch):
    position, mass = particles()
    expected = deposit(position, mass, grid()).field
    for n in (1, 2, 3):
        monkeypatch.setattr(grid_module, "n_threads", lambda n=n: n)
        np.testing.assert_array_equal(deposit(position, mass, grid()).field, expected)


def test_deposit_gives_the_same_bits_in_slabs():
    position, mass = particles()
    expected = deposit(position, mass, grid())
    slabs = [deposit(position, mass, grid(), planes=planes) for planes in ((0, 32), (32, 64), (64, 70))]
    np.testing.assert_array_equal(np.concatenate([slab.field for slab in slabs]), expected.field)
    assert {slab.n_outside for slab in slabs} == {expected.n_outside}


def test_deposit_refuses_slabs_that_cut_its_blocks():
    with pytest.raises(ValueError, match=r"multiple of 32 and an end up to 70, got \(16, 32\)"):
        deposit(*particles(10), grid(), planes=(16, 32))


def test_deposit_in_portions_is_the_same(monkeypatch):
    position, mass = particles()
    expected = deposit(position, mass, grid())
    monkeypatch.setattr(grid_module, "_CHUNK", 777)
    made = deposit(position, mass, grid())
    np.testing.assert_allclose(made.field, expected.field, rtol=1e-6)
    assert made.n_outside == expected.n_outside


def test_deposit_takes_the_particles_that_count_and_adds_to_a_field():
    position, mass = particles()
    use = np.arange(len(mass)) % 3 == 0
    first = deposit(position, mass, grid(), use=use)
    both = deposit(position, mass, grid(), use=~use, out=first.field)
    assert both.field is first.field
    everything = deposit(position, mass, grid())
    np.testing.assert_allclose(both.field, everything.field, rtol=1e-6)
    assert first.n_outside + both.n_outside == everything.n_outside


def test_deposit_is_exact_far_from_the_origin_of_the_box():
    position, mass = particles()
    centre = np.array([12345.0, -67890.0, 54321.0])
    far = deposit(position + centre, mass, grid(), centre=centre).field
    np.testing.assert_allclose(far, deposit(position, mass, grid()).field, rtol=1e-5, atol=1e-6 * mass.min())


def test_deposit_of_nothing_is_zero():
    made = deposit(np.zeros((0, 3)), np.zeros(0), grid())
    assert made.field.shape == SHAPE
    assert not made.field.any()
    assert made.n_outside == 0


# smoothing


@pytest.mark.parametrize("sigma", [0.85, 2.0, 3.5, 3.7, 6.0, 15.2])
def test_background_is_right_in_every_cell_with_mass(sigma):
    mass = field()
    expected = ndimage.gaussian_filter(mass.astype(float), sigma, mode="constant", truncate=8)
    made = smooth(mass, sigma)
    assert made.dtype == np.float32
    there = mass > 0
    # the cut at 6 sigma: a cell that is a ten-billionth of the brightest, 5 sigma from it, lacks a part in 10,000
    np.testing.assert_allclose(made[there], expected[there], rtol=2e-4)
    assert np.median(abs(made[there] / expected[there] - 1)) < 3e-7


@pytest.mark.parametrize("sigma", [3.0, 9.0])
def test_background_is_that_of_a_padded_fourier_transform(sigma):
    mass = field((40, 52, 61))
    pad = [n + int(12 * sigma) for n in mass.shape]
    wave = [fft.fftfreq(n) for n in pad[:2]] + [fft.rfftfreq(pad[2])]
    square = wave[0][:, None, None] ** 2 + wave[1][:, None] ** 2 + wave[2] ** 2
    transform = fft.rfftn(mass.astype(float), pad) * np.exp(-2 * np.pi**2 * sigma**2 * square)
    expected = fft.irfftn(transform, pad)[tuple(slice(n) for n in mass.shape)]
    np.testing.assert_allclose(smooth(mass, sigma), expected, rtol=1e-5, atol=1e-9 * mass.max())


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_background_does_not_wrap_around(sigma):
    mass = np.zeros((50, 51, 52), dtype=np.float32)
    mass[0, 0, 0] = 1
    made = smooth(mass, sigma)
    assert made[0, 0, 0] == pytest.approx((2 * np.pi) ** -1.5 / sigma**3, rel=1e-5)
    assert made[-1, 0, 0] == made[0, -1, 0] == made[0, 0, -1] == 0


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_background_is_the_same_from_all_sides(sigma):
    mass = field((40, 40, 40))
    made = smooth(mass, sigma)
    np.testing.assert_allclose(smooth(mass[::-1], sigma)[::-1], made, rtol=3e-6)
    np.testing.assert_allclose(smooth(mass.transpose(2, 0, 1), sigma).transpose(1, 2, 0), made, rtol=3e-6)


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_background_gives_the_same_bits_in_slabs(sigma):
    mass = field()
    smoothing = Smoothing(sigma=sigma, shape=SHAPE)
    coarse = smoothing.empty()
    for start in (0, 32, 64):
        smoothing.gather(mass[start : start + 32], coarse, start=start)
    smoothing.spread(coarse)
    np.testing.assert_array_equal(smoothing.expand(coarse), smooth(mass, sigma))


def test_background_gives_the_same_bits_with_any_number_of_threads():
    mass = field()
    expected = smooth(mass, 5.0)
    before = numba.get_num_threads()
    try:
        for n in {1, before}:
            numba.set_num_threads(n)
            np.testing.assert_array_equal(smooth(mass, 5.0), expected)
    finally:
        numba.set_num_threads(before)


def test_a_gaussian_narrower_than_two_cells_is_refused():
    with pytest.raises(ValueError, match="sigma must be at least 0.85 cells"):
        smooth(np.zeros((9, 9, 9)), 0.8)


def test_a_negative_density_is_refused():
    with pytest.raises(ValueError, match="no negative values"):
        smooth(np.full((9, 9, 9), -1.0), 2.0)


# the grid


def disc(axis, r_d=4.0, h_d=0.5):
    return SimpleNamespace(r_d=r_d * u.kpc, h_d=h_d * u.kpc, axis=np.asarray(axis, dtype=float) / np.linalg.norm(axis))


def test_grid_holds_the_cylinder_with_room():
    made = Grid.around(disc([0, 0, 1]), cell=0.1, room=1.0)
    assert made.shape == (100, 100, 50)  # 2 (4 + 1) by 2 (3 x 0.5 + 1)
    assert made.margin == 10
    np.testing.assert_allclose(made.origin, [-5, -5, -2.5])


def test_grid_of_a_tilted_disc_holds_all_of_its_cylinder():
    axis = np.array([0.3, -0.5, 0.7])
    tilted = disc(axis)
    made = Grid.around(tilted, cell=0.07, room=0.5, extent=(1.2, 2.0))
    e1 = np.cross(tilted.axis, [1, 0, 0])
    e1 /= np.linalg.norm(e1)
    e2 = np.cross(tilted.axis, e1)
    angle = np.linspace(0, 2 * np.pi, 1000)[:, None]
    ring = 4.8 * (np.cos(angle) * e1 + np.sin(angle) * e2)
    rims = np.concatenate([ring + tilted.axis, ring - tilted.axis])
    low, high = made.origin + 0.5, made.origin + np.array(made.shape) * 0.07 - 0.5
    assert np.all((rims >= low - 1e-9) & (rims <= high + 1e-9))
    assert np.all(rims.min(axis=0) < low + 2 * 0.07)
    assert np.all(rims.max(axis=0) > high - 2 * 0.07)


@pytest.mark.parametrize("corner", [None, (0.03, -0.2, 17.0)])
def test_a_corner_of_cells_lies_where_it_is_pinned(corner):
    made = Grid.around(disc([1, 2, 3]), cell=0.07, room=1.0, corner=None if corner is None else np.array(corner))
    cells = (np.zeros(3) if corner is None else np.array(corner)) - made.origin
    np.testing.assert_allclose(cells / 0.07, np.round(cells / 0.07), atol=1e-9)


# particles in labelled cells


def test_members_are_those_of_the_cell_that_holds_them():
    rng = np.random.default_rng(3)
    labels = np.where(rng.random(SHAPE) < 0.05, rng.integers(1, 40, SHAPE), 0)
    position, _ = particles()
    cell = np.flatnonzero(labels)
    rows, found = members(position, cells_of(cell, labels.ravel()[cell], SHAPE), grid())
    expected = in_cells(labels, position, grid().origin, 0.07)
    np.testing.assert_array_equal(rows, np.flatnonzero(expected))
    np.testing.assert_array_equal(found, expected[rows])
    assert found.dtype == np.int32


def test_there_are_no_members_without_cells_or_particles():
    nothing = np.zeros(0, dtype=np.int64)
    assert [len(part) for part in members(particles(10)[0], cells_of(nothing, nothing, SHAPE), grid())] == [0, 0]
    one = cells_of(np.array([5]), np.array([1]), SHAPE)
    assert [len(part) for part in members(np.zeros((0, 3)), one, grid())] == [0, 0]
