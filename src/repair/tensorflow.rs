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

/// A release of TensorFlow: major and minor number.
pub type Release = (u8, u8);

/// A plugin that binds symbols of TensorFlow, and the releases of TensorFlow that have all of them.
struct Plugin {
    distribution: &'static str,
    /// The first digits of its version.
    version: &'static str,
    oldest: Release,
    newest: Release,
}

const fn metal(version: &'static str, newest: Release) -> Plugin {
    Plugin { distribution: "tensorflow-metal", version, oldest: (2, 12), newest }
}

/// Counted over the wheels of PyPI for Apple's processors, from TensorFlow 2.9 to 2.21
/// (`scripts/metal-table`).
const PLUGIN_RELEASES: &[Plugin] = &[
    metal("0.8.", (2, 13)),
    metal("1.0.", (2, 13)),
    metal("1.1.", (2, 17)),
    metal("1.2.", (2, 19)),
];

/// The oldest and the newest release of TensorFlow that a plugin's release works with; `None` where
/// that is not known.
#[must_use]
pub fn fitting(distribution: &str, version: &str) -> Option<(Release, Release)> {
    let plugin = PLUGIN_RELEASES
        .iter()
        .find(|plugin| plugin.distribution == distribution && version.starts_with(plugin.version));
    plugin.map(|plugin| (plugin.oldest, plugin.newest))
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

/// Is it a library of TensorRT? TensorFlow looks for it whenever it is imported, says so where it is
/// not there, and needs it for nothing but what is converted with TF-TRT.
#[must_use]
pub fn is_tensorrt(name: &[u8]) -> bool {
    name.starts_with(b"libnvinfer")
}

/// Does a library come with the graphics driver, at run time?
#[must_use]
pub fn is_driver_library(name: &[u8]) -> bool {
    name.starts_with(b"libnvidia-") || DRIVER_LIBRARIES.iter().any(|known| known.as_bytes() == name)
}
