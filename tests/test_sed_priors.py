"""One prior for both backends."""

import numpy as np
import pytest

from astroclumps.sed.priors import LOG_MASS, Prior


@pytest.mark.parametrize("sfh", ["tau", "constant"])
def test_corners_of_the_cube_are_the_limits_of_the_paper_model(sfh):
    prior = Prior(sfh=sfh, redshift=2.0)
    low, high = (prior.from_cube(np.full((1, prior.n_dim), x)) for x in (0.0, 1.0))
    assert [p[0] for p in low] == pytest.approx([0.01, 0.05 if sfh == "tau" else np.inf, 0.1, 0.0])
    assert [p[0] for p in high] == pytest.approx([prior.age_limits[1], 10.0 if sfh == "tau" else np.inf, 2.0, 3.0])
    assert prior.age_limits[1] == pytest.approx(3.22, abs=0.01)
    assert LOG_MASS == (5.0, 11.0)


@pytest.mark.needs_bagpipes
@pytest.mark.parametrize("sfh", ["tau", "constant"])
def test_bagpipes_draws_from_the_same_prior(sfh):
    pytest.importorskip("bagpipes", reason="bagpipes is the reference")
    from astroclumps.sed.bagpipes import _import

    pipes = _import()
    galaxy = pipes.galaxy("x", spectrum_exists=False, photometry_exists=False)
    prior = Prior(sfh=sfh, redshift=1.3)
    fitted = pipes.fitting.fitted_model(galaxy, prior.bagpipes_instructions())
    cube = np.random.default_rng(0).random(fitted.ndim)
    theirs = dict(zip((name.split(":")[1] for name in fitted.params), fitted.prior.transform(cube.copy()), strict=True))
    place = dict(zip(theirs, cube, strict=True))
    age = "age" if sfh == "tau" else "age_max"
    ours = prior.from_cube([[place[age], place["Av"], place["metallicity"], place.get("tau", 0.0)][: prior.n_dim]])
    assert theirs["massformed"] == pytest.approx(5 + 6 * place["massformed"])
    assert [theirs[age], theirs.get("tau", np.inf), theirs["metallicity"], theirs["Av"]] == pytest.approx([p[0] for p in ours])
