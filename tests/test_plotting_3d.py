"""Figures of clumps in simulations: classes, places, files that can be read."""

import astropy.units as u
import numpy as np
import pytest
from simulated_galaxies import clump_table, disc_positions, galaxy, gas_table

from astroclumps import plotting_3d, plotting_tracks
from astroclumps.plotting import CLASS_COLOURS
from astroclumps.plotting_3d import classes, plot_clumps_3d, plot_tracks
from astroclumps.simulation.projection import project

PLACES = [(0, 0, 0), (2, 1, 0), (-1, 2, 0.1), (3, 0, 0), (30, 0, 0)]
ORIGIN = ["bulge", "in situ", "in situ", "ex situ", "in situ"]
LONGEVITY = ["", "LLC", "ZLC", "", "SLC"]


@pytest.fixture(scope="module")
def disc():
    return galaxy(gas=gas_table(disc_positions(800, seed=1)))


@pytest.fixture
def clumps():
    return clump_table(PLACES, origin=ORIGIN, longevity=LONGEVITY, track=[1, 2, 3, 4, 0])


def tracks():
    """Three tracks of two rows and one of one row that was too small to be tracked."""
    table = clump_table([(0, 0, 0)] * 7, origin=["in situ"] * 4 + ["ex situ"] * 2 + ["in situ"])
    table["track"] = [1, 1, 2, 2, 3, 3, 0]
    table["longevity"] = ["LLC", "LLC", "ZLC", "ZLC", "", "", ""]
    table["time"] = [1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0] * u.Gyr
    table["mass"] = [1e8, 2e8, 1e7, 1e7, 3e8, 1e8, 1e9] * u.Msun
    table["r_gal"] = [4, 3, 2, 2, 9, 5, 1] * u.kpc
    table["lifetime"] = [300, 300, 0, 0, 100, 100, np.nan] * u.Myr
    table["t_ff_mean"] = [10, 10, 5, 5, 10, 10, np.nan] * u.Myr
    table["censored"] = [1, 1, 0, 0, 0, 0, 0]
    return table


def test_the_class_is_the_origin_of_what_is_not_in_situ_and_else_the_longevity(clumps):
    assert classes(clumps).tolist() == ["bulge", "LLC", "ZLC", "ex situ", "SLC"]
    assert set(classes(clumps)) <= set(plotting_3d.CLASS_STYLES)


def test_without_tracks_clumps_in_situ_have_no_class():
    assert classes(clump_table(PLACES, stage="found", origin=ORIGIN)).tolist() == ["bulge", "", "", "ex situ", ""]


def test_classes_differ_without_colours():
    styles = [(line, symbol) for _, _, _, line, symbol in plotting_3d.CLASS_STYLES.values()]
    assert len(set(styles)) == len(styles)


def test_both_views_of_a_kind_share_limits_of_round_numbers(disc):
    low, high = plotting_3d._limits(project(disc), "stars")
    assert 2 * np.log10(high) == pytest.approx(round(2 * np.log10(high)))
    assert np.log10(high / low) == pytest.approx(3.3)


def test_a_map_without_mass_has_limits_too():
    low, high = plotting_3d._limits(project(galaxy()), "cold")
    assert 0 < low < high


@pytest.fixture
def _needs_matplotlib():
    pytest.importorskip("matplotlib", reason="needs matplotlib")


@pytest.mark.usefixtures("_needs_matplotlib")
class TestMaps:
    def drawn(self, monkeypatch, *arguments, **options):
        """The figure that would have been saved."""
        kept = []
        monkeypatch.setattr(plotting_3d, "save", lambda figure, path: kept.append(figure))
        plot_clumps_3d(*arguments, "figure.png", **options)
        return kept[0]

    def test_the_same_clumps_give_the_same_bytes_and_leave_pyplot_alone(self, disc, clumps, tmp_path):
        import sys

        before = "matplotlib.pyplot" in sys.modules
        first, second = (plot_clumps_3d(disc, clumps, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
        assert first == second
        assert first[:4] == b"\x89PNG"
        assert ("matplotlib.pyplot" in sys.modules) == before

    def test_a_projection_gives_the_same_figure_as_its_snapshot(self, disc, clumps, tmp_path):
        first = plot_clumps_3d(disc, clumps, tmp_path / "a.png").read_bytes()
        assert plot_clumps_3d(project(disc), clumps, tmp_path / "b.png").read_bytes() == first

    def test_circles_lie_on_the_clumps_in_the_colour_of_their_class(self, disc, clumps, monkeypatch):
        from matplotlib.colors import to_rgba

        figure = self.drawn(monkeypatch, disc, clumps)
        face_on = figure.axes[0]
        circles = {tuple(np.round(patch.center, 6)): patch for patch in face_on.patches if patch.get_linestyle() != (0, (1, 3))}
        circles = {place: patch for place, patch in circles.items() if patch.radius < 1}
        assert set(circles) == {(0.0, 0.0), (2.0, 1.0), (-1.0, 2.0), (3.0, 0.0)}  # the fifth lies outside
        assert circles[2.0, 1.0].radius == pytest.approx(0.4)  # twice the radius
        assert circles[2.0, 1.0].get_edgecolor() == to_rgba(CLASS_COLOURS["LLC"])

    def test_the_searched_cylinder_is_outlined_and_fits(self, disc, clumps, monkeypatch):
        maps = project(disc, extent=(1.6, 4))
        _, edge_on, *_ = self.drawn(monkeypatch, maps, clumps).axes
        (outline,) = [patch for patch in edge_on.patches if patch.get_linestyle() == (0, (6, 4))]
        (left, right), (low, high) = outline.get_bbox().intervalx, outline.get_bbox().intervaly
        assert (left, right) == pytest.approx((-1.6 * maps.r_d, 1.6 * maps.r_d))
        assert (low, high) == pytest.approx((-4 * maps.h_d, 4 * maps.h_d))
        assert edge_on.get_xlim()[1] > right
        assert edge_on.get_ylim()[1] > high

    def test_small_clumps_have_circles_that_can_be_seen(self, disc, clumps, monkeypatch):
        clumps["radius"] = 1 * u.pc
        face_on = self.drawn(monkeypatch, disc, clumps, half_width=10 * u.kpc).axes[0]
        assert sorted(patch.radius for patch in face_on.patches)[0] == pytest.approx(0.017 * 20)

    def test_the_most_massive_clumps_are_numbered_by_their_track(self, disc, clumps, monkeypatch):
        clumps["mass"] = [1e6, 1e9, 1e8, 1e7, 1e10] * u.Msun
        face_on = self.drawn(monkeypatch, disc, clumps, n_numbers=2).axes[0]
        assert {text.get_text() for text in face_on.texts} >= {"2", "3"}
        assert not {text.get_text() for text in face_on.texts} & {"0", "1", "4"}

    def test_the_scale_bar_has_its_length(self, disc, clumps, monkeypatch):
        face_on = self.drawn(monkeypatch, disc, clumps, half_width=9 * u.kpc).axes[0]
        (bar,) = face_on.lines
        assert "5 kpc" in {text.get_text() for text in face_on.texts}
        assert np.ptp(bar.get_xdata()) == pytest.approx(5.0)

    def test_no_clumps_are_a_figure_too(self, disc, clumps, tmp_path):
        assert plot_clumps_3d(disc, clumps[:0], tmp_path / "empty.png").stat().st_size > 10_000

    def test_the_suffix_decides_the_format(self, disc, clumps, tmp_path):
        assert plot_clumps_3d(disc, clumps, tmp_path / "figure.pdf").read_bytes()[:4] == b"%PDF"

    def test_a_projection_has_its_own_width(self, disc, clumps):
        with pytest.raises(ValueError, match="half_width belongs to the projection"):
            plot_clumps_3d(project(disc), clumps, "figure.png", half_width=3 * u.kpc)


@pytest.mark.usefixtures("_needs_matplotlib")
class TestTracks:
    def drawn(self, monkeypatch, table, **options):
        kept = []
        monkeypatch.setattr(plotting_tracks, "save", lambda figure, path: kept.append(figure))
        plot_tracks(table, "tracks.png", **options)
        return kept[0].axes

    def test_each_class_has_its_panels_and_each_track_its_line(self, monkeypatch):
        *panels, _ = self.drawn(monkeypatch, tracks()[::-1])
        titles = [axes.get_title() for axes in panels[:3]]
        assert titles == ["long-lived (LLC): 1 track", "zero-lived (ZLC): 1 track", "ex situ: 1 track"]
        first = [axes.lines[0].get_ydata().tolist() for axes in panels]
        assert first == [[1e8, 2e8], [1e7, 1e7], [3e8, 1e8], [4, 3], [2, 2], [9, 5]]  # not the clump without a track
        assert len(panels[0].lines) == 2  # and the median

    def test_the_black_line_is_the_median(self, monkeypatch):
        table = tracks()
        table["longevity"], table["origin"] = "SLC", "in situ"
        mass, *_ = self.drawn(monkeypatch, table)
        assert mass.lines[-1].get_color() == "black"
        assert mass.lines[-1].get_ydata().tolist() == [1e8, 1e8]  # of 1, 0.1, 3 and of 2, 0.1, 1

    def test_fewer_than_three_clumps_have_no_median(self, monkeypatch):
        mass, *_ = self.drawn(monkeypatch, tracks()[:2])
        assert np.isnan(mass.lines[-1].get_ydata()).all()

    def test_lifetimes_are_points_at_the_largest_mass(self, monkeypatch):
        *_, lifetimes = self.drawn(monkeypatch, tracks(), long_lived=12)
        points = [(x, y) for line in lifetimes.lines[:-1] for x, y in zip(*line.get_data(), strict=True)]
        assert (2e8, 30.0) in points
        assert (3e8, 10.0) in points
        assert lifetimes.lines[-1].get_ydata() == [12, 12]

    def test_tracks_that_are_alive_at_the_end_are_open(self, monkeypatch):
        *_, lifetimes = self.drawn(monkeypatch, tracks())
        open_ones = [line.get_xdata().tolist() for line in lifetimes.lines if line.get_markerfacecolor() == "white"]
        assert [x for one in open_ones for x in one] == [2e8]

    def test_no_tracks_are_a_figure_too(self, tmp_path):
        assert plot_tracks(tracks()[:0], tmp_path / "tracks.png").stat().st_size > 5_000

    def test_the_same_tracks_give_the_same_bytes(self, tmp_path):
        first, second = (plot_tracks(tracks(), tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
        assert first == second


def test_without_matplotlib_the_error_says_what_to_install(disc, clumps, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    for call in (lambda: plot_clumps_3d(disc, clumps, "a.png"), lambda: plot_tracks(clumps, "a.png")):
        with pytest.raises(ImportError, match=r'needs matplotlib; install it with  pip install "astroclumps\[plot\]"'):
            call()
