"""Geometry of the VELA images, maps, catalogues, the command line, and the real data that there are."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astroclumps import MultiBandImage
from astroclumps.cli import main
from astroclumps.exceptions import CatalogError, ImageError
from astroclumps.hlsp import VelaView, clump_pixels, read_vela, read_vela_catalog, read_vela_maps, rotated_corner, rotated_pixel, write_vela
from astroclumps.mock.cameras import Camera

CAMERA = Camera(name="cam17", direction=(0.36, 0.48, 0.8), up=(-0.8, 0.6, 0.0))
ORIGIN = [5.0, -3.0, 2.0] * u.kpc
REAL = "VELA07_a0.410_sunrise_cam17_ACS-F606W_SB00"


def make_view(**options):
    return VelaView(**{"camera": CAMERA, "pixel": 0.5 * u.kpc, "shape": (64, 63), "origin": ORIGIN} | options)


def places(n=20, seed=0):
    return np.random.default_rng(seed).uniform(-12, 12, (n, 3)) * u.kpc + ORIGIN


# ---- geometry


def test_positions_follow_the_formula():
    # METHODS 2 written out: x' = (up x dir) . r, y' = up . r, pixel = x'/p + (N - 1)/2
    direction, up = np.array(CAMERA.direction), np.array(CAMERA.up)
    position = places()
    x, y, depth = make_view().project(position)
    relative = (position - ORIGIN).value
    np.testing.assert_allclose(x, relative @ np.cross(up, direction) / 0.5 + 31.0)
    np.testing.assert_allclose(y, relative @ up / 0.5 + 31.5)
    np.testing.assert_allclose(depth, relative @ direction)


def test_the_centre_of_the_galaxy_is_added():
    centre = [1.0, 2.0, 3.0] * u.kpc
    for one, two in zip(make_view().project(places()), make_view().project(places() - centre, galaxy_centre=centre), strict=True):
        np.testing.assert_allclose(one, two)


def test_lines_of_sight_lead_back_to_their_pixels():
    view, centre = make_view(corner=(3, 7)), [1.0, 2.0, 3.0] * u.kpc
    x, y = np.array([0.0, 10.25, 55.0]), np.array([0.0, 40.5, 31.0])
    point, direction = view.line_of_sight(x, y, galaxy_centre=centre)
    np.testing.assert_allclose(direction, CAMERA.direction)
    for t in (-4.0, 0.0, 9.0):
        back = view.project(point + t * direction * u.kpc, galaxy_centre=centre)
        np.testing.assert_allclose(back, [x, y, np.full(3, t)], atol=1e-12)


def test_units_do_not_matter_but_are_needed():
    one = make_view().project(places())
    two = make_view(pixel=500 * u.pc, origin=ORIGIN.to(u.Mpc)).project(places().to(u.pc))
    np.testing.assert_allclose(one, two)
    with pytest.raises(TypeError, match="position must be a length"):
        make_view().project(places().value)
    with pytest.raises(TypeError, match="pixel must be a Quantity such as 0.26"):
        make_view(pixel=0.5)
    with pytest.raises(TypeError, match="origin must be a length"):
        make_view(origin=(0, 0, 0))
    with pytest.raises(TypeError, match="galaxy_centre must be a length"):
        make_view().project(places(), galaxy_centre=[0, 0, 0])
    with pytest.raises(TypeError, match="camera must be an astroclumps.mock.cameras.Camera"):
        make_view(camera=CAMERA.direction)
    with pytest.raises(ValueError, match="shape must be two whole numbers"):
        make_view(shape=(64,))


def test_the_square_of_truth_is_of_the_nearest_rows_and_columns():
    view = make_view(pixel=0.9 * u.kpc)
    x, y, _ = view.project(places())
    for (row, column), at_x, at_y in zip(view.square(places()), x, y, strict=True):
        assert sorted(np.argsort(abs(np.arange(64) - at_y))[:2]) == [row, row + 1]
        assert sorted(np.argsort(abs(np.arange(63) - at_x))[:2]) == [column, column + 1]


def test_the_rule_of_indices_in_rotated_axes_is_the_same_geometry():
    # (x, y) = (p/2)(2i + 1, 2j + 1): centres of pixels of an image with an even number of them
    p, i = 0.125 * u.kpc, np.arange(-32, 32)
    np.testing.assert_allclose(rotated_pixel(p / 2 * (2 * i + 1), pixel=p, n=64), i + 32)
    anywhere = np.random.default_rng(0).uniform(-3.9, 3.9, 500) * u.kpc
    expected = np.floor(rotated_pixel(anywhere, pixel=p, n=64)) - 32
    np.testing.assert_array_equal(rotated_corner(anywhere, pixel=p), expected)
    np.testing.assert_array_equal(rotated_corner(p / 2 * (2 * i + 1), pixel=p), i)
    # positions that project() takes in the box give the same pixels when they are rotated beforehand
    view = make_view(shape=(64, 64), origin=[0, 0, 0] * u.kpc)
    rotated = (CAMERA.rotation() @ places().value.T) * u.kpc
    x, y, _ = view.project(places())
    np.testing.assert_allclose(rotated_pixel(rotated[0], pixel=view.pixel, n=64), x)
    np.testing.assert_allclose(rotated_pixel(rotated[1], pixel=view.pixel, n=64), y)


@pytest.mark.parametrize(("n", "band", "scale"), [(64, "F160W", 0.06), (128, "F606W", 0.03), (129, "F606W", 0.03)])
def test_light_in_a_read_image_lies_where_its_view_says(tmp_path, n, band, scale):
    camera = Camera(name="cam17", direction=(1, 2, -0.5), up=(0.3, 0.1, 1))
    pixel = 0.51 * u.kpc * scale / 0.06
    native = VelaView(camera=camera, pixel=pixel, shape=(n, n), origin=ORIGIN)
    position = (camera.rotation().T @ [6.3, -4.1, 9.0]) * u.kpc + ORIGIN
    x, y, _ = native.project(position)
    j, i = np.mgrid[:n, :n]
    data = np.exp(-0.5 * ((i - x) ** 2 + (j - y) ** 2) / (0.12 / scale) ** 2)[None] * u.uJy
    image = MultiBandImage(data=data, bands=[band], pixel_scale=scale * u.arcsec, redshift=1.5)
    write_vela(image, tmp_path, galaxy=7, camera=camera, pixel_kpc=pixel, translate_origin=ORIGIN)
    read = read_vela(tmp_path)
    for part in (read, read.cutout(32, 30, 50)):
        view = VelaView.from_image(part)
        j, i = np.indices(part.data[0].shape)
        light = part.data[0].astype(float)
        expected = [value.item() for value in view.project(position)[:2]]
        np.testing.assert_allclose([(light * i).sum() / light.sum(), (light * j).sum() / light.sum()], expected, atol=5e-3)
    assert view.pixel.value == pytest.approx(0.51, rel=0.01)


def test_a_written_cut_out_has_its_own_middle(tmp_path):
    image = MultiBandImage(data=np.ones((1, 20, 20)) * u.uJy, bands=["F160W"], redshift=1.5).cutout(12, 10, 8)
    write_vela(image, tmp_path, galaxy=7, camera=CAMERA, translate_origin=ORIGIN)
    back = read_vela(tmp_path)
    assert (back.meta["x0"], back.meta["y0"]) == (8, 6)
    x, y, _ = VelaView.from_image(back).project(ORIGIN)
    assert (x.item(), y.item()) == (3.5, 3.5)
    x, y, _ = VelaView.from_image(back.cutout(4, 4, 4)).project(ORIGIN)
    assert (x.item(), y.item()) == (1.5, 1.5)


# ---- maps


def aux_file(path, *, flagged, shape=(5, 4, 4)):
    cube = np.arange(shape[0])[:, None, None] * np.ones(shape) + 1.0
    main = fits.ImageHDU(cube, fits.Header({"CD1_1": 0.5}), name="CAMERA17-AUX")
    primary = fits.PrimaryHDU(header=fits.Header({"HLSPID": "vela"} if flagged else {}))
    fits.HDUList([primary, main]).writeto(path, overwrite=True)
    return path


@pytest.mark.parametrize(("flagged", "sfr"), [(True, 0.75), (False, 0.75 / 1.2e7)])
def test_maps_are_per_pixel_and_rates_need_the_flag(tmp_path, flagged, sfr):
    maps = read_vela_maps(aux_file(tmp_path / "hlsp_vela_none_none_vela07-cam17-a0.410_aux_v3_sim.fits", flagged=flagged))
    # planes 0, 1, 2, 4 hold 1, 2, 3, 5 per kpc2; a pixel has 0.25 kpc2
    for found, expected, unit in (
        (maps.gas_mass, 0.25, u.Msun),
        (maps.metal_mass, 0.5, u.Msun),
        (maps.sfr, sfr, u.Msun / u.yr),
        (maps.stellar_mass, 1.25, u.Msun),
    ):
        assert found.unit == unit
        np.testing.assert_allclose(found.value, expected)
    assert maps.pixel == 0.5 * u.kpc


def test_maps_that_are_not_there_are_errors(tmp_path):
    path = aux_file(tmp_path / "aux.fits", flagged=True)
    with pytest.raises(ImageError, match="is no name of the VELA release"):
        read_vela_maps(path)
    assert read_vela_maps(path, camera=17).sfr.shape == (4, 4)
    with pytest.raises(ImageError, match="no image HDU CAMERA3-AUX; its HDUs are PRIMARY .*, CAMERA17-AUX"):
        read_vela_maps(path, camera=3)
    with pytest.raises(ImageError, match="at least five planes"):
        read_vela_maps(aux_file(path, flagged=True, shape=(4, 4, 4)), camera=17)


# ---- catalogues


def test_catalogues_are_told_apart_by_their_columns(tmp_path):
    path = tmp_path / "a.txt"
    for n, kind in ((22, "disc"), (17, "sphere"), (4, "halo")):
        path.write_text("2\n" + "\n".join(" ".join(f"{0.2 + k:.3f}" for k in range(n)) for _ in range(2)) + "\n")
        table = read_vela_catalog(path)
        assert table.meta["kind"] == kind
        assert len(table) == 2
        assert sum(1 if table[name].ndim == 1 else 3 for name in table.colnames) == n + 1  # and the redshift
        np.testing.assert_allclose(table["redshift"], 4.0)
        assert all(table[name].info.description for name in table.colnames)
    disc = path.with_name("disc.txt")
    disc.write_text("1\n" + " ".join(f"{0.2 + k:.3f}" for k in range(22)) + "\n")
    table = read_vela_catalog(disc)
    assert table["h_d"][0] == 12.2 * u.kpc
    assert table["sfr"][0] == 18.2 * u.Msun / u.yr
    assert table["oxygen_stars"][0] == 21.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("0.12 1 2 3\n", "first line must be the number of rows, got '0.12 1 2 3'"),
        ("3\n0.12 1 2 3\n", "announces 3 rows, but holds 1"),
        ("2\n0.12 1 2 3\n0.13 1 2\n", "rows of 3, 4 numbers; there are catalogues of 22 .disc., 17 .sphere., 4 .halo."),
        ("1\n0.12 1 x 3\n", "could not convert"),
        ("1\n-1 1 2 3\n", "scale factor that is not positive"),
    ],
)
def test_broken_catalogues_are_errors(tmp_path, text, message):
    path = tmp_path / "halo_catalog.txt"
    path.write_text(text)
    with pytest.raises(CatalogError, match=f"halo_catalog.txt.*{message}"):
        read_vela_catalog(path)


def clump_tables():
    galaxies = Table({"galaxy": [7, 8], "a": [0.41, 0.41], "center_x": [5.0, 0.0], "center_y": [-3.0, 0.0], "center_z": [2.0, 0.0]})
    clumps = Table(
        {
            "galaxy": [7, 7, 7, 7, 7, 8],
            "a": [0.41, 0.41, 0.41, 0.41, 0.42, 0.41],
            "lifetime": ["LLC", "ZLC", "ZLC", "Bulg", "LLC", "LLC"],
            "SFR": [0.0, 0.0, 0.2, 1.0, 1.0, 1.0],
            "Rc": [0.25] * 6,
        }
    )
    for k, axis in enumerate("xyz"):
        clumps[axis] = places(6, seed=3)[:, k].value - ORIGIN[k].value
    return clumps, galaxies


def test_clumps_of_a_list_are_found_in_the_image():
    clumps, galaxies = clump_tables()
    found = clump_pixels(clumps, galaxies, make_view(), galaxy=7, scale_factor=0.41)
    assert list(found["lifetime"]) == ["LLC", "ZLC"]  # neither the bulge nor the ZLC without star formation
    x, y, depth = make_view().project(places(6, seed=3)[[0, 2]])
    for name, expected in (("x_pix", x * u.pix), ("y_pix", y * u.pix), ("depth", depth * u.kpc)):
        np.testing.assert_allclose(found[name].value, expected.value)
        assert found[name].unit == expected.unit
    np.testing.assert_allclose(found["box"].value, 1.5)
    assert len(clump_pixels(clumps, galaxies, make_view(), galaxy=7, scale_factor=0.41, drop=False)) == 4
    clumps["x"].unit = clumps["y"].unit = clumps["z"].unit = "kpc"
    for axis in "xyz":
        clumps[axis] = clumps[axis].quantity.to(u.pc)
    again = clump_pixels(clumps, galaxies, make_view(), galaxy=7, scale_factor=0.41)
    np.testing.assert_allclose(again["x_pix"].value, x)


def test_lists_without_the_galaxy_or_a_column_are_errors():
    clumps, galaxies = clump_tables()
    with pytest.raises(CatalogError, match="galaxies has 0 rows for galaxy 9 at a = 0.41"):
        clump_pixels(clumps, galaxies, make_view(), galaxy=9, scale_factor=0.41)
    clumps.remove_column("SFR")
    with pytest.raises(CatalogError, match="clumps lacks the columns SFR; it has galaxy"):
        clump_pixels(clumps, galaxies, make_view(), galaxy=7, scale_factor=0.41)
    clumps = clumps[:0]
    assert len(clump_pixels(clumps, galaxies, make_view(), galaxy=7, scale_factor=0.41, drop=False)) == 0


# ---- command line


def run(*arguments):
    return main([str(one) for one in ("run", *arguments, "--detector", "contrast", "--classifier", "none", "--no-sed", "--quiet")])


def test_the_command_line_reads_a_folder(tmp_path):
    from astroclumps.testing import example_image

    image = example_image(bands=["F606W", "F160W"])
    for number in (3, 17):
        write_vela(
            image, tmp_path / "in", galaxy=7, camera=Camera(name=f"cam{number:02d}", direction=(0, 0, 1), up=(0, 1, 0)), scale_factor=0.4
        )
    options = ("--reader", "vela", "--set", "detector.band=F606W", "--psf-fwhm", 0.15)
    assert run(tmp_path / "in", *options, "-o", tmp_path / "out") == 1  # two cameras
    assert run(tmp_path / "in", *options, "--reader-option", "camera=17", "--bands", "F606W", "-o", tmp_path / "out") == 0
    table = Table.read(tmp_path / "out" / "clumps.ecsv", format="ascii.ecsv")
    assert len(table) > 0


def test_the_command_line_says_what_it_could_not_do(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert run(tmp_path / "in", "--reader", "vela", "--reader-option", "camra=17", "-o", tmp_path / "out") == 1
    assert "image reader 'vela' has no setting 'camra'; its settings are ['bands', 'hdu'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        run(tmp_path / "in", "--reader", "vela", "--reader-option", "camera", "-o", tmp_path / "out")
    assert stopped.value.code == 2
    assert "--reader-option takes NAME=VALUE, such as camera=17, got 'camera'" in capsys.readouterr().err


# ---- what is real


@pytest.mark.real_data
def test_the_real_image_is_read_with_its_units(real_data):
    path = real_data / "vela" / f"{REAL}.fits"
    with pytest.raises(ImageError, match="no image HDU IMAGE_PSF"):
        read_vela(path)
    with pytest.raises(ImageError, match=r"\(HDU PRIMARY\) has no IMUNIT"):
        read_vela(path, hdu="PRIMARY")
    image = read_vela(path, hdu="PRIMARY", unit=u.uJy / u.arcsec**2, native_scale=0.03 * u.arcsec)
    assert image.bands == ("F606W",)
    assert image.name == "vela07-cam17-a0.410"
    assert image.data.shape == (1, 64, 64)
    assert image.pixel_scale == 0.06 * u.arcsec
    assert image.redshift == pytest.approx(1 / 0.41 - 1)
    raw = fits.getdata(path)
    assert image.data.astype(float).sum() == pytest.approx(raw.sum() * 0.03**2, rel=1e-6)
    # a massive disc at z = 1.44: 23.5 AB in the rest-frame ultraviolet. In uJy per pixel it would have 15.9, in MJy/sr 17.0
    assert 22.5 < u.Quantity(image.data.sum(), u.uJy).to_value(u.ABmag) < 24.5
    # its sky has the depth of CANDELS within a factor of three: 4.8e-3 electron/s in F606W (zeropoint 26.511)
    assert 1 / 3 < image.sky_rms[0] / (4.8e-3 * 10 ** (-0.4 * (26.511 - 23.9))) < 3


@pytest.mark.real_data
def test_the_real_image_goes_through_the_command_line(real_data, tmp_path):
    options = ("--reader-option", "hdu=PRIMARY", "--reader-option", "native_scale=0.03 arcsec", "--unit", "uJy / arcsec2")
    path = real_data / "vela" / f"{REAL}.fits"
    assert run(path, "--reader", "vela", *options, "--set", "detector.band=F606W", "--psf-fwhm", 0.11, "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "clumps.ecsv").is_file()


@pytest.mark.real_data
def test_real_catalogues_agree_with_themselves(real_data):
    disc, sphere, halo = (read_vela_catalog(real_data / "vela" / f"{kind}_catalog.txt") for kind in ("disc", "sphere", "halo"))
    assert [len(table) for table in (disc, sphere, halo)] == [39, 39, 39]
    assert [table.meta["kind"] for table in (disc, sphere, halo)] == ["disc", "sphere", "halo"]
    np.testing.assert_allclose(disc["scale_factor"], halo["scale_factor"])
    assert (disc["scale_factor"][0], disc["scale_factor"][-1]) == (0.12, 0.5)
    # V_vir = sqrt(G M_vir / R_vir) ties the units of the halo to each other
    from astropy.constants import G

    np.testing.assert_allclose(np.sqrt(G * halo["mass_vir"] / halo["r_vir"]).to_value(u.km / u.s), halo["v_vir"].value, rtol=2e-4)
    np.testing.assert_allclose(np.linalg.norm(disc["axis"], axis=1), 1, atol=1e-5)
    # an angular momentum in kpc km/s is 0.2 to 1.6 times R_d sqrt(G M / R_d); METHODS 1: H_d/R_d 0.3-0.55, R_d/R_vir 0.07-0.12
    velocity = np.sqrt(G * (disc["mass_gas"] + disc["mass_stars"] + disc["mass_dark"]) / disc["r_d"])
    ratio = (disc["ang_mom"] / (velocity * disc["r_d"])).to_value(u.one)
    assert ratio.min() > 0.2
    assert ratio.max() < 1.7
    late = disc["scale_factor"] > 0.3
    assert 0.3 < np.median((disc["h_d"] / disc["r_d"])[late]) < 0.55
    assert 0.07 < np.median((disc["r_d"] / halo["r_vir"])[late]) < 0.12
    assert (sphere["mass_stars"] >= disc["mass_stars"]).all()
