"""Writes a small corpus for each fuzz target, into a directory for each below the one given:
objects of several linkers and machines, some of them with what patchelf leaves, and texts."""

import itertools
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

OUT = pathlib.Path(sys.argv[1])
ROOT = pathlib.Path(__file__).resolve().parents[2]
OLD = "$ORIGIN/nothing/is/there"
# The smallest files: several segments in a page.
PACKED = ["-z", "noseparate-code", "-z", "max-page-size=4096"]
# A word of data for an address, a function, and one that another library has, with a version.
SOURCE = """
.text
.globl answer
.type answer, STT_FUNC
answer: .long 0
.size answer, 4
.data
.balign 8
.quad 0
"""
SHORT = SOURCE.replace(".quad 0", ".{word} dep")
MACHINES = {
    "x86_64": ("as --64", "ld -m elf_x86_64", "quad"),
    "i386": ("as --32", "ld -m elf_i386", "long"),
    "aarch64": ("aarch64-linux-gnu-as", "aarch64-linux-gnu-ld", "quad"),
    "s390x": ("s390x-linux-gnu-as", "s390x-linux-gnu-ld", "quad"),
    "lld": ("as --64", "ld.lld", "quad"),
}
FLAVOURS = {
    "runpath": "--enable-new-dtags -rpath " + OLD,
    "rpath": "--disable-new-dtags --hash-style=sysv -rpath " + OLD,
    "gnu": "--hash-style=gnu --build-id=sha1 -soname libx.so -rpath " + OLD,
    "both": "--hash-style=both -z now -rpath " + OLD,
    "none": "--hash-style=gnu",
    "separate": "-z separate-code -z max-page-size=4096 -rpath " + OLD,
    "pie": "-pie --dynamic-linker /lib/ld.so -e answer -rpath " + OLD,
    "program": "-no-pie --dynamic-linker /lib/ld.so -e answer --export-dynamic",
}


def run(*command):
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def objects():
    """(name, bytes) of linked objects."""
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        pathlib.Path("dep.s").write_text(SOURCE.replace("answer", "dep"))
        pathlib.Path("dep.map").write_text("DEP_1 { global: dep; };\n")
        for machine, (assembler, linker, word) in MACHINES.items():
            assembler, linker = assembler.split(), linker.split()
            pathlib.Path("x.s").write_text(SHORT.format(word=word))
            run(*assembler, "x.s", "-o", "x.o")
            run(*assembler, "dep.s", "-o", "dep.o")
            run(*linker, "-shared", *PACKED, "--version-script=dep.map", "-soname", "libdep.so", "dep.o", "-o", "libdep.so")
            yield f"{machine}-dep", pathlib.Path("libdep.so").read_bytes()
            for flavour, flags in FLAVOURS.items():
                flags = flags.split()
                kind = [] if "-pie" in flags or "-no-pie" in flags else ["-shared"]
                page = [] if "separate-code" in flags else PACKED
                run(*linker, *kind, *page, *flags, "x.o", "libdep.so", "-o", "x")
                yield f"{machine}-{flavour}", pathlib.Path("x").read_bytes()
                if machine == "x86_64":
                    run("strip", "-s", "x")
                    stripped = pathlib.Path("x").read_bytes()
                    yield f"{machine}-{flavour}-stripped", stripped
                    yield f"{machine}-{flavour}-sectionless", without_sections(stripped)
                    run("patchelf", "--set-rpath", OLD * 8, "x")
                    yield f"{machine}-{flavour}-patchelf", pathlib.Path("x").read_bytes()


MACH = {
    "unsigned": "-no_adhoc_codesign -headerpad 0x100",
    "signed": "-adhoc_codesign -headerpad 0x100",
    "no-room": "-adhoc_codesign -headerpad 0",
    "chained": "-adhoc_codesign -fixup_chains libdep.dylib",
    "classic": "-adhoc_codesign -no_fixup_chains libdep.dylib",
}
SIGNED = {
    "digests": "--hash sha1 --hash sha256 --hash sha384 --hash sha256-truncated",
    "certified": "--key key.pem --certificate certificate.pem --runtime --team T",
}


def mach_objects():
    """(name, bytes) of Mach-O files for x86_64, whose pages are small, and of the same as if they
    were for arm64, where a signature has to be; and of two in one file."""
    for name, file in linked_mach_objects():
        arm64 = file[:4] + struct.pack("<II", 0x100000C, 0) + file[12:]
        yield name, file
        yield name + "-arm64", arm64
        if name == "unsigned":
            end = 256 + len(file) + -len(file) % 256
            header = struct.pack(">II", 0xCAFEBABE, 2)
            header += struct.pack(">IIIII", 0x1000007, 3, 256, len(file), 8)
            header += struct.pack(">IIIII", 0x100000C, 0, end, len(file), 8)
            yield "universal", (header.ljust(256, b"\0") + file).ljust(end, b"\0") + arm64


def linked_mach_objects():
    fixtures = ROOT / "fixtures/macho"
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        shutil.copy(fixtures / "libSystem.tbd", name)
        pathlib.Path("x.c").write_text("extern int dep(void); int a(void) { return DEP; }")
        pathlib.Path("dep.c").write_text("int dep(void) { return 1; }")
        clang = "clang-19 -target x86_64-apple-macos12.0 -O1 -c".split()
        run(*clang, "-DDEP=1", "x.c", "-o", "alone.o")
        run(*clang, "-DDEP=dep()", "x.c", "-o", "x.o")
        run(*clang, "dep.c", "-o", "dep.o")
        linker = "ld64.lld-19 -arch x86_64 -platform_version macos 12.0 13.3 -L. -lSystem -dylib".split()
        run(*linker, "dep.o", "-o", "libdep.dylib")
        for flavour, flags in MACH.items():
            source = "x.o" if "libdep.dylib" in flags else "alone.o"
            rpaths = ["-rpath", "@loader_path/a", "-rpath", "@loader_path/b"]
            run(*linker, source, *flags.split(), *rpaths, "-o", flavour)
            yield flavour, pathlib.Path(flavour).read_bytes()
        certificate = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -subj /CN=x"
        run(*certificate.split())
        for flavour, flags in SIGNED.items():
            run(sys.executable, fixtures / "sign.py", "signed", flavour, *flags.split())
            yield flavour, pathlib.Path(flavour).read_bytes()


def without_sections(file):
    """What sstrip does: neither e_shoff nor e_shnum nor e_shstrndx, in a 64-bit header."""
    return file[:40] + bytes(8) + file[48:60] + bytes(4) + file[64:]


def request(kind, action, repetitions, text):
    return struct.pack("BBB61s", kind, action, repetitions, text.encode())


REQUESTS = {
    "slot": request(2, 0, 1, "$ORIGIN/d"),
    "grow": request(2, 1, 9, "$ORIGIN/d:/opt/lib:"),
    "kind": request(0, 2, 2, "/opt/lib"),
    "remove": request(1, 4, 0, ""),
}


def cache(old=False, order=2):
    """An ld.so.cache of two entries, one of them in a directory of glibc-hwcaps."""
    strings = b"libx.so\0/opt/libx.so\0/v3/libx.so\0x86-64-v3\0"
    at = 48 + 2 * 24
    entries = struct.pack("<iIIIQ", 0x303, at, at + 21, 0, 1 << 62)
    entries += struct.pack("<iIIIQ", 0x303, at, at + 8, 0, 0)
    end = at + len(strings) + -len(strings) % 4
    extension = struct.pack("<IIIIII", 0xEAA42174, 1, 1, 0, end + 24, 4) + struct.pack("<I", at + 33)
    file = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", 2, len(strings), order, end)
    file += entries + strings + bytes(-len(strings) % 4) + extension
    if old:
        file = b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(16) + file
    return file


def overlap():
    """A cache whose entries all have one long name."""
    count = 300
    at = 48 + count * 24
    file = b"glibc-ld.so.cache1.1" + struct.pack("<IIB15x", count, 4001, 2)
    return file + struct.pack("<iIIIQ", 0x303, at, at, 0, 0) * count + b"x" * 4000 + b"\0"


METADATA = b"""Metadata-Version: 2.1
Name: Broken.Pkg
Version: 1.0
Requires-Dist: inner-runtime[cuda,x] (>=1.0,<2) ; extra == "gpu"
Requires-Dist: b @ https://h/a;b.whl ; python_version>'3'
Description: one
  two

text
"""
RECORD = b"""a/x.so,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,7\r
"a,b.py",md5=0,\r
../../bin/tool,"sha256=abc","12",more
a-1.dist-info/RECORD,,
"""
SEEDS = {
    "ld_so_cache": {
        "new": b"\0\7libx.so" + cache(),
        "old": b"\0\7libx.so" + cache(old=True),
        "overlap": b"\0\7libx.so" + overlap(),
        "any": b"\0\x0elibx.so.01.so1" + cache(order=0),
    },
    "record": {"plain": b"\0\1\7\1" + RECORD, "bom": b"\2\1\0\2\xef\xbb\xbf" + RECORD},
    "metadata": {
        "plain": b"\x1e".join(
            [METADATA, RECORD, b"import x\n../../../src\n# y\n/e/src\n", b"home = /base/bin\nversion = 3.11.7\n", b"a\nb\n"]
        )
    },
    "python_source": {
        "guards": b"try:\n    from . import a, b\nexcept (ImportError, OSError) as e:\n    raise\nwith suppress(ImportError):\n    import c.d as e\nif TYPE_CHECKING:\n    import f\nelif x: import g\nelse:\n    def h(i, *j, k=1, **l):\n        import_module('.m', __name__)\n",
        "opens": b"# coding: latin-1\nn = f'lib{x}.so'\nCDLL(os.path.join(os.path.dirname(__file__), 'a', n), mode=RTLD_GLOBAL)\nffi.dlopen(find_library('z'))\nload_library(name='x', loader_path=Path(__file__).parent / '..')\n",
        "shapes": b"x: int = (yield) if (lambda a, /, b=[*c]: {**d})(e)[f:g, ...] else await h\nmatch i:\n    case J(k=1) | [2, *_]: pass\n@m\nclass N[T: o](p, q=r): s = rb'\\x00' f\"{t!r:>{u}}\" t'{v}'\ntype W = X\nasync def y():\n    async with a as (b, c): pass\n    async for d in e: break\n    else: del f\nwhile g := h: continue\ntry: pass\nexcept* i: pass\nfinally: assert not ~j, k @ l\n",
    },
    "resolve": {
        "rpath": b"/app/main;n=liba.so;r=$ORIGIN/../lib;v=liba.so:V1\n/lib/liba.so;n=libb.so;R=${ORIGIN}/b;d=V1;s=liba.so\n/lib/b/libb.so>../../x\n/x;n=liba.so;f",
        "variables": b"L=/o:/p::$LIB\nP=libp.so /q.so\n/o/libp.so;n=q\n/q.so;r=a:b\n/app/main;n=libp.so;n=/q.so",
        "loader": b"/lib64/ld-linux-x86-64.so.2;s=ld-linux-x86-64.so.2\n/usr/lib64/liba.so;n=ld-linux-x86-64.so.2\n/o/glibc-hwcaps/x86-64-v2/libc.so\n/app/main;n=liba.so;n=libc.so;R=/o",
    },
    "explain": {path.stem: path.read_bytes() for path in (ROOT / "fixtures/messages").glob("**/*.txt")},
    "elf_read": {},
    "elf_edit": {},
    "macho_read": {},
    "macho_edit": {},
}

shutil.rmtree(OUT, ignore_errors=True)
for name, file in objects():
    for shape, ((kind, head)) in zip(itertools.cycle(range(3)), REQUESTS.items()):
        SEEDS["elf_edit"][f"{name}-{kind}"] = head + file
        SEEDS["elf_read"][f"{name}-{shape}"] = bytes([shape]) + file
for name, file in mach_objects():
    for shape, ((kind, head)) in zip(itertools.cycle(range(3)), REQUESTS.items()):
        SEEDS["macho_edit"][f"{name}-{kind}"] = head + file
        SEEDS["macho_read"][f"{name}-{shape}"] = bytes([shape]) + file
for target, seeds in SEEDS.items():
    directory = OUT / target
    directory.mkdir(parents=True)
    for name, seed in seeds.items():
        (directory / name).write_bytes(seed)
