"""Where the clumps of simulations lie in mock images."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from mock_light import TOP, disc, moments
from simulated_galaxies import clump_table

from astroclumps import MockImager
from astroclumps.mock.cameras import cameras
from astroclumps.mock.truth import kpc_per_arcsec, square_map
from astroclumps.simulation.snapshot import vela_cosmology

needs_bagpipes = pytest.mark.needs_bagpipes


def test_truth_squares_are_the_four_nearest_pixels():
    clumps = clump_table([[0, 0, 0], [4.0, -2.0, 1.0], [100.0, 0, 0]])
    squares, table = MockImager().truth(clumps, TOP, redshift=2.0)
    side = 0.06 * kpc_per_arcsec(vela_cosmology(), 2.0)
    np.testing.assert_allclose(table["x"].value, 31.5 + np.array([0, 4, 100]) / side)
    np.testing.assert_allclose(table["y"].value, 31.5 + np.array([0, -2, 0]) / side)
    assert table["inside"].tolist() == [1, 1, 0]
    assert table["depth"][1] == 1 * u.kpc
    assert squares.sum() == 8
    assert squares[31:33, 31:33].all()
    x, y = table["x"][1].value, table["y"][1].value
    distance = np.hypot(*(np.mgrid[:64, :64] - np.array([y, x])[:, None, None])).ravel()
    assert set(np.argsort(distance)[:4]) <= set(np.flatnonzero(squares.ravel()))


@needs_bagpipes
def test_clumps_lie_on_their_light():
    snapshot, imager = disc(), MockImager()
    for camera in cameras(snapshot, rng=2)[:14]:
        lump = replace(imager.scene(snapshot), flux=imager.scene(snapshot).flux * (imager.scene(snapshot).rows >= 2000)[:, None])
        image = imager.render(lump, camera, noise=False)
        _, table = imager.truth(clump_table([[2.0, 1.0, 0.0]]), camera, redshift=2.0)
        cx, cy, *_ = moments(image.band("F160W"))
        assert (cx, cy) == (pytest.approx(table["x"][0].value, abs=0.15), pytest.approx(table["y"][0].value, abs=0.15))


def test_the_bulge_and_some_short_lived_clumps_are_no_positives():
    clumps = clump_table(np.arange(15).reshape(5, 3), sfr=[1.0, 1.0, 0.0, 1e-3, 5.0] * u.Msun / u.yr, scale_factor=1 / 3)
    clumps["origin"] = ["bulge", "ex situ", "in situ", "in situ", "in situ"]
    clumps["longevity"] = ["", "LLC", "ZLC", "ZLC", "SLC"]
    imager = MockImager()

    def positives(**policy):
        return imager.truth(clumps, TOP, **policy)[1]["positive"].tolist()

    assert imager.truth(clumps, TOP)[1]["label"].tolist() == ["bulge", "ex situ", "ZLC", "ZLC", "SLC"]
    assert positives() == [0, 1, 0, 1, 1]
    assert positives(sf_zlc="none") == [0, 1, 0, 0, 1]
    assert positives(sf_zlc=1e-3, disc_sfr=10 * u.Msun / u.yr) == [0, 1, 0, 0, 1]
    assert positives(sf_zlc=1e-3, disc_sfr=0.1 * u.Msun / u.yr) == [0, 1, 0, 1, 1]
    with pytest.raises(ValueError, match="needs disc_sfr"):
        positives(sf_zlc=1e-3)
    with pytest.raises(ValueError, match="sf_zlc must be 'all', 'none'"):
        positives(sf_zlc="some")


def test_truth_of_a_found_table_needs_its_redshift():
    found = clump_table([[0, 0, 0], [1, 1, 1]], stage="found")
    with pytest.raises(ValueError, match="does not tell its redshift"):
        MockImager().truth(found, TOP)
    assert MockImager().truth(found, TOP, redshift=1.5)[1]["label"].tolist() == ["in situ"] * 2
    mixed = clump_table([[0, 0, 0], [1, 1, 1]], scale_factor=[0.3, 0.4])
    with pytest.raises(ValueError, match="clumps of 2 snapshots"):
        MockImager().truth(mixed, TOP)


def test_squares_over_the_edge_are_cut():
    assert square_map([-0.4, 3.9, 50.0], [0.2, 3.5, 1.0], (4, 4)).sum() == 2 + 1
    assert square_map([], [], (4, 4)).sum() == 0


@needs_bagpipes
@pytest.mark.real_data
def test_clumps_of_a_hydrodynamical_disc_shine_where_the_truth_has_them(real_data):
    from astroclumps import ClumpFinder3D, Snapshot

    path = real_data / "sims" / "gizmo_clumpy_disc" / "snapshot_010.hdf5"
    disc = Snapshot.read(path, format="hdf5", old_star_age=[1, 3] * u.Gyr, metallicity=0.01, redshift=2.0, r_vir=100 * u.kpc)
    clumps, labels = ClumpFinder3D(cell_size=100 * u.pc).find(disc)
    clumps = clumps[clumps["n_stars"] >= 20]
    camera, imager = cameras(disc, rng=1)[0], MockImager()
    blue = imager.render(disc, camera, noise=False).band("F606W")
    squares, table = imager.truth(clumps, camera, redshift=2.0)
    assert table["inside"].all()
    on = blue[squares > 0].mean()
    beside = np.mean([blue[np.rot90(squares, turns) > 0].mean() for turns in (1, 2, 3)])
    assert on > 1.3 * beside
    light = imager.clump_light(disc, camera, labels)
    assert 0 < light["flux_f606w"].sum().value < blue.sum()
