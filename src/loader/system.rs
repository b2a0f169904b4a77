//! What a system's loader has built in, and the cache beside it: read from files, never by running
//! anything.

use super::machine::{GlibcVersion, Libc, Target};
use super::musl::system as musl;
use crate::bytes::Source;
use crate::elf::{Image, Summary};
use crate::loader::glibc::ld_so_cache::LdSoCache;
use crate::vfs::Vfs;
use memchr::memmem;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// glibc rounds the block of a thread up to this many bytes (`TCB_ALIGNMENT`): up to so much more than
/// [`System::static_tls_surplus`] may be left.
pub const STATIC_TLS_ROUNDING: u64 = 64;

/// The loader of a system, with what it reads at start.
#[derive(Debug, Clone)]
pub struct System {
    /// What it can load.
    pub target: Target,
    /// Whose it is.
    pub libc: Libc,
    /// The loader's own path, as `PT_INTERP` of the program gives it.
    pub interpreter: Option<PathBuf>,
    /// Its built-in directories in order: of glibc each with a slash at its end, of musl as its
    /// list has them.
    pub default_dirs: Vec<Vec<u8>>,
    /// The file that lists them instead of the loader: musl's `/etc/ld-musl-ARCH.path`.
    pub path_file: Option<PathBuf>,
    /// The value of `$LIB`.
    pub lib: Vec<u8>,
    /// glibc's version; `None` if neither the loader nor its libc shows it.
    pub version: Option<GlibcVersion>,
    /// The entries of `/etc/ld.so.cache`.
    pub cache: LdSoCache,
    /// The names in `/etc/ld.so.preload`.
    pub preload: Vec<Vec<u8>>,
    /// What could not be read, and was assumed instead: sentences for the user.
    pub assumptions: Vec<String>,
}

/// More than any loader has; limits what is read of a file that only claims to be one.
const MAX_BYTES: u64 = 16 << 20;

impl System {
    /// Reads the loader that a main program names, and the cache of the same root.
    #[must_use]
    pub fn read(vfs: &dyn Vfs, program: &Summary) -> Self {
        Self::read_as(vfs, program, None)
    }

    /// The same for the requested C library, whatever the program names. Without a request it is
    /// that of the program or library, else that of the root.
    #[must_use]
    pub fn read_as(vfs: &dyn Vfs, program: &Summary, wish: Option<Libc>) -> Self {
        let target = Target::of(program);
        let mut assumptions = Vec::new();
        let (libc, interpreter) = loader_of(vfs, program, wish);
        let bytes = read_loader(vfs, interpreter.as_deref(), &mut assumptions);
        // The file with the name of glibc's loader may be musl.
        if libc == Libc::Musl || (wish.is_none() && musl::is_musl(&bytes)) {
            let (default_dirs, path_file) =
                musl::directories(vfs, interpreter.as_deref(), &bytes, &mut assumptions);
            return Self {
                target,
                libc: Libc::Musl,
                interpreter,
                default_dirs,
                path_file,
                lib: Vec::new(),
                version: None,
                cache: LdSoCache::default(),
                preload: Vec::new(),
                assumptions,
            };
        }
        let built_in = built_in_dirs(&bytes);
        let default_dirs = built_in.unwrap_or_else(|| {
            assumptions.push("the loader's default directories are assumed".into());
            usual_dirs(target)
        });
        let lib = built_in_lib(&bytes, &default_dirs);
        // Before 2.35 the loader has no banner, but the library beside it has a version of that name.
        let version = built_in_version(&bytes).or_else(|| version_of_libc(vfs, &default_dirs));
        Self {
            target,
            libc,
            interpreter,
            default_dirs,
            path_file: None,
            lib,
            version,
            cache: read_cache(vfs, target, &mut assumptions),
            preload: preload_file(vfs),
            assumptions,
        }
    }

    /// The bytes of static thread-local storage that a running program has left for what it opens.
    /// `optional` is the tunable `glibc.rtld.optional_static_tls` (`_dl_tls_static_surplus_init`;
    /// before 2.33 `TLS_STATIC_SURPLUS`, which comes to the same). `None` if the loader does not
    /// show its version. Measured: by rounding, a few bytes more may be left.
    #[must_use]
    pub fn static_tls_surplus(&self, optional: Option<u64>) -> Option<u64> {
        const SURPLUS: u64 = 1664;
        const OPTIONAL: u64 = 512;
        let version = self.version?;
        let optional = optional.filter(|_| version >= (2, 33)).unwrap_or(OPTIONAL);
        Some((SURPLUS - OPTIONAL).saturating_add(optional))
    }

    /// Does the loader open an object that needs an executable stack in a program that has none?
    /// `tunable` is `glibc.rtld.execstack`. `None` if the loader does not show its version.
    #[must_use]
    pub fn grants_executable_stack(&self, tunable: Option<u64>) -> Option<bool> {
        self.version.map(|version| version < (2, 41) || tunable == Some(2))
    }

    /// Is it this version of glibc or a later one? An unknown version counts as new.
    #[must_use]
    pub fn is_at_least(&self, version: GlibcVersion) -> bool {
        self.version.is_none_or(|own| own >= version)
    }
}

/// Which loader a program gets, and its path: the one that the program names, unless another C library is
/// requested.
fn loader_of(vfs: &dyn Vfs, program: &Summary, wish: Option<Libc>) -> (Libc, Option<PathBuf>) {
    let target = Target::of(program);
    let built_for = Libc::of(program);
    let usual = target.usual().map(|(path, _)| PathBuf::from(path));
    let is_there = |path: &PathBuf| vfs.metadata(path).is_ok();
    let libc = wish.or(built_for).unwrap_or_else(|| {
        let is_musl = !usual.as_ref().is_some_and(is_there) && musl::of_root(vfs, target).is_some();
        if is_musl { Libc::Musl } else { Libc::Glibc }
    });
    let named = program.interpreter.as_deref().filter(|_| built_for == Some(libc));
    let interpreter = match (named, libc) {
        (Some(path), _) => Some(PathBuf::from(OsStr::from_bytes(path))),
        (None, Libc::Glibc) => usual,
        (None, Libc::Musl) => musl::of_root(vfs, target).or_else(|| musl::usual(target)),
    };
    (libc, interpreter)
}

/// The bytes of the loader; empty if it cannot be read, which is then recorded.
fn read_loader(
    vfs: &dyn Vfs,
    interpreter: Option<&Path>,
    assumptions: &mut Vec<String>,
) -> Vec<u8> {
    let Some(path) = interpreter else {
        assumptions
            .push("the program names no loader, and its architecture has no default one".into());
        return Vec::new();
    };
    read_whole(vfs, path).unwrap_or_else(|error| {
        assumptions.push(format!("cannot read the loader {}: {error}", path.display()));
        Vec::new()
    })
}

/// `/etc/ld.so.cache`; an empty one if it cannot be read, which is then recorded.
fn read_cache(vfs: &dyn Vfs, target: Target, assumptions: &mut Vec<String>) -> LdSoCache {
    let read = match vfs.open(Path::new("/etc/ld.so.cache")) {
        Ok(source) => LdSoCache::parse(&source, target).map_err(|error| error.to_string()),
        // Images without ldconfig have none, and the loader handles it in the same way.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(LdSoCache::default()),
        Err(error) => Err(error.to_string()),
    };
    read.unwrap_or_else(|error| {
        assumptions.push(format!("/etc/ld.so.cache is ignored: {error}"));
        LdSoCache::default()
    })
}

/// The names in `/etc/ld.so.preload`: between blanks and colons, up to a `#` in every line.
fn preload_file(vfs: &dyn Vfs) -> Vec<Vec<u8>> {
    let text = read_whole(vfs, Path::new("/etc/ld.so.preload")).unwrap_or_default();
    let lines = text.split(|&byte| byte == b'\n');
    let names = lines.flat_map(|line| {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default();
        line.split(|byte| b" \t:".contains(byte)).filter(|name| !name.is_empty())
    });
    names.map(<[u8]>::to_vec).collect()
}

/// The version of the first libc in the default directories: the newest of those that it defines
/// symbols for.
fn version_of_libc(vfs: &dyn Vfs, default_dirs: &[Vec<u8>]) -> Option<GlibcVersion> {
    default_dirs.iter().find_map(|dir| {
        let path = Path::new(OsStr::from_bytes(dir)).join("libc.so.6");
        let source = vfs.open(&path).ok()?;
        let defined = Image::parse(&*source).ok()?.version_definitions().ok()??;
        let versions = defined.iter().filter_map(|name| {
            let version = std::str::from_utf8(name.strip_prefix(b"GLIBC_")?).ok()?;
            let (major, minor) = version.split_once('.')?;
            // The oldest ones have a third number.
            Some((major.parse().ok()?, minor.parse().ok()?))
        });
        versions.max()
    })
}

fn read_whole(vfs: &dyn Vfs, path: &Path) -> io::Result<Vec<u8>> {
    let source = vfs.open(path)?;
    // The length comes first: a file may be sparse, and its bytes would take memory.
    let range = Some(0..source.len()).filter(|range| range.end <= MAX_BYTES);
    match range.and_then(|range| source.get(range)) {
        Some(bytes) => Ok(bytes.into_owned()),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a loader")),
    }
}

/// The `system_dirs` array (glibc's trusted-dirs.h): the longest run of strings that are absolute
/// directories with a slash at their end, one of them for libraries.
fn built_in_dirs(loader: &[u8]) -> Option<Vec<Vec<u8>>> {
    let is_directory = |text: &&[u8]| {
        text.len() > 2
            && text.starts_with(b"/")
            && text.ends_with(b"/")
            && text.iter().all(u8::is_ascii_graphic)
    };
    let mut best: Vec<&[u8]> = Vec::new();
    let mut end = 0;
    // A run begins at the start, or behind a NUL. It is not looked for byte by byte: a loader is read for
    // each program.
    let behind_nul = memmem::find_iter(loader, b"\0/").map(|nul| nul + 1);
    for start in [0].into_iter().chain(behind_nul) {
        if start < end {
            continue;
        }
        let texts = loader.get(start..).unwrap_or_default().split(|&byte| byte == 0);
        let run: Vec<&[u8]> = texts.take_while(is_directory).collect();
        end = start + run.iter().map(|text| <[u8]>::len(text) + 1).sum::<usize>();
        let of_libraries = run.iter().any(|dir| dir.windows(3).any(|part| part == b"lib"));
        if of_libraries && run.len() > best.len() {
            best = run;
        }
    }
    (!best.is_empty()).then(|| best.into_iter().map(<[u8]>::to_vec).collect())
}

/// The directories of a glibc that was configured without options.
fn usual_dirs(target: Target) -> Vec<Vec<u8>> {
    let lib = target.usual().map_or("lib", |(_, lib)| lib);
    vec![format!("/{lib}/").into_bytes(), format!("/usr/{lib}/").into_bytes()]
}

/// `DL_DST_LIB`: the first default directory without its prefix, if the loader contains exactly
/// that string (Debian's `lib/x86_64-linux-gnu`), else its last component (`lib64`).
fn built_in_lib(loader: &[u8], default_dirs: &[Vec<u8>]) -> Vec<u8> {
    let first = default_dirs.first().map_or(&b"/lib/"[..], Vec::as_slice);
    let inner = first.strip_suffix(b"/").unwrap_or(first);
    let relative = inner.strip_prefix(b"/usr/").or_else(|| inner.strip_prefix(b"/"));
    let relative = relative.unwrap_or(inner);
    let is_whole = |at: usize| {
        let (before, behind) = (at.checked_sub(1), at + relative.len());
        before.is_none_or(|before| loader.get(before) == Some(&0))
            && loader.get(behind).is_none_or(|&byte| byte == 0)
    };
    if memmem::find_iter(loader, relative).any(is_whole) {
        return relative.to_vec();
    }
    inner.rsplit(|&byte| byte == b'/').next().unwrap_or(inner).to_vec()
}

/// The version in the loader's banner: `ld.so (…) stable release version 2.36.`
fn built_in_version(loader: &[u8]) -> Option<GlibcVersion> {
    const BEFORE: &[u8] = b"release version ";
    let rest = loader.get(memmem::find(loader, BEFORE)? + BEFORE.len()..)?;
    let mut numbers = rest.split(|byte| !byte.is_ascii_digit()).map(|digits| {
        std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<u32>().ok())
    });
    Some((numbers.next()??, numbers.next()??))
}
