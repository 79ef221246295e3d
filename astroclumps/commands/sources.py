"""From the arguments of ``run`` to galaxies: which files, which redshift, where the results go."""

from pathlib import Path
from typing import NamedTuple

from . import UsageError
from .options import value

__all__ = ["Job", "add_image_options", "jobs", "read"]

_SUFFIXES = (".gz", ".bz2", ".fz", ".fits", ".fit", ".fts")


class Job(NamedTuple):
    """One galaxy."""

    source: object
    """A path, or a list of paths, one a band."""
    name: str
    folder: Path
    redshift: float | None
    """As given on the command line."""


def add_image_options(parser):
    """Where the pixels come from and what they mean."""
    image = parser.add_argument_group("images")
    image.add_argument(
        "image", nargs="+", metavar="IMAGE",
        help="a FITS cube, or a folder with one FITS file a band; each is one galaxy (see --per-band)",
    )  # fmt: skip
    image.add_argument("--per-band", action="store_true", help="all IMAGE arguments are the bands of one galaxy, one file each")
    image.add_argument(
        "--redshift", "-z", metavar="Z[,Z...]", help="redshift, one for all images or one each; default: that in the file's header"
    )
    image.add_argument("--psf-fwhm", metavar="ARCSEC[,ARCSEC...]", help="FWHM of the point-spread function, one or one a band")
    image.add_argument(
        "--format", "--reader", metavar="NAME", help="image reader: cube, folklore, bands, vela or another plugin (default: found out)"
    )
    image.add_argument(
        "--reader-option", action="append", default=[], metavar="NAME=VALUE",
        help="setting of the reader, such as camera=17 or native_scale='0.03 arcsec'; may be repeated",
    )  # fmt: skip
    image.add_argument("--bands", metavar="BAND[,BAND...]", help="bands to use, such as F606W,F160W (default: all)")
    image.add_argument("--unit", metavar="UNIT", help="what a pixel value of 1 means, such as nJy or '10 nJy' (default: BUNIT)")
    for name, what in (("x", "column"), ("y", "row")):
        image.add_argument(f"--{name}", type=float, metavar="PIX", help=f"{what} of the centre of a cut-out; 0 is the first pixel's centre")
    image.add_argument("--ra", metavar="DEG", help="instead of --x and --y: right ascension (ICRS) in degrees, or as 12:36:54.1")
    image.add_argument("--dec", metavar="DEG", help="declination in degrees, or as --dec=-27:48:00")
    image.add_argument("--size", type=int, metavar="PIX", help="side of the cut-out")


def jobs(args) -> list[Job]:
    """The galaxies that the arguments name; `UsageError` where they contradict each other."""
    _check_part(args)
    sources = [[Path(one) for one in args.image]] if args.per_band else [Path(one) for one in args.image]
    redshifts = _numbers(args.redshift, "--redshift")
    if len(redshifts) not in (0, 1, len(sources)):
        raise UsageError(f"--redshift takes one value for all images or one each; there are {len(sources)} images, {len(redshifts)} given")
    redshifts = redshifts * len(sources) if len(redshifts) == 1 else redshifts or [None] * len(sources)
    names = [_name(source) for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two images are named {twice[0]!r} and would write into the same folder; run them with an -o each")
    out = Path(args.out)
    folders = [out] if len(sources) == 1 else [out / name for name in names]
    return [Job(*row) for row in zip(sources, names, folders, redshifts, strict=True)]


def read(job: Job, args):
    """The image of a galaxy."""
    import astropy.units as u

    from .. import io, plugins

    kind = args.format or io.detect_format(job.source)
    options = {"redshift": job.redshift}
    fwhm = _numbers(args.psf_fwhm, "--psf-fwhm")
    if fwhm:
        options["psf"] = (fwhm[0] if len(fwhm) == 1 else fwhm) * u.arcsec
    if args.bands:
        options["bands"] = [band.strip() for band in args.bands.split(",")]
    if args.unit:
        unit = _unit(args.unit)
        if kind == "cube":
            raise ValueError(f"{job.source.name}: a cube states its own unit (BUNIT); --unit is for FOLKLORE's cubes and files of one band")
        options["unit"] = unit
    sky = _sky(args)
    part = {"x": args.x, "y": args.y, "size": args.size} if args.size is not None else {}
    if kind == "bands" and sky is not None:
        return _cut_out(job, sky, args, options)
    if kind == "bands":  # which then loads that part only
        options |= {"name": job.name, **part}
        part = {}
    given = _reader_options(args)
    plugins.create("image_readers", kind, **{name: one for name, one in given.items() if name != "name"})  # an unknown one is named
    options = {name: value for name, value in options.items() if value is not None} | given
    image = io.read(job.source, format=kind, **options)
    if sky is not None:
        if image.wcs is None:
            raise ValueError(f"{job.source.name} has no WCS, so that --ra and --dec say nothing; give --x and --y")
        part["x"], part["y"] = (round(float(one), 6) for one in image.wcs.world_to_pixel(sky))
    return image.cutout(**part) if part else image


def _cut_out(job, sky, args, options):
    """From files of one band each, every one by its own WCS."""
    from ..survey.mosaics import Mosaics

    given = _reader_options(args)
    allowed = ("weights", "zeropoint", "native_scale", "pixel_scale", "partial", "bands", "unit", "psf")
    unknown = [name for name in given if name not in (*allowed, "redshift", "name")]
    if unknown:
        raise ValueError(f"no setting {unknown[0]!r} of cut-outs by --ra and --dec; their settings are {list(allowed)}")
    options = {name: value for name, value in options.items() if value is not None} | given
    redshift, name = options.pop("redshift", None), options.pop("name", job.name)
    mosaics = Mosaics(job.source, size=args.size, **options)
    return mosaics.cutout(sky, redshift=redshift, name=name)


def _check_part(args):
    """`UsageError` unless a cut-out is given as a whole, in one way."""
    pixel, sky = ([value is not None for value in pair] for pair in ((args.x, args.y), (args.ra, args.dec)))
    if any(pixel) and any(sky):
        raise UsageError("a cut-out is given by --x and --y or by --ra and --dec, not by both")
    wanted = any(pixel) or any(sky) or args.size is not None
    if wanted and not (args.size is not None and (all(pixel) or all(sky))):
        raise UsageError("a cut-out needs --x, --y and --size, or --ra, --dec and --size")


def _sky(args):
    """The place on the sky that the arguments name, or None."""
    if args.ra is None:
        return None
    from astropy.coordinates import SkyCoord

    try:
        try:
            return SkyCoord(float(args.ra), float(args.dec), unit="deg")
        except ValueError:
            return SkyCoord(args.ra, args.dec, unit=("hourangle", "deg") if ":" in args.ra or "h" in args.ra else "deg")
    except (ValueError, TypeError) as exc:
        raise UsageError(f"--ra {args.ra} --dec {args.dec} is no place on the sky: {' '.join(str(exc).split())}") from None


def _reader_options(args):
    options = {}
    for text in args.reader_option:
        name, equals, right = text.partition("=")
        if not (equals and name.strip()):
            raise UsageError(f"--reader-option takes NAME=VALUE, such as camera=17, got {text!r}")
        options[name.strip()] = value(right)
    return options


def _name(source):
    if isinstance(source, list):
        return source[0].resolve().parent.name or "image"
    name = source.name or source.resolve().name
    while any(name.lower().endswith(suffix) and len(name) > len(suffix) for suffix in _SUFFIXES):
        name = name.rpartition(".")[0]
    return name


def _numbers(text, option):
    try:
        return [] if text is None else [float(one) for one in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} takes a number, or several with commas between, got {text!r}") from None


def _unit(text):
    import astropy.units as u

    try:
        return u.Quantity(text) if text[:1].isdigit() or text[:1] == "." else u.Unit(text)
    except (ValueError, TypeError) as exc:
        raise UsageError(f"--unit {text!r} is no unit: {' '.join(str(exc).split())}") from None
