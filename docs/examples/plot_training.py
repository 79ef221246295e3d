"""
A network trained on your simulation
====================================

Snapshots become mock images with the truth of finder and tracker, a U-Net learns from them, and finds clumps in a galaxy that it never
saw. **All of it is tiny here**: three synthetic galaxies of 10,000 stars, a few images each and 20 steps from the weights of
``unet-sersic``, so that it takes seconds. The result is worth nothing; the steps are those of a real training, for which *Training* and
*Data sets of simulated galaxies* tell how many galaxies and hours it takes.
"""

import astropy.units as u
from tiny import FOLDER

from astroclumps import ClumpFinder3D, MultiBandImage, SyntheticSuite, UNetDetector, weights
from astroclumps.figures import figure_class, save
from astroclumps.plotting import colour_image
from astroclumps.training.fold_unet import train_unet_fold
from astroclumps.training.galaxies import make_galaxy_set
from astroclumps.training.galaxy_sources import SnapshotFiles

runs = []
for i in range(3):
    folder = FOLDER / f"galaxy_{i}"
    folder.mkdir(exist_ok=True)
    runs.append([])
    for k, snapshot in enumerate(SyntheticSuite(n_galaxies=3, n_snapshots=2, n_stars=10_000, seed=3).galaxy(i)):
        runs[-1].append(folder / f"snapshot_{k:03d}.npz")
        snapshot.write(runs[-1][-1])

# %%
# Images
# ------
# ``SnapshotFiles`` takes the files of each galaxy in the order of time: put yours here. Finder and tracker say where clumps are and how
# long they live; the imager shows each snapshot to several cameras, at redshifts of 1 to 3, through point-spread functions and dust that
# are drawn at random.
galaxies = make_galaxy_set(
    FOLDER / "set",
    SnapshotFiles(runs),
    seed=1,
    finder=ClumpFinder3D(cell_size=200 * u.pc),
    snapshots=1,
    random_cameras=4,
    inclination=60 * u.deg,
)
print(galaxies)

# %%
# Training
# --------
# A fold leaves one galaxy out; another one, which the network does not learn from either, chooses the threshold.
weights_file = train_unet_fold(
    FOLDER / "folds",
    galaxies,
    fold=0,
    start="unet-sersic",
    n_main=3,
    n_grouped=0,
    n_validation=1,
    n_steps=20,
    every=10,
    batch_size=8,
    seed=1,
)
card = weights.card(weights_file)
print("trained on", card["trained_on"])
print("left out:", card["recipe"]["held_out"], " threshold:", card["threshold"])

# %%
# Looking at the galaxy that was left out
# ---------------------------------------
# The file goes wherever a name of weights goes. White circles: clumps that a detector should find; yellow crosses: what this one finds.
held_out = [i for i in range(len(galaxies)) if galaxies.galaxy[i] in card["recipe"]["held_out"]]
figure = figure_class("this example")(figsize=(7.5, 2.7), layout="constrained")
for axes, i in zip(figure.subplots(1, 3), held_out, strict=False):
    image = MultiBandImage(data=galaxies.noisy(i, seed=1) * u.uJy, bands=galaxies.bands, pixel_scale=0.06 * u.arcsec)
    found = UNetDetector(str(weights_file)).detect_with_maps(image)
    axes.imshow(colour_image(image), origin="lower")
    clumps, asked = galaxies.clumps(i), galaxies.positives(i)
    axes.scatter(clumps["x"][asked], clumps["y"][asked], s=60, facecolors="none", edgecolors="white", linewidths=0.8)
    axes.scatter(found.clumps["x"], found.clumps["y"], marker="x", s=30, color="yellow", linewidths=0.8)
    axes.set(title=f"{asked.sum()} clumps, {len(found.clumps)} found", xticks=[], yticks=[])
picture = FOLDER / "training.png"
save(figure, picture)
