"""``astroclumps weights``: list, show, verify, import and export trained networks."""

import json
import sys
import textwrap

from . import add_common

__all__ = ["add_parser"]


def add_parser(commands):
    """Add the command and its sub-commands to the parser."""
    parser = commands.add_parser("weights", help="list, show, verify, import and export trained networks")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name, function, text):
        made = verbs.add_parser(name, help=text, description=text)
        add_common(made)
        made.set_defaults(command=function)
        return made

    add("list", _list, "list the registered weights and where they are")
    show = add("show", _show, "show the model card: what a network saw and how well it does")
    show.add_argument("name", metavar="NAME", help="name, name:version, default, or a .safetensors file")
    show.add_argument("--kind", choices=("unet", "cnn"), help="needed for 'default'")
    show.add_argument("--json", action="store_true", help="print the card as JSON")
    verify = add("verify", _verify, "hash the copies on this machine; exit code 1 if one was altered")
    verify.add_argument("name", nargs="?", metavar="NAME", help="default: all")
    import_ = add("import", _import, "take a file with a registered sha256 into the cache, on a machine without network")
    import_.add_argument("file", metavar="FILE")
    export = add("export", _export, "copy a weights file, to carry it to another machine")
    export.add_argument("name", metavar="NAME", help="name, name:version or default")
    export.add_argument("path", metavar="PATH", help="file to write, or a folder")
    export.add_argument("--kind", choices=("unet", "cnn"), help="needed for 'default'")
    export.add_argument("--overwrite", action="store_true", help="replace an existing file")


def _list(args):
    from .. import weights

    rows = [("name", "kind", "default", "on this machine", "licence", "sha256")]
    for entry in weights.entries():
        places = [check.place for check in weights.verify(entry.spec) if check.ok]
        default = "yes" if weights.entry("default", entry.kind) == entry else ""
        rows.append((entry.spec, entry.kind, default, ", ".join(places) or "no", entry.licence, entry.sha256[:16]))
    if len(rows) == 1:
        print("no weights are registered; a file of your own is given by its path")
        return 0
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _show(args):
    from .. import weights

    card = weights.card(args.name, args.kind)
    if args.json:
        print(json.dumps(card, indent=2, sort_keys=True))
        return 0
    first = [key for key in weights.CARD_KEYS if key in card]
    for key in [*first, *sorted(set(card) - set(first))]:
        value = card[key]
        if isinstance(value, dict):
            print(f"{key}:")
            for name, one in value.items():
                print(_wrapped(f"  {name}: ", one))
        else:
            print(_wrapped(f"{key}: ", value))
    return 0


def _wrapped(label, value):
    text = value if isinstance(value, str) else json.dumps(value)
    indent = " " * (len(label) - len(label.lstrip()) + 2)
    return textwrap.fill(label + text, 110, initial_indent="", subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _verify(args):
    from .. import weights

    checks = weights.verify_all() if args.name is None else weights.verify(args.name)
    bad = 0
    for check in checks:
        if check.path is None or not check.path.exists():
            print(f"{check.spec}  {check.place:<5}  not there")
        elif check.ok:
            print(f"{check.spec}  {check.place:<5}  ok, {check.message}")
        else:
            print(f"astroclumps: error: {check.message}", file=sys.stderr)
            bad += 1
    return 1 if bad else 0


def _import(args):
    from .. import weights

    print(f"{args.file} can now be used as {weights.import_file(args.file)!r}")
    return 0


def _export(args):
    from .. import weights

    try:
        path = weights.export(args.name, args.path, kind=args.kind, overwrite=args.overwrite)
    except FileExistsError as exc:
        raise FileExistsError(f"{exc.args[0].partition(';')[0]}; add --overwrite to replace it") from exc
    print(path)
    return 0
