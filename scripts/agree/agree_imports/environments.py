"""Environments that work, and copies of them to spoil."""

import functools
import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import tree
from importing import clean, imports, modules_of, programs_of

PYTHON = "3.11"
TABLE = Path(__file__).parent / "environments.toml"
# Stand-ins for the libraries of NVIDIA's driver: their sources, their names, and how their functions begin.
STUBS = [("libcuda", "libcuda.so.1", "cu[A-Z]"), ("libnvidia_ml", "libnvidia-ml.so.1", "nvml[A-Z]")]

# Prints the modules of Python's own library that have native code and are there for everybody, or for which
# a module stands that is.
OF_PYTHON_ITSELF = """
import importlib.machinery, os, sysconfig
library, native = sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")
for name in sorted({file.split(".")[0] for file in os.listdir(native) if ".so" in file}):
    public = name.lstrip("_")
    if public == name or importlib.machinery.PathFinder.find_spec(public, [library]):
        print(public)
"""


def run(*command):
    """Runs a command that has to succeed; its output."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=clean({}), check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)[:300]}: {(done.stdout + done.stderr).strip()[-900:]}")
    return done.stdout


def plain(name):
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def links_to(source, target):
    """Copies a directory by hard links."""
    run("cp", "-al", source, target)


class Environment:
    """One of the table. It is always spoilt in the place where it was made, so that it is no copy."""

    def __init__(self, entry, work, project, jobs):
        self.name, self.code, self.jobs = entry["name"], entry.get("code", []), jobs
        self.place = work / self.name
        self.prefix, self.outside = self.place / "env", self.place / "outside"
        self.sound, self.second = self.place / "sound", self.place / "second"
        self.site = self.prefix / f"lib/python{PYTHON}/site-packages"
        self.python = self.prefix / "bin/python"
        shutil.rmtree(self.place, ignore_errors=True)
        self.place.mkdir(parents=True)
        run("uv", "venv", "-q", "-p", PYTHON, self.prefix)
        self.install("-p", self.python, *entry["requires"])
        self.variables = self.driver(project) if entry.get("gpu") else {}
        if "second" in entry:
            self.install("--no-deps", "-p", self.python, "--target", self.second, entry["second"])
        self.look()

    def install(self, *words):
        run("uv", "pip", "install", "-q", "--link-mode", "hardlink", *words)

    def driver(self, project):
        """Stand-ins for the libraries of NVIDIA's driver, and the variable by which they are found. They have every
        function that the environment binds: a driver that lacks some is another matter."""
        place = self.place / "driver"
        place.mkdir()
        for source, name, beginning in STUBS:
            known = project / f"fixtures/gpu/{source}_stub.c"
            more = sorted(self.bound(name, beginning) - set(re.findall(r"(\w+)\(", known.read_text())))
            (place / "more.c").write_text("".join(f"int {function}(void) {{ return 1; }}\n" for function in more))
            run("gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", place / name, known, place / "more.c")
        return {"LD_LIBRARY_PATH": str(place)}

    def bound(self, library, beginning):
        """The functions that begin so and are asked for by what needs a library."""
        found = set()
        for file in self.site.rglob("*.so*"):
            read = subprocess.run(["readelf", "-dW", file], capture_output=True, text=True, check=False).stdout
            if f"[{library}]" in read:
                lines = run("nm", "-D", "--undefined-only", file).splitlines()
                found |= {line.split()[-1] for line in lines if re.fullmatch(rf".* U {beginning}\w+", line)}
        return found

    def look(self):
        """What is imported while nothing is wrong. This leaves compiled sources, which saves time later."""
        code = "import importlib.machinery as m, json; print(json.dumps(m.EXTENSION_SUFFIXES))"
        self.packages = modules_of(self.site, json.loads(run(self.python, "-c", code)))
        self.packages |= {f"code {number}": [code] for number, code in enumerate(self.code)}
        own = {name: [name] for name in run(self.python, "-c", OF_PYTHON_ITSELF).split()}
        own = imports(self.python, own, self.variables, self.jobs, {}).worked
        self.of_python_itself = {name: [name] for name in own}
        first = self.imports({})
        if self.find_importers(first):
            first = self.imports({})
        self.mapped, self.modules = first.mapped, first.worked | own
        broken = [code for code in self.code if code not in first.worked]
        if broken or not first.worked:
            raise RuntimeError(f"{self.name} does not work by itself: {[first.failed[code] for code in broken]}")
        kept = {package: [name for name in names if name in first.worked] for package, names in self.packages.items()}
        self.packages = {package: names for package, names in kept.items() if names}
        links_to(self.prefix, self.sound)
        self.known = self.contents()

    def contents(self):
        return tree.contents(self.sound) | (tree.contents(self.second) if self.second.is_dir() else {})

    def find_importers(self, first):
        """A module that cannot be imported by itself, but is loaded by another package, is imported after
        that one. Is there any?"""
        packages, found = list(self.packages.values()), False
        for names in packages:
            for name in [name for name in names if name in first.failed]:
                loads = (other for other in packages if other is not names and name in first.loaded.get(other[0], ()))
                if importer := next(loads, None):
                    names.remove(name)
                    importer.append(name)
                    found = True
        self.packages = {package: names for package, names in self.packages.items() if names}
        return found

    def imports(self, variables):
        # What is moved and removed is never Python's own.
        packages = self.packages | (self.of_python_itself if variables else {})
        programs = programs_of(self.site, self.outside)
        return imports(self.python, packages, self.variables | variables, self.jobs, programs)

    def restore(self):
        """The environment as it was made, and nothing beside it."""
        shutil.rmtree(self.prefix, ignore_errors=True)
        shutil.rmtree(self.outside, ignore_errors=True)
        links_to(self.sound, self.prefix)
        self.outside.mkdir()

    def is_unharmed(self):
        """Is every byte of what was only linked to as it was?"""
        return self.contents() == self.known

    @functools.cached_property
    def distributions(self):
        """Each installed distribution: its files, its roots, what it requires, and whose roots are its own."""
        site = self.sound / self.site.relative_to(self.prefix)
        found = {}
        for info in sorted(site.glob("*.dist-info")):
            rows = (line.rsplit(",", 2)[0].strip('"') for line in (info / "RECORD").read_text().splitlines() if line)
            files = [row for row in rows if not row.startswith(("..", "/"))]
            lines = (info / "METADATA").read_text(errors="replace").split("\n\n")[0].splitlines()
            wanted = (line.split(":", 1)[1].strip() for line in lines if line.startswith("Requires-Dist:"))
            requires = {plain(re.match(r"[\w.-]+", line)[0]) for line in wanted if "extra ==" not in line}
            found[plain(info.name.split("-")[0])] = Distribution(info.name, files, requires)
        return found


class Distribution:
    """What an installation wrote."""

    def __init__(self, info, files, requires):
        self.info, self.files, self.requires = info, files, requires
        self.roots = sorted({file.split("/")[0] for file in files})
        self.is_native = any(".so" in os.path.basename(file) for file in files)


def table():
    with open(TABLE, "rb") as file:
        return tomllib.load(file)["environment"]
