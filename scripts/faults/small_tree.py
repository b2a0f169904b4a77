"""Small trees of real objects that do not find their library, for the scripts that disturb tfpatch.

What is compiled once is used by every tree. An environment has one object for each way in which tfpatch
writes: an edit that fits in place, one that appends, a hard link to a file outside, a symbolic link to
one; and a RECORD that lists them. A wheel of the first two is another target.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

VERSION = "{}.{}".format(*sys.version_info)
SITE = f"lib/python{VERSION}/site-packages"
TAG = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
# Files have old times, so that a time that was not put back is seen.
TIME = 1_500_000_000_123_456_789

LIBRARY = "int library(void) { return 42; }\n"
# Python imports it under any of these names.
NAMES = ("fits", "grows", "hard", "soft")
INITS = "".join(f"void *PyInit_{name}(void) {{ return 0; }}\n" for name in NAMES)
EXTENSION = "int library(void);\nint extension(void) { return library(); }\n" + INITS
# Another version of the extension, in which everything is elsewhere.
NEXT = """int library(void);
int more(int x) { return x * x; }
int extension(void) { return more(library()) + 1; }
const char *text = "%s";
""" % ("so that everything moves " * 40) + INITS


def cc(directory, out, code, *options):
    """Compiles one shared object; there is gcc, or scripts/tools/base installs it."""
    source = directory / f"{out}.c"
    source.write_text(code)
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", directory / out, source, *options]
    subprocess.run(command, check=True)
    source.unlink()
    return directory / out


def compile_all(directory):
    """Compiles everything that trees are made of: `directory` keeps it."""
    directory.mkdir(parents=True, exist_ok=True)
    cc(directory, "libsmall.so", LIBRARY, "-Wl,-soname,libsmall.so")
    against = [f"-L{directory}", "-lsmall", "-Wl,--enable-new-dtags"]
    # The text of the search path is long enough for the one that is right.
    cc(directory, "fits.so", EXTENSION, *against, f"-Wl,-rpath,$ORIGIN/{'a' * 38}")
    cc(directory, "grows.so", EXTENSION, *against)
    # Made to be found where it is going to lie.
    cc(directory, "next.so", NEXT, *against, "-Wl,-rpath,$ORIGIN/../pkg.libs")
    for file in directory.iterdir():
        os.utime(file, ns=(TIME, TIME))


def row(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def metadata(name="pkg"):
    return {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: small_tree\nRoot-Is-Purelib: false\nTag: {TAG}\n",
    }


def environment(compiled, top, interpreter=None):
    """An environment `top/env`, and `top/cache`, which two of its files are links to. It is one of
    Python's where there is an interpreter, else a mere directory."""
    env, cache = top / "env", top / "cache"
    site = env / SITE
    for directory in (cache, site / "pkg", site / "pkg.libs"):
        directory.mkdir(parents=True)
    if interpreter:
        home = os.path.dirname(interpreter)
        (env / "pyvenv.cfg").write_text(f"home = {home}\nversion = {VERSION}.0\n")
        (env / "bin").mkdir()
        os.symlink(interpreter, env / "bin/python")
    shutil.copy2(compiled / "libsmall.so", site / "pkg.libs")
    for name in ("fits.so", "grows.so"):
        shutil.copy2(compiled / name, site / "pkg")
    for name in ("hard.so", "soft.so"):
        shutil.copy2(compiled / "grows.so", cache / name)
    os.link(cache / "hard.so", site / "pkg/hard.so")
    os.symlink(os.path.relpath(cache / "soft.so", site / "pkg"), site / "pkg/soft.so")
    info = site / "pkg-1.0.dist-info"
    info.mkdir()
    for name, text in {**metadata(), "INSTALLER": "small_tree\n"}.items():
        (info / name).write_text(text)
    listed = sorted(path for path in site.rglob("*") if path.is_file())
    rows = [row(path.relative_to(site), path.read_bytes()) for path in listed]
    (info / "RECORD").write_text("".join(rows) + "pkg-1.0.dist-info/RECORD,,\n")
    age(top)


def wheel(compiled, top):
    """A wheel `top/dist/pkg-1.0-….whl` of the objects that lie under their own names."""
    dist = top / "dist"
    dist.mkdir(parents=True)
    files = {f"pkg/{name}": (compiled / name).read_bytes() for name in ("fits.so", "grows.so")}
    files["pkg.libs/libsmall.so"] = (compiled / "libsmall.so").read_bytes()
    files |= {f"pkg-1.0.dist-info/{name}": text.encode() for name, text in metadata().items()}
    rows = "".join(row(name, data) for name, data in files.items())
    files["pkg-1.0.dist-info/RECORD"] = (rows + "pkg-1.0.dist-info/RECORD,,\n").encode()
    with zipfile.ZipFile(dist / f"pkg-1.0-{TAG}.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, (2017, 7, 14, 2, 40, 0))
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o755 << 16
            archive.writestr(member, data)
    age(top)


def age(top):
    """Gives everything below a directory its old time, what is deepest first."""
    for path in sorted(top.rglob("*"), reverse=True):
        os.utime(path, ns=(TIME, TIME), follow_symlinks=False)
    os.utime(top, ns=(TIME, TIME))
