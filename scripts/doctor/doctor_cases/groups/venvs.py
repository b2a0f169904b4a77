"""Virtual environments that are not what runs, or that are not where they were made."""

import os
import shutil

import environment
import package
from case import Trial, case


def shell(made, code, **more):
    """A trial of the environment's interpreter that goes on where it does not start: it is a warning."""
    return Trial(made.prefix, f"{made.python} -c '{code}' 2>&1 || true", python="/bin/sh", **more)


@case(quick=True)
def another_python_is_on_path(place):
    """VIRTUAL_ENV names one environment, and PATH leads to the python of another"""
    made, other = place.venv(), place.venv(name="other")
    package.found(place, made)
    variables = {"VIRTUAL_ENV": str(made.prefix), "PATH": f"{other.prefix}/bin:{os.environ['PATH']}"}
    code = "python3 -c 'import sys; print(sys.prefix)'"
    return Trial(made.prefix, code, python="/bin/sh", variables=variables)


@case(quick=True)
def moved(place):
    """The environment was renamed after programs were installed into it"""
    made = place.venv("wheel==0.45.1")
    package.found(place, made)
    prefix = made.prefix.rename(place.path / "renamed")
    code = f"head -n 1 {prefix}/bin/wheel; {prefix}/bin/wheel version || {prefix}/bin/python -m wheel version"
    return Trial(prefix, code, python="/bin/sh")


@case(quick=True)
def copied(place):
    """The environment is a copy of another, and its programs run the other's python"""
    made = place.venv("wheel==0.45.1")
    package.found(place, made)
    copy = place.path / "copy"
    shutil.copytree(made.prefix, copy, symlinks=True)
    code = f"head -n 1 {copy}/bin/wheel; {copy}/bin/python -c 'import wheel'"
    return Trial(copy, code, python="/bin/sh")


@case(quick=True)
def the_base_is_gone(place):
    """The interpreter that the environment is made of was uninstalled"""
    made = place.venv()
    package.found(place, made)
    made.python.unlink()
    made.python.symlink_to(place.path / "uninstalled/bin/python3.11")
    return shell(made, package.IMPORT)


@case(quick=True)
def pyvenv_cfg_names_nothing(place):
    """pyvenv.cfg says that the base interpreter lies where nothing is"""
    made = place.venv()
    package.found(place, made)
    cfg = made.prefix / "pyvenv.cfg"
    lines = [line for line in cfg.read_text().splitlines() if not line.startswith("home")]
    cfg.write_text("\n".join([f"home = {place.path}/uninstalled/bin", *lines]) + "\n")
    return shell(made, "import sys; print(sys.prefix)")


@case(quick=True)
def the_base_is_of_another_version(place):
    """The base interpreter became Python 3.12, and the packages are for 3.11"""
    made, newer = place.venv(), place.venv(name="newer", python="3.12")
    package.found(place, made)
    made.python.unlink()
    made.python.symlink_to(newer.python.resolve())
    return shell(made, package.IMPORT)


@case(quick=True)
def packages_of_another_python(place):
    """Packages for Python 3.9 were copied into an environment of 3.11"""
    made, older = place.venv(), place.venv("numpy==2.0.2", name="older", python="3.9")
    shutil.copytree(older.site, made.site, dirs_exist_ok=True)
    return Trial(made.prefix, "import numpy")


@case(quick=True)
def a_user_site_goes_before_conda(place):
    """A package in ~/.local is imported in the place of that of a conda environment"""
    made = place.venv()
    base = environment.run(made.python, "-c", "import sys; print(sys.base_prefix)").strip()
    prefix = place.path / "conda"
    skip = shutil.ignore_patterns("test", "tests", "site-packages", "__pycache__", "share", "*.a")
    shutil.copytree(base, prefix, symlinks=True, ignore=skip)
    (prefix / "conda-meta").mkdir()
    site = prefix / "lib/python3.11/site-packages"
    site.mkdir()
    conda = environment.Environment(place, prefix, site)
    conda.python = prefix / "bin/python3.11"
    package.install(place, conda, "-Wl,-rpath,$ORIGIN/libs", version="1.0")
    local = place.path / "home/.local/lib/python3.11/site-packages"
    older = place.venv(name="older")
    package.install(place, older, "-Wl,-rpath,$ORIGIN/libs", version="0.9")
    shutil.copytree(older.site, local)
    code = "import broken._core, importlib.metadata; print(importlib.metadata.version('broken'))"
    return Trial(prefix, code, python=conda.python, variables={"HOME": str(place.path / "home")})


@case(quick=True)
def activated(place):
    """An environment that is active as activate makes it"""
    made = place.venv("wheel==0.45.1")
    package.found(place, made)
    variables = {"VIRTUAL_ENV": str(made.prefix), "PATH": f"{made.prefix}/bin:{os.environ['PATH']}"}
    return Trial(made.prefix, package.IMPORT, variables=variables)


@case(quick=True)
def by_another_name(place):
    """An environment that is reached by a link, under another name than it was made"""
    made = place.venv("wheel==0.45.1")
    package.found(place, made)
    link = place.path / "link"
    link.symlink_to(made.prefix)
    return Trial(link, package.IMPORT)


@case(quick=True)
def relocated(place):
    """An environment that was made to be moved, and was"""
    environment.run("uv", "venv", "-q", "--relocatable", "-p", environment.PYTHON, place.path / "first")
    prefix = place.path / "first"
    made = environment.Environment(place, prefix, prefix / "lib/python3.11/site-packages")
    made.install("wheel==0.45.1")
    package.found(place, made)
    prefix = prefix.rename(place.path / "second")
    code = f"{prefix}/bin/wheel version && {prefix}/bin/python -c '{package.IMPORT}'"
    return Trial(prefix, code, python="/bin/sh")


@case(quick=True)
def with_the_packages_of_the_base(place):
    """An environment that imports from its base and from ~/.local too"""
    prefix = place.path / "env"
    environment.run("uv", "venv", "-q", "--system-site-packages", "-p", environment.PYTHON, prefix)
    made = environment.Environment(place, prefix, prefix / "lib/python3.11/site-packages")
    package.found(place, made)
    local = place.path / "home/.local/lib/python3.11/site-packages"
    older = place.venv(name="older")
    package.install(place, older, "-Wl,-rpath,$ORIGIN/libs", name="other", library="other/libs/libinner.so.1")
    shutil.copytree(older.site, local)
    code = "import broken._core, other._core"
    return Trial(prefix, code, variables={"HOME": str(place.path / "home")})
