"""What is printed about one galaxy: a short table, what was assumed, where the files are."""

import textwrap

import astropy.units as u
import numpy as np

from .. import bands as _bands
from .. import catalog

__all__ = ["assumptions", "report", "table_lines"]

_HISTORIES = {"tau": "exponentially falling", "constant": "constant", "both": "constant or exponentially falling"}
_LEFT = ("class", "flags")  # columns of words
_AB_UJY = 23.9  # AB magnitude of 1 uJy


def report(result, pipeline, *, redshift_source, psf_source, files, folder) -> str:
    """The whole text.

    Parameters
    ----------
    result : `~astroclumps.pipeline.PipelineResult`
    pipeline : `~astroclumps.Pipeline`
    redshift_source, psf_source : str
        Where they came from, for the assumptions.
    files : sequence of str
        Names of the files in the folder.
    folder : path-like
    """
    image, n = result.image, len(result.clumps)
    ny, nx = image.data.shape[1:]
    scale = image.pixel_scale.to_value(u.arcsec)
    head = f"{image.name}: {n or 'no'} clump{'' if n == 1 else 's'} in {len(image.bands)} band{'s' * (len(image.bands) > 1)}"
    lines = [f'{head}, {nx} x {ny} pixels of {scale:.3g}"', *table_lines(result.clumps, image)]
    lines += ["", "what this rests on"]
    for line in assumptions(image, pipeline, redshift_source=redshift_source, psf_source=psf_source):
        lines += textwrap.wrap(line, 110, initial_indent="  - ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    lines += ["", f"in {folder}: {', '.join(files)}"]
    return "\n".join(lines)


def table_lines(clumps, image) -> list[str]:
    """The most wanted columns of a catalogue as aligned text; nothing for an empty one."""
    if not len(clumps):
        return []
    red = max(image.bands, key=lambda band: _bands.get(band).pivot)
    columns = {
        "id": [str(number) for number in clumps["id"]],
        "x": [f"{value:.1f}" for value in clumps["x"].value],
        "y": [f"{value:.1f}" for value in clumps["y"].value],
    }
    if "longevity" in clumps.colnames:
        columns["class"] = [str(label) or "-" for label in clumps["longevity"]]
        columns["p_long"] = [_number(value, ".2f") for value in clumps["p_long"]]
    else:
        columns["score"] = [_number(value, ".2f") for value in clumps["score"]]
    columns[f"{red} [AB]"] = [
        _magnitude(*pair) for pair in zip(clumps[f"flux_{red.lower()}"].value, clumps[f"flux_err_{red.lower()}"].value, strict=True)
    ]
    if "mass" in clumps.colnames:
        columns["log M/Msun"] = [_range(*values, log=True) for values in _three(clumps, "mass", u.Msun)]
        columns["age [Myr]"] = [_range(*values) for values in _three(clumps, "age", u.Myr)]
    columns["flags"] = [", ".join(names).lower() or "-" for names in catalog.decode_flags(np.asarray(clumps["flags"]))]
    widths = {name: max(len(name), *(len(text) for text in values)) for name, values in columns.items()}
    lines = []
    for row in (list(columns), *zip(*columns.values(), strict=True)):
        cells = [f"{text:{'<' if name in _LEFT else '>'}{widths[name]}}" for name, text in zip(columns, row, strict=True)]
        lines.append("  ".join(["", *cells]).rstrip())
    return lines


def assumptions(image, pipeline, *, redshift_source, psf_source) -> list[str]:
    """What the numbers rest on and was not measured, a sentence each."""
    lines = []
    if image.redshift is not None:
        lines.append(f"redshift {image.redshift:g} {redshift_source}")
    widths = image.psf_fwhm.to_value(u.arcsec)
    shown = f'{widths.min():.2f}"' if widths.max() - widths.min() < 0.005 else f'{widths.min():.2f}-{widths.max():.2f}"'
    lines.append(f"point-spread functions of {shown} FWHM, {psf_source}")
    lines += _training(pipeline)
    sed = pipeline.stages.get("sed")
    if pipeline.sed in ("library", "bagpipes"):
        lines.append(
            f"fit: {_HISTORIES[sed.sfh]} star formation, BC03 stars with a Kroupa IMF, Calzetti dust, no nebular emission; "
            f"medians and 16-84% ranges, flux errors of at least {sed.error_floor:.0%}"
        )
    return lines


def _training(pipeline):
    """What the networks saw; once where they saw the same."""
    saw = {}
    for stage in ("detector", "classifier"):
        card = getattr(pipeline.stages.get(stage), "card", None)
        if card:
            text = str(card.get("trained_on", "what their card does not say"))
            saw.setdefault(text, []).append(f"{stage} {card['name']} {card['version']}")
    return [f"weights of {' and '.join(names)} saw {text}" for text, names in saw.items()]


def _three(clumps, name, unit):
    return zip(*(clumps[f"{name}{suffix}"].to_value(unit) for suffix in ("_lo", "", "_hi")), strict=True)


def _number(value, form):
    return f"{value:{form}}" if np.isfinite(value) else "-"


def _magnitude(flux, error):
    if not (np.isfinite(flux) and np.isfinite(error)):
        return "-"
    if flux <= error:  # a limit of 2 sigma
        return f"> {_AB_UJY - 2.5 * np.log10(2 * error):.2f}" if error > 0 else "-"
    scatter = 2.5 / np.log(10) * error / flux
    return f"{_AB_UJY - 2.5 * np.log10(flux):.2f} +- {scatter:.2f}" if scatter >= 0.005 else f"{_AB_UJY - 2.5 * np.log10(flux):.2f} +- <.01"


def _range(low, middle, high, *, log=False):
    if not np.isfinite(middle):
        return "-"
    if log:
        low, middle, high = np.log10([low, middle, high])
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"
