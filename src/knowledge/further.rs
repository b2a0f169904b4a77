//! Libraries that need more than installing a package, each with instructions.

/// Libraries by the beginning of their names.
const ADVICE: &[(&str, &str)] = &[
    (
        "libjvm.so",
        "install Java (apt install default-jre-headless, dnf install java-21-openjdk-headless, or conda install -c \
         conda-forge openjdk), and set JAVA_HOME to its directory; R finds it after R CMD javareconf; other programs find \
         it by LD_LIBRARY_PATH=$JAVA_HOME/lib/server",
    ),
    (
        "libmvec.so.1",
        "libmvec.so.1 is part of the GNU C library (glibc) since its release 2.22: use a newer system or image, or a build \
         of the program for an older glibc; on arm64, it exists since glibc 2.38",
    ),
    (
        "libR.so",
        "install R (apt install r-base-core, dnf install R-core, or conda install -c conda-forge r-base), and start the \
         program with LD_LIBRARY_PATH=$(R RHOME)/lib; an R that you compile needs --enable-R-shlib",
    ),
    (
        "libclntsh.so",
        "install Oracle Instant Client from Oracle, and run ldconfig with its directory in /etc/ld.so.conf.d; in \
         Python, python-oracledb in its thin mode does not need it",
    ),
    ("libtorch_cuda", TORCH),
    ("libc10_cuda.so", TORCH),
    ("libamdhip64.so", ROCM),
    ("libhsa-runtime64.so", ROCM),
    ("librocm", ROCM),
    ("librocblas.so", ROCM),
    ("librocsolver.so", ROCM),
    ("libroctx64.so", ROCM),
    ("libhip", ROCM),
    ("libMIOpen.so", ROCM),
    ("librccl.so", ROCM),
];

const TORCH: &str = "only builds of torch for CUDA have this library, each release its own: install the package that needs it in a build \
                     for the torch that is installed (python -c 'import torch; print(torch.__version__)' shows its release and +cpu or \
                     its CUDA), or that release of torch for CUDA; import torch first";

const ROCM: &str = "install the release of ROCm that the package was built for from AMD's repository (its number is that of the \
                    library: .so.6 is of ROCm 6); its libraries are in /opt/rocm/lib, which LD_LIBRARY_PATH can name";

/// Additional instructions besides installing a package, by the beginning of a library's name.
const BESIDES: &[(&str, &str)] = &[
    ("libimf.so", ONEAPI),
    ("libsvml.so", ONEAPI),
    ("libintlc.so", ONEAPI),
    ("libirng.so", ONEAPI),
    ("libirc.so", ONEAPI),
    ("libifcore", ONEAPI),
    ("libifport", ONEAPI),
    ("libiomp5.so", ONEAPI),
    ("libmkl_", ONEAPI),
];

const ONEAPI: &str = "where Intel's compilers are installed, source /opt/intel/oneapi/setvars.sh in the shell that starts it";

/// Additional instructions besides installing the package of a library.
#[must_use]
pub(super) fn besides(library: &str) -> Option<&'static str> {
    let known = BESIDES.iter().find(|(beginning, _)| library.starts_with(beginning));
    known.map(|(_, advice)| *advice)
}

/// The instructions for a library, if there are any.
#[must_use]
pub(super) fn of(library: &str) -> Option<&'static str> {
    let known = ADVICE.iter().find(|(beginning, _)| library.starts_with(beginning));
    known.map(|(_, advice)| *advice)
}
