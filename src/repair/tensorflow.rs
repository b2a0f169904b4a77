//! What is known of TensorFlow and of NVIDIA's libraries, as tables. They name things for people, and
//! tell what a program can do without; which object lacks which directory does not hang on them.

/// The distributions that install TensorFlow itself (PyPI).
const DISTRIBUTIONS: &[&str] = &[
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-macos",
    "tensorflow-intel",
    "tensorflow-rocm",
    "tf-nightly",
    "tf-nightly-cpu",
];

/// The library by which a program reaches NVIDIA's driver.
pub const DRIVER: &str = "libcuda.so.1";

/// Libraries that NVIDIA's driver brings (the file list of its Linux installer, and of Debian's
/// packages nvidia-driver-libs and libcuda1).
const DRIVER_LIBRARIES: &[&str] =
    &[DRIVER, "libcudadebugger.so.1", "libnvcuvid.so.1", "libnvoptix.so.1", "libvdpau_nvidia.so.1"];

/// TensorFlow opens every library in a directory of that name beside its own package, after its own
/// libraries are loaded (`tensorflow/python/framework/load_library.py`,
/// `load_pluggable_device_library`; `tensorflow/__init__.py`).
pub const PLUGINS: &str = "tensorflow-plugins";

/// The module that TensorFlow's package loads before any other, by its path beside the package
/// (`tensorflow/__init__.py` imports `tensorflow/python/pywrap_tensorflow.py`).
pub const FIRST_MODULE: &str = "tensorflow/python/_pywrap_tensorflow_internal.so";

/// Plugins that bind symbols of TensorFlow, with the releases of TensorFlow that have all of them:
/// name, first digits of the version, oldest and newest release. Counted over the wheels of PyPI for
/// arm64 (`scripts/metal-table`).
const PLUGIN_FITS: &[(&str, &str, (u8, u8), (u8, u8))] = &[
    ("tensorflow-metal", "0.8.", (2, 12), (2, 13)),
    ("tensorflow-metal", "1.0.", (2, 12), (2, 13)),
    ("tensorflow-metal", "1.1.", (2, 12), (2, 17)),
    ("tensorflow-metal", "1.2.", (2, 12), (2, 19)),
];

/// The oldest and the newest release of TensorFlow that a plugin's release works with, as major and
/// minor number; `None` where that is not known.
#[must_use]
pub fn fitting(plugin: &str, version: &str) -> Option<((u8, u8), (u8, u8))> {
    let fits = PLUGIN_FITS
        .iter()
        .find(|(name, release, ..)| *name == plugin && version.starts_with(release));
    fits.map(|(_, _, oldest, newest)| (*oldest, *newest))
}

/// Does a distribution of that normalised name install TensorFlow?
#[must_use]
pub fn is_tensorflow(distribution: &str) -> bool {
    DISTRIBUTIONS.contains(&distribution)
}

/// Is a library of that file name the CUDA runtime, through which a program reaches a GPU?
#[must_use]
pub fn is_cuda_runtime(name: &[u8]) -> bool {
    name.starts_with(b"libcudart.so")
}

/// Is it CUDA's profiling library? TensorFlow opens it when a profile is recorded, and finds and uses
/// its GPU without it (`TryDlopenCUDALibraries` in tsl's `dlopen_checker.cc` does not ask for it).
#[must_use]
pub fn is_for_profiling(name: &[u8]) -> bool {
    name.starts_with(b"libcupti.so")
}

/// Does a library come with the graphics driver, at run time?
#[must_use]
pub fn is_driver_library(name: &[u8]) -> bool {
    name.starts_with(b"libnvidia-") || DRIVER_LIBRARIES.iter().any(|known| known.as_bytes() == name)
}
