"""Is the source archive complete, and does the wheel hold the package and nothing else? ``python tests/archives.py FOLDER``"""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# what only the repository needs
LEFT_OUT = (".ci/", ".gitattributes", ".gitignore")


def tracked():
    """Files that git knows; None outside a clone."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()} if done.returncode == 0 else None


def only(folder, pattern):
    found = sorted(Path(folder).glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{folder} holds {len(found)} files {pattern}; one is needed")
    return found[0]


def check(folder):
    """Complaints, one a line."""
    with tarfile.open(only(folder, "*.tar.gz")) as archive:
        source = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    with zipfile.ZipFile(only(folder, "*.whl")) as archive:
        wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
    known = tracked()
    package = {name for name in (source if known is None else known) if name.startswith("astroclumps/")}
    complaints = [f"the wheel lacks {name}" for name in sorted(package - wheel)]
    complaints += [f"the wheel should not hold {name}" for name in sorted(wheel - package)]
    if known is not None:
        wanted = {name for name in known if not name.startswith(LEFT_OUT)}
        complaints += [f"the source archive lacks {name}" for name in sorted(wanted - source)]
    return complaints


if __name__ == "__main__":
    complaints = check(sys.argv[1])
    print("\n".join(complaints) or "source archive and wheel are complete")
    sys.exit(bool(complaints))
