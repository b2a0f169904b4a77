"""What the scripts beside this one share: the program to try, source packages, environments."""

import functools
import os
import re
import subprocess
import tarfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent


def tfpatch():
    """The program: $TFPATCH, or that of scripts/tools/program."""
    made = subprocess.run([PROJECT / "scripts/tools/program"], stdout=subprocess.PIPE, text=True, check=True)
    return made.stdout.split()[-1]


@functools.cache
def uv():
    """The path of uv, which scripts/tools/base installs."""
    tools = subprocess.run([PROJECT / "scripts/tools/base"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    os.environ["PATH"] = f"{tools}:{os.environ['PATH']}"
    return Path(tools) / "uv"


def environment(directory, packages):
    """An environment with these packages; its interpreter."""
    own = subprocess.run(["python3", "-c", "import sys; print(sys.executable)"], stdout=subprocess.PIPE, text=True, check=True)
    subprocess.run([uv(), "venv", "-q", "--python", own.stdout.strip(), directory], check=True)
    python = directory / "bin/python"
    subprocess.run([uv(), "pip", "install", "-q", "--python", python, *map(str, packages)], check=True)
    return python


def sdist(name, version, directory):
    """The unpacked source package of a distribution on PyPI."""
    # pip builds the metadata of what it downloads, and nothing else.
    python = environment(directory / f"pip-{name}", ["pip", "setuptools", "setuptools_scm", "wheel"])
    subprocess.run([python, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "--no-binary", name,
                    "--dest", directory, f"{name}=={version}"], check=True)
    archive = next(directory.glob(f"{name}-{version}*.tar.gz"))
    with tarfile.open(archive) as opened:
        opened.extractall(directory, filter="data")
    return directory / f"{name}-{version}"


def surroundings(*directories):
    """The variables of a run without settings of tfpatch, in which programs of these directories come first."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("TFPATCH")}
    return variables | {"PATH": ":".join([*map(str, directories), variables["PATH"]]), "PYTHONDONTWRITEBYTECODE": "1"}


def results(source, python, tools, *arguments):
    """What each test of a source package says, by its name. Programs of `tools` come first."""
    command = [python, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments]
    said = subprocess.run(command, cwd=source, env=surroundings(tools, python.parent), capture_output=True, text=True,
                          check=False).stdout
    return {name: result for result, name in re.findall(r"^(PASSED|FAILED|ERROR) (\S+::\S+)", said, re.MULTILINE)}


def passing_with_one(one, other):
    """The tests that pass in the first results and not in the others."""
    return [name for name, result in one.items() if result == "PASSED" != other.get(name)]
