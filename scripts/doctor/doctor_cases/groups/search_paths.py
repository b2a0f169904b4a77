"""Libraries that no search path reaches, or that lack what is bound to them."""

from case import Trial, case

TAG = "cp38-abi3-linux_x86_64"
CALL = "int inner(void);\n---\ninner();"


def library(place, path, symbol="inner", soname="libinner.so.1"):
    return place.compile(path, f"int {symbol}(void) {{ return 1; }}", f"-Wl,-soname,{soname}")


def package(place, name, tree, *headers, tag=TAG):
    """A wheel of what was compiled into a tree."""
    place.files(tree, {f"{name}/__init__.py": ""})
    return place.wheel(name, "1.0", place.path / tree, tag, headers)


def installed(place, *wheels):
    environment = place.venv()
    environment.install(*wheels, options=["--no-deps"])
    return environment


@case(quick=True)
def beside_the_wrong_directory(place):
    """a module's RUNPATH names a directory beside the one in which its library lies"""
    inner = library(place, "tree/outer/inner_libs/libinner.so.1")
    place.module("tree/outer/core.abi3.so", CALL, str(inner), "-Wl,-rpath,$ORIGIN/libs")
    return Trial(installed(place, package(place, "outer", "tree")).prefix, "import outer.core")


@case(quick=True)
def in_another_distribution(place):
    """a module has no search path at all, and its library lies in a distribution that it requires"""
    inner = library(place, "inner/inner_runtime/lib/libinner.so.1")
    place.module("tree/outer/core.abi3.so", CALL, str(inner))
    wheels = [package(place, "inner_runtime", "inner"), package(place, "outer", "tree", "Requires-Dist: inner-runtime")]
    return Trial(installed(place, *wheels).prefix, "import outer.core")


@case(quick=True)
def below_a_library(place):
    """a library that a module finds does not find another one"""
    inner = library(place, "tree/outer/deep/libinner.so.1")
    middle = place.compile(
        "tree/outer/libs/libmiddle.so.1",
        "int inner(void); int middle(void) { return inner(); }",
        "-Wl,-soname,libmiddle.so.1",
        str(inner),
    )
    place.module(
        "tree/outer/core.abi3.so",
        "int middle(void);\n---\nmiddle();",
        str(middle),
        "-Wl,-rpath,$ORIGIN/libs,--allow-shlib-undefined",
    )
    return Trial(installed(place, package(place, "outer", "tree")).prefix, "import outer.core")


def opener(place, names, lacks):
    """A distribution whose library opens others of distributions that it requires, and names the
    directories of `names`; another of its libraries names those of `lacks` too."""
    wheels = []
    for name in [*names, *lacks]:
        library(place, f"{name}-tree/provider_{name}/lib/lib{name}.so.1", name, f"lib{name}.so.1")
        wheels.append(package(place, f"provider_{name}", f"{name}-tree"))
    path = lambda of: ":".join(f"$ORIGIN/../provider_{name}/lib" for name in of)
    opens = place.compile(
        "tree/outer/libopener.so.1",
        "#include <dlfcn.h>\nint opens(const char *name) { return dlopen(name, RTLD_NOW) != 0; }",
        "-Wl,-soname,libopener.so.1",
        f"-Wl,-rpath,{path(names)}",
    )
    middle = place.compile(
        "tree/outer/libmiddle.so.1",
        "int opens(const char *); int middle(const char *name) { return opens(name); }",
        "-Wl,-soname,libmiddle.so.1",
        str(opens),
        f"-Wl,-rpath,$ORIGIN:{path([*names, *lacks])}",
    )
    names = ", ".join(f'"lib{name}.so.1"' for name in [*names, *lacks])
    place.module(
        "tree/outer/core.abi3.so",
        "#include <dlfcn.h>\nint middle(const char *);\n---\n"
        f"const char *all[] = {{{names}, 0}};\n"
        "for (const char **at = all; *at; at++)\n"
        '  if (!middle(*at)) { PyErr_Format(PyExc_ImportError, "Could not load dynamic library \'%s\'; dlerror: %s", *at, dlerror()); return 0; }\n',
        str(middle),
        "-Wl,-rpath,$ORIGIN,--allow-shlib-undefined",
    )
    requires = [f"Requires-Dist: {wheel.name.split('-')[0]}" for wheel in wheels]
    return installed(place, *wheels, package(place, "outer", "tree", *requires))


@case(quick=True)
def opened_out_of_reach(place):
    """a library opens another one of a distribution that its own search path does not name"""
    return Trial(opener(place, ["first"], ["second"]).prefix, "import outer.core")


@case(quick=True)
def two_opened_out_of_reach(place):
    """a library opens two whose directories its own search path does not name"""
    return Trial(opener(place, ["first"], ["second", "third"]).prefix, "import outer.core")


@case(quick=True)
def opened_in_reach(place):
    """a library opens others, and names the directories of all"""
    return Trial(opener(place, ["first", "second"], []).prefix, "import outer.core")


def untidy(place, path):
    """A module that finds its library by a search path which has more entries than it needs."""
    inner = library(place, "tree/outer/libs/libinner.so.1")
    place.module("tree/outer/core.abi3.so", CALL, str(inner), f"-Wl,-rpath,{path}")
    environment = installed(place, package(place, "outer", "tree"))
    return Trial(environment.site / "outer/core.abi3.so", "import outer.core", environment.python)


@case(quick=True)
def entry_twice(place):
    """a search path has an entry twice"""
    return untidy(place, "$ORIGIN/libs,-rpath,$ORIGIN:$ORIGIN/libs")


@case(quick=True)
def entry_of_the_builder(place):
    """a search path names a directory of the machine on which the module was built"""
    return untidy(place, "/home/builder/venv/lib,-rpath,$ORIGIN/libs")


@case(quick=False)
def tensorflow_221_cusolver(place):
    """TensorFlow 2.21 with NVIDIA's libraries does not reach cuSOLVER"""
    return Trial(place.venv("tensorflow[and-cuda]==2.21.0").prefix, "import tensorflow")


def host_library(place, symbol):
    """A distribution with a library that has one symbol."""
    library(place, f"host-{symbol}/host/libinner.so.1", symbol)
    return place.path / f"host-{symbol}/host/libinner.so.1", package(place, "host", f"host-{symbol}")


@case(quick=True)
def module_without_distribution(place):
    """a module that was put there by hand binds what the installed library lacks"""
    built_with = library(place, "old/libinner.so.1", "inner")
    _, host = host_library(place, "outer")
    environment = installed(place, host)
    module = place.module("by_hand.abi3.so", CALL, str(built_with), "-Wl,-rpath,$ORIGIN/host")
    environment.write("by_hand.abi3.so", module.read_bytes())
    return Trial(environment.prefix, "import by_hand")


@case(quick=True)
def library_by_hand(place):
    """a library that was put there by hand lacks what a module of a distribution binds"""
    built_with = library(place, "old/libinner.so.1", "inner")
    place.module("tree/outer/core.abi3.so", CALL, str(built_with), "-Wl,-rpath,$ORIGIN/../by_hand")
    environment = installed(place, package(place, "outer", "tree"))
    environment.write("by_hand/libinner.so.1", library(place, "new/libinner.so.1", "outer").read_bytes())
    return Trial(environment.prefix, "import outer.core")


@case(quick=True)
def variable_lacking(place):
    """what the installed library lacks is a variable"""
    built_with = place.compile("old/libinner.so.1", "int answer = 42;", "-Wl,-soname,libinner.so.1")
    _, host = host_library(place, "outer")
    environment = installed(place, host)
    declared = "extern int answer;\n---\nif (answer != 42) return 0;"
    module = place.module("by_hand.abi3.so", declared, str(built_with), "-Wl,-rpath,$ORIGIN/host")
    environment.write("by_hand.abi3.so", module.read_bytes())
    return Trial(environment.prefix, "import by_hand")


@case(quick=True)
def weak_and_lacking(place):
    """a symbol that is lacking is weak, and the module asks for it before it is used"""
    built_with = library(place, "old/libinner.so.1", "inner")
    _, host = host_library(place, "outer")
    environment = installed(place, host)
    declared = "int inner(void) __attribute__((weak));\n---\nif (inner) inner();"
    module = place.module("by_hand.abi3.so", declared, "-Wl,--no-as-needed", str(built_with), "-Wl,-rpath,$ORIGIN/host")
    environment.write("by_hand.abi3.so", module.read_bytes())
    return Trial(environment.prefix, "import by_hand")


@case(quick=True)
def after_what_it_requires(place):
    """a module finds its library only once the distribution that it requires is imported"""
    inner = library(place, "host-tree/host/libinner.so.1")
    place.module("host-tree/host/core.abi3.so", CALL, str(inner), "-Wl,-rpath,$ORIGIN")
    place.module("tree/outer/core.abi3.so", CALL, str(inner))
    wheels = [package(place, "host", "host-tree"), package(place, "outer", "tree", "Requires-Dist: host")]
    return Trial(installed(place, *wheels).prefix, "import host.core, outer.core")


@case(quick=True)
def plugin_of_its_own(place):
    """a plugin finds the library of its own distribution only once that is loaded"""
    inner = library(place, "tree/outer/libs/libinner.so.1")
    place.module("tree/outer/core.abi3.so", CALL, str(inner), "-Wl,-rpath,$ORIGIN/libs")
    place.compile(
        "tree/outer/plugins/libplugin.so",
        "int inner(void); int plugin(void) { return inner(); }",
        str(inner),
    )
    environment = installed(place, package(place, "outer", "tree"))
    load = "import outer, ctypes, outer.core; ctypes.CDLL(outer.__path__[0] + '/plugins/libplugin.so')"
    return Trial(environment.prefix, load)


@case(quick=False)
def text_after_tensorflow(place):
    """tensorflow-text finds TensorFlow's library only once TensorFlow is imported"""
    environment = place.venv("tensorflow-cpu==2.18.1")
    environment.install("tensorflow-text==2.18.1", options=["--no-deps"])
    return Trial(environment.prefix, "import tensorflow, tensorflow_text")
