"""What a Sersic mock contains, drawn at random: every distribution of `~astroclumps.mock.sersic.SersicMocks`.

All numbers here are our choice (METHODS 2-4 leave them open), made so that classes overlap and images range from shallow
CANDELS to the XDF. None is a result of Ginzburg et al. (2021).
"""

import numpy as np

from astroclumps import bands as _bands
from astroclumps import starlight

from . import profiles
from .observation import draw_observation
from .render import FineGrid

__all__ = ["draw"]

_EMPTY = 0.1  # part of the images without a galaxy; small neighbours may be there
_LUMPY = 0.4  # part of the galaxies with diffuse lumps, which are no clumps
_OUTERMOST = 2.2  # radius in R_e within which clumps lie; neighbours lie outside
_IRREGULAR = 0.25  # part of the galaxies without a bulge, whose clumps hold more of the light
_DOMINANT = 0.4  # part of the irregular galaxies in which 1-4 clumps outshine the body


def draw(rng, *, bands, shape, pixel_scale):
    """Draw and render one scene; the fields of `~astroclumps.mock.sersic.Mock`, in order."""
    fine = FineGrid(shape, pixel_scale)
    redshift = rng.uniform(0.7, 3.3)
    light = _Light(bands, redshift)
    psf_fwhm, sky = draw_observation(rng, bands)[:2]
    transfer = fine.psf_transfer(psf_fwhm)
    empty = rng.random() < _EMPTY
    galaxy = _galaxy(rng, fine, light)
    clumps = _clumps(rng, galaxy, light, 0 if empty else _number(rng, galaxy))
    blob = {k: clumps.pop(k) for k in ("sigma", "axis_ratio", "angle")}
    maps, fluxes = galaxy.pop("maps"), galaxy.pop("fluxes")
    galaxy.pop("weight")
    if empty:
        maps, fluxes = maps[:0], fluxes[:0]
    others = _neighbours(rng, galaxy, bands, shape, empty)
    x, y = np.append(clumps["x"], others["x"]), np.append(clumps["y"], others["y"])
    both = {k: np.append(blob[k], others[k]) for k in blob}
    transform = fine.blobs(x=x, y=y, flux=np.vstack([clumps["flux"], others["flux"]]), **both)
    data = fine.image(maps, fluxes, transfer=transfer, transform=transform)
    galaxy["flux"] = fluxes.sum(axis=0) + clumps["flux"].sum(axis=0)
    return data, clumps, sky, psf_fwhm, redshift, galaxy


class _Light:
    """Band fluxes of populations at one redshift."""

    def __init__(self, bands, redshift):
        self.grid = starlight.interpolated_grid(bands, redshift)
        self.universe = starlight.age_of_universe(redshift)
        # Guo et al. (2015): rest-frame near ultraviolet
        wanted = "F435W" if redshift < 1 else "F606W" if redshift < 2 else "F775W"
        pivots = np.array([_bands.get(b).pivot.value for b in bands])
        self.uv = list(bands).index(wanted) if wanted in bands else int(np.abs(pivots - _bands.get(wanted).pivot.value).argmin())
        self.red = int(np.abs(pivots - _bands.get("F160W").pivot.value).argmin())

    def __call__(self, age, tau, metallicity, a_v):
        """Fluxes (n, band) in uJy and (surviving mass, mean age, SFR) (n, 3) per solar mass formed."""
        args = [np.ascontiguousarray(np.atleast_1d(v), dtype=float) for v in (age, tau, metallicity, a_v)]
        args[0] = np.minimum(args[0], 0.98 * self.universe)
        return self.grid.fluxes(*args), self.grid.derived(*args[:3])


def _number(rng, galaxy):
    if galaxy["dominant"]:
        return int(rng.integers(1, 5))
    return 0 if rng.random() < 0.2 else int(rng.integers(1, 9))


def _galaxy(rng, fine, light):
    """Smooth light: maps on the fine grid, fluxes, and the weight with which clumps are placed."""
    ny, nx = fine.shape
    offset = rng.uniform(-0.35, 0.35, 2) if rng.random() < 0.2 else rng.normal(0, 0.03, 2)
    x, y = (nx - 1) / 2 + offset[0] * nx, (ny - 1) / 2 + offset[1] * ny
    magnitude = rng.uniform(19.0, 25.0)
    r_eff = np.clip(0.4 * 10 ** (-0.07 * (magnitude - 22) + rng.normal(0, 0.2)), 0.15, 1.3)
    axis_ratio, angle = rng.uniform(0.25, 1.0), rng.uniform(0, np.pi)
    irregular = rng.random() < _IRREGULAR
    dominant = irregular and rng.random() < _DOMINANT
    centre = {"x0": float(fine.to_fine(x)), "y0": float(fine.to_fine(y))}
    disc = {**centre, "axis_ratio": axis_ratio, "angle": angle}
    radius = fine.length(r_eff)

    n_disc = rng.uniform(0.5, 1.3)
    old = profiles.sersic_map(fine.xy, r_eff=radius * rng.uniform(0.8, 1.0), n=n_disc, **disc)
    young = profiles.sersic_map(fine.xy, r_eff=radius * rng.uniform(1.0, 1.3), n=rng.uniform(0.4, 1.1), **disc)
    arms = profiles.spiral_modulation(
        fine.xy,
        scale=radius,
        arms=int(rng.integers(1, 5)),
        pitch=np.radians(rng.uniform(10, 40)),
        phase=rng.uniform(0, 2 * np.pi),
        amplitude=0.0 if rng.random() < 0.25 else rng.uniform(0.1, 0.9),
        sharpness=rng.uniform(1, 4),
        **disc,
    )
    flocculent = profiles.texture(
        fine.full, length=fine.length(rng.uniform(0.12, 0.4)), sigma=rng.uniform(0.0, 0.9 if irregular else 0.5), rng=rng
    )
    dust = profiles.texture(fine.full, length=fine.length(rng.uniform(0.1, 0.3)), sigma=rng.uniform(0.0, 0.4), rng=rng)
    if rng.random() < _LUMPY:
        young = young + _lumps(rng, fine, radius, disc)
    lopsided = 1 + rng.uniform(0, 0.8 if irregular else 0.3) * np.tanh(_along(rng, fine, centre) / radius)
    young = young * np.clip(arms, 0.02, None) * flocculent / dust * lopsided
    old = old * (0.7 + 0.3 * np.clip(arms, 0.02, None)) / np.sqrt(dust)
    maps = [old / old.sum(), young / young.sum()]

    universe, z_star = light.universe, 10 ** rng.uniform(-0.7, 0.2)
    a_v = np.clip(rng.gamma(2.0, 0.3), 0, 3)
    ages = [rng.uniform(0.3, 0.9) * universe, 10 ** rng.uniform(-1.0, 0.0)]
    taus = [10 ** rng.uniform(-0.5, 0.8), np.inf]
    dusts = [a_v, np.clip(a_v + rng.normal(0, 0.2), 0, 4)]
    parts = [1.0, 10 ** rng.uniform(-2.0, -0.3)]  # of the mass formed
    if not irregular and rng.random() < 0.75:
        bulge_radius = radius * rng.uniform(0.08, 0.35)
        maps.append(
            profiles.sersic_map(
                fine.xy, r_eff=max(bulge_radius, 1.0), n=rng.uniform(1.0, 4.0), **centre,
                axis_ratio=1 - (1 - axis_ratio) * rng.uniform(0.2, 0.7), angle=angle,
            )
        )  # fmt: skip
        ages.append(rng.uniform(0.4, 0.95) * universe), taus.append(10 ** rng.uniform(-1.0, 0.3))
        dusts.append(np.clip(a_v + rng.normal(0.2, 0.3), 0, 4)), parts.append(10 ** rng.uniform(-1.3, 0.3))
    if rng.random() < 0.3:
        bar = profiles.sersic_map(
            fine.xy, r_eff=radius * rng.uniform(0.25, 0.8), n=rng.uniform(0.3, 0.9), **centre,
            axis_ratio=axis_ratio * rng.uniform(0.2, 0.45), angle=rng.uniform(0, np.pi),
        )  # fmt: skip
        bar = bar * flocculent**0.3
        maps.append(bar / bar.sum())
        ages.append(rng.uniform(0.2, 0.9) * universe), taus.append(10 ** rng.uniform(-0.7, 0.7))
        dusts.append(a_v), parts.append(10 ** rng.uniform(-1.3, -0.2))
    flux, derived = light(ages, taus, [z_star] * len(ages), dusts)
    flux = flux * np.array(parts)[:, None]
    mass = 10 ** (-0.4 * (magnitude - 23.9)) / flux[:, light.red].sum()
    return {
        "x": x, "y": y, "r_eff": r_eff, "axis_ratio": axis_ratio, "angle": angle, "irregular": irregular, "dominant": dominant, "a_v": a_v,
        "metallicity": z_star, "mass": mass * np.sum(parts), "stellar_mass": mass * np.sum(parts * derived[:, 0]),
        "pixel_scale": fine.pixel_scale, "magnitude": magnitude,
        "maps": np.stack(maps), "fluxes": flux * mass, "weight": (fine, arms),
    }  # fmt: skip


def _along(rng, fine, centre):
    """Distance from the centre along a random direction, grid points."""
    angle = rng.uniform(0, 2 * np.pi)
    return (fine.xy[0] - centre["x0"]) * np.cos(angle) + (fine.xy[1] - centre["y0"]) * np.sin(angle)


def _lumps(rng, fine, radius, disc):
    """One to four diffuse lumps in the young disc, each with 3-25% of its light."""
    total = 0.0
    for _ in range(int(rng.integers(1, 5))):
        r, phi = radius * rng.uniform(0.2, 2.0), rng.uniform(0, 2 * np.pi)
        major, minor = r * np.cos(phi), r * np.sin(phi) * disc["axis_ratio"]
        cos, sin = np.cos(disc["angle"]), np.sin(disc["angle"])
        total = total + rng.uniform(0.03, 0.25) * profiles.sersic_map(
            fine.xy, x0=disc["x0"] + major * cos - minor * sin, y0=disc["y0"] + major * sin + minor * cos,
            r_eff=fine.length(rng.uniform(0.18, 0.5)), n=rng.uniform(0.4, 1.0), axis_ratio=rng.uniform(0.35, 1.0),
            angle=rng.uniform(0, np.pi),
        )  # fmt: skip
    return total


def _clumps(rng, galaxy, light, number):
    """Places, shapes and populations of the clumps."""
    fine, arms = galaxy["weight"]
    keep = {k: [] for k in ("x", "y", "long_lived", "radius")}
    minor = galaxy["axis_ratio"]
    cos, sin = np.cos(galaxy["angle"]), np.sin(galaxy["angle"])
    for _ in range(number):
        long_lived = rng.random() < 0.4
        for _ in range(20):
            radius = 10 ** (rng.normal(-0.10, 0.17) if long_lived else rng.normal(0.05, 0.17))
            radius *= 0.6 if galaxy["dominant"] else 1.0
            phi = rng.uniform(0, 2 * np.pi)
            r = radius * galaxy["r_eff"] / galaxy["pixel_scale"]
            dx, dy = r * np.cos(phi), r * np.sin(phi) * minor
            x, y = galaxy["x"] + dx * cos - dy * sin, galaxy["y"] + dx * sin + dy * cos
            inside = 1 <= x < fine.shape[1] - 2 and 1 <= y < fine.shape[0] - 2
            clear = all(np.hypot(x - a, y - b) > 2.0 for a, b in zip(keep["x"], keep["y"], strict=True))
            if not (inside and clear and np.hypot(dx, dy) > 2.5 and 0.3 < radius < _OUTERMOST):
                continue
            on_arm = arms[round(float(fine.to_fine(y))), round(float(fine.to_fine(x)))]
            if rng.random() < 0.4 or rng.random() < on_arm / 2:
                for key, value in (("x", x), ("y", y), ("long_lived", long_lived), ("radius", radius)):
                    keep[key].append(value)
                break
    n = len(keep["x"])
    long_lived = np.array(keep["long_lived"], dtype=bool)
    age = 10 ** np.where(long_lived, rng.normal(-0.3, 0.3, n), rng.normal(-0.95, 0.35, n))  # Gyr since the first star
    age = np.clip(age, 0.01, 0.8 * light.universe)
    tau = np.where(rng.random(n) < 0.5, np.inf, 10 ** rng.uniform(-1.0, 0.5, n))
    a_v = np.clip(galaxy["a_v"] + rng.normal(0, 0.3, n), 0, 4)
    metallicity = galaxy["metallicity"] * 10 ** rng.normal(0, 0.1, n)
    if n:
        flux, derived = light(age, tau, metallicity, a_v)
    else:
        flux, derived = np.zeros((0, galaxy["fluxes"].shape[1])), np.zeros((0, 3))
    low, high, heaviest = (0.02, 0.4, 0.2) if galaxy["irregular"] else (0.01, 0.25, 0.2)  # M_c < 0.2 M_gal (paper section 5.2.1)
    if galaxy["dominant"]:
        low, high, heaviest = 0.12, 0.45, 0.5
    ratio = 10 ** rng.uniform(np.log10(low), np.log10(high), n)
    if ratio.sum() > 0.8:
        ratio *= 0.8 / ratio.sum()
    smooth = galaxy["fluxes"][:, light.uv].sum()
    total = smooth / (1 - ratio.sum())  # of the galaxy with its clumps
    formed = ratio * total / np.maximum(flux[:, light.uv], 1e-30)
    limit = heaviest * galaxy["stellar_mass"] / np.maximum(derived[:, 0], 1e-3)
    formed = np.minimum(formed, limit)
    flux = flux * formed[:, None]
    ratio = flux[:, light.uv] / (smooth + flux[:, light.uv].sum())
    kpc_per_arcsec = 8.3  # within 4% for redshift 1-3
    fwhm = 10 ** np.where(long_lived, rng.normal(-0.60, 0.2, n), rng.normal(-0.40, 0.2, n)) / kpc_per_arcsec
    if galaxy["dominant"]:
        fwhm = fwhm * rng.uniform(1, 4, n)
    return {
        "x": np.array(keep["x"], dtype=float), "y": np.array(keep["y"], dtype=float), "long_lived": long_lived,
        "mass": formed * derived[:, 0], "flux": flux, "uv_ratio": ratio, "radius": np.array(keep["radius"], dtype=float),
        "age": derived[:, 1], "sfr": formed * derived[:, 2], "a_v": a_v, "sigma": fwhm / 2.355,
        "axis_ratio": np.where(long_lived, rng.uniform(0.65, 1.0, n), rng.uniform(0.35, 1.0, n)), "angle": rng.uniform(0, np.pi, n),
    }  # fmt: skip


def _neighbours(rng, galaxy, bands, shape, empty):
    """Small galaxies and stars at other redshifts, outside the galaxy: no clumps."""
    names = ("x", "y", "sigma", "axis_ratio", "angle", "flux")
    found = {k: [] for k in names}
    ny, nx = shape
    number = int(rng.integers(0, 6)) if empty else int(rng.integers(1, 6)) if rng.random() < 0.6 else 0
    for _ in range(number):
        light = _Light(bands, rng.uniform(0.3, 5.0))
        flux, _ = light(10 ** rng.uniform(-1.5, 0.5), np.inf, 0.5, rng.uniform(0, 1.5))
        magnitude = rng.uniform(21.0, 28.5) if empty else min(galaxy["magnitude"], 24.0) + rng.uniform(0.0, 5.5)
        flux = flux[0] * 10 ** (-0.4 * (magnitude - 23.9)) / max(flux[0].max(), 1e-30)
        for _ in range(20):
            x, y = rng.uniform(-4, nx + 3), rng.uniform(-4, ny + 3)
            shape_of = {"x0": galaxy["x"], "y0": galaxy["y"], "axis_ratio": max(galaxy["axis_ratio"], 0.5), "angle": galaxy["angle"]}
            distance = np.hypot(*profiles.deproject(x, y, **shape_of)) * galaxy["pixel_scale"]
            if empty or distance > max((_OUTERMOST + 0.3) * galaxy["r_eff"], 0.5):
                size = 0.0 if rng.random() < 0.15 else 10 ** rng.normal(-1.0, 0.2)
                values = (x, y, size, rng.uniform(0.4, 1.0), rng.uniform(0, np.pi), flux)
                for key, value in zip(names, values, strict=True):
                    found[key].append(value)
                break
    out = {k: np.array(found[k], dtype=float) for k in names[:-1]}
    out["flux"] = np.array(found["flux"], dtype=float).reshape(-1, len(bands))
    return out
