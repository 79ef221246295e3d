"""The observed arm of a run: which folders are fields and which are tables, and what is made a second time."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astroclumps import bands, testing
from astroclumps.reproduction import observed
from astroclumps.reproduction.arm import Arm


def arm_of(*names):
    return Arm("field", QTable({"galaxy": list(names), "mass": np.full(len(names), 1e8) * u.Msun}), QTable({"galaxy": list(names)}))


def write_field(folder, *, skip=()):
    """One file a band of the seven, as fields come."""
    from astropy.io import fits

    image = testing.example_image(shape=(32, 32))
    folder.mkdir()
    for name, data in zip(image.bands, image.data, strict=True):
        if name not in skip:
            header = image.wcs.to_header()
            header["BUNIT"] = "uJy"
            fits.PrimaryHDU(data, header).writeto(folder / f"{bands.get(name).column}_sci.fits")
    return folder


@pytest.fixture
def measured(monkeypatch):
    """Calls of what cuts out and measures galaxies, which has tests of its own."""
    calls = []

    def cut_galaxies(field, *, redshift, exclude):
        calls.append((field, redshift, exclude))
        return [field]

    def field_arm(images, *, pipeline, out, progress):
        arm = arm_of(*(image.name for image in images))
        arm.write(out)
        return arm

    monkeypatch.setattr(observed, "cut_galaxies", cut_galaxies)
    monkeypatch.setattr(observed, "field_arm", field_arm)
    return calls


def test_both_tables_make_a_catalogue(tmp_path):
    arm_of("a").write(tmp_path)
    assert observed.is_catalogue(tmp_path)
    (tmp_path / "clumps.fits").unlink()
    assert not observed.is_catalogue(tmp_path)


def test_a_field_is_read_band_by_band_in_the_order_of_the_bands(tmp_path, measured):
    (image,) = observed.read_field(write_field(tmp_path / "south"), redshift=1.5, psf_fwhm=0.2 * u.arcsec, exclude=[(3, 4, 5)])
    assert image.name == "south"
    assert image.bands == bands.names(bands.CANDELS)
    np.testing.assert_array_equal(image.data, testing.example_image(shape=(32, 32)).data)
    assert measured[0][1:] == (1.5, [(3, 4, 5)])


def test_fields_without_a_redshift_are_refused_and_nothing_is_made(tmp_path, measured):
    field = write_field(tmp_path / "south")
    with pytest.raises(ValueError, match="south need a redshift; state one"):
        observed.observed_arm([field], out=tmp_path / "out", pipeline="a pipeline")
    assert measured == []
    assert not (tmp_path / "out").exists()


def test_a_field_is_measured_again_only_where_something_changed(tmp_path, measured):
    field = write_field(tmp_path / "south")

    def run(pipeline="a pipeline", redshift=1.5):
        arm, digest = observed.observed_arm([field], out=tmp_path / "out", pipeline=pipeline, redshift=redshift)
        assert list(arm.galaxies["galaxy"]) == ["south"]
        return digest

    first = run()
    assert run() == first
    assert len(measured) == 1
    assert json.loads((tmp_path / "out" / "0-south" / "settings.json").read_text())["redshift"] == 1.5
    digests = {first, run(redshift=2.0), run(pipeline="another", redshift=2.0)}
    file = field / "f160w_sci.fits"
    file.write_bytes(file.read_bytes() + bytes(2880))
    digests.add(run(pipeline="another", redshift=2.0))
    assert len(digests) == len(measured) == 4
    (tmp_path / "out" / "0-south" / "clumps.fits").unlink()
    run(pipeline="another", redshift=2.0)
    assert len(measured) == 5


def test_tables_and_fields_are_joined(tmp_path, measured):
    arm_of("a", "b").write(tmp_path / "mine")
    folders = [tmp_path / "mine", write_field(tmp_path / "south")]
    arm, digest = observed.observed_arm(folders, out=tmp_path / "out", pipeline="a pipeline", redshift=1.5)
    assert (arm.name, list(arm.galaxies["galaxy"])) == ("field", ["a", "b", "south"])
    arm_of("a", "c").write(tmp_path / "mine")
    changed, other = observed.observed_arm(folders, out=tmp_path / "out", pipeline="a pipeline", redshift=1.5)
    assert list(changed.galaxies["galaxy"]) == ["a", "c", "south"]
    assert other != digest
    assert len(measured) == 1


def test_a_field_that_lacks_a_band_is_no_field(tmp_path):
    assert observed._files(write_field(tmp_path / "south", skip=("F160W",))) is None
