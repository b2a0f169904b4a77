"""`python -m tfpatch`: runs the binary that was installed with this package."""

import os
import sys
from importlib.metadata import PackageNotFoundError, files


def binary():
    """The binary's path, as the installer noted it in RECORD."""
    try:
        installed = files("tfpatch") or []
    except PackageNotFoundError:
        installed = []
    for file in installed:
        # Not the package's own directory, which bears the same name.
        if file.name == "tfpatch" and file.parent.name == "bin":
            return os.path.normpath(file.locate())
    sys.exit("error: the tfpatch binary is missing from this package; reinstall tfpatch")


if __name__ == "__main__":
    path = binary()
    os.execv(path, [path, *sys.argv[1:]])
