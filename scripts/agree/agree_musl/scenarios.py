"""Scenarios: a root in which /app/main needs liba.so, and that libx.so, which lies nearly everywhere.

Each axis is a rule of musl's loader, and changes one thing in what is otherwise the plain scenario. There
is a scenario for each choice of each axis, and for each two choices of two axes.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations

from objects import LD_SO, Object

PATH_FILE = "/etc/ld-musl-x86_64.path"
# Where path, slash, name and NUL take 512 bytes, and one more.
FITS = "/" + "a" * 250 + "/" + "b" * (512 - len("/libx.so\0") - 252)
TOO_LONG = FITS + "b"
# The directories that hold a libx.so of their own.
PLACES = ["/env", "/r", "/a", "/q", "/p", "/opt", "/app/d", "/appd", "/usr/lib/d", "/usr/libd", "/d", "/sub"]
PLACES += ["/relative", "/lib", "/usr/lib", FITS, TOO_LONG]
BYTES = {"empty": b"", "text": b"INPUT ( libx.so.1 )\n" * 8, "short": b"\x7fELF\x02\x01\x01"}


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    to: str


@dataclass(frozen=True)
class Copy:
    """A file of the host."""

    path: str


@dataclass(frozen=True)
class Directory:
    """A directory, where a file is expected."""


@dataclass
class Scenario:
    """A root: objects, bytes, links and copies by their paths; and how the program is started."""

    name: str = ""
    main: Object = Object(("liba.so",), kind="program")
    liba: Object = Object(("libx.so",))
    libx: Object = Object()
    files: dict = field(default_factory=dict)
    preload: str | None = None
    library_path: str | None = None
    # What main opens by a path when it has started.
    opens: str | None = None
    start: str = "/app/main"

    def tree(self):
        """What lies in the root."""
        tree = {f"{place}/libx.so": self.libx for place in PLACES}
        # Names that are searched for as they are.
        tree |= {"/libm.d/libx.so": self.libx, "/usr/lib/lib$ORIGIN.so": Object()}
        tree |= {"/app/main": self.main, "/usr/lib/liba.so": self.liba}
        tree |= {"/opt/libpre.so": Object(("libx.so",)), "/env/libpre.so": Object(("libx.so",)), "/r/libpre.so": Object()}
        return tree | self.files


def main_has(**tags):
    return lambda scenario: replace(scenario, main=replace(scenario.main, **tags))


def liba_has(**tags):
    return lambda scenario: replace(scenario, liba=replace(scenario.liba, **tags))


def liba_needs(*names):
    return lambda scenario: replace(scenario, liba=replace(scenario.liba, needed=names))


def main_needs(*more):
    return lambda scenario: replace(scenario, main=replace(scenario.main, needed=(*scenario.main.needed, *more)))


def has(files):
    return lambda scenario: replace(scenario, files=scenario.files | files)


def is_set(**variables):
    return lambda scenario: replace(scenario, **variables)


def at(name, what, *directories):
    """The same thing under a name in several directories, each a file of its own."""
    return has({f"{directory}/{name}": what for directory in directories})


def bad(what):
    """What stands for libx.so where a search path may lead first."""
    return at("libx.so", what, "/env", "/r", "/a", "/app/d", "/usr/lib/d")


def both(*changes):
    def change(scenario):
        for one in changes:
            scenario = one(scenario)
        return scenario

    return change


def tags(has, own):
    """The choices for a search path; `own` is a directory of the object's own."""
    return {
        "rpath": has(rpath=own),
        "runpath": has(runpath=own),
        "both tags": has(rpath=own, runpath="/q"),
        "empty runpath beside rpath": has(rpath=own, runpath=""),
        "empty": has(runpath=""),
        "origin": has(runpath="$ORIGIN/d"),
        "braces": has(rpath="${ORIGIN}/d/"),
        "origin and a letter": has(runpath="$ORIGINd"),
        "another token": has(runpath=f"{own}:$LIB"),
        "newline and empty entries": has(runpath=f":/none\n:{own}::"),
        "semicolon": has(runpath=f"/none;{own}"),
        "relative": has(runpath="d"),
        "path that fits": has(runpath=FITS),
        "path too long": has(runpath=f"{TOO_LONG}:{own}"),
    }


AXES = {
    "main": tags(main_has, "/r"),
    "liba": tags(liba_has, "/a"),
    "LD_LIBRARY_PATH": {
        "set": is_set(library_path="/env"),
        "newline": is_set(library_path="/none\n/env"),
        "empty entries": is_set(library_path=":\n:"),
        "relative": is_set(library_path="sub"),
        "token": is_set(library_path="$ORIGIN/../env"),
        "semicolon": is_set(library_path="/env;/r"),
        "empty": is_set(library_path=""),
        "slash at the end": is_set(library_path="/env/"),
    },
    "path file": {
        "list": has({PATH_FILE: b"/p\n/usr/lib\n"}),
        "empty": has({PATH_FILE: b""}),
        "cut by a NUL": has({PATH_FILE: b"/usr/lib\0:/p"}),
        "directory": has({PATH_FILE: Directory()}),
        "relative": has({PATH_FILE: b"relative:/usr/lib"}),
        "dangling": has({PATH_FILE: Link("/nowhere")}),
        "loop": has({PATH_FILE: Link(PATH_FILE.rpartition("/")[2])}),
    },
    "name": {
        "absolute": liba_needs("/opt/libx.so"),
        "relative": liba_needs("sub/libx.so"),
        "of another libc": liba_needs("libm.so.6", "libc.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"),
        "reserved, with a slash": liba_needs("libm.d/libx.so"),
        "glibc's loader": liba_needs("ld-linux-x86-64.so.2", "libx.so"),
        "musl's loader": liba_needs(LD_SO, "libx.so"),
        "token": liba_needs("lib$ORIGIN.so", "$ORIGIN/libx.so"),
        "longest": both(liba_needs("x" * 255), at("x" * 255, Object(), "/usr/lib", "/r")),
        "too long": both(liba_needs("x" * 256), at("x" * 255, Object(), "/usr/lib", "/r")),
        "libc by its path": both(liba_needs("/opt/another.so", "libx.so"), has({"/opt/another.so": Copy("libc")})),
        "almost reserved": both(liba_needs("libmvec.so.1"), at("libmvec.so.1", Object(), "/r", "/usr/lib")),
    },
    "candidate": {
        "dangling": bad(Link("/nowhere")),
        "loop": bad(Link("libx.so")),
        "empty": bad(BYTES["empty"]),
        "text": bad(BYTES["text"]),
        "short": bad(BYTES["short"]),
        "directory": bad(Directory()),
        "32 bits": bad(Object(kind="i386")),
        "another machine": bad(Object(kind="aarch64")),
        "program": bad(Object(kind="program")),
        "executable": bad(Object(kind="executable elsewhere")),
        "link to liba": bad(Link("/usr/lib/liba.so")),
        "libc": bad(Copy("libc")),
        "directories are files": has({name: b"a file" for name in ["/env", "/r", "/a"]}),
        "absent": is_set(libx=None),
    },
    "LD_PRELOAD": {
        "name": is_set(preload="libpre.so"),
        "path": is_set(preload="/opt/libpre.so"),
        "what is needed": is_set(preload="liba.so"),
        "several": is_set(preload=" libpre.so:liba.so\t/opt/libpre.so\n"),
        "absent": is_set(preload="gone.so:/opt/libpre.so"),
        "libc": is_set(preload="libm.so.6"),
    },
    "soname": {
        "of a loaded one": liba_has(soname="libx.so"),
        "of the program": main_has(soname="libx.so"),
        "of the wanted one": is_set(libx=Object(soname="liba.so")),
    },
    "second need": {
        "the same": main_needs("libx.so"),
        "before": is_set(main=Object(("libx.so", "liba.so"), kind="program")),
        "twice": main_needs("liba.so", "libx.so", "libx.so"),
        "by its path": main_needs("/usr/lib/liba.so", "libx.so"),
        "path first": both(is_set(main=Object(("/opt/libx.so", "liba.so"), kind="program"))),
        "link": both(main_needs("libl.so", "libx.so"), at("libl.so", Link("/usr/lib/libx.so"), "/usr/lib", "/r")),
        "path, link, name": both(
            is_set(main=Object(("/opt/libx.so", "libl.so", "libx.so", "liba.so"), kind="program")),
            at("libl.so", Link("/opt/libx.so"), "/usr/lib", "/r"),
        ),
        "another branch": both(main_needs("libb.so"), has({"/usr/lib/libb.so": Object(("libx.so", "liby.so"), runpath="/b"),
                                                           "/b/liby.so": Object(("libx.so",)), "/b/libx.so": Object()})),
    },
    "start": {
        "by a link": both(has({"/bin/start": Link("../app/main")}), is_set(start="/bin/start")),
        "not relocatable": main_has(kind="executable"),
    },
    "dlopen": {
        "library": is_set(opens="/o/libo.so"),
        "without a path": is_set(opens="/o/plain.so"),
        "of what is loaded": is_set(opens="/usr/lib/liba.so"),
    },
}
OPENED = {
    "/o/libo.so": Object(("libo2.so", "liby.so"), runpath="/o/d"),
    "/o/d/libo2.so": Object(("liby.so", "libx.so", "libz.so")),
    "/o/plain.so": Object(("libz.so", "libm.so.6")),
    "/o/d/liby.so": Object(),
    "/r/liby.so": Object(),
    "/r/libz.so": Object(),
    "/env/libz.so": Object(),
    "/usr/lib/libz.so": Object(),
}


def scenarios():
    """All of them, the plain one and those of one rule first."""
    choices = [(axis, choice, change) for axis, of in AXES.items() for choice, change in of.items()]
    yield made("plain", [])
    for axis, choice, change in choices:
        yield made(f"{axis}: {choice}", [change])
    for (axis, choice, change), (axis2, choice2, change2) in combinations(choices, 2):
        if axis != axis2:
            # What replaces an object comes before what changes one.
            changes = [change2, change] if axis2 == "second need" else [change, change2]
            yield made(f"{axis}: {choice}, {axis2}: {choice2}", changes)


def made(name, changes):
    scenario = Scenario(name=name)
    for change in changes:
        scenario = change(scenario)
    if scenario.opens:
        scenario.files = OPENED | scenario.files
    scenario.files = {path: what for path, what in scenario.tree().items() if what is not None}
    return scenario
