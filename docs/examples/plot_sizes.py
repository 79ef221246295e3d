"""
Sizes of clumps, and limits
===========================

An image and a table of clumps on disk become intrinsic half-light radii, the point-spread function taken out. Clumps that are no larger
than a point source get an upper limit. The image is made up: sixteen clumps, half of them points and half of them of 0.1 arcsec, on noise.
"""

import astropy.units as u
import numpy as np
from tiny import FOLDER

from astroclumps import ClumpSizes, MultiBandImage, catalog
from astroclumps.figures import figure_class, log_axis, save
from astroclumps.mock.psf import moffat

rng = np.random.default_rng(5)
psf, rows, columns = moffat(0.11, size=41, pixel_scale=0.06), *np.mgrid[:120, :120]
data, clumps = rng.normal(0, 5e-4, (120, 120)), catalog.make_table("detected", 16)
for i, flux in enumerate(np.geomspace(0.015, 0.3, 16)):
    x, y = 15 + 30 * (i % 4), 15 + 30 * (i // 4)
    spread = np.exp(-((columns - 20) ** 2 + (rows - 20) ** 2)[:41, :41] * np.log(2) / (0.1 / 0.06) ** 2)
    blurred = np.fft.irfft2(np.fft.rfft2(psf, (81, 81)) * np.fft.rfft2(spread / spread.sum(), (81, 81)), (81, 81))[20:61, 20:61]
    light = psf if i % 2 else blurred
    data[y - 14 : y + 15, x - 14 : x + 15] += flux * light[6:35, 6:35]
    clumps["id"][i], clumps["x"][i], clumps["y"][i] = i + 1, x * u.pix, y * u.pix
MultiBandImage(data=data[None] * u.uJy, bands=["F606W"], psf=psf, redshift=2.0).write(FOLDER / "sizes.fits")
catalog.write(clumps, FOLDER / "clumps.ecsv", overwrite=True)

# %%
# The fit takes its point-spread function and its redshift from the image.
image = MultiBandImage.read(FOLDER / "sizes.fits")
sized = ClumpSizes().measure(image, catalog.read(FOLDER / "clumps.ecsv"))
print(sized["id", "size", "size_err", "size_limit", "size_kpc", "resolved"][-4:])

figure = figure_class("this example")(figsize=(5, 3.6), layout="constrained")
axes = figure.add_subplot()
good = np.isfinite(sized["size"])
resolved, point = (good & (sized["resolved"] == value) for value in (1, 0))
flux, size, error, limit = (sized[name].value for name in ("size_flux", "size", "size_err", "size_limit"))
axes.errorbar(flux[resolved], size[resolved], error[resolved], fmt="o", color="C3", label="resolved")
axes.errorbar(flux[point], limit[point], 0.15 * limit[point], uplims=True, fmt="_", color="C0", label="95% limit")
axes.axhline(0.1, color="0.6", lw=1, ls="--", label="half of the clumps, truth")
log_axis(axes)
axes.set(yscale="log", xlabel="flux in F606W [uJy]", ylabel="half-light radius [arcsec]")
axes.legend()
picture = FOLDER / "sizes.png"
save(figure, picture)
