//! The dyld shared cache: libraries of the system that have no file of their own (from macOS 11).
//!
//! It is not read. What an object needs by a path of the system is assumed to exist, since the
//! object was linked against it. What a search only happens to find there counts if it is well
//! known.

/// The libraries directly in `/usr/lib` that programs outside the system link against (the
/// `usr/lib/*.tbd` of Apple's macOS SDK).
const WELL_KNOWN: &[&str] = &[
    "libSystem.B.dylib",
    "libc++.1.dylib",
    "libc++abi.dylib",
    "libobjc.A.dylib",
    "libz.1.dylib",
    "libbz2.1.0.dylib",
    "liblzma.5.dylib",
    "libcompression.dylib",
    "libarchive.2.dylib",
    "libiconv.2.dylib",
    "libcharset.1.dylib",
    "libicucore.A.dylib",
    "libsqlite3.dylib",
    "libxml2.2.dylib",
    "libxslt.1.dylib",
    "libexslt.0.dylib",
    "libexpat.1.dylib",
    "libcurl.4.dylib",
    "libffi.dylib",
    "libedit.3.dylib",
    "libncurses.5.4.dylib",
    "libpanel.5.4.dylib",
    "libform.5.4.dylib",
    "libresolv.9.dylib",
    "libpcap.A.dylib",
    "libcups.2.dylib",
    "libpam.2.dylib",
    "libsasl2.2.dylib",
    "libgssapi_krb5.dylib",
    "libsandbox.1.dylib",
    "libstdc++.6.dylib",
];

/// May a path be one of a library in the cache (`mightBeInSharedCache`)?
pub(super) fn may_hold(path: &[u8]) -> bool {
    const PLACES: [&[u8]; 5] = [
        b"/usr/lib/",
        b"/System/Library/",
        b"/System/iOSSupport/usr/lib/",
        b"/System/iOSSupport/System/Library/",
        b"/System/DriverKit/",
    ];
    PLACES.iter().any(|place| path.starts_with(place))
}

/// Is the library of that path in the cache? `asked` is the name in the object: what a search finds
/// for another name has to be well known.
pub(super) fn holds(path: &[u8], asked: &[u8]) -> bool {
    let leaf = path.strip_prefix(b"/usr/lib/");
    may_hold(path)
        && (path == asked
            || leaf.is_some_and(|leaf| WELL_KNOWN.iter().any(|known| known.as_bytes() == leaf)))
}
