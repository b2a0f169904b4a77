"""TensorFlow for GPUs without libdevice, which XLA compiles with."""

from case import Trial, case

# What TensorFlow 2.18.1 requires for a GPU, save CUDA's compiler; later releases take it too.
NVIDIA = [
    "nvidia-cublas-cu12==12.5.3.2",
    "nvidia-cuda-cupti-cu12==12.5.82",
    "nvidia-cuda-nvrtc-cu12==12.5.82",
    "nvidia-cuda-runtime-cu12==12.5.82",
    "nvidia-cudnn-cu12==9.3.0.75",
    "nvidia-cufft-cu12==11.2.3.61",
    "nvidia-curand-cu12==10.3.6.82",
    "nvidia-cusolver-cu12==11.6.3.83",
    "nvidia-cusparse-cu12==12.5.1.3",
    "nvidia-nccl-cu12==2.25.1",
    "nvidia-nvjitlink-cu12==12.5.82",
]


def tensorflow(place, version, *others):
    environment = place.venv(f"tensorflow=={version}")
    environment.install(*NVIDIA, *others, options=["--no-deps"])
    return environment


@case(quick=False)
def without_nvcc_218(place):
    """TensorFlow 2.18 with all of CUDA save its compiler"""
    return Trial(tensorflow(place, "2.18.1").prefix, "import tensorflow")


@case(quick=False)
def without_nvcc_220(place):
    """TensorFlow 2.20 with all of CUDA save its compiler"""
    return Trial(tensorflow(place, "2.20.0").prefix, "import tensorflow")


@case(quick=False)
def nvcc_of_cuda_13(place):
    """TensorFlow 2.18 with libdevice of CUDA 13, which lies where it does not look"""
    environment = tensorflow(place, "2.18.1", "nvidia-nvvm==13.0.88")
    return Trial(environment.prefix, "import tensorflow")


@case(quick=False)
def with_nvcc(place):
    """TensorFlow 2.18 with CUDA's runtime and its compiler"""
    environment = tensorflow(place, "2.18.1", "nvidia-cuda-nvcc-cu12==12.5.82")
    return Trial(environment.prefix, "import tensorflow")
