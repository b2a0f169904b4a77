"""Distributions that do not fit one another: by their symbols, or by what they import."""

from case import Trial, add, case

KERAS = "import tensorflow as tf; print(tf.keras.layers.Dense(2)(tf.ones([2, 2])))"
TEXT = "import tensorflow, tensorflow_text"
IO = "import tensorflow_io as tfio; tfio.audio.decode_wav('', dtype='int16')"

# Name: what is run, what is installed with all that it requires, and what takes its place without.
PAIRS = {
    "text_218_with_220": (TEXT, "tensorflow-cpu==2.20.0", ["tensorflow-text==2.18.1"]),
    "text_220_with_218": (TEXT, "tensorflow-cpu==2.18.1", ["tensorflow-text==2.20.1"]),
    "text_220_with_221": (TEXT, "tensorflow-cpu==2.21.0", ["tensorflow-text==2.20.1"]),
    "numpy_2_with_216": (KERAS, "tensorflow-cpu==2.16.2", ["numpy==2.2.6"]),
    "keras_2_with_220": (KERAS, "tensorflow-cpu==2.20.0", ["keras==2.15.0"]),
    "protobuf_5_with_221": (KERAS, "tensorflow-cpu==2.21.0", ["protobuf==5.29.5"]),
    "io_with_218": (IO, "tensorflow-cpu==2.18.1", ["tensorflow-io==0.37.1", "tensorflow-io-gcs-filesystem==0.37.1"]),
    "protobuf_4_with_220": (KERAS, "tensorflow-cpu==2.20.0", ["protobuf==4.25.8"]),
}

# The same, and it works, whatever the metadata say.
WORKING = {
    "text_219_with_218": (TEXT, "tensorflow-cpu==2.18.1", ["tensorflow-text==2.19.0"]),
    "numpy_22_with_218": (KERAS, "tensorflow-cpu==2.18.1", ["numpy==2.2.6"]),
    "protobuf_6_with_218": (KERAS, "tensorflow-cpu==2.18.1", ["protobuf==6.33.0"]),
}


def pair(code, host, others):
    def build(place):
        environment = place.venv(host)
        environment.install(*others, options=["--no-deps"])
        return Trial(environment.prefix, code)

    return build


for name, (code, host, others) in (PAIRS | WORKING).items():
    add(f"versions/{name}", f"{' '.join(others)} beside {host}", False, pair(code, host, others))

# Modules that were compiled with NumPy 1: metadata of that time allow NumPy 2, and only the modules tell.
NUMPY = {
    "shapely_of_numpy_1": ("import shapely", "numpy==2.2.6", ["shapely==2.0.1"]),
    "numexpr_of_numpy_1": ("import numexpr", "numpy==2.2.6", ["numexpr==2.8.7"]),
    "numexpr_with_its_numpy": ("import numexpr", "numpy==1.26.4", ["numexpr==2.8.7"]),
    "shapely_of_numpy_2": ("import shapely", "numpy==2.2.6", ["shapely==2.0.7"]),
}

for name, (code, host, others) in NUMPY.items():
    add(f"versions/{name}", f"{' '.join(others)} beside {host}", True, pair(code, host, others))


def host(place, version, symbol):
    """A wheel with a library that others bind to."""
    place.compile(f"host-{version}/host/libhost.so.1", f"int {symbol}(void) {{ return 1; }}", "-Wl,-soname,libhost.so.1")
    place.files(f"host-{version}", {"host/__init__.py": ""})
    return place.wheel("host", version, place.path / f"host-{version}", TAG)


TAG = "cp38-abi3-linux_x86_64"


def plugin(place, library):
    """A wheel with a module that binds host_one of libhost.so.1."""
    place.module(
        "plugin-tree/plugin/core.abi3.so",
        "int host_one(void);\n---\nhost_one();",
        str(library),
        "-Wl,-rpath,$ORIGIN/../host",
    )
    place.files("plugin-tree", {"plugin/__init__.py": ""})
    return place.wheel("plugin", "1.0", place.path / "plugin-tree", TAG, ["Requires-Dist: host<2"])


@case(quick=True)
def plugin_of_an_older_host(place):
    """a module was built against release 1 of a library, and release 2 is installed"""
    host(place, "1.0", "host_one")
    wheel = plugin(place, place.path / "host-1.0/host/libhost.so.1")
    environment = place.venv()
    environment.install(host(place, "2.0", "host_two"), wheel, options=["--no-deps"])
    return Trial(environment.prefix, "import plugin.core")
