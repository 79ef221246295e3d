"""Trained networks: from a name to tensors whose sha256 was checked.

A name and a version stand for one sha256 forever; a network that is trained again gets a new version. Files are
``.safetensors`` (tensors only, no pickle) and carry their model card inside.
"""

from .files import CARD_KEYS, REQUIRED_CARD_KEYS, save, sha256
from .registry import Entry, entries, entry, names
from .store import Check, card, export, import_file, load, resolve, verify, verify_all

__all__ = [
    "CARD_KEYS",
    "REQUIRED_CARD_KEYS",
    "Check",
    "Entry",
    "card",
    "entries",
    "entry",
    "export",
    "import_file",
    "load",
    "names",
    "resolve",
    "save",
    "sha256",
    "verify",
    "verify_all",
]
