"""Sound environments: what is imported works, and the doctor has nothing against it."""

from case import Trial, add, case

TENSORFLOW = (
    "import tensorflow as tf; assert tf.reduce_sum(tf.linalg.matmul(tf.ones([9, 9]), tf.ones([9, 9]))) == 729"
)

# Name: what is run, and what is installed.
ENVIRONMENTS = {
    "tensorflow_cpu_216": (TENSORFLOW, ["tensorflow-cpu==2.16.2"]),
    "tensorflow_cpu_218": (TENSORFLOW, ["tensorflow-cpu==2.18.1"]),
    "tensorflow_cpu_220": (TENSORFLOW, ["tensorflow-cpu==2.20.0"]),
    "tensorflow_cpu_221": (TENSORFLOW, ["tensorflow-cpu==2.21.0"]),
}


def sound(code, requirements):
    return lambda place: Trial(place.venv(*requirements).prefix, code)


for name, (code, requirements) in ENVIRONMENTS.items():
    add(f"healthy/{name}", f"installed by uv: {' '.join(requirements)}", False, sound(code, requirements))


@case(quick=True)
def numpy(place):
    """numpy, with the libraries that it brings"""
    return Trial(place.venv("numpy==2.1.3").prefix, "import numpy; assert numpy.linalg.det(numpy.eye(3)) == 1")
