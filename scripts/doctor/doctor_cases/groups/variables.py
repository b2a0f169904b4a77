"""Variables of the environment: they put something in the place of what is right, or are all that makes it work."""

import environment
import package
from case import Trial, case


@case(quick=True)
def ld_library_path_shadows(place):
    """LD_LIBRARY_PATH leads to another library of the same name"""
    made = place.venv()
    package.install(place, made, "-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs")
    other = package.inner(place, "elsewhere/libinner.so.1", value=7).parent
    return Trial(made.prefix, package.IMPORT, variables={"LD_LIBRARY_PATH": str(other)})


@case(quick=True)
def ld_preload_shadows(place):
    """LD_PRELOAD loads another library of the same name first"""
    made = place.venv()
    package.found(place, made)
    other = package.inner(place, "elsewhere/libother.so", value=7)
    return Trial(made.prefix, package.IMPORT, variables={"LD_PRELOAD": str(other)})


@case(quick=True)
def ld_preload_names_nothing(place):
    """LD_PRELOAD names a file that is not there"""
    made = place.venv()
    package.found(place, made)
    return Trial(made.prefix, package.IMPORT, variables={"LD_PRELOAD": "/nonexistent/libjemalloc.so.2"})


@case(quick=True)
def only_ld_library_path_helps(place):
    """The library is found by LD_LIBRARY_PATH alone"""
    made = place.venv()
    package.install(place, made)
    return Trial(made.prefix, package.IMPORT, variables={"LD_LIBRARY_PATH": str(made.site / "broken/libs")})


@case(quick=True)
def only_one_of_two_variables_helps(place):
    """LD_PRELOAD and LD_LIBRARY_PATH are set, and only one of them matters"""
    made = place.venv()
    package.install(place, made)
    other = place.compile("elsewhere/libother.so", "int other_value(void) { return 1; }", "-Wl,-soname,libother.so")
    variables = {"LD_PRELOAD": str(other), "LD_LIBRARY_PATH": str(made.site / "broken/libs")}
    return Trial(made.prefix, package.IMPORT, variables=variables)


@case(quick=True)
def pythonhome_names_nothing(place):
    """PYTHONHOME names a directory without Python's library"""
    made = place.venv()
    package.found(place, made)
    # The interpreter does not start, and the shell is not one.
    code = f"{made.python} -c '{package.IMPORT}'"
    return Trial(made.prefix, code, python="/bin/sh", variables={"PYTHONHOME": str(place.path / "nowhere")})


@case(quick=True)
def pythonpath_of_another_python(place):
    """PYTHONPATH names the packages of Python 3.9, whose modules 3.11 does not know"""
    made = place.venv("numpy==2.0.2")
    other = place.venv("numpy==2.0.2", name="other", python="3.9")
    code = "try:\n import numpy\nexcept ImportError as error: print(error)"
    return Trial(made.prefix, code, variables={"PYTHONPATH": str(other.site)})


@case(quick=True)
def pythonpath_of_another_release(place):
    """PYTHONPATH names a directory with another release of a package"""
    made = place.venv()
    package.found(place, made)
    other = place.venv(name="other")
    package.install(place, other, "-Wl,-rpath,$ORIGIN/libs", version="0.9")
    code = "import broken._core, importlib.metadata; print(importlib.metadata.version('broken'))"
    return Trial(made.prefix, code, variables={"PYTHONPATH": str(other.site)})


@case(quick=True)
def pythonpath_of_a_source_tree(place):
    """PYTHONPATH names a checkout of a package's source, whose modules nobody has compiled"""
    made = place.venv()
    package.found(place, made)
    source = place.files("checkout", {"broken/__init__.py": "", "broken/core.c": "int x;\n"})
    code = "try:\n import broken._core\nexcept ImportError as error: print(error)"
    return Trial(made.prefix, code, variables={"PYTHONPATH": str(source)})


@case(quick=True)
def names_of_nothing_do_no_harm(place):
    """As in NVIDIA's images: variables name directories that are not there, and all works"""
    made = place.venv()
    package.found(place, made)
    variables = {
        "LD_LIBRARY_PATH": "/usr/local/nvidia/lib:/usr/local/nvidia/lib64",
        "PYTHONPATH": "/nonexistent",
        "CUDA_HOME": "/nonexistent/cuda",
    }
    return Trial(made.prefix, package.IMPORT, variables=variables)


@case(quick=True)
def a_project_on_pythonpath(place):
    """PYTHONPATH names the directory of one's own program"""
    made = place.venv()
    package.found(place, made)
    project = place.files("project", {"program/__init__.py": "import broken._core\n"})
    return Trial(made.prefix, "import program", variables={"PYTHONPATH": str(project)})


@case(quick=True)
def pythonhome_of_the_base(place):
    """PYTHONHOME names the installation that the environment is made of"""
    made = place.venv()
    package.found(place, made)
    base = environment.run(made.python, "-c", "import sys; print(sys.base_prefix)").strip()
    return Trial(made.prefix, package.IMPORT, variables={"PYTHONHOME": base})
