//! The packages that contain libraries, as tables by the name of the library.
//!
//! `scripts/agree/packages` checks Debian's names against the archive. Fedora's names were entered by hand from the file
//! lists of its packages, and no script checks them; rows are added only for libraries that messages named.

use super::releases::{self, Releases};
use super::shipped_libraries::{ROWS, Shipper};
use super::{conda_forge, development_packages, further};
use crate::bytes::printable;
use Shipper::{Pypi, System};

/// Modules of the standard library that may be installed without the libraries that they need, and that nothing else
/// needs. The python images on Docker Hub do not contain what tkinter needs (see their Dockerfiles), and Debian has it in
/// a separate package.
const FOR_A_DISPLAY: &[&str] = &["_tkinter"];

/// Is this the file of one of these modules, by its name?
#[must_use]
pub fn is_for_a_display(module: &[u8]) -> bool {
    let name = module.split(|&byte| byte == b'.').next().unwrap_or_default();
    FOR_A_DISPLAY.iter().any(|known| known.as_bytes() == name)
}

/// Libraries by the beginning of their names, the longer before the shorter. Sources: the RECORDs of
/// the distributions, `dpkg -S` on Debian 12 and the file lists of Fedora's packages.
const SHIPPERS: &[(&str, Shipper)] = &[
    ("libtensorflow_framework.so", Pypi("tensorflow")),
    ("libtensorflow_cc.so", Pypi("tensorflow")),
    ("libcudart.so.13", Pypi("nvidia-cuda-runtime")),
    ("libcudart.so.12", Pypi("nvidia-cuda-runtime-cu12")),
    ("libcudart.so.11", Pypi("nvidia-cuda-runtime-cu11")),
    ("libcublas.so.12", Pypi("nvidia-cublas-cu12")),
    ("libcublasLt.so.12", Pypi("nvidia-cublas-cu12")),
    ("libcublas.so.11", Pypi("nvidia-cublas-cu11")),
    ("libcublasLt.so.11", Pypi("nvidia-cublas-cu11")),
    ("libcufft.so.11", Pypi("nvidia-cufft-cu12")),
    ("libcufft.so.10", Pypi("nvidia-cufft-cu11")),
    ("libcurand.so.10", Pypi("nvidia-curand-cu12")),
    ("libcusolver.so.11", Pypi("nvidia-cusolver-cu12")),
    ("libcusparse.so.12", Pypi("nvidia-cusparse-cu12")),
    ("libcusparse.so.11", Pypi("nvidia-cusparse-cu11")),
    ("libnvJitLink.so.12", Pypi("nvidia-nvjitlink-cu12")),
    ("libnvrtc.so.12", Pypi("nvidia-cuda-nvrtc-cu12")),
    ("libcupti.so.12", Pypi("nvidia-cuda-cupti-cu12")),
    ("libcudnn.so.9", Pypi("nvidia-cudnn-cu12")),
    ("libcudnn.so.8", Pypi("'nvidia-cudnn-cu12<9'")),
    ("libnccl.so.2", Pypi("nvidia-nccl-cu12")),
    ("libnvinfer.so.10", Pypi("tensorrt-cu12")),
    ("libnvinfer.so.8", Pypi("'tensorrt<10'")),
    ("libmkl_rt.so", Pypi("mkl")),
    ("libiomp5.so", Pypi("intel-openmp")),
    ("libimf.so", Pypi("intel-cmplr-lib-rt")),
    ("libsvml.so", Pypi("intel-cmplr-lib-rt")),
    ("libintlc.so.5", Pypi("intel-cmplr-lib-rt")),
    ("libirng.so", Pypi("intel-cmplr-lib-rt")),
    ("libirc.so", Pypi("intel-cmplr-lib-rt")),
    ("libifcore.so.5", Pypi("intel-fortran-rt")),
    ("libifcoremt.so.5", Pypi("intel-fortran-rt")),
    ("libifport.so.5", Pypi("intel-fortran-rt")),
    ("libtbb.so.12", Pypi("tbb")),
    ("libarrow.so", Pypi("pyarrow")),
    ("libtorch", Pypi("torch")),
    ("libc10", Pypi("torch")),
    ("libstdc++.so.6", System("libstdc++6", "libstdc++")),
    ("libgcc_s.so.1", System("libgcc-s1", "libgcc")),
    ("libgomp.so.1", System("libgomp1", "libgomp")),
    ("libgfortran.so.5", System("libgfortran5", "libgfortran")),
    ("libquadmath.so.0", System("libquadmath0", "libquadmath")),
    ("libopenblas.so.0", System("libopenblas0", "openblas-serial")),
    ("libblas.so.3", System("libblas3", "blas")),
    ("liblapack.so.3", System("liblapack3", "lapack")),
    ("libGL.so.1", System("libgl1", "mesa-libGL")),
    ("libEGL.so.1", System("libegl1", "mesa-libEGL")),
    ("libgthread-2.0.so.0", System("libglib2.0-0", "glib2")),
    ("libglib-2.0.so.0", System("libglib2.0-0", "glib2")),
    ("libSM.so.6", System("libsm6", "libSM")),
    ("libICE.so.6", System("libice6", "libICE")),
    ("libX11.so.6", System("libx11-6", "libX11")),
    ("libXext.so.6", System("libxext6", "libXext")),
    ("libXrender.so.1", System("libxrender1", "libXrender")),
    ("libxcb.so.1", System("libxcb1", "libxcb")),
    ("libsndfile.so.1", System("libsndfile1", "libsndfile")),
    ("libportaudio.so.2", System("libportaudio2", "portaudio")),
    ("libpq.so.5", System("libpq5", "libpq")),
    ("libarchive.so.13", System("libarchive13", "libarchive")),
    ("libmpi.so.40", System("libopenmpi3", "openmpi")),
    ("libcrypt.so.1", System("libcrypt1", "libxcrypt-compat")),
    ("libz.so.1", System("zlib1g", "zlib")),
    ("libbz2.so.1", System("libbz2-1.0", "bzip2-libs")),
    ("liblzma.so.5", System("liblzma5", "xz-libs")),
    ("libssl.so.3", System("libssl3", "openssl-libs")),
    ("libcrypto.so.3", System("libssl3", "openssl-libs")),
    ("libnuma.so.1", System("libnuma1", "numactl-libs")),
    ("librdmacm.so.1", System("librdmacm1", "librdmacm")),
    ("libibverbs.so.1", System("libibverbs1", "libibverbs")),
];

/// The package that contains a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shipped {
    /// A distribution on PyPI.
    Distribution {
        /// The argument of `pip install`.
        distribution: String,
        /// The name of the library in it.
        library: String,
        /// The requested name, if the package contains no file with it, so that a link is needed.
        link: Option<String>,
    },
    /// Development packages of systems, which contain the unversioned name of a library.
    Development {
        /// Of Debian and Ubuntu.
        debian: &'static str,
        /// Of Fedora.
        fedora: String,
        /// The requested name.
        library: String,
    },
    /// Packages that only some releases of systems have.
    Releases {
        /// The name of the library.
        library: String,
        /// The packages with their releases.
        releases: &'static Releases,
    },
    /// Instructions, if installing a package is not enough.
    Advice(&'static str),
    /// Packages of systems.
    Packages {
        /// Of Debian and Ubuntu.
        debian: &'static str,
        /// Of Fedora.
        fedora: &'static str,
        /// Of conda-forge, if it is known.
        conda: Option<&'static str>,
    },
    /// A package of conda-forge, if systems do not have the library under this name.
    Conda {
        /// The argument of `conda install`.
        package: &'static str,
        /// The name of the library in it.
        library: String,
    },
}

/// The name with a version of a library that is named without one, if the tables have one.
#[must_use]
pub fn versioned(library: &[u8]) -> Option<&'static str> {
    let start = [library, b"."].concat();
    let rows = row_of(&printable(library)).map(|(row, _)| *row);
    rows.filter(|row| row.as_bytes().starts_with(&start) && !row.contains('*'))
}

/// The package that contains a library, if its name is in the tables.
#[must_use]
pub fn shipper(library: &[u8]) -> Option<Shipped> {
    let name = printable(library);
    if let Some(advice) = further::of(&name) {
        return Some(Shipped::Advice(advice));
    }
    let conda = conda_forge::package_of(&name);
    // Packages of only some releases come first; a name without a version belongs to no release.
    if let Some(releases) = row_of_releases(&name).filter(|_| !name.ends_with(".so")) {
        return Some(of_releases(name, releases));
    }
    let Some((row, shipper)) = row_of(&name) else {
        return match (row_of_releases(&name), conda) {
            (Some(releases), _) => Some(of_releases(name, releases)),
            (None, Some(package)) => Some(Shipped::Conda { package, library: name }),
            (None, None) => None,
        };
    };
    let row = row.replace('*', "");
    let is_without_version = row.starts_with(&format!("{name}."));
    Some(match shipper {
        Pypi(distribution) if is_without_version => Shipped::Distribution {
            distribution: (*distribution).to_owned(),
            library: row,
            link: Some(name),
        },
        Pypi(distribution) => {
            let release = release_of(&name).unwrap_or_default();
            let distribution = match release.as_str() {
                "" => (*distribution).to_owned(),
                release => format!("'{distribution}=={release}.*'"),
            };
            Shipped::Distribution { distribution, library: name, link: None }
        }
        System(debian, fedora) => match development_packages::of(debian) {
            Some(development) if is_without_version => for_compiling(name, development, fedora),
            _ => Shipped::Packages { debian, fedora, conda },
        },
    })
}

/// The release of a distribution that contains a library, if the version of the library shows it: for Arrow
/// it is the major version times a hundred, and for OpenVINO it consists of the year and the minor version.
fn release_of(library: &str) -> Option<String> {
    let (stem, version) = library.split_once(".so.")?;
    let version = version.split('.').next()?;
    match (stem, version.len()) {
        ("libarrow" | "libparquet" | "libarrow_dataset" | "libarrow_python", 3..) => {
            Some(version.strip_suffix("00")?.to_owned())
        }
        ("libopenvino", 4) => {
            let (year, minor) = (version.get(..2)?, version.get(2..3)?);
            Some(format!("20{year}.{minor}"))
        }
        _ => None,
    }
}

fn of_releases(name: String, releases: &'static Releases) -> Shipped {
    let newest = releases.debian.first().filter(|_| name.ends_with(".so"));
    match newest.and_then(|(package, _)| development_packages::of(package)) {
        Some(development) => {
            let fedora = releases.fedora.last().map_or("", |(package, _)| package);
            for_compiling(name, development, fedora)
        }
        None => Shipped::Releases { library: name, releases },
    }
}

/// Fedora's development files are in a package `-devel` beside that of the libraries.
fn for_compiling(library: String, debian: &'static str, fedora: &str) -> Shipped {
    let fedora = match fedora {
        "" => String::new(),
        libraries => format!("{}-devel", libraries.strip_suffix("-libs").unwrap_or(libraries)),
    };
    Shipped::Development { debian, fedora, library }
}

/// The distribution on PyPI that contains a library, if it is in the tables.
#[must_use]
pub fn distribution_of(library: &[u8]) -> Option<&'static str> {
    match row_of(&printable(library)) {
        Some((_, Pypi(distribution))) => {
            let name = distribution.trim_matches('\'');
            name.split(|c: char| "<>=!~".contains(c)).next()
        }
        _ => None,
    }
}

/// The argument of `conda install` for a library on conda-forge.
#[must_use]
pub fn of_conda(library: &[u8]) -> Option<&'static str> {
    let name = printable(library);
    conda_forge::package_of(&name).or_else(|| {
        let releases = row_of_releases(&name).filter(|_| !name.ends_with(".so"))?;
        Some(releases.conda).filter(|package| !package.is_empty())
    })
}

/// Additional instructions besides installing the package of a library.
#[must_use]
pub fn besides(library: &str) -> Option<&'static str> {
    further::besides(library)
}

/// The usual name of Debian's package for a library, according to the naming rule (Debian Policy, 8.1);
/// `None` for a name without a version.
#[must_use]
pub fn usual_package(library: &str) -> Option<String> {
    let (stem, version) = library.split_once(".so.")?;
    // The libraries of ICU are in one package.
    let stem = if stem.starts_with("libicu") { "libicu" } else { stem };
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if !version.split('.').all(is_number) {
        return None;
    }
    let dash = if stem.ends_with(|last: char| last.is_ascii_digit()) { "-" } else { "" };
    Some(format!("{stem}{dash}{version}").to_ascii_lowercase().replace('_', "-"))
}

/// The row of the tables for a library.
fn row_of(name: &str) -> Option<&'static (&'static str, Shipper)> {
    row_in(SHIPPERS.iter().chain(ROWS), name)
}

fn row_of_releases(name: &str) -> Option<&'static Releases> {
    // The newest is the last one.
    row_in(releases::ROWS.iter().rev(), name).map(|(_, releases)| releases)
}

/// The row for a name. A name without a version, such as those in cffi and ctypes, matches any known version.
fn row_in<T: 'static>(
    mut rows: impl Iterator<Item = &'static (&'static str, T)> + Clone,
    name: &str,
) -> Option<&'static (&'static str, T)> {
    let is_open = name.ends_with(".so");
    let whole = rows.clone().find(|(beginning, _)| is_begun_by(name, beginning));
    whole.or_else(|| {
        rows.find(|(beginning, _)| {
            let beginning = beginning.replace('*', "");
            is_open && beginning.strip_prefix(name).is_some_and(|r| r.starts_with('.'))
        })
    })
}

/// The file name of a library that users and programs call by another name, according to the tables:
/// `libgobject-2.0.so.0` for `gobject-2.0-0`, `libcusparse.so.12` for `cuSPARSE`.
#[must_use]
pub fn library_called(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let word = word.strip_prefix("lib").unwrap_or(&word);
    let is_called = |row: &str| {
        let Some((stem, version)) = row.strip_prefix("lib").and_then(|row| row.split_once(".so"))
        else {
            return false;
        };
        let stem = stem.to_ascii_lowercase();
        let stem = stem.strip_suffix('*').unwrap_or(&stem);
        let version_of = |rest: &str| version.strip_prefix('.') == rest.strip_prefix('-');
        word.strip_prefix(stem)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-') && version_of(rest))
    };
    let newest = releases::ROWS.iter().rev().map(|(row, _)| *row);
    let mut rows = SHIPPERS.iter().chain(ROWS).map(|(row, _)| *row).chain(newest);
    rows.find(|row| is_called(row)).map(|row| row.replace('*', ""))
}

/// Does a name have this prefix? If the prefix ends in a number, the number must be complete. A `*` in the
/// prefix stands for any letters of the library's name.
fn is_begun_by(name: &str, beginning: &str) -> bool {
    let rest = match beginning.split_once('*') {
        None => name.strip_prefix(beginning),
        Some((start, end)) => {
            let stem = name.find(".so").filter(|_| name.starts_with(start));
            stem.and_then(|at| name.get(at..)).and_then(|rest| rest.strip_prefix(end))
        }
    };
    rest.is_some_and(|rest| {
        !beginning.ends_with(|last: char| last.is_ascii_digit())
            || !rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// The release of GCC that introduced a version of its library's symbols (the table in libstdc++'s manual,
/// "ABI Policy and Guidelines").
#[must_use]
pub fn gcc_of(version: &[u8]) -> Option<&'static str> {
    const RELEASES: &[(&str, &str)] = &[
        ("GLIBCXX_3.4.22", "6.1"),
        ("GLIBCXX_3.4.23", "7.1"),
        ("GLIBCXX_3.4.24", "7.2"),
        ("GLIBCXX_3.4.25", "8.1"),
        ("GLIBCXX_3.4.26", "9.1"),
        ("GLIBCXX_3.4.27", "9.2"),
        ("GLIBCXX_3.4.28", "9.3"),
        ("GLIBCXX_3.4.29", "11.1"),
        ("GLIBCXX_3.4.30", "12.1"),
        ("GLIBCXX_3.4.31", "13.1"),
        ("GLIBCXX_3.4.32", "13.2"),
        ("GLIBCXX_3.4.33", "14.1"),
        ("GLIBCXX_3.4.34", "15.1"),
        ("CXXABI_1.3.11", "7.1"),
        ("CXXABI_1.3.12", "9.1"),
        ("CXXABI_1.3.13", "11.1"),
        ("CXXABI_1.3.14", "13.1"),
        ("CXXABI_1.3.15", "14.1"),
    ];
    let known = RELEASES.iter().find(|(name, _)| name.as_bytes() == version);
    known.map(|(_, release)| *release)
}

/// Distributions that are published as wheels only, so that `pip` cannot build them.
const WITHOUT_SOURCES: &[&str] = &[
    "intel-tensorflow",
    "jaxlib",
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-gpu",
    "tensorflow-intel",
    "tf-nightly",
    "tf-nightly-cpu",
    "torch",
    "torchaudio",
    "torchvision",
];

/// May a distribution have a source distribution?
#[must_use]
pub fn has_sources(distribution: &str) -> bool {
    !WITHOUT_SOURCES.contains(&distribution) && !distribution.starts_with("nvidia-")
}

#[cfg(test)]
mod tests {
    use super::{Shipped, distribution_of, release_of, shipper, usual_package};

    #[test]
    fn a_library_is_known_by_its_whole_version() {
        assert_eq!(distribution_of(b"libcudnn.so.8"), Some("nvidia-cudnn-cu12"));
        assert_eq!((distribution_of(b"libGL.so.1"), distribution_of(b"libx.so.1")), (None, None));
        let library = "libmkl_rt.so.2".to_owned();
        let mkl = Shipped::Distribution { distribution: "mkl".to_owned(), library, link: None };
        assert_eq!(shipper(b"libmkl_rt.so.2"), Some(mkl));
        let gl = Shipped::Packages { debian: "libgl1", fedora: "mesa-libGL", conda: Some("libgl") };
        assert_eq!(shipper(b"libGL.so.1"), Some(gl));
        let library = "libhdf5.so.103".to_owned();
        let hdf5 = Shipped::Conda { package: "hdf5=1.10", library };
        assert_eq!(shipper(b"libhdf5.so.103"), Some(hdf5));
        assert_eq!(shipper(b"libGL.so.12"), None);
        assert_eq!(shipper(b"libgone.so"), None);
    }

    #[test]
    fn a_name_without_a_version_is_in_what_is_for_compiling() {
        let Some(Shipped::Development { debian, fedora, .. }) = shipper(b"libbz2.so") else {
            panic!()
        };
        assert_eq!((debian, fedora.as_str()), ("libbz2-dev", "bzip2-devel"));
        let Some(Shipped::Distribution { link, .. }) = shipper(b"libcudnn.so") else { panic!() };
        assert_eq!(link.as_deref(), Some("libcudnn.so"));
        let Some(Shipped::Development { debian, .. }) = shipper(b"libasound.so") else { panic!() };
        assert_eq!(debian, "libasound2-dev");
    }

    #[test]
    fn a_package_is_of_the_releases_that_have_the_version() {
        let Some(Shipped::Releases { releases, .. }) = shipper(b"libicui18n.so.67") else {
            panic!()
        };
        assert_eq!(releases.debian, [("libicu67", "Debian 11")]);
        assert_eq!(usual_package("libicuuc.so.62").as_deref(), Some("libicu62"));
        assert_eq!(usual_package("libpcl_surface.so.1.9").as_deref(), Some("libpcl-surface1.9"));
        assert_eq!(usual_package("libnetcdf-c++4.so.1").as_deref(), Some("libnetcdf-c++4-1"));
        assert_eq!(usual_package("libx.so"), None);
        let Some(Shipped::Distribution { distribution, .. }) = shipper(b"libarrow.so.1400") else {
            panic!()
        };
        assert_eq!(distribution, "'pyarrow==14.*'");
        assert_eq!(release_of("libopenvino.so.2310").as_deref(), Some("2023.1"));
    }
}
