//! Modules of Python's standard library that are compiled only where a library's headers are there
//! (`Modules/Setup` and `setup.py` of CPython), as a table.

/// Modules, each with Debian's package of the headers that CPython is built with.
const MODULES: &[(&str, &str)] = &[
    ("_ctypes", "libffi-dev"),
    ("_sqlite3", "libsqlite3-dev"),
    ("_ssl", "libssl-dev"),
    ("_hashlib", "libssl-dev"),
    ("_bz2", "libbz2-dev"),
    ("_lzma", "liblzma-dev"),
    ("_curses", "libncurses-dev"),
    ("_dbm", "libgdbm-compat-dev"),
    ("_gdbm", "libgdbm-dev"),
    ("_tkinter", "tk-dev"),
    ("_uuid", "uuid-dev"),
    ("readline", "libreadline-dev"),
    ("zlib", "zlib1g-dev"),
];

/// Modules that are built into the interpreter in some installations, so that no file has them
/// (`sys.builtin_module_names` of CPython 3.8 to 3.14 on Linux and macOS). Those that begin with an underscore are
/// left out: no distribution has such a name.
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

/// May a module be built into the interpreter that is called as a distribution is?
#[must_use]
pub fn may_be_built_in(module: &str) -> bool {
    BUILT_IN.contains(&module)
}

/// The package of headers without which Python has no module of that name.
#[must_use]
pub fn headers_of(module: &str) -> Option<&'static str> {
    MODULES.iter().find(|(name, _)| *name == module).map(|(_, headers)| *headers)
}
