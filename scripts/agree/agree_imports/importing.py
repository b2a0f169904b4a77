"""The truth: what a real interpreter imports, each package in a process of its own, and which programs start."""

import json
import os
import re
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHILD = Path(__file__).parent / "child.py"
# Seconds that a package may take.
LIMIT = 240
# Variables of the caller that would change what Python and the loader do.
FOREIGN = ["LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "CUDA_HOME"]
FOREIGN += ["GLIBC_TUNABLES", "PYTHONNOUSERSITE", "PYTHONUSERBASE"]


def clean(variables):
    """The variables of the caller, without those that would change the answer."""
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"PYTHONNOUSERSITE": "1"} | variables


def is_module(file):
    """Does a file whose name an interpreter could import hold a module, and not a library?"""
    if ".cpython-" in file.name or ".abi3." in file.name:
        return True
    return f"PyInit_{file.name.split('.')[0]}".encode() in file.read_bytes()


def modules_of(site, endings):
    """What can be imported from a directory: for each package, its own name and its modules with native code."""
    packages = {}
    for entry in sorted(site.iterdir()):
        stem = entry.stem if entry.suffix == ".py" else entry.name
        if stem.isidentifier() and (entry.suffix == ".py" or (entry / "__init__.py").is_file()):
            packages[stem] = [stem]
    for directory, _, names in os.walk(site):
        for name in sorted(names):
            ending = next((ending for ending in endings if name.endswith(ending)), None)
            file = Path(directory, name)
            if ending is None or not is_module(file):
                continue
            parts = [*file.relative_to(site).parts[:-1], name.removesuffix(ending)]
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if parts and all(part.isidentifier() for part in parts):
                packages.setdefault(parts[0], []).append(".".join(parts))
    return packages


def programs_of(*roots):
    """The programs in directories that anybody may start, by names that stay when their distribution is moved."""
    found = {}
    for root in roots:
        for directory, _, names in os.walk(root, followlinks=True):
            for file in (Path(directory, name) for name in names):
                if file.is_symlink() or not file.stat().st_mode & 0o111 or ".so" in file.name:
                    continue
                with open(file, "rb") as opened:
                    is_elf = opened.read(4) == b"\x7fELF"
                if is_elf and has_interpreter(file):
                    found["/".join(file.parts[-3:])] = file
    return found


def has_interpreter(file):
    return "INTERP" in subprocess.run(["readelf", "-lW", file], capture_output=True, text=True, check=False).stdout


def start(program, variables):
    """What the loader says of a program, whose own code does not run: its words where it lacks something."""
    asked = clean(variables) | {"LD_TRACE_LOADED_OBJECTS": "1"}
    said = subprocess.run([program], env=asked, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    lacking = re.findall(r"^\s*(\S+) => not found$", said.stdout, re.MULTILINE)
    words = [f"{name}: cannot open shared object file: No such file or directory" for name in lacking]
    return words + ([said.stderr] if said.returncode else [])


class Truth:
    """What came of each import: nothing where it worked, the errors' words where it did not."""

    def __init__(self):
        self.failed, self.worked, self.mapped = {}, set(), set()
        # The modules with native code that the process of a package has loaded, by what it imported first.
        self.loaded = {}

    def take(self, log, names, ended):
        """Reads what a process wrote; the names that it did not come to."""
        left, begun = list(names), None
        for line in log.splitlines():
            what, name, *said = json.loads(line)
            if what == "begin":
                begun = name
            elif what == "mapped":
                self.mapped.update(name)
            elif what == "modules":
                self.loaded.setdefault(names[0], set()).update(name)
            else:
                begun = None
                left.remove(name)
                if what == "imported":
                    self.worked.add(name)
                else:
                    self.failed[name] = said[0]
        if begun:
            left.remove(begun)
            self.failed[begun] = [ended]
        elif left and left == list(names):
            self.failed |= {name: [ended] for name in left}
            left = []
        return left


def import_package(python, names, variables, truth):
    """Imports in one process; a module that ends it is named, and another one goes on after it."""
    while names:
        with tempfile.NamedTemporaryFile("r", suffix=".log") as log, tempfile.TemporaryFile("w+", errors="replace") as errors:
            command = [python, CHILD, log.name, json.dumps(names)]
            where = {"cwd": "/", "env": clean(variables), "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            try:
                status = subprocess.run(command, stderr=errors, timeout=LIMIT, check=False, **where).returncode
            except subprocess.TimeoutExpired:
                status = "the time limit"
            errors.seek(0)
            names = truth.take(log.read(), names, f"ended with {status}: {errors.read()[-600:]}")


def imports(python, packages, variables, jobs, programs):
    """What came of all packages and programs."""
    truth = Truth()
    for name, program in programs.items():
        words = start(program, variables)
        if words:
            truth.failed[name] = words
        else:
            truth.worked.add(name)
    with ThreadPoolExecutor(jobs) as pool:
        # The longest first.
        order = sorted(packages.values(), key=len, reverse=True)
        list(pool.map(lambda names: import_package(python, names, variables, truth), order))
    return truth
