//! Symbols that the GNU C library has and musl does not, according to `nm -D` of both. A program that needs
//! one was built for the GNU C library.

/// Prefixes of their names: functions of C23, of the resolver, and of the name service.
const BEGINNINGS: &[&str] =
    &["__isoc23_", "__res_", "__ns_", "__nss_", "res_n", "_obstack_", "argp_"];

/// Suffixes of their names: functions that check lengths, and those of `-ffast-math`.
const ENDINGS: &[&str] = &["_chk", "_finite"];

/// Complete names.
const NAMES: &[&str] = &[
    "__cxa_thread_atexit_impl",
    "__finite",
    "__finitef",
    "__isinf",
    "__isinff",
    "__isinfl",
    "__isnan",
    "__isnanf",
    "__isnanl",
    "__libc_calloc",
    "__libc_free",
    "__libc_malloc",
    "__libc_memalign",
    "__libc_realloc",
    "__libc_single_threaded",
    "__rawmemchr",
    "__register_atfork",
    "__strdup",
    "__strndup",
    "__strtod_internal",
    "__strtof_internal",
    "backtrace",
    "backtrace_symbols",
    "backtrace_symbols_fd",
    "canonicalize_file_name",
    "dlmopen",
    "dlvsym",
    "error",
    "error_at_line",
    "fcntl64",
    "getaddrinfo_a",
    "getcontext",
    "gnu_get_libc_release",
    "gnu_get_libc_version",
    "initstate_r",
    "makecontext",
    "mallinfo",
    "mallinfo2",
    "malloc_trim",
    "mallopt",
    "obstack_free",
    "pthread_mutexattr_setkind_np",
    "pthread_yield",
    "random_r",
    "rawmemchr",
    // Newer releases of musl have it too.
    "secure_getenv",
    "setcontext",
    "srandom_r",
    "swapcontext",
];

/// Does a symbol that musl did not find belong to the GNU C library?
#[must_use]
pub fn is_only_in_glibc(symbol: &[u8]) -> bool {
    let Ok(symbol) = std::str::from_utf8(symbol) else { return false };
    BEGINNINGS.iter().any(|start| symbol.starts_with(start))
        || ENDINGS.iter().any(|end| symbol.ends_with(end))
        || NAMES.contains(&symbol)
}
