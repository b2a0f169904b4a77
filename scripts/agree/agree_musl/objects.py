"""Objects as musl-gcc links them, each made once."""

import hashlib
import shutil
import struct
import subprocess
from dataclasses import dataclass

LD_SO = "/lib/ld-musl-x86_64.so.1"

# A pointer to itself, so that there is something to relocate.
LIBRARY = "int value; int *pointer = &value;\n"
# Prints what is loaded, by the names that musl has for it. An argument is opened first.
PROGRAM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
int value; int *pointer = &value;
static int each(struct dl_phdr_info *info, size_t size, void *data) {
    if (info->dlpi_name[0]) printf("%s\n", info->dlpi_name);
    return 0;
}
int main(int argc, char **argv) {
    int status = 0;
    for (int i = 1; i < argc; i++)
        if (!dlopen(argv[i], RTLD_NOW)) { fprintf(stderr, "%s\n", dlerror()); status = 1; }
    dl_iterate_phdr(each, 0);
    return status;
}
"""
DT_RUNPATH, DT_DEPAUDIT = 29, 0x6FFFFEFB


@dataclass(frozen=True)
class Object:
    """What an object says of itself."""

    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    # library, program (position-independent), executable, executable elsewhere, i386 or aarch64.
    kind: str = "library"


class Workshop:
    """Links objects, and keeps them below `base`."""

    def __init__(self, base):
        self.base = base
        shutil.rmtree(base, ignore_errors=True)
        (base / "stubs").mkdir(parents=True)
        (base / "library.c").write_text(LIBRARY)
        (base / "program.c").write_text(PROGRAM)
        self.run("musl-gcc", "-c", "-fPIC", "library.c", "-o", "library.o")
        self.run("musl-gcc", "-c", "-fPIC", "program.c", "-o", "program.o")
        self.run("musl-gcc", "-c", "-fno-pic", "program.c", "-o", "executable.o")

    def run(self, *command):
        subprocess.run(command, cwd=self.base, check=True)

    def file(self, one):
        """The path of an object, linked if it is not there yet."""
        path = self.base / hashlib.sha256(repr(one).encode()).hexdigest()[:16]
        if not path.exists():
            self.link(one, path)
        return path

    def stub(self, name):
        """A library that only lends its name to those that are linked with it."""
        path = self.base / "stubs" / (hashlib.sha256(name.encode()).hexdigest()[:16] + ".so")
        if not path.exists():
            self.run("musl-gcc", "-shared", "-nostdlib", "library.o", f"-Wl,-soname,{name}", "-o", path)
        return path

    def link(self, one, path):
        compiler, source = {
            "library": (["musl-gcc", "-shared", "-nostdlib"], "library.o"),
            "program": (["musl-gcc", "-pie"], "program.o"),
            "executable": (["musl-gcc", "-no-pie"], "executable.o"),
            # Where nothing else is mapped.
            "executable elsewhere": (["musl-gcc", "-no-pie", "-Wl,-Ttext-segment=0x10000000"], "executable.o"),
            "i386": (["gcc", "-m32", "-shared", "-nostdlib", "-fPIC"], "library.c"),
            "aarch64": (["aarch64-linux-gnu-gcc", "-shared", "-nostdlib", "-fPIC"], "library.c"),
        }[one.kind]
        flags = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-Wl,-z,noseparate-code"]
        if one.soname is not None:
            flags.append(f"-Wl,-soname,{one.soname}")
        path_of = one.runpath if one.rpath is None else one.rpath
        if path_of is not None:
            tags = "--enable-new-dtags" if one.rpath is None else "--disable-new-dtags"
            flags += [f"-Wl,{tags}", "-Xlinker", "-rpath", "-Xlinker", path_of]
        both = one.rpath is not None and one.runpath is not None
        if both:
            # The linker writes one of the two tags; the other begins as a DT_DEPAUDIT.
            flags += ["-Xlinker", "-P", "-Xlinker", one.runpath]
        stubs = [self.stub(name) for name in one.needed]
        self.run(*compiler, *flags, source, *stubs, "-o", path)
        if both:
            renumber(path)


def renumber(path):
    """Makes the DT_DEPAUDIT of an object of 64 bits a DT_RUNPATH."""
    data = bytearray(path.read_bytes())
    (phoff,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<2H", data, 54)
    for at in range(phoff, phoff + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<2I4Q", data, at)
        if kind == 2:
            for entry in range(offset, offset + length, 16):
                (tag,) = struct.unpack_from("<Q", data, entry)
                if tag == DT_DEPAUDIT:
                    struct.pack_into("<Q", data, entry, DT_RUNPATH)
    path.write_bytes(data)
