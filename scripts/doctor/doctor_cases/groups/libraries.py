"""Libraries of the system: absent, of another release, too old; CUDA, and its driver."""

import re

import environment
import package
from case import Trial, case

GPUS = "import tensorflow as tf; print('GPUs:', tf.config.list_physical_devices('GPU'))"
TENSORFLOW = "tensorflow==2.21.0"


def needs(place, soname, function="anything", version=None, keep=None, others=()):
    """An environment whose package needs a library that was there when it was linked; with a version, one of
    its symbols does. `keep` is where the library stays, below the package; `others` are its other versions."""
    made = place.venv()
    stub = f"stub/{soname}"
    if version:
        made_of = package.stub(place, stub, soname, version, function, others)
    else:
        made_of = place.compile(stub, f"int {function}(void) {{ return 1; }}", f"-Wl,-soname,{soname}")
    package.install(place, made, made_of, "-Wl,--no-as-needed", library=None, body=package.calls(function))
    if keep:
        made.write(keep, made_of.read_bytes())
    made_of.unlink()
    return made


def driver(place):
    """The directory of a stand-in for NVIDIA's driver, so that TensorFlow goes on and looks for CUDA."""
    source = (place.project / "fixtures/gpu/libcuda_stub.c").read_text()
    place.compile("driver/libcuda.so.1", source, "-Wl,-soname,libcuda.so.1")
    source = (place.project / "fixtures/gpu/libnvidia_ml_stub.c").read_text()
    return place.compile("driver/libnvidia-ml.so.1", source, "-Wl,-soname,libnvidia-ml.so.1").parent


@case(quick=True)
def nowhere(place):
    """A library that is nowhere, and that nobody knows"""
    return Trial(needs(place, "libgone.so.9").prefix, package.IMPORT)


@case(quick=True)
def nowhere_and_known(place):
    """A library that is nowhere, and that a distribution of PyPI ships"""
    return Trial(needs(place, "libmkl_rt.so.2").prefix, package.IMPORT)


@case(quick=True)
def nowhere_and_of_the_system(place):
    """A library that is nowhere, and that a package of the system ships"""
    return Trial(needs(place, "libsndfile.so.1").prefix, package.IMPORT)


@case(quick=True)
def nowhere_though_a_variable_is_set(place):
    """A library that is nowhere, since LD_LIBRARY_PATH names a directory that is not there"""
    made = needs(place, "libgone.so.9")
    return Trial(made.prefix, package.IMPORT, variables={"LD_LIBRARY_PATH": "/usr/local/gone-11.2/lib64"})


@case(quick=False)
def cuda_is_nowhere(place):
    """TensorFlow's wheel for GPUs, a driver, and no CUDA libraries"""
    made = place.venv(TENSORFLOW)
    return Trial(made.prefix, GPUS, variables={"LD_LIBRARY_PATH": str(driver(place))})


@case(quick=False)
def cuda_of_the_system_is_older(place):
    """TensorFlow wants CUDA 12, and the system has 11"""
    made = place.venv(TENSORFLOW)
    directory = driver(place)
    for soname in ["libcudart.so.11.0", "libcublas.so.11", "libcublasLt.so.11", "libcusparse.so.11", "libcudnn.so.8"]:
        place.compile(f"cuda-11.8/lib64/{soname}", "int nothing;", f"-Wl,-soname,{soname}")
    variables = {"LD_LIBRARY_PATH": f"{directory}:{place.path}/cuda-11.8/lib64", "CUDA_HOME": f"{place.path}/cuda-11.8"}
    return Trial(made.prefix, GPUS, variables=variables)


@case(quick=False)
def no_driver(place):
    """TensorFlow's wheel for GPUs on a machine that has none"""
    return Trial(place.venv(TENSORFLOW).prefix, GPUS)


@case(quick=True)
def linked_with_the_driver(place):
    """A module that is linked with the library of the driver, on a machine without"""
    return Trial(needs(place, "libcuda.so.1").prefix)


@case(quick=True)
def linked_with_the_drivers_tools(place):
    """A module that is linked with another library of the driver, on a machine without"""
    return Trial(needs(place, "libnvidia-ml.so.1").prefix)


@case(quick=True)
def another_release_in_the_environment(place):
    """The package has another major version of the library"""
    made = needs(place, "libinner.so.1")
    made.write("broken/libs/libinner.so.2", package.inner(place, "libinner.so.2", soname="libinner.so.2").read_bytes())
    return Trial(made.prefix, package.IMPORT)


@case(quick=True)
def another_release_in_the_system(place):
    """OpenSSL 1.1 is asked for, and the system has 3"""
    return Trial(needs(place, "libssl.so.1.1").prefix, package.IMPORT)


@case(quick=True)
def an_older_glibc(place):
    """The object was built for a newer glibc"""
    return Trial(needs(place, "libc.so.6", version="GLIBC_2.99").prefix, package.IMPORT)


@case(quick=True)
def an_older_libstdcxx(place):
    """The object was built for a newer libstdc++"""
    return Trial(needs(place, "libstdc++.so.6", version="GLIBCXX_3.4.99").prefix, package.IMPORT)


@case(quick=True)
def a_newer_copy_in_the_environment(place):
    """The environment has a libstdc++ that is new enough, and the system's is found"""
    # A newer copy has all that the older one has.
    system = environment.run("gcc", "-print-file-name=libstdc++.so.6").strip()
    defined = re.findall(r"Name: ((?:GLIBCXX|CXXABI)_\S+)$", environment.run("readelf", "-V", system), re.MULTILINE)
    keep = "broken/libs/libstdc++.so.6"
    made = needs(place, "libstdc++.so.6", version="GLIBCXX_3.4.99", keep=keep, others=sorted(set(defined)))
    return Trial(made.prefix, package.IMPORT)


@case(quick=True)
def an_older_copy_by_a_variable(place):
    """LD_LIBRARY_PATH leads to a libstdc++ that is older than the system's"""
    made = place.venv("greenlet==3.1.1")
    older = package.stub(place, "older/libstdc++.so.6", "libstdc++.so.6", "GLIBCXX_3.4", "anything")
    return Trial(made.prefix, "import greenlet", variables={"LD_LIBRARY_PATH": str(older.parent)})


@case(quick=True)
def a_link_is_gone(place):
    """The library is there by the name of its file, and not by its soname, as a zip archive leaves it"""
    made = needs(place, "libinner.so.1", "inner_value")
    made.write("broken/libs/libinner.so.1.2", package.inner(place, "libinner.so.1.2").read_bytes())
    return Trial(made.prefix, package.IMPORT)


@case(quick=True)
def a_link_has_become_a_text(place):
    """The link to the library is a text with the name of its file, as a copy without links leaves it"""
    made = place.venv()
    package.found(place, made)
    made.write("broken/libs/libinner.so.1.2", package.inner(place, "libinner.so.1.2").read_bytes())
    made.write(package.INNER, "libinner.so.1.2")
    return Trial(made.prefix, package.IMPORT)


@case(quick=True)
def a_name_without_a_version(place):
    """The library is asked for by the name that only packages for developers bring"""
    made = needs(place, "libinner.so", "inner_value")
    made.write("broken/libs/libinner.so.1", package.inner(place, "libinner.so.1").read_bytes())
    return Trial(made.prefix, package.IMPORT)
