"""A small package, broken, whose extension module needs libinner.so.1 and says on import what that says."""

CORE = "broken/_core.abi3.so"
INNER = "broken/libs/libinner.so.1"
SAYS = "int inner_value(void);\n---\nprintf(\"inner %d\\n\", inner_value()); fflush(stdout);"
IMPORT = "import broken._core"


def inner(place, path, value=42, soname="libinner.so.1"):
    """Compiles a library that says a number."""
    return place.compile(path, f"int inner_value(void) {{ return {value}; }}", f"-Wl,-soname,{soname}")


def install(place, environment, *flags, body=SAYS, library=INNER, version="1.0", name="broken"):
    """Installs the package: `flags` link its module, and the library lies where `library` says. Without one
    they name all that the module needs."""
    tree = place.path / f"{name}-{version}"
    if library:
        flags = (inner(place, tree / library), *flags)
    place.module(tree / name / "_core.abi3.so", body, *flags)
    (tree / name / "__init__.py").touch()
    environment.install(place.wheel(name, version, tree, "cp38-abi3-linux_x86_64"), options=["--offline"])


def found(place, environment):
    """The package as it should be."""
    install(place, environment, "-Wl,-rpath,$ORIGIN/libs")


def stub(place, path, soname, version, function, others=()):
    """Compiles a library that defines one function in one version of its symbols, and other versions of none."""
    nodes = [f"{version} {{ {function}; }};", *(f"{other} {{ }};" for other in others)]
    script = place.files(f"scripts-{version}", {"versions": "\n".join(nodes)}) / "versions"
    flags = [f"-Wl,-soname,{soname}", f"-Wl,--version-script={script}", "-nostdlib"]
    return place.compile(path, f"int {function}(void) {{ return 1; }}", *flags)


def calls(function):
    """The body of a module that calls a function."""
    return f"int {function}(void);\n---\n{function}();"
