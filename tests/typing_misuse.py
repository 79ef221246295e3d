"""Calls that are wrong; mypy must refuse each line that ends in a mark (tests/test_types.py)."""

from astroclumps import ContrastDetector, MultiBandImage, Snapshot, UNetDetectr, catalog  # E: attr-defined


def wrong(image: MultiBandImage) -> None:
    ContrastDetector().detect("image.fits")  # E: arg-type
    ContrastDetector(no_such_setting=1)  # E: call-arg
    image.cutout("10", 12.0, 64)  # E: arg-type
    image.write(3)  # E: arg-type
    catalog.read(3.5)  # E: arg-type
    Snapshot.read(["a"])  # E: arg-type
    UNetDetectr()
