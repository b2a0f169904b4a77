"""The scenarios: one for each variant of a rule, and one for each pair of variants.

A program needs libx.so, and libx.so needs liby.so. Copies of both lie in several directories, and
which of them are looked into, and what else lies in the way, is what a variant says. Two variants
together are a scenario of their own, whatever comes of it: the loader decides.
"""

import copy
import dataclasses
import itertools

from objects import Shape

LIB = "/lib/x86_64-linux-gnu"
EVERYWHERE = ["/r", "/s", "/e", "/c"]
PROGRAM = "/app/bin/main"
LEVELS = ["x86-64-v2", "x86-64-v3", "x86-64-v4"]
LEGACY = ["tls", "x86_64", "tls/x86_64", "haswell", "tls/haswell/x86_64", "avx512_1/x86_64", "haswell/avx512_1"]


@dataclasses.dataclass
class Scenario:
    """Files, links and variables, and what is run."""

    name: str
    rules: list
    program: str = PROGRAM
    files: dict = dataclasses.field(default_factory=dict)
    # Symbolic links, and hard links where the target begins with "=".
    links: dict = dataclasses.field(default_factory=dict)
    modes: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    # Directories for ldconfig, and what is deleted after it has run.
    cached: list = dataclasses.field(default_factory=list)
    gone: list = dataclasses.field(default_factory=list)
    opens: list = dataclasses.field(default_factory=list)
    secure: bool = False
    mask: str | None = None

    def main(self):
        return self.files[PROGRAM]

    def libraries(self):
        """All copies of libx.so."""
        return [shape for path, shape in self.files.items() if path.endswith("/libx.so") and isinstance(shape, Shape)]

    def put(self, directory, **changes):
        """Copies of both libraries in one more directory."""
        self.files[f"{directory}/libx.so"] = Shape(**{"soname": "libx.so", "needed": ["liby.so"]} | changes)
        self.files[f"{directory}/liby.so"] = Shape(soname="liby.so")

    def library_path(self, path):
        self.environment["LD_LIBRARY_PATH"] = ":".join(filter(None, [path, self.environment.get("LD_LIBRARY_PATH")]))


def base():
    scenario = Scenario("", [])
    scenario.files[PROGRAM] = Shape(program=True, needed=["libx.so"])
    for directory in EVERYWHERE:
        scenario.put(directory)
    return scenario


VARIANTS = {}


def variant(rule):
    """Adds a function that changes a scenario; its name says how."""

    def add(function):
        VARIANTS[f"{rule} {function.__name__.replace('_', ' ')}"] = function
        return function

    return add


# 1: what is loaded, and by which names

@variant(1)
def preload(s):
    s.files["/e/libp.so"] = Shape(soname="libp.so", needed=["liby.so"])
    s.files["/opt/pre.so"] = Shape(needed=["libx.so"], rpath=["/s"])
    s.environment["LD_PRELOAD"] = "libp.so gone.so:/opt/pre.so  :/opt/$LIB/none.so lib$PLATFORM.so"


@variant(1)
def preload_file(s):
    s.files["/etc/ld.so.preload"] = b"# none\n/opt/q.so:liby.so # one\n\tgone.so\n"
    s.files["/opt/q.so"] = Shape(soname="q.so")


@variant(1)
def a_soname_serves(s):
    s.main().needed.insert(0, "/opt/other.so")
    s.files["/opt/other.so"] = Shape(soname="libx.so")


@variant(1)
def a_file_name_does_not_serve(s):
    s.main().needed.insert(0, "/opt/libx.so")
    s.files["/opt/libx.so"] = Shape(soname="other", needed=["liby.so"], runpath=["/s"])


@variant(1)
def hard_and_symbolic_links(s):
    s.main().needed += ["libz.so", "libw.so"]
    for directory in EVERYWHERE:
        s.links[f"{directory}/libz.so"] = f"={directory}/liby.so"
        s.links[f"{directory}/libw.so"] = "libx.so"


@variant(1)
def the_loader_by_other_names(s):
    s.main().needed += ["ld-linux-x86-64.so.2", "/alias/ld.so"]
    s.links["/alias/ld.so"] = "../lib64/ld-linux-x86-64.so.2"


# 2: names with a slash and tokens in names

@variant(2)
def names_with_a_slash(s):
    s.main().needed += ["e/liby.so", "./c/liby.so", "/none/liby.so", "$ORIGIN/../sub/$LIB/liby.so"]
    s.files[f"/app/sub{LIB}/liby.so"] = Shape()


@variant(2)
def tokens_without_a_slash(s):
    s.main().needed += ["lib$PLATFORM.so", "lib${PLATFORM}2.so", "lib$OTHER.so"]
    for name in "libx86_64.so", "libhaswell.so", "libx86_642.so", "libhaswell2.so", "lib$OTHER.so":
        for directory in EVERYWHERE:
            s.files[f"{directory}/{name}"] = Shape()


# 3a, 3c: DT_RPATH and DT_RUNPATH

@variant("3a")
def rpath_of_the_program(s):
    s.main().rpath.append("/none:/r")


@variant("3a")
def rpath_of_the_library(s):
    for shape in s.libraries():
        shape.rpath.append("/s")


@variant("3a")
def rpath_of_the_loader_in_the_middle(s):
    s.main().needed.insert(0, "/opt/libm1.so")
    s.files["/opt/libm1.so"] = Shape(soname="libm1.so", needed=["libx.so"], rpath=["/c"])


@variant("3a")
def a_runpath_of_zero_length(s):
    for shape in s.libraries():
        shape.runpath.append("")


@variant("3a")
def a_middle_with_both_tags(s):
    s.main().needed.insert(0, "/opt/libm2.so")
    s.files["/opt/libm2.so"] = Shape(soname="libm2.so", needed=["libx.so"], rpath=["/c"], runpath=["/s"])


@variant("3a")
def a_plugin_is_opened(s):
    s.main().opens = True
    s.main().needed += ["libc.so.6", "libdl.so.2"]
    s.files["/p/plugin.so"] = Shape(soname="plugin.so", needed=["libq.so", "libx.so"], rpath=["/p/deps"])
    s.files["/p/two.so"] = Shape(needed=["liby.so", "libq.so", "plugin.so"])
    s.files["/p/deps/libq.so"] = Shape(soname="libq.so", needed=["liby.so"])
    s.opens += ["/p/plugin.so", "/p/two.so"]


@variant("3c")
def runpath_of_the_program(s):
    s.main().runpath.append("/r")


@variant("3c")
def runpath_of_the_library(s):
    for shape in s.libraries():
        shape.runpath.append("/s:/r")


# 3b: LD_LIBRARY_PATH

@variant("3b")
def library_path(s):
    s.library_path("/none:/e")


@variant("3b")
def library_path_with_semicolons_and_tokens(s):
    s.files["/app/e/libx.so"] = Shape(soname="libx.so", needed=["liby.so"])
    s.files[f"/app/f{LIB}/liby.so"] = Shape(soname="liby.so")
    s.library_path("/none/;$ORIGIN/../e//;${ORIGIN}/../f/$LIB")


@variant("3b")
def library_path_with_empty_entries(s):
    s.files["/liby.so"] = Shape(soname="liby.so")
    s.library_path("/none::e")


@variant("3b")
def secure_mode(s):
    s.secure = True
    s.modes[f"{LIB}/libs1.so"] = 0o4755
    s.files[f"{LIB}/libs1.so"] = Shape(soname="libs1.so")
    s.files[f"{LIB}/libs2.so"] = Shape(soname="libs2.so")
    s.files["/app/bin/sub/libx.so"] = Shape(soname="libx.so", needed=["liby.so"])
    s.main().runpath.append("$ORIGIN/sub:/s")
    s.environment["LD_PRELOAD"] = "libs1.so libs2.so /e/liby.so"


# 3d, 3e: the cache and the default directories

@variant("3d")
def the_cache(s):
    s.cached.append("/c")


@variant("3d")
def the_cache_with_hwcaps(s):
    for level in LEVELS:
        s.put(f"/c2/glibc-hwcaps/{level}")
    s.files["/c2/glibc-hwcaps/x86-64-v3/libx.so"].options += ["-z", "x86-64-v4"]
    s.put("/c2")
    s.cached.append("/c2")


@variant("3d")
def a_cached_file_that_is_gone(s):
    s.put("/c3")
    s.put("/c4")
    s.cached += ["/c3", "/c4"]
    s.gone += ["/c3/libx.so", "/c3/liby.so"]


@variant("3d")
def numbers_in_the_cache(s):
    s.main().needed += ["libn.so.01", "libn.so.10"]
    s.files["/c5/libn.so.1"] = Shape(soname="libn.so.1")
    s.files["/c5/libn.so.9"] = Shape(soname="libn.so.9")
    s.cached.append("/c5")


@variant("3d")
def nodeflib_on_the_program(s):
    s.main().options += ["-z", "nodefaultlib"]
    s.put(LIB)
    s.cached.append(LIB)


@variant("3e")
def nodeflib_on_the_library(s):
    s.put("/usr/lib")
    for shape in s.libraries():
        shape.options += ["-z", "nodefaultlib"]


@variant("3e")
def the_default_directories(s):
    s.put("/usr/lib")
    s.put("/lib")
    del s.files["/lib/libx.so"]


@variant("3")
def hwcaps_everywhere(s):
    for directory in [*EVERYWHERE, LIB]:
        for level in LEVELS:
            s.put(f"{directory}/glibc-hwcaps/{level}", runpath=["$ORIGIN"])
        del s.files[f"{directory}/glibc-hwcaps/x86-64-v3/liby.so"]


@variant("3")
def hwcaps_of_another_processor(s):
    hwcaps_everywhere(s)
    s.mask = "x86-64-v2"


@variant("3")
def legacy_hwcaps(s):
    for directory in EVERYWHERE:
        for name in LEGACY:
            s.put(f"{directory}/{name}")
            del s.files[f"{directory}/{name}/{'libx.so' if len(name) % 2 else 'liby.so'}"]


@variant("3")
def legacy_hwcaps_in_the_cache(s):
    for name in LEGACY:
        s.put(f"/c6/{name}")
    s.put("/c6")
    s.cached.append("/c6")


# 4, 5: tags, entries, $ORIGIN

@variant(4)
def both_tags(s):
    s.main().rpath.append("/r")
    s.main().runpath.append("/s")


@variant(4)
def a_tag_twice(s):
    s.main().runpath += ["/r", "/s"]


@variant(4)
def tokens_in_an_rpath(s):
    s.put("/t/$FOO")
    s.files[f"/u{LIB}/libx.so"] = Shape(soname="libx.so", needed=["liby.so"], runpath=["$ORIGIN/../../../s"])
    s.main().rpath.append("/t/$FOOT:/u/$LIB:/t/$FOO:/v/${PLATFORM}/$LIBS")


@variant(4)
def odd_entries(s):
    s.files["/liby.so"] = Shape(soname="liby.so")
    s.main().rpath.append("/x;/r:r//::/r///:/r/../s")


@variant(5)
def a_program_behind_a_link(s):
    s.links["/bin/main"] = "../app/bin/main"
    s.program = "/bin/main"
    s.put("/app/own")
    s.main().runpath.append("$ORIGIN/../own")


@variant(5)
def a_library_behind_a_link(s):
    for directory in EVERYWHERE:
        s.files[f"/store{directory}/libx.so"] = Shape(soname="libx.so", needed=["liby.so"], runpath=["$ORIGIN/in"])
        s.files[f"/store{directory}/in/liby.so"] = Shape(soname="liby.so")
        s.files[f"{directory}/in/liby.so"] = Shape(soname="liby.so")
        del s.files[f"{directory}/libx.so"]
        s.links[f"{directory}/libx.so"] = f"/store{directory}/libx.so"


# 6: what lies in the way

def in_the_way(content=None, **changes):
    def put(s):
        for name in "libx.so", "liby.so":
            path = f"/bad/{name}"
            s.files[path] = content if content is not None else Shape(soname=name, **changes)
        lead(s)

    return put


def lead(s, directory="/bad"):
    """Puts a directory before all others."""
    s.library_path(directory)
    for paths in (s.main().rpath, s.main().runpath):
        if paths:
            paths[-1] = f"{directory}:{paths[-1]}"


BAD = {
    "wrong class": dict(bytes={4: 1}),
    "wrong machine": dict(bytes={18: 183}),
    "byte order": dict(bytes={5: 2}),
    "OS ABI": dict(bytes={7: 9}),
    "GNU ABI": dict(bytes={7: 3, 8: 3}),
    "ABI version": dict(bytes={7: 3, 8: 4}),
    "padding": dict(bytes={12: 1}),
    "e_version": dict(bytes={20: 2}),
    "relocatable": dict(bytes={16: 1}),
    "e_type of a program": dict(bytes={16: 2}),
    "a PIE": dict(options=["-z", "nodefaultlib"], flags_1=0x08000000),
    "phentsize": dict(bytes={54: 55}),
    "program headers out of the file": dict(bytes={38: 1}),
}
for what, how in BAD.items():
    VARIANTS[f"6 {what}"] = in_the_way(**how)
VARIANTS["6 an empty file"] = in_the_way(b"")
VARIANTS["6 a linker script"] = in_the_way(b"INPUT ( libx.so.1 )\n" * 9)


@variant(6)
def a_directory(s):
    s.files["/bad4/libx.so"] = None
    lead(s, "/bad4")


@variant(6)
def a_dangling_link(s):
    s.links["/bad2/libx.so"] = "gone"
    lead(s, "/bad2")


@variant(6)
def a_link_loop(s):
    s.links["/bad3/libx.so"] = "libx.so"
    lead(s, "/bad3")


@variant(6)
def a_file_for_a_directory(s):
    s.files["/file"] = b"x"
    lead(s, "file:/file")


# 7: versions

def versions(name, needed, defined, weak=False):
    def change(s):
        # Of two variants the second decides.
        s.main().versions[:] = [one for one in s.main().versions if one[0] != "libx.so"]
        s.main().versions.append(("libx.so", needed, weak))
        for shape in s.libraries():
            shape.defines[:] = defined
    VARIANTS[f"7 {name}"] = change


versions("a version that is there", "V_1", ["V_1", "V_2"])
versions("a version that is lacking", "V_2", ["V_1"])
versions("a weak version that is lacking", "V_2", ["V_1"], weak=True)
versions("a library without versions", "V_1", [])


@variant(7)
def a_version_of_a_library_nobody_asks_for(s):
    s.main().needed += ["libv.so"]
    s.main().unneeded += ["libv.so"]
    s.main().versions += [("libv.so", "V_1", False)]


# 8: what cannot come into a running process

def plugin(name, **changes):
    def put(s):
        if not s.main().opens:
            a_plugin_is_opened(s)
        path = f"/p/{name.replace(' ', '-')}.so"
        s.files[path] = Shape(needed=["liby.so"], **changes)
        s.opens.append(path)
    VARIANTS[f"8 {name}"] = put


plugin("an executable stack", options=["-z", "execstack"])
plugin("static TLS that fits", tls=1000)
plugin("static TLS that does not fit", tls=3000)
plugin("nodlopen", options=["-z", "nodlopen"])
plugin("a level of x86-64", options=["-z", "x86-64-v4"])


def apply(names):
    scenario = base()
    for name in names:
        VARIANTS[name](scenario)
    scenario.name = " + ".join(names)
    scenario.rules = sorted({name.partition(" ")[0][0] for name in names})
    if scenario.secure and scenario.opens:
        return None
    # The loader takes a mask only where it is called by its name: links stay links then, and no
    # program is secure.
    if scenario.secure:
        scenario.mask = None
    if scenario.mask is not None:
        scenario.program = PROGRAM
        # A mask hides directories. What an object says that it needs is held against the processor all
        # the same, and a processor of that level loads it.
        if any("x86-64-v4" in scenario.files[path].options for path in scenario.opens):
            return None
    return scenario


def all_of():
    """Every variant, and every pair."""
    alone = [(name,) for name in VARIANTS]
    made = (apply(names) for names in [(), *alone, *itertools.combinations(VARIANTS, 2)])
    return [copy.deepcopy(one) for one in made if one is not None]
