//! Facts about TensorFlow and NVIDIA's libraries. They provide names for reports, and show what a program can
//! work without. Which object lacks which directory does not depend on them.

use crate::python::distribution::{Distribution, Requirement};
use crate::vfs::Vfs;
use std::path::{Path, PathBuf};

/// The distributions that install TensorFlow itself (PyPI; `tensorflow-base` is conda-forge's).
pub const DISTRIBUTIONS: &[&str] = &[
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "tensorflow-macos",
    "tensorflow-intel",
    "tensorflow-rocm",
    "tensorflow-cpu-aws",
    "tensorflow-aarch64",
    "tensorflow-base",
    "intel-tensorflow",
    "tf-nightly",
    "tf-nightly-cpu",
    "tf-nightly-gpu",
    "tf-nightly-macos",
];

/// The library with which a program accesses NVIDIA's driver.
pub const DRIVER: &str = "libcuda.so.1";

/// Libraries of NVIDIA's driver (the file list of its Linux installer, and of Debian's packages
/// nvidia-driver-libs and libcuda1).
const DRIVER_LIBRARIES: &[&str] =
    &[DRIVER, "libcudadebugger.so.1", "libnvcuvid.so.1", "libnvoptix.so.1", "libvdpau_nvidia.so.1"];

/// TensorFlow opens every library in a directory with this name beside its own package, after it has loaded
/// its own libraries (`tensorflow/python/framework/load_library.py`, `load_pluggable_device_library`;
/// `tensorflow/__init__.py`).
pub const PLUGINS: &str = "tensorflow-plugins";

/// The module that TensorFlow's package loads before any other, by its path beside the package
/// (`tensorflow/__init__.py` imports `tensorflow/python/pywrap_tensorflow.py`).
pub const FIRST_MODULE: &str = "tensorflow/python/_pywrap_tensorflow_internal.so";

/// The library from which TensorFlow opens those of CUDA, by its path beside the package (tsl's
/// `dso_loader.cc` is linked into it).
pub const OPENER: &str = "tensorflow/libtensorflow_framework.so.2";

/// The file that records what a wheel was built with, by its path beside the package
/// (`tensorflow/tools/build_info/gen_build_info.py` writes it).
const BUILD_INFO: &str = "tensorflow/python/platform/build_info.py";

/// Its maximum length. It usually has about two kilobytes.
const MAX_BUILD_INFO_BYTES: u64 = 1 << 16;

/// The libraries that TensorFlow requires to use a GPU (`TryDlopenCUDALibraries` in tsl's
/// `dlopen_checker.cc`), by the major version of CUDA, with the sonames of NVIDIA's toolkits.
const CUDA_LIBRARIES: &[(&str, [&str; 6])] = &[
    (
        "11",
        [
            "libcudart.so.11.0",
            "libcublas.so.11",
            "libcublasLt.so.11",
            "libcufft.so.10",
            "libcusolver.so.11",
            "libcusparse.so.11",
        ],
    ),
    (
        "12",
        [
            "libcudart.so.12",
            "libcublas.so.12",
            "libcublasLt.so.12",
            "libcufft.so.11",
            "libcusolver.so.11",
            "libcusparse.so.12",
        ],
    ),
    (
        "13",
        [
            "libcudart.so.13",
            "libcublas.so.13",
            "libcublasLt.so.13",
            "libcufft.so.12",
            "libcusolver.so.12",
            "libcusparse.so.12",
        ],
    ),
];

/// The last release that also requires cuRAND to use a GPU, and its soname, which CUDA 10 to 13 share. The
/// libraries that a release opens were observed with TensorFlow 2.13.1, 2.14.1 and 2.15.1 beside a driver
/// (`LD_DEBUG=libs`).
const LAST_WITH_CURAND: Release = (2, 13);
const CURAND: &str = "libcurand.so.10";

/// Is a library one of CUDA or cuDNN, by its name?
#[must_use]
pub fn is_of_cuda(library: &[u8]) -> bool {
    let stem = |name: &[u8]| name.split(|&byte| byte == b'.').next().map(<[u8]>::to_vec);
    let known = CUDA_LIBRARIES.iter().flat_map(|(_, names)| names);
    library.starts_with(b"libcudnn")
        || known.into_iter().any(|name| stem(name.as_bytes()) == stem(library))
}

/// The CUDA that a wheel of TensorFlow was built with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildInfo {
    /// The release of CUDA: `12.5.1`.
    pub cuda: String,
    /// The major number of cuDNN.
    pub cudnn: String,
}

impl BuildInfo {
    /// Reads the build information of the TensorFlow in a directory of packages; `None` if it was built
    /// without CUDA, or does not contain it.
    #[must_use]
    pub fn read(vfs: &dyn Vfs, site: &Path) -> Option<Self> {
        let source = vfs.open(&site.join(BUILD_INFO)).ok()?;
        let text = source.get(0..source.len().min(MAX_BUILD_INFO_BYTES))?;
        Self::of(&String::from_utf8_lossy(&text))
    }

    /// The same from the text of the file: pairs of names and values in Python's notation.
    fn of(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let (_, rest) = text.split_once(&format!("('{name}', '"))?;
            rest.split_once('\'').map(|(value, _)| value.to_owned())
        };
        text.contains("('is_cuda_build', True)").then_some(())?;
        Some(Self { cuda: value("cuda_version")?, cudnn: value("cudnn_version")? })
    }

    /// The sonames that a version of TensorFlow with this CUDA opens; none if that CUDA is unknown.
    #[must_use]
    pub fn libraries(&self, version: &str) -> Vec<String> {
        let major = self.cuda.split('.').next().unwrap_or_default();
        let Some((_, known)) = CUDA_LIBRARIES.iter().find(|(release, _)| *release == major) else {
            return Vec::new();
        };
        let cudnn = format!("libcudnn.so.{}", self.cudnn);
        let wants_curand = release(version).is_some_and(|release| release <= LAST_WITH_CURAND);
        let curand = wants_curand.then(|| CURAND.to_owned());
        known.iter().map(|name| (*name).to_owned()).chain(curand).chain([cudnn]).collect()
    }
}

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

/// Counted over the wheels on PyPI for Apple silicon, from TensorFlow 2.9 to 2.21
/// (`scripts/doctor/metal-table`).
const PLUGIN_RELEASES: &[Plugin] = &[
    metal("0.8.", (2, 13)),
    metal("1.0.", (2, 13)),
    metal("1.1.", (2, 17)),
    metal("1.2.", (2, 19)),
];

/// The oldest and the newest release of TensorFlow that a release of a plugin works with; `None` if that is
/// unknown.
#[must_use]
pub fn fitting(distribution: &str, version: &str) -> Option<(Release, Release)> {
    let plugin = PLUGIN_RELEASES
        .iter()
        .find(|plugin| plugin.distribution == distribution && version.starts_with(plugin.version));
    plugin.map(|plugin| (plugin.oldest, plugin.newest))
}

/// Which versions other than the required ones make TensorFlow fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaks {
    /// Older versions.
    WhenOlder,
    /// Versions with a smaller major or minor number.
    WhenOlderInMinor,
    /// Versions with a different major number.
    WhenOfAnotherMajor,
}

/// A distribution that is imported together with TensorFlow.
pub struct Companion {
    /// Its normalised name.
    pub name: &'static str,
    /// Which versions fail.
    pub breaks: Breaks,
    /// Does it apply only to a TensorFlow that was built for GPUs?
    pub is_for_gpu: bool,
    /// What fails, as a clause after "and".
    pub fails: &'static str,
}

/// Failures with other versions than those in TensorFlow's metadata, found by importing releases of
/// TensorFlow from 2.16 to 2.21 with them (`fixtures/cases/versions.toml`).
pub const COMPANIONS: &[Companion] = &[
    Companion {
        name: "numpy",
        breaks: Breaks::WhenOfAnotherMajor,
        is_for_gpu: false,
        fails: "modules compiled for one major version of NumPy do not load with another",
    },
    Companion {
        name: "protobuf",
        breaks: Breaks::WhenOlder,
        is_for_gpu: false,
        fails: "code that a newer protobuf generated does not run with an older one",
    },
    Companion {
        name: "keras",
        breaks: Breaks::WhenOfAnotherMajor,
        is_for_gpu: false,
        fails: "tf.keras of this release is another Keras",
    },
    Companion {
        name: "ml-dtypes",
        breaks: Breaks::WhenOlder,
        is_for_gpu: false,
        fails: "an older one lacks number types that it imports",
    },
    // cuDNN's loader in XLA (`CudnnSupport::Init` in `cuda_dnn.cc`) requires the major version that it was
    // compiled with, and a minor version that is not older.
    Companion {
        name: "nvidia-cudnn-cu12",
        breaks: Breaks::WhenOlderInMinor,
        is_for_gpu: true,
        fails: "it refuses a cuDNN that is older than the one it was compiled with",
    },
];

/// The first release that supports NumPy 2 (its release notes). The metadata of some older ones allow every
/// NumPy.
pub const FIRST_FOR_NUMPY_2: Release = (2, 18);

/// The major and minor number of a version; `None` if it has another form.
#[must_use]
pub fn release(version: &str) -> Option<Release> {
    let mut numbers = version.split('.').map(|number| number.parse::<u8>().ok());
    numbers.next().flatten().zip(numbers.next().flatten())
}

/// Does a search path name directories of NVIDIA's distributions? A TensorFlow that was built for GPUs has
/// such entries; `tensorflow-cpu` does not.
#[must_use]
pub fn names_gpu_libraries(search_path: &[u8]) -> bool {
    search_path.windows(7).any(|part| part == b"nvidia/")
}

/// Distributions whose releases are each for the release of TensorFlow with the same major and minor number
/// (their `Requires-Dist`).
const FOLLOWERS: &[&str] = &["tensorflow-text", "tf-keras"];

/// The requirement of a plugin for its host, even in an extra; `None` if its metadata do not contain one.
#[must_use]
pub fn requirement_of_host<'a>(
    plugin: &'a Distribution,
    host: &Distribution,
) -> Option<&'a Requirement> {
    let is_tensorflows = is_tensorflow(&host.normalized);
    plugin.requires.iter().find(|needed| {
        let is_it = match is_tensorflows {
            true => is_tensorflow(&needed.name),
            false => needed.name == host.normalized,
        };
        is_it && !needed.specifier.is_empty()
    })
}

/// Is each release of the distribution with this normalised name for the release of TensorFlow with the same
/// numbers?
#[must_use]
pub fn follows(distribution: &str) -> bool {
    FOLLOWERS.contains(&distribution)
}

/// libdevice, below a directory of CUDA's data.
pub const LIBDEVICE: &str = "nvvm/libdevice/libdevice.10.bc";

/// The directories of CUDA's data in NVIDIA's distributions, below `site-packages`: nvidia-cuda-nvcc-cu11 and
/// -cu12, and nvidia-nvvm of CUDA 13.
pub const CUDA_DATA_DIRECTORIES: &[&str] = &["nvidia/cuda_nvcc", "nvidia/cu13"];

/// The first release whose libraries search `nvidia/cuda_nvcc` beside TensorFlow (strings in
/// `libtensorflow_cc.so.2` and `libtensorflow_framework.so.2`).
const FIRST_WITH_NVCC: Release = (2, 14);

/// The directories in which a version of TensorFlow searches the data of CUDA in the environment. An unknown
/// version is assumed to be new.
#[must_use]
pub fn cuda_data_roots(version: &str, site: &Path) -> Vec<PathBuf> {
    let looks = release(version).is_none_or(|release| release >= FIRST_WITH_NVCC);
    if looks { vec![site.join("nvidia/cuda_nvcc")] } else { Vec::new() }
}

/// NVIDIA's compiler, which contains libdevice, as required by a TensorFlow.
#[must_use]
pub fn libdevice_of(tensorflow: &Distribution) -> Option<&Requirement> {
    tensorflow.requires.iter().find(|needed| needed.name.starts_with("nvidia-cuda-nvcc"))
}

/// Does the distribution with this normalised name install TensorFlow?
#[must_use]
pub fn is_tensorflow(distribution: &str) -> bool {
    DISTRIBUTIONS.contains(&distribution)
}

/// Is the library with this file name the CUDA runtime, with which a program accesses a GPU?
#[must_use]
pub fn is_cuda_runtime(name: &[u8]) -> bool {
    name.starts_with(b"libcudart.so")
}

/// Is it CUDA's profiling library? TensorFlow opens it when a profile is recorded, and uses its GPU without
/// it (`TryDlopenCUDALibraries` in tsl's `dlopen_checker.cc` does not request it).
#[must_use]
pub fn is_for_profiling(name: &[u8]) -> bool {
    name.starts_with(b"libcupti.so")
}

/// Is it a library of TensorRT? TensorFlow searches for it on every import, reports if it is missing, and
/// only needs it for models converted with TF-TRT.
#[must_use]
pub fn is_tensorrt(name: &[u8]) -> bool {
    name.starts_with(b"libnvinfer")
}

/// Is it a library for computing on a GPU of NVIDIA? An object that needs it needs the GPU.
#[must_use]
pub fn is_for_gpu(library: &[u8]) -> bool {
    let stem = library.strip_prefix(b"lib").unwrap_or_default();
    FOR_GPU.iter().any(|start| stem.starts_with(start.as_bytes()))
}

/// The prefixes of the names of NVIDIA's libraries, after `lib` (from the wheels `nvidia-*` on PyPI, and the
/// driver). `libcu` alone would also match libcurl and libcups.
const FOR_GPU: &[&str] = &[
    "cublas",
    "cuda",
    "cudnn",
    "cudss",
    "cufft",
    "cufile",
    "cupti",
    "curand",
    "cusolver",
    "cusparse",
    "cutensor",
    "nccl",
    "npp",
    "nvJitLink",
    "nvToolsExt",
    "nvblas",
    "nvcomp",
    "nvcuvid",
    "nvfatbin",
    "nvidia-",
    "nvinfer",
    "nvjpeg",
    "nvonnxparser",
    "nvrtc",
    "nvshmem",
    "nvvm",
];

/// Is a library part of the graphics driver at run time?
#[must_use]
pub fn is_driver_library(name: &[u8]) -> bool {
    // Some programs open a library by its name without a version.
    let is_called = |known: &&str| {
        let rest = known.as_bytes().strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || name.ends_with(b".so") && rest.starts_with(b"."))
    };
    name.starts_with(b"libnvidia-") || DRIVER_LIBRARIES.iter().any(is_called)
}

#[cfg(test)]
mod tests {
    use super::{BuildInfo, CURAND, is_for_gpu};

    #[test]
    fn a_library_for_a_gpu_is_known_by_its_name() {
        for name in ["libcublasLt.so.12", "libcudnn.so.9", "libnccl.so.2", "libnvrtc.so.12"] {
            assert!(is_for_gpu(name.as_bytes()), "{name}");
        }
        for name in ["libcurl.so.4", "libcups.so.2", "libnvme.so.1", "libc.so.6"] {
            assert!(!is_for_gpu(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_wheel_says_what_it_was_built_with() {
        let text = "build_info = collections.OrderedDict([('cpu_compiler', 'clang'), \
                    ('cuda_version', '12.5.1'), ('cudnn_version', '9'), ('is_cuda_build', True)])";
        let found = BuildInfo::of(text).unwrap();
        assert_eq!((&*found.cuda, &*found.cudnn), ("12.5.1", "9"));
        let libraries = found.libraries("2.14.1");
        assert_eq!(libraries.first().map(String::as_str), Some("libcudart.so.12"));
        assert_eq!(libraries.last().map(String::as_str), Some("libcudnn.so.9"));
        assert!(!libraries.iter().any(|name| name == CURAND));
        assert!(found.libraries("2.13.1").iter().any(|name| name == CURAND));
        assert_eq!(BuildInfo::of("OrderedDict([('is_cuda_build', False)])"), None);
    }
}
