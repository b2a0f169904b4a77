"""Builds environments: of wheels from PyPI, of wheels of its own, of compiled fixtures."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Variables of whoever starts the run that would change what Python, uv and the loader do.
FOREIGN = ["LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "CUDA_HOME"]
FOREIGN += ["GLIBC_TUNABLES", "PYTHONNOUSERSITE", "PYTHONUSERBASE"]
PYTHON = "3.11"


class BuildError(Exception):
    """A case could not be built, so that it shows nothing."""


def run(*command, **more):
    """Runs a command that has to succeed; its output."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=clean(), **more)
    if done.returncode:
        words = " ".join(str(word) for word in command)
        raise BuildError(f"{words[:300]}: {(done.stdout + done.stderr).strip()[-900:]}")
    return done.stdout


def clean(**variables):
    """The environment of whoever starts the run, without what is foreign to a case."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN and not name.startswith("DYLD_")}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | variables


@functools.cache
def interpreter(version):
    """What uv makes an environment of that version of Python from: an interpreter of pyenv, which lie
    where uv does not look, else the version, for which uv looks around, and which it downloads."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(root.glob(f"versions/{version}.*/bin/python{version}"))
    return found[-1] if found and version != PYTHON else version


class Place:
    """The directory of a case."""

    def __init__(self, path, project):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self.path, self.project = path, project

    def venv(self, *requirements, name="env", python=PYTHON, options=()):
        """A virtual environment with distributions from PyPI, all that they require included."""
        prefix = self.path / name
        run("uv", "venv", "-q", "-p", interpreter(python), prefix)
        environment = Environment(self, prefix, prefix / f"lib/python{python}/site-packages")
        if requirements:
            environment.install(*requirements, options=options)
        return environment

    def tree(self, platform, *requirements, name="tree", options=("--no-deps",)):
        """What an environment of another platform would hold: lib/python3.11/site-packages alone."""
        prefix = self.path / name
        site = prefix / f"lib/python{PYTHON}/site-packages"
        site.mkdir(parents=True)
        where = ["--python-platform", platform, "--python-version", PYTHON, "--target", site]
        run("uv", "pip", "install", "-q", "--link-mode", "hardlink", *where, *options, *requirements)
        return Environment(self, prefix, site)

    def wheel(self, name, version, tree, tag="py3-none-any", headers=()):
        """Makes a wheel of a tree of files, with lines of METADATA; its path."""
        made = run(sys.executable, self.project / "fixtures/wheel.py", self.path, name, version, tag, tree, *headers)
        return Path(made.strip())

    def files(self, name, contents):
        """A tree of files, by their paths; its directory."""
        tree = self.path / name
        for path, content in contents.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tree

    def debian(self, suite, root, packages):
        """Unpacks packages of another release of Debian below `root`, none of which is installed here."""
        state = self.path / "apt"
        for directory in ["lists/partial", "cache/archives/partial", "packages"]:
            (state / directory).mkdir(parents=True, exist_ok=True)
        sources = state / "sources.list"
        key = "/usr/share/keyrings/debian-archive-keyring.gpg"
        sources.write_text(f"deb [signed-by={key}] http://deb.debian.org/debian {suite} main\n")
        values = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": state / "lists",
            "Dir::Cache": state / "cache",
            "APT::Sandbox::User": "root",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        options = [word for name, value in values.items() for word in ("-o", f"{name}={value}")]
        run("apt-get", "-qq", *options, "update")
        run("apt-get", "-qq", *options, "download", *packages, cwd=state / "packages")
        for package in sorted((state / "packages").glob("*.deb")):
            run("dpkg", "-x", package, root)

    def compile(self, path, source, *flags, compiler="gcc"):
        """Compiles a shared object, or with -pie a program, from C; its path."""
        out = self.path / path
        out.parent.mkdir(parents=True, exist_ok=True)
        code = out.with_name(out.name + ".c")
        code.write_text(source)
        kind = [] if "-pie" in flags else ["-shared"]
        run(compiler, *kind, "-fPIC", "-O1", "-o", out, code, *flags)
        code.unlink()
        return out

    def module(self, path, body="", *flags, compiler="gcc"):
        """Compiles an extension module of the stable ABI, whose initialisation runs `body`, C code that
        `flags` may link with libraries. `body` is preceded by declarations up to a line of dashes."""
        declarations, _, statements = body.rpartition("---\n")
        name = Path(path).name.split(".")[0]
        source = (
            "#define Py_LIMITED_API 0x03080000\n#include <Python.h>\n"
            f"{declarations}\n"
            f'static struct PyModuleDef it = {{PyModuleDef_HEAD_INIT, "{name}", 0, -1, 0, 0, 0, 0, 0}};\n'
            f"PyMODINIT_FUNC PyInit_{name}(void) {{ {statements} return PyModule_Create(&it); }}\n"
        )
        return self.compile(path, source, f"-I{include()}", *flags, compiler=compiler)


class Environment:
    """An environment, whose files may be hard links into uv's cache: they are never changed in place."""

    def __init__(self, place, prefix, site):
        self.place, self.prefix, self.site = place, prefix, site
        self.python = prefix / "bin/python"

    def install(self, *requirements, options=()):
        run("uv", "pip", "install", "-q", "--link-mode", "hardlink", "-p", self.python, *options, *requirements)

    def uninstall(self, *names):
        run("uv", "pip", "uninstall", "-q", "-p", self.python, *names)

    def write(self, path, content):
        """A new file below site-packages, in place of what was there."""
        file = self.site / path
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def remove(self, path):
        (self.site / path).unlink()


@functools.cache
def include():
    """The directory of Python's headers."""
    code = "import sysconfig; print(sysconfig.get_path('include'))"
    return run("uv", "run", "-q", "--no-project", "-p", PYTHON, "python", "-c", code).strip()
