"""Tables of the reference, printed from the code when the documentation is built."""

import enum
import inspect
import re
from pathlib import Path

__all__ = ["write"]

FOLDER = Path(__file__).parent / "generated"


def _table(header, rows, widths):
    """A list-table; cells are one line of reStructuredText each."""
    lines = [".. list-table::", f"   :header-rows: {int(header is not None)}", f"   :widths: {' '.join(map(str, widths))}", ""]
    for row in ([] if header is None else [header]) + list(rows):
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join(lines) + "\n"


def columns(schema):
    """One table a stage, in the order of the schema."""
    text = []
    for stage in dict.fromkeys(column.stage for column in schema):
        rows = [
            (
                f"``{column.name}``",
                column.dtype,
                "" if column.unit is None else column.unit.to_string(),
                column.description,
                f"``{column.ucd}``",
            )
            for column in schema
            if column.stage == stage
        ]
        text += [
            f"Stage ``{stage}``",
            "^" * (len(stage) + 10),
            "",
            _table(("Column", "Type", "Unit", "What it is", "UCD"), rows, (18, 8, 10, 44, 20)),
        ]
    return "\n".join(text)


def flags(kind: type[enum.IntFlag]):
    """The bits of a flag with what stands below them in the source."""
    source = inspect.getsource(kind)
    rows = [(bit.value, f"``{bit.name}``", re.search(rf'{bit.name} = {bit.value}\n\s+"""(.*?)"""', source, re.S)[1]) for bit in kind]
    return _table(("Bit", "Name", "Why to look before use"), rows, (6, 20, 74))


def bands():
    """All bands that are known by name."""
    import astropy.units as u

    from astroclumps.bands import CANDELS, F814W, NIRCAM, NIRCAM_MEDIUM

    rows = [
        (
            f"``{band.name}``",
            band.instrument,
            f"{band.pivot.to_value(u.um):.3f}",
            f"{band.pixel_scale.value:g}",
            f"{band.psf_fwhm.value:g}",
            *("" if value is None else f"{value:g}" for value in (band.zeropoint, band.depth)),
        )
        for band in (*CANDELS, F814W, *NIRCAM, *NIRCAM_MEDIUM)
    ]
    header = ("Band", "Instrument", "Pivot [um]", 'Pixel ["]', 'PSF FWHM ["]', "AB zeropoint of 1 electron/s", "5-sigma depth [AB mag]")
    return _table(header, rows, (12, 14, 12, 10, 14, 20, 18))


def _value(value):
    if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int | float) for one in value):
        return f"{value[0]:g} ± {value[1]:g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _linked(text):
    """Names of ours in a text as links, which are shorter."""
    return re.sub(r"\bastroclumps(\.\w+)+", r"`~\g<0>`", text)


def weights():
    """A section a file of weights: what it saw, what it takes, what it reached on what it did not see."""
    from astroclumps import weights as package

    text = []
    for entry in package.entries():
        card = package.card(entry.spec, entry.kind)
        rows = [("kind", card["kind"]), ("trained on", _linked(card["trained_on"])), ("bands", _value(card["bands"]))]
        rows += [("most bands that may be missing", card["max_missing_bands"]), ("pixel", f'{card["pixel_scale"]:g}"')]
        rows += [("input", card["stretch"]), ("threshold", _value(card["threshold"])), ("licence", card["licence"])]
        rows += [("file", f"``{entry.file}``"), ("sha256", f"``{entry.sha256}``")]
        rows += [(name.replace("_", " "), _value(value)) for name, value in sorted(card["held_out"].items())]
        name = f"``{entry.spec}``"
        text += [
            name,
            "^" * len(name),
            "",
            _table(("", ""), rows, (35, 65)).replace("   :header-rows: 1\n", "").replace("   * -\n     -\n", ""),
        ]
    return "\n".join(text)


def saw():
    """What each network saw, in one table."""
    from astroclumps import weights as package

    rows = []
    for entry in package.entries():
        card = package.card(entry.spec, entry.kind)
        default = package.card("default", kind=card["kind"])
        rows.append(
            (
                f"``{entry.spec}``",
                {"unet": "detector", "cnn": "classifier"}[card["kind"]] + (" (default)" if default["name"] == card["name"] else ""),
                _linked(card["trained_on"]),
            )
        )
    return _table(("Weights", "What it is", "What it was trained on, in the words of its card"), rows, (20, 18, 62))


def write():
    """Write all of them as ``generated/*.rst``; a file that is right stays as it is."""
    from astroclumps import catalog

    FOLDER.mkdir(exist_ok=True)
    pages = {
        "columns_2d": columns(catalog.COLUMNS),
        "columns_3d": columns(catalog.COLUMNS_3D),
        "flags_2d": flags(catalog.Flag),
        "flags_3d": flags(catalog.Flag3D),
        "bands": bands(),
        "weights": weights(),
        "saw": saw(),
    }
    for name, text in pages.items():
        path = FOLDER / f"{name}.rst"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
