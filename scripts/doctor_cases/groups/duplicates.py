"""Distributions that are there twice, or over one another."""

from case import Trial, case

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
