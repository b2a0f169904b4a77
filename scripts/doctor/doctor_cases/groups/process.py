"""What a program's memory has no room or no right for: static thread-local storage, executable stacks."""

import package
from case import Trial, case

IMPORT = package.IMPORT


def storage(size):
    """A thread-local variable that is addressed from the thread's own block."""
    return (
        f'static __thread char storage[{size}] __attribute__((tls_model("initial-exec")));\n'
        "char *volatile here; void touch(void) { here = storage; }\n"
    )


def module(place, made, name, declarations, *flags, compiler="gcc"):
    """Installs a package whose module has declarations in C."""
    tree = place.path / f"{name}-tree"
    place.module(tree / name / "_core.abi3.so", f"{declarations}---\n", *flags, compiler=compiler)
    (tree / name / "__init__.py").touch()
    made.install(place.wheel(name, "1.0", tree, "cp38-abi3-linux_x86_64"), options=["--offline"])


@case(quick=True)
def more_storage_than_there_is(place):
    """A module with more static thread-local storage than any program has left"""
    made = place.venv()
    module(place, made, "broken", storage(4096))
    return Trial(made.prefix, IMPORT)


@case(quick=True)
def more_storage_with_its_library(place):
    """A module and its library, which have no room together"""
    made = place.venv()
    library = place.compile("tree/broken/libs/libinner.so.1", storage(1200), "-Wl,-soname,libinner.so.1")
    tree = library.parent.parent.parent
    flags = ["-Wl,--no-as-needed,-rpath,$ORIGIN/libs", library]
    place.module(tree / "broken/_core.abi3.so", storage(1200).replace("touch", "touch_own") + "---\n", *flags)
    (tree / "broken/__init__.py").touch()
    made.install(place.wheel("broken", "1.0", tree, "cp38-abi3-linux_x86_64"), options=["--offline"])
    return Trial(made.prefix, IMPORT)


@case(quick=True)
def more_storage_together(place):
    """Two packages, each of which has room alone"""
    made = place.venv()
    for name in ["broken", "other"]:
        module(place, made, name, storage(1000))
    code = "import broken._core\ntry:\n import other._core\nexcept ImportError as error: print(error)"
    return Trial(made.prefix, code)


@case(quick=True)
def storage_that_is_granted(place):
    """A module for which GLIBC_TUNABLES makes room"""
    made = place.venv()
    module(place, made, "broken", storage(4096))
    return Trial(made.prefix, IMPORT, variables={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=8192"})


@case(quick=True)
def little_storage(place):
    """Modules with as much static storage as OpenMP's library has"""
    made = place.venv()
    for name in ["broken", "other", "third"]:
        module(place, made, name, storage(128))
    return Trial(made.prefix, "import broken._core, other._core, third._core")


@case(quick=True)
def a_stack_to_execute(place):
    """A module that asks for an executable stack, with a glibc that grants it"""
    made = place.venv()
    module(place, made, "broken", "", "-Wl,-z,execstack")
    return Trial(made.prefix, IMPORT)


@case(quick=True)
def no_word_of_the_stack(place):
    """A module that does not say what stack it needs, which means an executable one"""
    made = place.venv()
    flags = ["-fuse-ld=lld", "-Wl,-z,nognustack"]
    module(place, made, "broken", "", *flags, compiler="clang-19")
    return Trial(made.prefix, IMPORT)


@case(quick=True)
def a_stack_for_its_library(place):
    """A module whose library asks for an executable stack"""
    made = place.venv()
    package.found(place, made)
    flags = "-Wl,-z,execstack,-soname,libinner.so.1"
    library = place.compile("stack/libinner.so.1", "int inner_value(void) { return 42; }", flags)
    made.write(package.INNER, library.read_bytes())
    return Trial(made.prefix, IMPORT)


def trixie(place, declarations, *flags, compiler="gcc"):
    """A package in a root of Debian 13, whose glibc is 2.41, and its interpreter."""
    root = place.path / "root"
    # What the interpreter and the modules of its library need, as their packages depend on it.
    libraries = ["libc6", "libexpat1", "libssl3t64", "libzstd1", "zlib1g"]
    packages = [*libraries, "libpython3.13-minimal", "python3.13-minimal", "base-files"]
    place.debian("trixie", root, packages)
    site = root / "usr/local/lib/python3.13/dist-packages"
    (root / "usr/lib/python3/dist-packages").mkdir(parents=True)
    place.module(site / "broken/_core.abi3.so", f"{declarations}---\n", *flags, compiler=compiler)
    (site / "broken/__init__.py").touch()
    inside = place.path / "inside"
    inside.write_text(f'#!/bin/sh\nexec chroot {root} /usr/bin/python3.13 "$@"\n')
    inside.chmod(0o755)
    path = "import sys; sys.path.append('/usr/local/lib/python3.13/dist-packages'); "
    return Trial("/usr/bin/python3.13", path + IMPORT, python=inside, options=["--root", root])


@case(quick=True)
def a_stack_that_is_refused(place):
    """A module that asks for an executable stack, with glibc 2.41"""
    return trixie(place, "", "-Wl,-z,execstack")


@case(quick=False)
def no_word_of_the_stack_is_refused(place):
    """A module that does not say what stack it needs, with glibc 2.41"""
    return trixie(place, "", "-fuse-ld=lld", "-Wl,-z,nognustack", compiler="clang-19")


@case(quick=False)
def more_storage_than_glibc_241_has(place):
    """A module with more static thread-local storage than there is, with glibc 2.41"""
    return trixie(place, storage(4096))


@case(quick=False)
def debian_13(place):
    """A module that asks for nothing, with glibc 2.41"""
    return trixie(place, "")
