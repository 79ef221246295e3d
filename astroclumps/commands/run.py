"""``astroclumps run``: the main job on images."""

import sys

from . import UsageError, add_common, one_line
from .options import add_output_options, add_stage_options, make_pipeline
from .products import check_folder, has_figure, write
from .sources import add_image_options, jobs, read
from .survey import add_survey_options, survey

__all__ = ["add_parser", "run"]

_TEXT = """find, classify, measure and fit the clumps of galaxies

Each IMAGE is one galaxy: a FITS cube with its bands in the header, or a folder with one FITS file a band. With --per-band, all
IMAGE arguments together are the bands of one galaxy. Results of one galaxy go into OUT, of several into OUT/<name of the image>:
clumps.ecsv (catalogue), clumps.reg (regions for DS9), segmentation.fits (labels, and the detector's map as an extension) and
quicklook.png.

With --images, IMAGE is a list of galaxies instead, and OUT becomes the folder of a survey: Parquet tables of clumps, galaxies and failures
in parts. A survey that was ended by anything goes on when the same command is given again."""


def add_parser(commands):
    """Add the command to the parser."""
    import argparse

    parser = commands.add_parser(
        "run", help=_TEXT.partition("\n")[0], description=_TEXT, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="astroclumps run IMAGE [IMAGE ...] --redshift Z -o OUT [options]\n"
        "       astroclumps run CATALOG --images PATTERN -o OUT [--jobs N | --dask ADDRESS] [options]",
    )  # fmt: skip
    add_image_options(parser)
    add_survey_options(parser)
    add_stage_options(parser)
    add_output_options(parser)
    parser.add_argument("-o", "--out", required=True, metavar="OUT", help="folder for the results")
    add_common(parser)
    parser.set_defaults(command=run)


def run(args) -> int:
    """Do the job of one command line; 1 if an image failed."""
    if args.images is not None:
        return survey(args)
    alone = [("--" + name, getattr(args, name)) for name in ("jobs", "dask", "column")]
    given = [name for name, value in alone if value]
    if given:
        raise UsageError(f"{given[0]} is for a list of galaxies; name their images with --images PATTERN")
    todo = jobs(args)
    for job in todo:
        check_folder(job.folder, overwrite=args.overwrite)
    pipeline = make_pipeline(args)
    warn_without_figure()
    failed = 0
    for number, job in enumerate(todo):
        try:
            text = _one(job, args, pipeline)
        except UsageError:
            raise
        except Exception as exc:  # one galaxy must not cost the others
            if args.debug:
                raise
            print(f"astroclumps: error: {_message(exc, job, args)}", file=sys.stderr)
            failed += 1
            continue
        if not args.quiet:
            print(("\n" if number else "") + text, flush=True)
    if failed and len(todo) > 1:
        print(f"astroclumps: {failed} of {len(todo)} images failed", file=sys.stderr)
    return 1 if failed else 0


def finish(result, pipeline, *, folder, redshift_source, redshift_note="", psf_source) -> str:
    """Write the products of one galaxy and make the text about it."""
    from .report import report

    files = write(result, folder, sed=pipeline.stages.get("sed"), redshift_note=redshift_note)
    return report(result, pipeline, redshift_source=redshift_source, psf_source=psf_source, files=files, folder=folder)


def warn_without_figure():
    """Say beforehand that there will be no figure."""
    if not has_figure():
        import warnings

        from ..exceptions import AstroclumpsWarning

        text = 'quicklook.png is left out, for it needs matplotlib; install it with  pip install "astroclumps[plot]"'
        warnings.warn(text, AstroclumpsWarning, stacklevel=2)


def _one(job, args, pipeline):
    image = read(job, args)
    if image.redshift is None and pipeline.sed is not None:
        raise ValueError(
            f"{image.name}: the file states no redshift, which masses and ages need; give --redshift Z, or --no-sed to leave them out"
        )
    result = pipeline.run_with_maps(image)
    given = job.redshift is not None
    redshift = "as given on the command line: an assumption, not measured here" if given else "as the file states, not measured here"
    if args.psf_fwhm:
        psf = "as given on the command line"
    elif image.psf_known:
        psf = "as the file states"
    else:
        psf = "HST's and JWST's own, because the file states none; --psf-fwhm gives those of an image that was smoothed"
    return finish(
        result,
        pipeline,
        folder=job.folder,
        redshift_source=redshift,
        redshift_note="assumed" if given else "",
        psf_source=psf,
    )


def _message(exc, job, args):
    text = one_line(exc)
    one_file = not args.per_band and len(args.image) > 1 and job.source.is_file()
    if one_file and isinstance(exc, ValueError) and _is_plane(job.source):
        text += "; if these files are the bands of one galaxy, add --per-band"
    return text if job.name in text else f"{job.name}: {text}"


def _is_plane(path):
    from ..exceptions import ImageError
    from ..io import detect_format

    try:
        return detect_format(path) == "bands"
    except ImageError:
        return False
