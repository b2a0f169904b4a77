"""The versions of glibc that the scenarios are run on: this system's, and those of other Debians."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

LIB = "lib/x86_64-linux-gnu"
FILES = {"lib64/ld-linux-x86-64.so.2": "lib64", f"{LIB}/libc.so.6": LIB, f"{LIB}/libdl.so.2": LIB}
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Before glibc-hwcaps (2.31), and after the legacy ones (2.41).
SUITES = ["bullseye", "trixie"]


def bases(directory, others):
    """Name and root for each version; the others are downloaded."""
    found = {"this system's glibc": here(directory)}
    if others:
        for suite in SUITES:
            found[f"glibc of {suite}"] = of_suite(directory, suite)
    return found


def takes_masks(base):
    """Has the loader --glibc-hwcaps-mask, as since 2.33?"""
    return b"--glibc-hwcaps-mask" in (base / "lib64/ld-linux-x86-64.so.2").read_bytes()


def here(directory):
    base = directory / "glibc-here"
    shutil.rmtree(base, ignore_errors=True)
    return taken(base, Path("/"))


def taken(base, root):
    """The files out of a root, links followed: one name each."""
    for name, where in FILES.items():
        (base / where).mkdir(parents=True, exist_ok=True)
        source = present(root, name)
        while source.is_symlink():
            target = os.readlink(source)
            source = present(root, target.lstrip("/")) if target.startswith("/") else source.parent / target
        shutil.copy(source, base / where / Path(name).name)
    return base


def present(root, name):
    """A file of a package, which may be built for a merged /usr."""
    path = root / name
    return path if path.exists() or path.is_symlink() else root / "usr" / name


def of_suite(directory, suite):
    base = directory / f"glibc-{suite}"
    if base.exists():
        return base
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        scratch = Path(scratch)
        for part in "lists/partial", "archives/partial", "empty", "root":
            (scratch / part).mkdir(parents=True)
        (scratch / "status").touch()
        (scratch / "sources.list").write_text(f"deb [signed-by={KEYRING} arch=amd64] {MIRROR} {suite} main\n")
        (scratch / "apt.conf").write_text(
            f'Dir::State "{scratch}"; Dir::State::status "{scratch}/status"; Dir::State::lists "{scratch}/lists";\n'
            f'Dir::Cache "{scratch}"; Dir::Etc::sourcelist "{scratch}/sources.list";\n'
            f'Dir::Etc::sourceparts "{scratch}/empty"; Dir::Etc::preferencesparts "{scratch}/empty";\n'
            f'Dir::Etc::parts "{scratch}/empty"; APT::Sandbox::User "root"; Acquire::Languages "none";\n'
        )
        environment = os.environ | {"APT_CONFIG": str(scratch / "apt.conf")}
        for words in ["update", "-q"], ["download", "-q", "libc6"]:
            done = subprocess.run(["apt-get", *words], cwd=scratch, env=environment, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"scripts/agree/glibc: apt-get {words[0]} for {suite}: {done.stderr}")
        (package,) = scratch.glob("libc6_*.deb")
        subprocess.run(["dpkg-deb", "-x", package, scratch / "root"], check=True)
        partial = scratch / "partial"
        taken(partial, scratch / "root").rename(base)
    return base
