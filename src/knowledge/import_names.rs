//! The distributions on PyPI whose modules have different names (from their `top_level.txt` and `RECORD`
//! files).

use crate::python::distribution::normalized;

/// Names of modules, each with its distribution.
const DISTRIBUTIONS: &[(&str, &str)] = &[
    ("_cffi_backend", "cffi"),
    ("_psycopg", "psycopg2-binary"),
    ("_soundfile", "soundfile"),
    ("Crypto", "pycryptodome"),
    ("Levenshtein", "levenshtein"),
    ("MySQLdb", "mysqlclient"),
    ("OpenSSL", "pyOpenSSL"),
    ("PIL", "Pillow"),
    ("absl", "absl-py"),
    ("attr", "attrs"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python"),
    ("dateutil", "python-dateutil"),
    ("faiss", "faiss-cpu"),
    ("flash_attn_2_cuda", "flash-attn"),
    ("flash_attn_cuda", "flash-attn"),
    ("gi", "PyGObject"),
    ("google", "protobuf"),
    ("grpc", "grpcio"),
    ("icu", "PyICU"),
    ("_icu_", "PyICU"),
    ("jnius", "pyjnius"),
    ("jwt", "PyJWT"),
    ("kp", "kp"),
    ("osgeo", "GDAL"),
    ("pasta", "google-pasta"),
    ("psycopg2", "psycopg2-binary"),
    ("pywt", "PyWavelets"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("talib", "TA-Lib"),
    ("tensorflow_core", "tensorflow"),
    ("serial", "pyserial"),
    ("wx", "wxPython"),
    ("Xlib", "python-xlib"),
    ("OpenGL", "PyOpenGL"),
    ("cairo", "pycairo"),
    ("cups", "pycups"),
    ("dbus", "dbus-python"),
    ("fitz", "PyMuPDF"),
    ("git", "GitPython"),
    ("ldap", "python-ldap"),
    ("magic", "python-magic"),
    ("mpl_toolkits", "matplotlib"),
    ("nacl", "PyNaCl"),
    ("_portaudio", "PyAudio"),
    ("_dlib_pybind11", "dlib"),
    ("Bio", "biopython"),
    ("cx_Oracle", "cx-Oracle"),
    ("MeCab", "mecab-python3"),
    ("pkg_resources", "setuptools"),
    ("usb", "pyusb"),
    ("yaml", "PyYAML"),
    ("zmq", "pyzmq"),
];

/// Directories of packages that belong to several distributions.
const SHARED: &[&str] = &["nvidia", "tensorflow-plugins", "jax_plugins", "google"];

/// The top-level names of the modules of a distribution, given by its normalised name. They are that name
/// itself, unless another one is known, and for some a private module. Packages that several distributions
/// share are omitted, because they prove nothing.
#[must_use]
pub fn modules_of(distribution: &str) -> Vec<String> {
    let known = DISTRIBUTIONS.iter().filter(|(_, name)| normalized(name) == distribution);
    let mut modules: Vec<String> = known.map(|(module, _)| (*module).to_owned()).collect();
    if modules.iter().all(|module| module.starts_with('_')) {
        modules.push(distribution.replace('-', "_"));
    }
    modules.retain(|module| !SHARED.contains(&module.as_str()));
    modules
}

/// The distribution of a top-level module: the one in the table, or one with the name of the module. The
/// distribution of a private module, whose name begins with an underscore, has another name, so only the
/// table is used.
#[must_use]
pub fn distribution_of_module(module: &str) -> Option<String> {
    let known = DISTRIBUTIONS.iter().find(|(name, _)| *name == module);
    match known {
        Some((_, distribution)) => Some((*distribution).to_owned()),
        None => (!module.starts_with('_')).then(|| module.replace('_', "-")),
    }
}

/// The distribution of a top-level module, if the table lists it and no other distribution has modules there.
#[must_use]
pub fn known_distribution_of(module: &str) -> Option<&'static str> {
    let known = DISTRIBUTIONS.iter().find(|(name, _)| *name == module);
    known.map(|(_, distribution)| *distribution).filter(|_| !SHARED.contains(&module))
}

/// The distribution of an installed file, by its path alone: `grpcio` for
/// `…/site-packages/grpc/_cython/cygrpc.so`. If the distribution is not in the table, it is assumed to have
/// the name of the module. `None` if the path is not in a package, or several distributions share its
/// directory.
#[must_use]
pub fn distribution_of_path(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            // A path may leave the directory of packages again.
            ".." => drop(parts.pop()),
            "." => {}
            _ => parts.push(part),
        }
    }
    let at = parts.iter().rposition(|part| matches!(*part, "site-packages" | "dist-packages"))?;
    let below = parts.get(at + 1..).filter(|_| at > 0)?;
    let first = below.first()?;
    let is_egg = first.ends_with(".egg");
    let end = if is_egg { first.find('-') } else { first.find('.') }.unwrap_or(first.len());
    let (module, ending) = first.split_at(end);
    // A library among the packages is not a module, and its name is not that of its distribution.
    let is_library = below.len() == 1
        && module.starts_with("lib")
        && (ending == ".so" || ending.starts_with(".so."));
    if module.is_empty() || SHARED.contains(&module) || is_library {
        return None;
    }
    distribution_of_module(module)
}

#[cfg(test)]
mod tests {
    use super::{distribution_of_path, modules_of};

    #[test]
    fn a_path_tells_the_distribution_only_where_it_stays_among_the_packages() {
        let of =
            |path: &str| distribution_of_path(&format!("/c/lib/python3.9/site-packages/{path}"));
        for path in [
            "faiss/../../../libmkl_avx2.so",
            "usb/../libx.so.1",
            "usb/../../x.so",
            "_cffi.so",
            "_private/x.so",
            "libfaiss.so",
            "nvidia/cudnn/lib/libcudnn.so.9",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
        for (path, distribution) in [
            ("mkl_random/../mkl_random.libs/libmkl_core.so.2", "mkl-random"),
            ("_cffi_backend.cpython-39-x86_64-linux-gnu.so", "cffi"),
            ("faiss/./_swigfaiss.so", "faiss-cpu"),
            ("a_b.cpython-311.so", "a-b"),
            ("libarchive.cpython-311-x86_64-linux-gnu.so", "libarchive"),
        ] {
            assert_eq!(of(path).as_deref(), Some(distribution), "{path}");
        }
    }

    #[test]
    fn a_module_of_another_name_takes_the_place_of_the_distributions() {
        assert_eq!(modules_of("numpy"), ["numpy"]);
        assert_eq!(modules_of("cffi"), ["_cffi_backend", "cffi"]);
        assert_eq!(modules_of("pyyaml"), ["yaml"]);
        assert!(modules_of("protobuf").is_empty());
    }
}
