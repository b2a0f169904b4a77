"""Distributions that are there twice, or over one another."""

import shutil

from case import Trial, case
from environment import run
from groups import search_paths

OPENCV = "import cv2; assert cv2.__version__"


@case(quick=True)
def opencv_over_opencv(place):
    """two builds of OpenCV install the same module"""
    environment = place.venv("opencv-python-headless==4.10.0.84", "numpy==2.1.3")
    environment.install("opencv-contrib-python-headless==4.10.0.84", options=["--no-deps"])
    return Trial(environment.prefix, OPENCV)


@case(quick=False)
def tensorflow_over_tensorflow_cpu(place):
    """tensorflow-cpu lies under another release of tf-nightly's name: both install tensorflow/"""
    environment = place.venv("tensorflow-cpu==2.18.1")
    environment.install("tensorflow==2.18.1", options=["--no-deps"])
    return Trial(environment.prefix, "import tensorflow")


@case(quick=True)
def two_of_one_name(place):
    """the metadata of an older release are left beside the newer one's"""
    environment = place.venv("numpy==2.1.3")
    metadata = "Metadata-Version: 2.1\nName: numpy\nVersion: 1.26.4\n"
    environment.write("numpy-1.26.4.dist-info/METADATA", metadata)
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def upgrade_broken_off(place):
    """pip has moved a package out of the way, and was stopped"""
    environment = place.venv("numpy==2.1.3")
    metadata = "Metadata-Version: 2.1\nName: numpy\nVersion: 1.26.4\n"
    environment.write("~umpy-1.26.4.dist-info/METADATA", metadata)
    environment.write("~umpy/__init__.py", "")
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def cuda_11_beside_12(place):
    """NVIDIA's runtime for CUDA 11 is left beside that for CUDA 12"""
    environment = place.venv()
    runtimes = ["nvidia-cuda-runtime-cu11==11.8.89", "nvidia-cuda-runtime-cu12==12.5.82"]
    environment.install(*runtimes, options=["--no-deps"])
    return Trial(environment.prefix, "import nvidia.cuda_runtime")


OPENMP = "/usr/lib/llvm-19/lib/libomp.so.5"
TOGETHER = (
    "import subprocess, sys\n"
    "done = subprocess.run([sys.executable, '-c', 'import one.core, two.core'], stderr=subprocess.PIPE)\n"
    "print(done.stderr.decode(), done.returncode)\n"
    "import one.core\n"
)


def grafted(place, original, call):
    """Two distributions with a private copy of one library each, renamed as auditwheel renames it."""
    wheels = []
    for name in ["one", "two"]:
        soname = original.rpartition("/")[2].replace(".so", f"-{name}.so", 1)
        copy = place.path / name / f"{name}.libs" / soname
        copy.parent.mkdir(parents=True)
        shutil.copy(original, copy)
        run("patchelf", "--set-soname", soname, copy)
        place.module(f"{name}/{name}/core.abi3.so", call, str(copy), f"-Wl,-rpath,$ORIGIN/../{name}.libs")
        wheels.append(search_paths.package(place, name, name))
    return Trial(search_paths.installed(place, *wheels).prefix, TOGETHER)


@case(quick=True)
def openmp_of_llvm_twice(place):
    """two distributions bring LLVM's OpenMP runtime: a process cannot have both"""
    return grafted(place, OPENMP, "int omp_get_max_threads(void);\n---\nomp_get_max_threads();")


@case(quick=True)
def openmp_of_gnu_twice(place):
    """two distributions bring GNU's OpenMP runtime, which does no harm"""
    original = run("gcc", "-print-file-name=libgomp.so.1").strip()
    return grafted(place, original, "int omp_get_max_threads(void);\n---\nomp_get_max_threads();")


@case(quick=True)
def two_blas(place):
    """a module is linked with one BLAS, and its library with that of another package: the first serves both"""
    blas = "int dgemm_(void) { return %d; }"
    first = place.compile("tree/outer/libs/libopenblas.so.0", blas % 1, "-Wl,-soname,libopenblas.so.0")
    second = place.compile("blas/mkl/libs/libmkl_rt.so.2", blas % 2, "-Wl,-soname,libmkl_rt.so.2")
    solver = place.compile(
        "tree/outer/libs/libsolver.so.1",
        "int dgemm_(void); int solver(void) { return dgemm_(); }",
        "-Wl,-soname,libsolver.so.1",
        str(second),
        "-Wl,-rpath,$ORIGIN/../../mkl/libs",
    )
    call = (
        "int dgemm_(void); int solver(void);\n---\n"
        "if (dgemm_() == solver()) PySys_WriteStdout(\"one BLAS answers for both\\n\");\n"
    )
    place.module("tree/outer/core.abi3.so", call, str(first), str(solver), "-Wl,-rpath,$ORIGIN/libs")
    wheels = [search_paths.package(place, "outer", "tree"), search_paths.package(place, "mkl", "blas")]
    return Trial(search_paths.installed(place, *wheels).prefix, "import outer.core")
