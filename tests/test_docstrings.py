"""Docstrings of all documented modules, held against the signatures they describe."""

import dataclasses
import enum
import functools
import importlib
import inspect
import re
from pathlib import Path

import pytest

import astroclumps

API = Path(__file__).parents[1] / "docs" / "api.rst"
pytestmark = pytest.mark.skipif(not API.is_file(), reason="the documentation lies beside the tests in a checkout only")

NEEDS = ("torch", "matplotlib", "pyarrow", "bagpipes", "tqdm", "sklearn", "jinja2", "networkx", "yt")
MODULES = re.findall(r"automodapi:: (astroclumps\S*)", API.read_text(encoding="utf-8")) if API.is_file() else []
FRONT = sorted(set(astroclumps.__all__) - {"__version__"})


def load(name):
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        if (exc.name or "").partition(".")[0] in NEEDS or any(f"needs {one}" in str(exc) for one in NEEDS):
            pytest.skip(f"{name} needs {exc.name or exc}")
        raise


SECTIONS = ("Parameters", "Other Parameters", "Attributes", "Returns", "Yields", "Examples")


def parsed(thing):
    """Sections of a docstring in numpydoc's form: the summary, and the names that stand before the types."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    heads = [i for i in range(len(lines) - 1) if re.fullmatch("-{3,}", lines[i + 1]) and len(lines[i]) == len(lines[i + 1])]
    found = {"Summary": " ".join(lines[: heads[0]] if heads else lines).strip(), **dict.fromkeys(SECTIONS, ())}
    for start, stop in zip(heads, [*heads, len(lines)][1:], strict=True):
        body = [line for line in lines[start + 2 : stop] if line and not line.startswith(" ")]
        found[lines[start]] = tuple(line.partition(" : ")[0] for line in body)
    return found


def described(doc, *sections):
    return {name.strip().lstrip("*\\") for section in sections for one in doc[section] for name in re.split("[,/]", one)}


def is_plain(doc):
    """A docstring of prose, which says in words what goes in and what comes out."""
    return not any(doc[section] for section in ("Parameters", "Returns", "Yields", "Attributes"))


def problems_of_call(where, thing, *, strict, sections=("Parameters", "Other Parameters")):
    doc = parsed(thing)
    if not doc["Summary"]:
        return [f"{where}: no summary"]
    if is_plain(doc) and not strict:
        return []
    signature = inspect.signature(thing)
    wanted = {name for name in signature.parameters if name not in ("self", "cls") and not name.startswith("_")}
    have = described(doc, *sections)
    found = [f"{where}: {name} is not described" for name in sorted(wanted - have)]
    if not any(one.kind is one.VAR_KEYWORD for one in signature.parameters.values()) and "Attributes" not in sections:
        found += [f"{where}: {name} is described and is no parameter" for name in sorted(have - wanted)]
    if inspect.isfunction(thing) and not doc["Returns"] and not doc["Yields"] and strict:
        if signature.return_annotation not in (None, "None"):
            found.append(f"{where}: what it returns is not described")
    return found


def problems_of_class(where, kind, *, strict):
    doc = parsed(kind)
    if not doc["Summary"]:
        return [f"{where}: no summary"]
    if issubclass(kind, (BaseException, enum.Enum)) or getattr(kind, "_is_protocol", False):
        return []
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        have, source = described(doc, "Attributes", "Parameters"), inspect.getsource(kind)
        return [
            f"{where}: field {name} is not described"
            for name in kind._fields
            if strict and name not in have and not re.search(rf'{name}: .*\n\s+"""', source)
        ]
    if re.search(r"\bmade by `", doc["Summary"]) and not strict:
        return []  # what its constructor takes is not for users
    sections = ("Parameters", "Other Parameters", *(("Attributes",) if dataclasses.is_dataclass(kind) else ()))
    found = problems_of_call(where, kind, strict=strict, sections=sections)
    attributes = described(doc, "Attributes")
    if strict and not doc["Examples"]:
        found.append(f"{where}: no Examples")
    for name, member in vars(kind).items():
        if name.startswith("_"):
            continue
        inner = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        if inspect.isfunction(inner):
            found += problems_of_call(f"{where}.{name}", inner, strict=strict)
        elif isinstance(inner, (property, functools.cached_property)) and name not in attributes and not inspect.getdoc(inner):
            found.append(f"{where}.{name}: no docstring")
    return found


def problems(where, thing, *, strict=False):
    if inspect.isclass(thing):
        return problems_of_class(where, thing, strict=strict)
    if inspect.isfunction(thing):
        return problems_of_call(where, thing, strict=strict)
    return []


def public(module):
    """Name and object of what a module calls its own."""
    for name in getattr(module, "__all__", ()):
        thing = getattr(module, name)
        if getattr(thing, "__module__", "").startswith("astroclumps"):
            yield name, thing


def test_there_are_modules_to_look_at():
    assert len(MODULES) > 100
    assert len(MODULES) == len(set(MODULES))


@pytest.mark.parametrize("name", MODULES)
def test_sections_say_what_signatures_say(name):
    module = load(name)
    assert [line for one, thing in public(module) for line in problems(f"{name}.{one}", thing)] == []


@pytest.mark.parametrize("name", FRONT)
def test_front_door_is_described_in_full(name):
    try:
        thing = getattr(astroclumps, name)
    except ImportError as exc:
        pytest.skip(f"{name} needs {exc.name or exc}")
    things = public(thing) if inspect.ismodule(thing) else [(name, thing)]
    assert [line for one, found in things for line in problems(one, found, strict=True)] == []


def test_gaps_are_seen():
    def lacks(x, y):
        """Add.

        Parameters
        ----------
        x : int
        z : int
        """

    class Bare:
        """Bare."""

        def verb(self, image):
            return image

    assert problems("f", lacks) == ["f: y is not described", "f: z is described and is no parameter"]
    assert problems("f", lacks, strict=True)[-1] == "f: what it returns is not described"
    assert problems("Bare", Bare, strict=True) == ["Bare: no Examples", "Bare.verb: no summary"]
