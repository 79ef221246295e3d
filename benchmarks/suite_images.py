"""How galaxies of the synthetic suite look beside a hydrodynamical disc, in numbers and as a picture, for `bench_synthetic`."""

import csv
import warnings

import astropy.units as u
import numpy as np

from astroclumps import MockImager
from astroclumps.exceptions import AstroclumpsWarning
from astroclumps.mock.cameras import Camera

REDSHIFT = 1.7  # at which all are seen, so that sizes in pixels compare
SIDE = 96  # pixels
HEAVY = 10**7.5  # Msun
SHOWN = 64  # pixels of the picture
_VIEWS = (("face-on", 0.0), ("inclined by 55 deg", 55.0))
_NUMBERS = (
    ("share", "share of F606W light in 3D clumps above 10^7.5 Msun", "{:.3f}"),
    ("contrast", "light of a clump's middle over that around it, median", "{:.2f}"),
    ("contrast_90", "the same, 90th percentile", "{:.1f}"),
    ("lumpy", "F606W light above the mean of 10 x 10 pixels, over all", "{:.3f}"),
    ("lumpy_160", "the same in F160W", "{:.3f}"),
    ("r_e", "half-light radius in F606W (pixels)", "{:.1f}"),
    ("mag", "F606W (AB mag)", "{:.1f}"),
    ("mag_160", "F160W (AB mag)", "{:.1f}"),
    ("heavy", "3D clumps above 10^7.5 Msun", "{:.0f}"),
    ("heavier", "3D clumps above 10^8 Msun", "{:.0f}"),
    ("largest", "largest clump's mass over the disc's", "{:.4f}"),
)


def _cameras(axis):
    axis = np.asarray(axis, dtype=float)
    side = np.cross(np.eye(3)[np.argmin(abs(axis))], axis)
    side /= np.linalg.norm(side)
    for name, angle in _VIEWS:
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        yield Camera(name=name, direction=tuple(c * axis + s * side), up=tuple(np.cross(axis, side)), kind=name)


def look(imager, snapshot, clumps, star_labels):
    """Numbers of each view, and images: noiseless and noisy in F606W, F850LP and F160W."""
    disc, rows, images = snapshot.disc, [], []
    mass = clumps["mass"].to_value(u.Msun)
    off = np.asarray(clumps["origin"] != "bulge")
    heavy = off & (mass > HEAVY) & (np.asarray(clumps["n_stars"]) >= 10)
    disc_mass = (disc.gas_mass + disc.star_mass).to_value(u.Msun)
    for camera in _cameras(disc.axis):
        clean = imager.render(snapshot, camera, redshift=REDSHIFT, noise=False)
        noisy = imager.render(snapshot, camera, redshift=REDSHIFT, rng=1)
        data = np.asarray(clean.data, dtype=float)
        blue, red = data[imager.bands.index("F606W")], data[imager.bands.index("F160W")]
        light = imager.clump_light(snapshot, camera, star_labels, redshift=REDSHIFT)
        flux = np.zeros(len(clumps))
        flux[: len(light)] = light["flux_f606w"].value[: len(clumps)]
        rows.append(
            {
                "view": camera.name,
                "share": flux[heavy].sum() / blue.sum(),
                **_contrast(imager, snapshot, camera, clumps[heavy], blue),
                "lumpy": _lumpy(blue),
                "lumpy_160": _lumpy(red),
                "r_e": _half_light(blue),
                "mag": 23.9 - 2.5 * np.log10(blue.sum()),
                "mag_160": 23.9 - 2.5 * np.log10(red.sum()),
                "heavy": int(heavy.sum()),
                "heavier": int((heavy & (mass > 1e8)).sum()),
                "largest": mass[off].max(initial=0) / disc_mass,
            }
        )
        keep = [imager.bands.index(name) for name in ("F606W", "F850LP", "F160W")]
        images.append(np.stack([data[keep], np.asarray(noisy.data)[keep]]).astype(np.float32))
    return rows, np.stack(images)


def _contrast(imager, snapshot, camera, clumps, image):
    """Mean within 1.5 pixels of each clump over the median between 3 and 5.5."""
    pixel = imager.pixel_kpc(imager.scene(snapshot, redshift=REDSHIFT)) * u.kpc
    places = np.stack([clumps[f"pos_{axis}"].to_value(u.kpc) for axis in "xyz"], axis=1) * u.kpc
    x, y, _ = camera.project(places, pixel=pixel, shape=image.shape)
    row, column = np.mgrid[-6:7, -6:7]
    distance, made = np.hypot(row, column), []
    for i, j in zip(np.round(x).astype(int), np.round(y).astype(int), strict=True):
        if 6 <= i < SIDE - 6 and 6 <= j < SIDE - 6:
            part = image[j - 6 : j + 7, i - 6 : i + 7]
            made.append(part[distance <= 1.5].mean() / np.median(part[(distance > 3) & (distance <= 5.5)]))
    return {"contrast": np.median(made) if made else np.nan, "contrast_90": np.percentile(made, 90) if made else np.nan}


def _from_centre():
    row, column = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.hypot(row, column)


def _lumpy(image):
    """Light above a boxcar of 10 pixels, without the galaxy's middle (4 pixels)."""
    from scipy.ndimage import uniform_filter

    return np.clip(image - uniform_filter(image, 10), 0, None)[_from_centre() > 4].sum() / image.sum()


def _half_light(image):
    distance = _from_centre().ravel()
    order = np.argsort(distance)
    inside = np.cumsum(image.ravel()[order])
    return distance[order][np.searchsorted(inside, 0.5 * inside[-1])]


def make_imager():
    return MockImager(shape=(SIDE, SIDE))


def look_at(snapshots, found, which):
    """Rows and images of some of a galaxy's snapshots."""
    imager, rows, images = make_imager(), [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstroclumpsWarning)
        for k in which:
            more, pictures = look(imager, snapshots[k], *found[k])
            rows.extend({"snapshot": k, **row} for row in more)
            images.append(pictures)
    return rows, np.stack(images)


def table(suite, other):
    """Percentiles of both, view by view."""
    rows = [("number", "view", "suite: 10%", "50%", "90%", "hydrodynamical disc: least", "median", "most")]
    for name, words, form in _NUMBERS:
        for view, _ in _VIEWS:
            if name in ("heavy", "heavier", "largest") and view != "face-on":
                continue
            ours, theirs = (np.array([row[name] for row in some if row["view"] == view], dtype=float) for some in (suite, other))
            values = [np.nanpercentile(ours, q) for q in (10, 50, 90)]
            values += [f(theirs) for f in (np.nanmin, np.nanmedian, np.nanmax)] if len(theirs) else []
            cells = [form.format(value) for value in values]
            rows.append((words, view, *cells, *["-"] * (6 - len(cells))))
    return rows


def write(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(path):
    with open(path, newline="") as file:
        return [{name: value if name == "view" else float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def picture(path, columns):
    """Write a figure of ``(title, images)``: face-on, inclined, and both as CANDELS would see them."""
    from astropy.visualization import make_lupton_rgb
    from matplotlib.figure import Figure

    cut = slice((SIDE - SHOWN) // 2, (SIDE + SHOWN) // 2)
    figure = Figure(figsize=(1.15 * len(columns), 4.9), layout="constrained")
    axes = figure.subplots(4, len(columns), squeeze=False)
    names = [f"{view}{noise}" for noise in ("", ", noise") for view in ("face-on", "inclined")]
    for number, (column, (title, images)) in enumerate(zip(axes.T, columns, strict=True)):
        for k, axis in enumerate(column):
            blue, green, red = images[k % 2, k // 2][:, cut, cut]
            level = 0.7 * np.percentile(images[k % 2, 0, 1][cut, cut], 99.0)
            with np.errstate(invalid="ignore"):  # where the sky is exactly 0
                axis.imshow(make_lupton_rgb(0.5 * red, green, 2 * blue, stretch=level, Q=6), origin="lower", interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
            if not number:
                axis.set_ylabel(names[k], fontsize=6)
        column[0].set_title(title, fontsize=7)
    figure.savefig(path, dpi=80, pil_kwargs={"optimize": True})
