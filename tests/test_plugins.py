"""Plugins are found without an import, loaded by name, and a broken one is named with its package."""

import subprocess
import sys

import pytest

from astroclumps import plugins
from astroclumps.exceptions import PluginError

GOOD = """
class Good:
    def __init__(self, *, depth=1):
        self.depth = depth

    def detect(self, image):
        return image


class Hollow:
    pass


class Reader:
    def __init__(self, *, strict=False):
        self.strict = strict

    def __call__(self, path):
        return path


def read(path, *, extension=0):
    return path, extension


number = 3
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a fake package with entry points of one kind on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution, version="1.0", kind="detectors", **points):
        folder = tmp_path / f"{distribution}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        lines = "\n".join(f"{name} = {value}" for name, value in points.items())
        (folder / "entry_points.txt").write_text(f"[astroclumps.{kind}]\n{lines}\n")
        (tmp_path / "fake_good.py").write_text(GOOD)

    yield install
    for module in ("fake_good", "fake_broken"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("detectors", {"contrast", "unet"}),
        ("classifiers", {"cnn"}),
        ("sed_backends", {"bagpipes", "library"}),
        ("image_readers", {"bands", "cube", "folklore", "vela"}),
        ("simulation_readers", {"hdf5", "npz", "yt"}),
    ],
)
def test_builtins_come_through_the_same_door(kind, expected):
    assert expected <= set(plugins.names(kind))


@pytest.mark.parametrize("row", plugins.table(), ids=lambda row: f"{row.kind}-{row.name}")
def test_every_installed_plugin_loads(row):
    assert callable(plugins.load(row.kind, row.name))


def test_names_imports_no_plugin(install):
    install("good", good="fake_good:Good", broken="nope.nope:X")
    assert {"good", "broken"} <= set(plugins.names("detectors"))
    assert "fake_good" not in sys.modules


def test_names_are_sorted_and_unique(install):
    install("one", dog="fake_good:Good")
    install("two", dog="fake_good:Good")
    names = plugins.names("detectors")
    assert names == tuple(sorted(set(names)))


def test_create_passes_the_options(install):
    install("good", good="fake_good:Good")
    assert plugins.create("detectors", "good", depth=3).depth == 3


def test_a_reader_that_is_a_function_is_called_with_the_path(install):
    install("good", kind="image_readers", plain="fake_good:read")
    assert plugins.create("image_readers", "plain")("a.fits") == ("a.fits", 0)
    assert plugins.create("image_readers", "plain", extension=2)("a.fits") == ("a.fits", 2)


def test_a_reader_may_be_a_class(install):
    install("good", kind="image_readers", strict="fake_good:Reader", hollow="fake_good:Hollow")
    assert plugins.create("image_readers", "strict", strict=True)("a.fits") == "a.fits"
    with pytest.raises(PluginError, match=r"image reader 'hollow' from good 1\.0 .* cannot be called"):
        plugins.create("image_readers", "hollow")


def test_missing_plugin_lists_the_installed_ones():
    with pytest.raises(PluginError, match=r"no detector named 'zzz'; installed: \[.*'contrast'.*'unet'"):
        plugins.create("detectors", "zzz")


@pytest.mark.parametrize(
    "name", ["../../evil", "/etc/passwd", "evil:Bomb", "evil", "os:system", "contrast\0", "contrast ", "Contrast", "", "*", "con*"]
)
def test_a_name_is_looked_up_and_never_imported_or_opened(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "evil.py").write_text("open('was_run', 'w').close()\nclass Bomb: pass\n")
    with pytest.raises(PluginError, match="no detector named .*; installed: "):
        plugins.create("detectors", name)
    assert not (tmp_path / "was_run").exists()
    assert "evil" not in sys.modules


@pytest.mark.parametrize(
    "value", ["../evil:X", "evil.../x:X", "/etc/passwd", "evil:", ":X", "evil:X:Y", "evil:__import__('os')", "", "\u2603:X"]
)
def test_an_entry_point_that_names_no_object_is_told(install, value):
    install("bad", broken=value)
    with pytest.raises(PluginError, match=r"detector 'broken'"):
        plugins.create("detectors", "broken")


def test_unknown_kind_lists_the_kinds():
    with pytest.raises(ValueError, match="no kind of plugin named 'detector'; the kinds are .*'detectors'"):
        plugins.names("detector")


def test_a_name_claimed_twice_names_both_packages(install):
    install("dup1", dog="fake_good:Good")
    install("dup2", "2.5", dog="other:Good")
    with pytest.raises(PluginError, match=r"'dog' is claimed twice: dup1 1\.0 \(fake_good:Good\), dup2 2\.5 \(other:Good\); uninstall one"):
        plugins.load("detectors", "dog")
    assert plugins.create("detectors", "contrast")  # the others go on working


def test_a_builtin_name_cannot_be_taken_over(install):
    install("thief", unet="fake_good:Good")
    with pytest.raises(PluginError, match="'unet' is claimed twice: astroclumps .*, thief 1"):
        plugins.create("detectors", "unet")


def test_a_missing_module_names_package_and_cause(install):
    install("bad", broken="nope.nope:X")
    message = r"detector 'broken' from bad 1\.0 \(nope\.nope:X\) failed to load: No module named 'nope'"
    with pytest.raises(PluginError, match=message) as info:
        plugins.create("detectors", "broken")
    assert isinstance(info.value.__cause__, ModuleNotFoundError)


def test_a_missing_class_names_package_and_cause(install):
    install("bad", broken="fake_good:Absent")
    with pytest.raises(PluginError, match=r"from bad 1\.0 .* has no attribute 'Absent'"):
        plugins.load("detectors", "broken")


@pytest.mark.parametrize(
    ("source", "cause"),
    [("1 / 0", "division by zero"), ("raise RuntimeError", "RuntimeError"), ("def", "invalid syntax")],
)
def test_an_error_during_import_is_told(install, tmp_path, source, cause):
    install("bad", broken="fake_broken:X")
    (tmp_path / "fake_broken.py").write_text(source)
    with pytest.raises(PluginError, match=f"failed to load: .*{cause}"):
        plugins.load("detectors", "broken")


def test_a_plugin_without_its_verb_is_refused(install):
    install("bad", hollow="fake_good:Hollow")
    with pytest.raises(PluginError, match=r"detector 'hollow' from bad 1\.0 \(fake_good:Hollow\) .* has no method detect\(\)"):
        plugins.create("detectors", "hollow")


def test_a_plugin_that_is_no_class_is_refused(install):
    install("bad", number="fake_good:number")
    with pytest.raises(PluginError, match="is int, not a class or a function"):
        plugins.create("detectors", "number")


def test_an_unknown_setting_lists_the_settings(install):
    install("good", good="fake_good:Good")
    with pytest.raises(TypeError, match=r"detector 'good' has no setting 'sigma'; its settings are \['depth'\]"):
        plugins.create("detectors", "good", sigma=3)


@pytest.mark.parametrize("signature", ["path, *, box=1", "path, *, box=1, **more"])
def test_the_path_of_a_reader_is_no_setting(install, tmp_path, signature):
    (tmp_path / f"fake_reader_{len(signature)}.py").write_text(f"def read({signature}):\n    return box\n")
    install("reads", kind="simulation_readers", reads=f"fake_reader_{len(signature)}:read")
    assert plugins.create("simulation_readers", "reads", box=3)("somewhere") == 3
    with pytest.raises(TypeError, match=r"simulation reader 'reads' has no setting 'path'; its settings are \['box'\]"):
        plugins.create("simulation_readers", "reads", path="elsewhere")


def test_table_names_the_package_and_imports_nothing(install):
    install("good", "1.2", good="fake_good:Good")
    rows = plugins.table()
    assert plugins.Plugin("detectors", "good", "good 1.2", "fake_good:Good") in rows
    assert next(row for row in rows if row.name == "contrast").distribution.startswith("astroclumps ")
    assert "fake_good" not in sys.modules


def test_table_imports_no_builtin():
    code = "import sys; from astroclumps import plugins; plugins.table(); print([m for m in sys.modules if 'astroclumps.' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['astroclumps.exceptions', 'astroclumps.plugins']"
