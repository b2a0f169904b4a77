"""Small objects for scenarios: compiled by gcc once, linked by ld for every shape, kept by shape.

What no linker writes (a tag twice, DT_RPATH beside DT_RUNPATH, a weak version need) is made of what
one does write, by changing the tag or the flag in the file.
"""

import dataclasses
import hashlib
import os
import struct
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
DT = {"audit": 0x6FFFFEFC, "depaudit": 0x6FFFFEFB, "rpath": 15, "runpath": 29}
VER_FLG_WEAK = 2
# A tag that means nothing to any loader.
NO_TAG = 0x6000000E

# Prints what is loaded, from DT_DEBUG, and what becomes of opening its arguments, without a libc.
PROGRAM = r"""
#include <link.h>
extern ElfW(Dyn) _DYNAMIC[];
#ifdef OPENS
extern void *dlopen(const char *, int);
extern char *dlerror(void);
#endif
static void put(const char *text) {
    unsigned long size = 0, written;
    while (text[size]) size++;
    __asm__ volatile("syscall" : "=a"(written) : "a"(1), "D"(2L), "S"(text), "d"(size) : "rcx", "r11", "memory");
}
__attribute__((used, visibility("hidden"))) void begin(long *stack) {
    char **arguments = (char **)(stack + 1);
    (void)arguments;
#ifdef OPENS
    for (long i = 1; i < stack[0]; i++) {
        put("@open "); put(arguments[i]); put("\n");
        if (dlopen(arguments[i], 1)) put("@done\n");
        else { put("@error "); put(dlerror()); put("\n"); }
    }
#endif
    for (ElfW(Dyn) *entry = _DYNAMIC; entry->d_tag; entry++)
        if (entry->d_tag == DT_DEBUG)
            for (struct link_map *map = ((struct r_debug *)entry->d_un.d_ptr)->r_map; map; map = map->l_next) {
                put("@map "); put(map->l_name); put("\n");
            }
    __asm__ volatile("syscall" : : "a"(231), "D"(0) : "rcx", "r11");
}
__asm__(".globl _start\n_start: mov %rsp,%rdi\n and $-16,%rsp\n call begin\n");
"""
LIBRARY = "int here;\n"
LIBC = "void *dlopen(const char *p, int m) { return 0; }\nchar *dlerror(void) { return 0; }\n"
THREADED = '__thread char room[%d] __attribute__((tls_model("initial-exec")));\nchar *get(void) { return room; }\n'


@dataclasses.dataclass
class Shape:
    """What an object is to look like."""

    program: bool = False
    opens: bool = False
    soname: str = ""
    needed: list = dataclasses.field(default_factory=list)
    # The search paths, a tag for each.
    rpath: list = dataclasses.field(default_factory=list)
    runpath: list = dataclasses.field(default_factory=list)
    # Options for ld, versions that are defined, and versions that are needed: (file, version, weak).
    options: list = dataclasses.field(default_factory=list)
    defines: list = dataclasses.field(default_factory=list)
    versions: list = dataclasses.field(default_factory=list)
    # Bytes of initial-exec thread-local storage.
    tls: int = 0
    # Bytes of the file that are changed: offset to value.
    bytes: dict = dataclasses.field(default_factory=dict)
    # Bits to set in DT_FLAGS_1.
    flags_1: int = 0
    # Names whose DT_NEEDED is taken away, while what is needed of their versions stays.
    unneeded: list = dataclasses.field(default_factory=list)
    # Has it what a program takes from libc?
    is_libc: bool = False

    def key(self):
        return hashlib.sha256(repr(dataclasses.astuple(self)).encode()).hexdigest()[:24]


class Builder:
    """Builds shapes below a directory, each once."""

    def __init__(self, directory):
        self.directory = directory
        self.digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
        directory.mkdir(parents=True, exist_ok=True)

    def compiled(self, name, source, *options):
        path = self.directory / f"{name}-{hashlib.sha256(source.encode()).hexdigest()[:12]}.o"
        if not path.exists():
            scratch = self.directory / f"{os.getpid()}-{name}"
            scratch.with_suffix(".c").write_text(source)
            command = ["gcc", "-c", "-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns", "-fPIC", "-fno-stack-protector", "-fcf-protection=none", *options]
            subprocess.run([*command, "-o", scratch, scratch.with_suffix(".c")], check=True)
            scratch.rename(path)
        return path

    def stub(self, soname, versions=()):
        """A library to link against, which is nowhere when the object is loaded."""
        return self.built(Shape(soname=soname, defines=list(versions), is_libc=soname == "libc.so.6"))

    def built(self, shape):
        """The path of an object of this shape."""
        path = self.directory / f"{self.digest}-{shape.key()}"
        if path.exists():
            return path
        scratch = self.directory / f"{os.getpid()}-{shape.key()}"
        command = ["ld", "--hash-style=gnu", "--no-as-needed", "--allow-shlib-undefined", "-o", scratch]
        command += ["-z", "noexecstack", *shape.options]
        if shape.program:
            options = ["-DOPENS"] if shape.opens else []
            command += ["-pie", "-dynamic-linker", INTERPRETER]
            command += [self.compiled("opens" if shape.opens else "program", PROGRAM, *options)]
        else:
            source = THREADED % shape.tls if shape.tls else LIBC if shape.is_libc else LIBRARY
            for index, version in enumerate(shape.defines):
                source += f"int of_{index}_{version.lower()};\n"
            uses = [version for _, version, _ in shape.versions]
            source += "".join(f"extern int need_{v.lower()}; int *use_{v.lower()} = &need_{v.lower()};\n" for v in uses)
            command += ["-shared", self.compiled("library", source)]
        if shape.soname:
            command += ["-soname", shape.soname]
        if shape.defines:
            script = scratch.with_suffix(".map")
            nodes = (f"{v} {{ global: of_{i}_{v.lower()}; need_{v.lower()}; }};" for i, v in enumerate(shape.defines))
            script.write_text("\n".join(nodes))
            command += ["--version-script", script]
            command += [f"--defsym=need_{v.lower()}=of_{i}_{v.lower()}" for i, v in enumerate(shape.defines)]
        versions = {}
        for file, version, _ in shape.versions:
            versions.setdefault(file, []).append(version)
        for name in shape.needed:
            command += [self.stub(name, versions.pop(name, ()))]
        paths = [("rpath", path) for path in shape.rpath] + [("runpath", path) for path in shape.runpath]
        changes = []
        if paths:
            kind, first = paths[0]
            command += ["-rpath", first, "--enable-new-dtags" if kind == "runpath" else "--disable-new-dtags"]
        for spare, (kind, entries) in zip(["audit", "depaudit"], paths[1:], strict=False):
            command += [f"--{spare}", entries]
            changes.append((DT[spare], DT[kind]))
        subprocess.run(command, check=True)
        change(scratch, changes, shape)
        scratch.rename(path)
        return path


def change(path, tags, shape):
    """Changes tags, flags of version needs, and bytes of a file."""
    data = bytearray(path.read_bytes())
    with open(path, "rb") as file:
        elf = ELFFile(file)
        dynamic = next(s for s in elf.iter_segments() if s["p_type"] == "PT_DYNAMIC")
        at, end = dynamic["p_offset"], dynamic["p_offset"] + dynamic["p_filesz"]
        weak = {version for _, version, is_weak in shape.versions if is_weak}
        section = elf.get_section_by_name(".gnu.version_r") if weak else None
        for offset in range(at, end, 16):
            tag, value = struct.unpack_from("<qQ", data, offset)
            for old, new in tags:
                if tag == old:
                    struct.pack_into("<q", data, offset, new)
            if tag == 1 and shape.unneeded:
                if elf.get_section_by_name(".dynstr").get_string(value) in shape.unneeded:
                    struct.pack_into("<q", data, offset, NO_TAG)
            if tag == 0x6FFFFFFB and shape.flags_1:
                struct.pack_into("<Q", data, offset + 8, value | shape.flags_1)
        if section is not None:
            strings = elf.get_section(section["sh_link"])
            need = section["sh_offset"]
            while True:
                _, count, _, aux, following = struct.unpack_from("<HHIII", data, need)
                one = need + aux
                for _ in range(count):
                    name, forward = struct.unpack_from("<II", data, one + 8)
                    if strings.get_string(name) in weak:
                        struct.pack_into("<H", data, one + 4, VER_FLG_WEAK)
                    one += forward
                if not following:
                    break
                need += following
    for offset, value in shape.bytes.items():
        data[offset] = value
    path.write_bytes(data)
