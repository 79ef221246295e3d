"""Cameras: their axes, where things appear, and the nineteen of a snapshot."""

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import galaxy

from astroclumps.mock.cameras import Camera, cameras

TOP = Camera(name="top", direction=(0, 0, 1), up=(0, 1, 0))


def test_the_axes_are_those_of_the_vela_files():
    camera = Camera(name="a", direction=(1.0, 2.0, -0.5), up=(0.3, 0.1, 2.0))
    x, y, z = camera.rotation()
    np.testing.assert_allclose(np.cross(y, z), x, atol=1e-12)  # x' = y' x z'
    np.testing.assert_allclose(z, np.array([1, 2, -0.5]) / np.linalg.norm([1, 2, -0.5]))
    np.testing.assert_allclose(camera.rotation() @ camera.rotation().T, np.eye(3), atol=1e-12)
    assert y @ np.array([0.3, 0.1, 2.0]) > 0


def test_the_middle_of_the_galaxy_is_the_middle_of_the_image():
    # 64 pixels: the middle lies between pixels 31 and 32; 5 pixels: in pixel 2
    x, y, depth = TOP.project([1, 2, 3] * u.kpc, pixel=1 * u.kpc, shape=(5, 64), centre=[1, 2, 3] * u.kpc)
    assert (x[0], y[0], depth[0]) == (31.5, 2.0, 0.0)


def test_a_position_is_seen_where_the_formula_says():
    # looking along x with z upwards: x' = z cross x = y
    camera = Camera(name="side", direction=(1, 0, 0), up=(0, 0, 1))
    x, y, depth = camera.project([[7.0, 1.5, -2.0]] * u.kpc, pixel=500 * u.pc, shape=(64, 32))
    assert (x[0], y[0], depth[0]) == (15.5 + 3.0, 31.5 - 4.0, 7.0)


def test_turning_a_camera_turns_the_image():
    x, y, depth = TOP.turned(90 * u.deg).project([2, 0, 1] * u.kpc, pixel=1 * u.kpc, shape=(3, 3))
    assert (x[0] - 1, y[0] - 1, depth[0]) == (pytest.approx(0, abs=1e-12), pytest.approx(2), pytest.approx(1))


def test_a_snapshot_has_nineteen_cameras():
    axis = np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8])
    seen = cameras(galaxy(axis=axis), rng=3)
    assert [camera.kind for camera in seen] == (
        ["face-on"] * 2 + ["edge-on"] * 2 + ["inclined"] + ["box"] * 3 + ["fixed"] * 4 + ["random"] * 7
    )
    assert [camera.name for camera in seen] == [f"cam{i:02d}" for i in range(19)]
    angles = [camera.inclination(axis).value for camera in seen[:5]]
    np.testing.assert_allclose(angles, [0, 0, 90, 90, 45], atol=1e-4)
    np.testing.assert_allclose(seen[0].direction, -np.array(seen[1].direction))
    assert abs(np.dot(seen[2].direction, seen[3].direction)) < 1e-12
    np.testing.assert_allclose(seen[2].up, axis, atol=1e-12)  # an edge-on disc lies along the image's x axis
    np.testing.assert_allclose([camera.direction for camera in seen[5:8]], np.eye(3))


def test_only_the_last_seven_follow_the_seed():
    one, other = (cameras(galaxy(), rng=seed) for seed in (1, 2))
    assert one[:12] == other[:12]
    assert not set(one[12:]) & set(other[12:])
    assert cameras(galaxy(), rng=np.random.default_rng(1)) == one
    turned = cameras(galaxy(axis=[1, 0, 0]), rng=1)
    assert turned[5:] == one[5:]
    assert turned[0] != one[0]


def test_random_cameras_are_even_over_the_sphere():
    rng, one = np.random.default_rng(0), galaxy()
    directions = np.array([camera.direction for _ in range(150) for camera in cameras(one, rng=rng)[12:]])
    np.testing.assert_allclose((directions**2).mean(axis=0), 1 / 3, atol=0.04)
    assert abs(directions.mean(axis=0)).max() < 0.06


def test_a_camera_is_plain_numbers():
    camera = Camera(name="a", direction=np.array([0, 3.0, 0]), up=[1, 1, 0])
    assert camera == Camera(name="a", direction=(0, 1, 0), up=(1, 0, 0))
    assert eval(repr(camera)) == camera


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": (0, 0, 0)}, "direction must be three numbers"),
        ({"direction": (0, 1)}, "direction must be three numbers"),
        ({"up": (0, 0, float("nan"))}, "up must be three numbers"),
        ({"up": (0, 0, -2)}, "must not lie along its direction"),
    ],
)
def test_a_camera_that_cannot_be_is_told(change, message):
    with pytest.raises(ValueError, match=message):
        Camera(**{"name": "a", "direction": (0, 0, 1), "up": (0, 1, 0), **change})


def test_lengths_need_their_units():
    with pytest.raises(TypeError, match="position must be a length"):
        TOP.project([[0, 0, 0]], pixel=1 * u.kpc, shape=(4, 4))
    with pytest.raises(TypeError, match="pixel must be a Quantity"):
        TOP.project([0, 0, 0] * u.kpc, pixel=1, shape=(4, 4))
    with pytest.raises(TypeError, match="angle must be a Quantity"):
        TOP.turned(90)
    with pytest.raises(TypeError, match="rng must be"):
        cameras(galaxy(), rng=None)


def test_more_random_cameras_leave_the_others_as_they_are():
    snapshot = galaxy()
    usual, more = cameras(snapshot, rng=3), cameras(snapshot, rng=3, n_random=10)
    assert len(more) == 22
    assert more[:19] == usual
    assert more[21].name == "cam21"
    assert len(cameras(snapshot, rng=3, n_random=0)) == 12
    with pytest.raises(ValueError, match="n_random must be"):
        cameras(snapshot, rng=3, n_random=-1)
