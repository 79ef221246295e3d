"""The files that a run leaves: catalogue, regions, segmentation, figure."""

import importlib.util
import tempfile
from pathlib import Path

from ..whole_files import write_whole

__all__ = ["PRODUCTS", "check_folder", "has_figure", "write", "write_whole"]

PRODUCTS = ("clumps.ecsv", "clumps.reg", "segmentation.fits", "quicklook.png")


def check_folder(folder: Path, *, overwrite: bool, names=PRODUCTS):
    """Raise an OSError if results could not be written into a folder, which is not made yet, or one of these names is there."""
    folder = Path(folder)
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"results cannot be written into {folder}: {there} is a file")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as exc:
        raise PermissionError(f"results cannot be written into {folder}: {exc.strerror or exc}") from exc
    existing = [name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise FileExistsError(f"{folder} already holds {', '.join(existing)}; add --overwrite to replace them, or choose another -o")


def has_figure() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write(result, folder: Path, *, sed=None, redshift_note="") -> list[str]:
    """Write the products of one galaxy into a folder, which is made; the names of the files.

    Each file appears when it is complete; an older one is kept until then.
    """
    from .. import catalog, plotting

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    writers = {
        "clumps.ecsv": lambda path: catalog.write(result.clumps, path, overwrite=True),
        "clumps.reg": lambda path: catalog.write(result.clumps, path, overwrite=True),
        "segmentation.fits": lambda path: _segmentation(result).writeto(path, overwrite=True),
    }
    if has_figure():
        writers["quicklook.png"] = lambda path: plotting.quicklook(result, path, sed=sed, redshift_note=redshift_note)
    else:
        (folder / "quicklook.png").unlink(missing_ok=True)  # it would show other results
    for name, writer in writers.items():
        write_whole(folder / name, writer)
    return list(writers)


def _segmentation(result):
    """Labels, and the detector's map as the extension MAP, both with the image's WCS."""
    from astropy.io import fits

    image = result.image
    header = fits.Header() if image.wcs is None else image.wcs.to_header(relax=True)
    header["OBJECT"] = (fits.Card("OBJECT", image.name).value, "name of the galaxy")
    if image.redshift is not None:
        header["REDSHIFT"] = (image.redshift, "redshift used")
    hdus = [fits.PrimaryHDU(result.segmentation, header)]
    hdus[0].header["CONTENT"] = ("SEGMENTATION", "0 is background, others are ids of clumps.ecsv")
    if result.map is not None:
        hdus.append(fits.ImageHDU(result.map, header, name="MAP"))
        hdus[1].header["CONTENT"] = ("MAP", "map of the detector that clumps were taken from")
    return fits.HDUList(hdus)
