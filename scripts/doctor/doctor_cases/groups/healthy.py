"""Sound environments: what is imported works, and the doctor has nothing against it."""

from pathlib import Path

from case import Trial, add, case

TENSORFLOW = (
    "import tensorflow as tf; assert tf.reduce_sum(tf.linalg.matmul(tf.ones([9, 9]), tf.ones([9, 9]))) == 729"
)

SCIENTIFIC = "import numpy, scipy.linalg, pandas, sklearn.svm, pyarrow.parquet, h5py, cv2, grpc"
SCIENTIFIC_WHEELS = [
    "numpy==2.4.6",
    "scipy==1.17.1",
    "pandas==3.1.1",
    "scikit-learn==1.9.1",
    "pyarrow==26.0.1",
    "h5py==3.16.0",
    "opencv-python-headless==5.0.0.93",
    "grpcio==1.85.3",
]

# Name: what is run, and what is installed.
ENVIRONMENTS = {
    "tensorflow_cpu_216": (TENSORFLOW, ["tensorflow-cpu==2.16.2"]),
    "tensorflow_cpu_218": (TENSORFLOW, ["tensorflow-cpu==2.18.1"]),
    "tensorflow_cpu_220": (TENSORFLOW, ["tensorflow-cpu==2.20.0"]),
    "tensorflow_cpu_221": (TENSORFLOW, ["tensorflow-cpu==2.21.0"]),
    "tensorflow_and_cuda_218": (TENSORFLOW, ["tensorflow[and-cuda]==2.18.1"]),
    "scientific": (SCIENTIFIC, SCIENTIFIC_WHEELS),
    "jax": ("import jax; assert jax.numpy.ones(3).sum() == 3", ["jax==0.10.2"]),
}


def sound(code, requirements):
    return lambda place: Trial(place.venv(*requirements).prefix, code)


for name, (code, requirements) in ENVIRONMENTS.items():
    add(f"healthy/{name}", f"installed by uv: {' '.join(requirements)}", False, sound(code, requirements))


@case(quick=True)
def numpy(place):
    """numpy, with the libraries that it brings"""
    return Trial(place.venv("numpy==2.1.3").prefix, "import numpy; assert numpy.linalg.det(numpy.eye(3)) == 1")


@case(quick=True)
def packages_of_debian(place):
    """python3-yaml and python3-distro of Debian, which strips objects and keeps their old RECORD"""
    root = place.path / "root"
    place.debian("bookworm", root, ["libc6", "libyaml-0-2", "python3-yaml", "python3-distro"])
    return Trial(Path("/usr/lib/python3/dist-packages"), options=["--root", root])
