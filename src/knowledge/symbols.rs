//! The owners of symbols by the beginnings of their names: C++ namespaces as mangled by the Itanium ABI, and
//! prefixes of C libraries (from their public headers).

/// A project whose libraries define symbols of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The name of the project.
    pub name: &'static str,
    /// The distribution on PyPI that contains its libraries; empty if there is none.
    pub distribution: &'static str,
}

const TENSORFLOW: Owner = Owner { name: "TensorFlow", distribution: "tensorflow" };
const TORCH: Owner = Owner { name: "PyTorch", distribution: "torch" };
const CUDNN: Owner = Owner { name: "cuDNN", distribution: "nvidia-cudnn-cu12" };
const CUBLAS: Owner = Owner { name: "cuBLAS", distribution: "nvidia-cublas-cu12" };
const CUSPARSE: Owner = Owner { name: "cuSPARSE", distribution: "nvidia-cusparse-cu12" };
const NVJITLINK: Owner = Owner { name: "nvJitLink", distribution: "nvidia-nvjitlink-cu12" };
const NVRTC: Owner = Owner { name: "NVRTC (CUDA)", distribution: "nvidia-cuda-nvrtc-cu12" };
const NCCL: Owner = Owner { name: "NCCL", distribution: "nvidia-nccl-cu12" };
const PROTOBUF: Owner = Owner { name: "Protocol Buffers", distribution: "protobuf" };
const ARROW: Owner = Owner { name: "Apache Arrow", distribution: "pyarrow" };
const PYTHON: Owner = Owner { name: "Python", distribution: "" };
const OPENSSL: Owner = Owner { name: "OpenSSL", distribution: "" };
const LIBSTDCXX: Owner = Owner { name: "the C++ library of GCC (libstdc++)", distribution: "" };
const CUDART: Owner = Owner { name: "the CUDA runtime", distribution: "nvidia-cuda-runtime-cu12" };
const ICU: Owner = Owner { name: "ICU", distribution: "" };
const HDF5: Owner = Owner { name: "HDF5", distribution: "" };

/// Longer prefixes come first.
const OWNERS: &[(&str, Owner)] = &[
    ("_ZN10tensorflow", TENSORFLOW),
    ("_ZNK10tensorflow", TENSORFLOW),
    ("_ZTIN10tensorflow", TENSORFLOW),
    ("_ZTVN10tensorflow", TENSORFLOW),
    ("_ZN3tsl", TENSORFLOW),
    ("_ZNK3tsl", TENSORFLOW),
    ("_ZTIN3tsl", TENSORFLOW),
    ("_ZTVN3tsl", TENSORFLOW),
    ("_ZN3xla", TENSORFLOW),
    ("_ZNK3xla", TENSORFLOW),
    ("TF_", TENSORFLOW),
    ("TFE_", TENSORFLOW),
    ("_ZN3c10", TORCH),
    ("_ZNK3c10", TORCH),
    ("_ZTIN3c10", TORCH),
    ("_ZTVN3c10", TORCH),
    ("_ZN2at", TORCH),
    ("_ZNK2at", TORCH),
    ("_ZN5torch", TORCH),
    ("_ZNK5torch", TORCH),
    ("_ZTIN5torch", TORCH),
    ("_ZTVN5torch", TORCH),
    ("_ZN6caffe2", TORCH),
    ("THP", TORCH),
    ("cudnn", CUDNN),
    ("_ZN5cudnn", CUDNN),
    ("cublas", CUBLAS),
    ("cusparse", CUSPARSE),
    ("__nvJitLink", NVJITLINK),
    ("nvrtc", NVRTC),
    ("cudaGet", CUDART),
    ("cudaGraph", CUDART),
    ("cudaFunc", CUDART),
    ("cudaLaunch", CUDART),
    ("cudaLibrary", CUDART),
    ("cudaMalloc", CUDART),
    ("cudaMem", CUDART),
    ("cudaStream", CUDART),
    ("__cudaRegister", CUDART),
    ("cusolver", Owner { name: "cuSOLVER", distribution: "nvidia-cusolver-cu12" }),
    ("cufft", Owner { name: "cuFFT", distribution: "nvidia-cufft-cu12" }),
    ("curand", Owner { name: "cuRAND", distribution: "nvidia-curand-cu12" }),
    ("_ZN6icu_", ICU),
    ("_ZNK6icu_", ICU),
    ("_ZTIN6icu_", ICU),
    ("_ZTVN6icu_", ICU),
    ("nccl", NCCL),
    ("_ZN6google8protobuf", PROTOBUF),
    ("_ZNK6google8protobuf", PROTOBUF),
    ("_ZN5arrow", ARROW),
    ("_ZNK5arrow", ARROW),
    ("PyInit_", Owner { name: "the module itself", distribution: "" }),
    ("Py", PYTHON),
    ("_Py", PYTHON),
    ("SSL_", OPENSSL),
    ("EVP_", OPENSSL),
    ("ERR_", OPENSSL),
    ("RAND_", OPENSSL),
    ("X509_", OPENSSL),
    ("OPENSSL_", OPENSSL),
    ("H5", HDF5),
    ("_ZN2cv", Owner { name: "OpenCV", distribution: "opencv-python" }),
    ("sqlite3_", Owner { name: "SQLite", distribution: "" }),
    ("ffi_", Owner { name: "libffi", distribution: "" }),
    ("GOMP_", Owner { name: "the OpenMP runtime of GCC (libgomp)", distribution: "" }),
    ("__kmpc_", Owner { name: "the OpenMP runtime of LLVM (libomp)", distribution: "" }),
    ("GEOS", Owner { name: "GEOS", distribution: "shapely" }),
    ("XML_", Owner { name: "Expat", distribution: "" }),
    ("FT_", Owner { name: "FreeType", distribution: "" }),
    ("_ZN5boost", Owner { name: "Boost", distribution: "" }),
    ("_ZNSt", LIBSTDCXX),
    ("_ZNKSt", LIBSTDCXX),
    ("_ZSt", LIBSTDCXX),
    ("__gxx_personality", LIBSTDCXX),
];

/// The owner of a symbol, if its name shows it.
#[must_use]
pub fn owner(symbol: &str) -> Option<Owner> {
    let known = OWNERS.iter().find(|(beginning, _)| symbol.starts_with(beginning));
    known.map(|(_, owner)| *owner)
}
