//! Modules of Python's standard library that are compiled only if the headers of a library are installed
//! (`Modules/Setup` and `setup.py` of CPython).

/// The packages with the headers for a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    /// Of Debian and Ubuntu.
    pub debian: &'static str,
    /// Of Fedora.
    pub fedora: &'static str,
}

const fn headers(debian: &'static str, fedora: &'static str) -> Headers {
    Headers { debian, fedora }
}

/// Modules, each with the packages of headers that CPython is built with.
const MODULES: &[(&str, Headers)] = &[
    ("_ctypes", headers("libffi-dev", "libffi-devel")),
    ("_sqlite3", headers("libsqlite3-dev", "sqlite-devel")),
    ("_ssl", headers("libssl-dev", "openssl-devel")),
    ("_hashlib", headers("libssl-dev", "openssl-devel")),
    ("_bz2", headers("libbz2-dev", "bzip2-devel")),
    ("_lzma", headers("liblzma-dev", "xz-devel")),
    ("_curses", headers("libncurses-dev", "ncurses-devel")),
    ("_dbm", headers("libgdbm-compat-dev", "gdbm-devel")),
    ("_gdbm", headers("libgdbm-dev", "gdbm-devel")),
    ("_tkinter", headers("tk-dev", "tk-devel")),
    ("_uuid", headers("uuid-dev", "libuuid-devel")),
    ("_zstd", headers("libzstd-dev", "libzstd-devel")),
    ("readline", headers("libreadline-dev", "readline-devel")),
    ("zlib", headers("zlib1g-dev", "zlib-devel")),
];

/// Modules that are built into the interpreter in some installations, so that they have no file
/// (`sys.builtin_module_names` of CPython 3.8 to 3.14 on Linux and macOS). Those that begin with an
/// underscore are omitted, because no distribution has such a name.
const BUILT_IN: &[&str] = &[
    "array",
    "atexit",
    "audioop",
    "binascii",
    "builtins",
    "cmath",
    "errno",
    "faulthandler",
    "fcntl",
    "gc",
    "grp",
    "itertools",
    "marshal",
    "math",
    "mmap",
    "nis",
    "ossaudiodev",
    "parser",
    "posix",
    "pwd",
    "pyexpat",
    "readline",
    "resource",
    "select",
    "spwd",
    "symtable",
    "sys",
    "syslog",
    "termios",
    "time",
    "unicodedata",
    "xxsubtype",
    "zlib",
];

/// May a module with the name of a distribution be built into the interpreter?
#[must_use]
pub fn may_be_built_in(module: &str) -> bool {
    BUILT_IN.contains(&module)
}

/// The packages of headers without which Python lacks the module with this name.
#[must_use]
pub fn headers_of(module: &str) -> Option<Headers> {
    MODULES.iter().find(|(name, _)| *name == module).map(|(_, headers)| *headers)
}
