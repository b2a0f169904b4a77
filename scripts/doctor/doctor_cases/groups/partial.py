"""Installations of which a part is gone."""

from case import Trial, case

NUMPY = "numpy==2.1.3"


@case(quick=True)
def library_gone(place):
    """the library that numpy brings is gone"""
    environment = place.venv(NUMPY)
    (library,) = environment.site.glob("numpy.libs/libscipy_openblas64_*.so")
    library.unlink()
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def modules_gone(place):
    """the package of a distribution is gone, its metadata are not"""
    environment = place.venv(NUMPY)
    for module in sorted((environment.site / "numpy").rglob("*.py")):
        module.unlink()
    return Trial(environment.prefix, "import numpy; numpy.array")


@case(quick=True)
def emptied(place):
    """a full disk has left an empty module"""
    environment = place.venv(NUMPY)
    environment.write("numpy/_core/numeric.py", "")
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def uninstalled_over(place):
    """two distributions had installed one package, and one of them is uninstalled"""
    environment = place.venv("opencv-python-headless==4.10.0.84", NUMPY)
    environment.install("opencv-contrib-python-headless==4.10.0.84", options=["--no-deps"])
    environment.uninstall("opencv-contrib-python-headless")
    return Trial(environment.prefix, "import cv2; cv2.imread")


@case(quick=False)
def tensorflow_library_gone(place):
    """TensorFlow's framework library is gone"""
    environment = place.venv("tensorflow-cpu==2.18.1")
    environment.remove("tensorflow/libtensorflow_framework.so.2")
    return Trial(environment.prefix, "import tensorflow")


@case(quick=True)
def truncated(place):
    """a module was cut off near its start"""
    environment = place.venv(NUMPY)
    (module,) = environment.site.glob("numpy/_core/_multiarray_umath.cpython-*.so")
    environment.write(module.relative_to(environment.site), module.read_bytes()[:60])
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def git_lfs(place):
    """a repository was cloned without Git LFS"""
    environment = place.venv(NUMPY)
    (module,) = environment.site.glob("numpy/_core/_multiarray_umath.cpython-*.so")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {module.stat().st_size}\n"
    environment.write(module.relative_to(environment.site), pointer)
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def zeros(place):
    """a module is nothing but zeros, as after a power failure"""
    environment = place.venv(NUMPY)
    (module,) = environment.site.glob("numpy/linalg/_umath_linalg.cpython-*.so")
    environment.write(module.relative_to(environment.site), bytes(module.stat().st_size))
    return Trial(environment.prefix, "import numpy")


@case(quick=True)
def thinned_out(place):
    """what an image does not need is gone: tests, headers, stubs, compiled modules"""
    environment = place.venv(NUMPY)
    for pattern in "numpy/**/tests/*", "numpy/**/*.pyi", "numpy/**/include/**/*", "**/*.pyc", "numpy/**/*.a":
        for file in environment.site.glob(pattern):
            if file.is_file():
                file.unlink()
    return Trial(environment.prefix, "import numpy; assert numpy.linalg.det(numpy.eye(3)) == 1")


@case(quick=True)
def edited(place):
    """a module was edited by hand, and works"""
    environment = place.venv(NUMPY)
    module = environment.site / "numpy/matlib.py"
    environment.write("numpy/matlib.py", module.read_text() + "\n# Changed by hand.\n")
    return Trial(environment.prefix, "import numpy; assert numpy.linalg.det(numpy.eye(3)) == 1")
