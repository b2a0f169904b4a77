"""Wheels of another system, another processor or another Python."""

import shutil

from case import Trial, case

NUMPY = "numpy==2.1.3"


def foreign(place, *options):
    """An environment into which numpy was installed for elsewhere, as pip download --platform does."""
    environment = place.venv()
    environment.install(NUMPY, options=["--no-deps", *options])
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def macos(place):
    """numpy for macOS on Linux"""
    return foreign(place, "--python-platform", "aarch64-apple-darwin")


@case(quick=True)
def windows(place):
    """numpy for Windows on Linux"""
    return foreign(place, "--python-platform", "x86_64-pc-windows-msvc")


@case(quick=True)
def musl(place):
    """numpy for musl where the C library is glibc"""
    return foreign(place, "--python-platform", "x86_64-unknown-linux-musl")


@case(quick=True)
def another_python(place):
    """numpy for Python 3.12 in an environment of 3.11"""
    return foreign(place, "--python-version", "3.12")


@case(quick=True)
def another_python_by_hand(place):
    """a package of modules for Python 3.12 that was unpacked by hand"""
    trial = foreign(place, "--python-version", "3.12")
    (metadata,) = (trial.target / "lib/python3.11/site-packages").glob("numpy-*.dist-info")
    shutil.rmtree(metadata)
    return trial


@case(quick=True)
def aarch64(place):
    """numpy for another processor"""
    return foreign(place, "--python-platform", "aarch64-unknown-linux-gnu")


@case(quick=True)
def i386_module(place):
    """a module compiled for 32 bits, without any metadata"""
    environment = place.venv()
    object_ = place.compile("quick.abi3.so", "void PyInit_quick(void) {}", "-m32", "-nostdlib")
    environment.write("quick.abi3.so", object_.read_bytes())
    return Trial(environment.prefix, "import quick")


@case(quick=True)
def aarch64_module(place):
    """a module compiled for another processor, without any metadata"""
    environment = place.venv()
    flags = ["-nostdlib"]
    object_ = place.compile("quick.so", "void PyInit_quick(void) {}", *flags, compiler="aarch64-linux-gnu-gcc")
    environment.write("quick.so", object_.read_bytes())
    return Trial(environment.prefix, "import quick")


@case(quick=True)
def foreign_data(place):
    """libraries and programs for other processors lie in a package as data"""
    environment = place.venv(NUMPY)
    flags = ["-nostdlib"]
    object_ = place.compile("libdata.so", "int data;", *flags, compiler="aarch64-linux-gnu-gcc")
    environment.write("numpy/data/aarch64/libdata.so", object_.read_bytes())
    return Trial(environment.prefix, "import numpy")
