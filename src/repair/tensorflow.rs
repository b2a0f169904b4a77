//! What is known of TensorFlow and of NVIDIA's libraries, as tables. No decision about a search path
//! hangs on them: they name things, for people.

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

/// Does a library come with the graphics driver, at run time?
#[must_use]
pub fn is_driver_library(name: &[u8]) -> bool {
    name.starts_with(b"libnvidia-") || DRIVER_LIBRARIES.iter().any(|known| known.as_bytes() == name)
}
