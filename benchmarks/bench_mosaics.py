"""Cut-outs a second from large mosaics, and what the memory of the process does meanwhile.

``python benchmarks/bench_mosaics.py [SIDE] [GALAXIES]`` makes one mosaic of SIDE x SIDE pixels (default 8000) as plain FITS,
tile-compressed by rows and by squares, and as gzip, in a temporary folder; then seven bands, four of SIDE and three of SIDE / 2 pixels a
side. From each it cuts GALAXIES (default 2000) galaxies at random places. The floor is `astropy.nddata.Cutout2D` on memory-mapped data,
without units, masks or a common grid. Each case runs in a process of its own; memory is the resident set.
"""

import gzip
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

SIZE, SCALE = 64, 0.06
ACS, WFC3 = ("F435W", "F606W", "F775W", "F850LP"), ("F105W", "F125W", "F160W")


def grid(side, scale):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [53.1, -27.8]
    wcs.wcs.crpix, wcs.wcs.cdelt = [side / 2 + 0.5] * 2, [-scale / 3600, scale / 3600]
    return wcs


def header(side, scale, band):
    cards = grid(side, scale).to_header()
    cards.update({"FILTER": band, "BUNIT": "nJy"})
    return cards


def write_plain(path, side, scale, band):
    """Noise that repeats every 500 rows, written in strips."""
    cards = fits.PrimaryHDU(np.zeros((1, 1), dtype=np.float32), header(side, scale, band)).header
    cards["NAXIS1"] = cards["NAXIS2"] = side
    cards.tofile(path, overwrite=True)
    strip = np.random.default_rng(0).normal(0, 1, (500, side)).astype(">f4")
    with open(path, "ab") as file:
        for first in range(0, side, 500):
            file.write(strip[: min(500, side - first)].tobytes())
        file.write(bytes(-file.tell() % 2880))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def places(n, side, scale):
    """Positions whose cut-outs lie inside."""
    margin = SIZE * SCALE / scale
    x, y = np.random.default_rng(1).uniform(margin, side - margin, (2, n))
    return grid(side, scale).pixel_to_world(x, y)


def from_mosaics(files, sky):
    from astroclumps.survey.galaxies import Galaxy
    from astroclumps.survey.mosaics import Mosaics

    mosaics = Mosaics(files, size=SIZE)
    galaxies = [Galaxy(str(i), None, one.ra.deg, one.dec.deg, None, None, {}) for i, one in enumerate(sky)]
    return mosaics.read, galaxies


def from_cutout2d(files, sky):
    from astropy.nddata import Cutout2D

    data, wcs = fits.getdata(files, memmap=True), WCS(fits.getheader(files))
    return lambda one: Cutout2D(data, one, SIZE, wcs=wcs, copy=True), list(sky)


def case(connection, name, make, files, n, side, scale):
    warnings.simplefilter("ignore")
    cut, galaxies = make(files, places(n, side, scale))
    begin = time.perf_counter()
    cut(galaxies[0])
    first = time.perf_counter() - begin
    for one in galaxies[1:20]:
        cut(one)
    memory, begin, cpu = resident(), time.perf_counter(), time.process_time()
    grown = []
    for i, one in enumerate(galaxies):
        cut(one)
        if i % 100 == 99:
            grown.append(resident() - memory)
    wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
    connection.send(
        f"{name:34s} first {first:6.2f} s, then {n / wall:6.0f} a second ({1e3 * cpu / n:5.2f} ms of CPU each), "
        f"memory {memory:5.0f} MiB, grown by {max(grown):+.1f} at most, {grown[-1]:+.1f} at the end"
    )


def main():
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plain, scale = folder / "plain.fits", SCALE
        write_plain(plain, side, scale, "F160W")
        data = fits.getdata(plain)
        for name, shape in (("rows", (1, side)), ("squares", (128, 128))):
            hdu = fits.CompImageHDU(data, header(side, scale, "F160W"), compression_type="RICE_1", quantize_level=16, tile_shape=shape)
            fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(folder / f"{name}.fits.fz")
        with open(plain, "rb") as source, gzip.open(folder / "plain.fits.gz", "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target, 2**20)
        seven = {}
        for band in (*ACS, *WFC3):
            fine = band in ACS
            seven[band] = folder / f"{band}.fits"
            write_plain(seven[band], side if fine else side // 2, SCALE / 2 if fine else SCALE, band)
        print(f"mosaic of {side} x {side} float32 pixels ({plain.stat().st_size / 2**20:.0f} MiB), cut-outs of {SIZE} x {SIZE}", flush=True)
        cases = [
            ("plain, Cutout2D", from_cutout2d, plain, side, scale),
            ("plain, Mosaics", from_mosaics, plain, side, scale),
            ("tiles of 128 x 128 (fz), Mosaics", from_mosaics, folder / "squares.fits.fz", side, scale),
            ("tiles of one row (fz), Mosaics", from_mosaics, folder / "rows.fits.fz", side, scale),
            ("gzip, Mosaics", from_mosaics, folder / "plain.fits.gz", side, scale),
            ("plain, seven bands, Mosaics", from_mosaics, seven, side // 2, SCALE),
        ]
        context = multiprocessing.get_context("spawn")
        for name, make, files, width, pixel in cases:
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=case, args=(there, name, make, files, n, width, pixel))
            process.start()
            there.close()
            print(here.recv(), flush=True)
            process.join()


if __name__ == "__main__":
    main()
