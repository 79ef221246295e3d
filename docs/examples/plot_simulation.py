"""
Clumps of a simulation, from snapshots to lifetimes
===================================================

Snapshots on disk are read one by one, clumps found in each and followed from one to the next. The galaxy is a synthetic one of few
particles, so cells are of 150 pc in place of the paper's 70 pc. With a run of your own, ``Snapshot.read`` takes its files (Gadget, GIZMO,
AREPO, SWIFT and alike; mesh codes through yt).
"""

import astropy.units as u
from tiny import FOLDER

from astroclumps import ClumpFinder3D, ClumpTracker, Snapshot, SyntheticSuite, plotting

folder = FOLDER / "run"
folder.mkdir(exist_ok=True)
suite = SyntheticSuite(n_galaxies=1, n_snapshots=5, n_stars=20_000, seed=3)
for k, made in enumerate(suite.galaxy(0)):
    made.write(folder / f"snapshot_{k:03d}.npz")

# %%
# One snapshot is in memory at a time; the tracker keeps the stars of clumps on disk.
finder = ClumpFinder3D(cell_size=150 * u.pc)
with ClumpTracker() as tracker:
    for path in sorted(folder.glob("snapshot_*.npz")):
        snapshot = Snapshot.read(path)
        clumps, labels = finder.find(snapshot)
        tracker.add(snapshot, clumps, labels)
        print(f"{path.name}  z = {snapshot.redshift:.2f}  R_d = {snapshot.disc.r_d:.1f}  {len(clumps)} clumps")
    tracked = tracker.finish()

# %%
# A row a clump and snapshot. ``longevity`` is that of the track, by its lifetime in free-fall times; ``censored`` tracks are alive at the
# end, so that theirs is a lower limit.
last = tracked[tracked["snapshot"] == tracked["snapshot"].max()]
shown = last["track", "mass", "age", "r_norm", "t_clump", "lifetime", "longevity", "censored"]
for name in shown.colnames:
    if shown[name].dtype.kind == "f":
        shown[name].info.format = ".1e" if name == "mass" else ".2f"
shown.pprint(max_width=-1, max_lines=12)

# %%
# The last snapshot, face-on and edge-on.
picture = plotting.plot_clumps_3d(snapshot, last, folder / "snapshot.png", n_numbers=5)

# %%
# All tracks.
picture = plotting.plot_tracks(tracked, folder / "tracks.png")
