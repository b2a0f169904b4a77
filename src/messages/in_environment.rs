//! Checks a message in an environment: the matching finding of the diagnosis, or that nothing is wrong with
//! it now.

use super::modules::{self, Distributions};
use super::scanner::{self, leaf};
use super::verdict::{Case, Outcome, Remedy, Verdict};
use super::{Kind, Message, Speaker, shadow};
use crate::bytes::printable;
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::evidence::Release;
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::tensorflow::is_for_gpu;
use crate::loader::Libc;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::Object;
use crate::world::python_code::PythonCode;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Checks a message.
#[must_use]
pub fn look(vfs: &dyn Vfs, world: &World, diagnosis: &Diagnosis, message: &Message) -> Verdict {
    let is_of_program = message.is_about_a_team()
        || message.is_about_a_policy()
        || message.kind == Kind::RpathIgnored;
    if is_of_program || message.is_of_a_limit() {
        // This depends on the program or on the system, not on the files.
        return Verdict::by_words(message, Outcome::NothingFound);
    }
    if is_of_another_libc(world, message) {
        return Verdict::by_words(message, Outcome::NotHere);
    }
    let is_here = is_of_here(vfs, message);
    let about = Distributions::of(vfs, world, message);
    let mut matching: Vec<(u32, &Finding)> = diagnosis
        .findings
        .iter()
        .filter_map(|finding| {
            Some((fit(vfs, world, diagnosis, message, &about, finding)?, finding))
        })
        .collect();
    matching.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
    let findings = matching.into_iter().map(|(_, finding)| finding.clone()).collect();
    let found = shadow::of_named_file(vfs, world, message)
        .or_else(|| Verdict::found(message, findings))
        .or_else(|| modules::missing(vfs, world, message, &about))
        .or_else(|| opened_by_relative_path(world, message))
        .or_else(|| resolves(vfs, world, diagnosis, message).filter(|_| is_here))
        .or_else(|| opened_by_name(vfs, world, message));
    match found {
        Some(found) => {
            let object = message.object.as_deref().unwrap_or_default();
            let installs = world.installs_at(vfs, Path::new(OsStr::from_bytes(object)));
            Verdict { installs, ..found }
        }
        None if !is_here => Verdict::by_words(message, Outcome::NotHere),
        // Something that cannot be part of such an environment was not searched there.
        None if !message.is_of_an_environment() || is_of_another_loader(world, message) => {
            Verdict::by_words(message, Outcome::NothingFound)
        }
        None => nothing(message),
    }
}

/// The installed distribution that the object of a message belongs to, or else its module.
#[must_use]
pub fn installed(vfs: &dyn Vfs, world: &World, message: &Message) -> Option<Release> {
    let of_module = || Distributions::of(vfs, world, message).only_release(world);
    let Some(object) = message.object.as_deref().filter(|object| object.starts_with(b"/")) else {
        return of_module();
    };
    let path = Path::new(OsStr::from_bytes(object));
    let of_object = world.object_at(vfs, path).and_then(|it| world.inventory.distribution_of(it));
    let of_object = of_object.or_else(|| world.distribution_listing(path)).map(Release::of);
    // The world does not keep who owns sources.
    of_object.or_else(|| (message.kind == Kind::NameNotFound).then(of_module).flatten())
}

/// Is the message from dyld, although no file here is a Mach-O file?
fn is_of_another_loader(world: &World, message: &Message) -> bool {
    let is_of_dyld = |object: &Object| object.elf().is_none();
    message.speaker == Speaker::Dyld && !world.inventory.objects.iter().any(is_of_dyld)
}

/// Is the message from musl's loader, although everything here is for glibc? Then it is from another machine
/// or from an image, whose paths may exist here too.
fn is_of_another_libc(world: &World, message: &Message) -> bool {
    let objects = world.inventory.objects.iter();
    let mut known = objects.filter_map(|object| Libc::of(object.elf()?)).peekable();
    message.speaker == Speaker::Musl
        && known.peek().is_some()
        && known.all(|libc| libc != Libc::Musl)
}

/// Do all files that the message names with a path exist here? If not, files found here say nothing about
/// that machine.
fn is_of_here(vfs: &dyn Vfs, message: &Message) -> bool {
    // TensorFlow appends the value of the variable, whose directories may not exist.
    let words = message.words.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let words = scanner::around(words, b"LD_LIBRARY_PATH").map_or(words, |(words, _)| words);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-+/@~".contains(byte);
    let named = words.split(|byte| !is_part(byte)).chain(message.near.as_deref());
    // Programs also name their source files, which may not exist anywhere.
    let is_loaded = |word: &[u8]| {
        let marks: [&[u8]; 4] = [b".so", b".dylib", b"/bin/", b"-packages/"];
        marks.iter().any(|mark| memchr::memmem::find(word, mark).is_some())
    };
    let mut paths = named.filter(|word| word.starts_with(b"/") && is_loaded(word));
    let is_missing = message.kind == Kind::ObjectNotFound;
    is_missing || paths.all(|path| vfs.symlink_metadata(Path::new(OsStr::from_bytes(path))).is_ok())
}

fn nothing(message: &Message) -> Verdict {
    let words = Verdict::by_words(message, Outcome::NothingFound);
    Verdict { case: Case::NothingFits, ..words }
}

/// The quality of the match between a finding and a message; `None` if it is about something else.
fn fit(
    vfs: &dyn Vfs,
    world: &World,
    diagnosis: &Diagnosis,
    message: &Message,
    about: &Distributions,
    finding: &Finding,
) -> Option<u32> {
    let by_library = match (&message.library, &finding.library) {
        (Some(one), Some(other)) => leaf(one) == leaf(other),
        _ => false,
    };
    let object = object_fit(vfs, message, &finding.object);
    let by_symbol = message.symbol.as_ref().is_some_and(|symbol| finding.symbols.contains(symbol));
    let is_meant = message.causes().contains(&finding.cause);
    let is_about = match message.kind {
        Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded => {
            by_library || tells_that_it_is_gone(diagnosis, message, finding)
        }
        Kind::GpuLibrariesNotLoaded => {
            finding.cause == Cause::DlopenPathMissing
                || is_meant && finding.library.as_deref().is_some_and(is_for_gpu)
        }
        Kind::DriverNotFound => finding.cause == Cause::DriverMissing,
        Kind::DataNotFound => finding.cause == Cause::DataMissing,
        Kind::TensorRtNotFound | Kind::Harmless | Kind::RpathIgnored => false,
        Kind::VersionNotFound => {
            finding.cause == Cause::SymbolVersion && (by_library || object > 0)
        }
        Kind::SymbolNotFound => {
            by_symbol
                || object > 0
                    && (is_meant || finding.cause == Cause::SymbolVersion)
                    && finding.symbols.is_empty()
        }
        Kind::ModuleNotFound => tells_of_module(message, about, finding),
        Kind::NameNotFound | Kind::DistributionsDoNotFit => is_meant && about.are_named_by(finding),
        Kind::InterpreterNotFound => finding.cause == Cause::WrongInterpreter,
        Kind::ObjectNotFound
        | Kind::ObjectUnreadable
        | Kind::WrongArchitecture
        | Kind::StaticTls
        | Kind::ExecStack
        | Kind::BadSignature
        | Kind::DuplicateRpath => {
            is_about_a_file(finding.cause) && (object > 0 || tells_of_object(message, finding))
                || is_meant && message.object.is_none()
        }
    };
    // Of several findings about one library, an error of the named object comes first.
    let weight = u32::from(world.is_meant(&finding.object)) + u32::from(is_meant);
    is_about.then(|| object + 4 * u32::from(by_symbol) + 2 * u32::from(by_library) + weight)
}

/// Is a finding about a module that was not found?
fn tells_of_module(message: &Message, about: &Distributions, finding: &Finding) -> bool {
    if message.is_of_the_start() {
        return finding.evidence.is_about_the_home() || finding.cause == Cause::WrongInterpreter;
    }
    // An interpreter ignores modules for other platforms.
    let is_foreign = matches!(finding.cause, Cause::WrongPlatform | Cause::WrongArch);
    (message.causes().contains(&finding.cause) || is_foreign) && about.are_named_by(finding)
        || finding.cause == Cause::WrongInterpreter
}

/// A distribution with missing files explains everything else that its libraries lack.
fn tells_that_it_is_gone(diagnosis: &Diagnosis, message: &Message, finding: &Finding) -> bool {
    let is_gone = |name: &Vec<u8>| diagnosis.installed.gone.contains(leaf(name));
    finding.cause == Cause::PartialInstall && message.library.as_ref().is_some_and(is_gone)
}

/// Does a finding name the object of a message?
fn tells_of_object(message: &Message, finding: &Finding) -> bool {
    let named = message.object.as_deref().map(leaf).map(printable).unwrap_or_default();
    !named.is_empty() && finding.evidence.names(&named)
}

/// Is a finding with this cause about a file itself, rather than about what it needs?
fn is_about_a_file(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Unreadable
            | Cause::DroppedLink
            | Cause::PartialInstall
            | Cause::WrongArch
            | Cause::WrongPlatform
            | Cause::StaticTls
            | Cause::ExecStack
            | Cause::BadSignature
            | Cause::DuplicateRpath
    )
}

/// 3 if a message names this file, 1 if it names one with the same file name, otherwise 0.
fn object_fit(vfs: &dyn Vfs, message: &Message, object: &Path) -> u32 {
    let Some(named) = message.object.as_deref() else { return 0 };
    let path = Path::new(OsStr::from_bytes(named));
    let real = |path: &Path| vfs.canonicalize(path).ok();
    if path == object
        || path.is_absolute() && real(path).is_some_and(|named| Some(named) == real(object))
    {
        return 3;
    }
    let name = object.file_name().map(OsStr::as_bytes).unwrap_or_default();
    u32::from(!name.is_empty() && leaf(named) == name)
}

/// The code that opens a library, if the message names no requesting object and nothing in the environment
/// needs the library: Python code, with a name that the loader searches for `_ctypes`, or another program.
fn opened_by_name(vfs: &dyn Vfs, world: &World, message: &Message) -> Option<Verdict> {
    let library = message.library.as_deref().filter(|library| !library.contains(&b'/'))?;
    if message.kind != Kind::LibraryNotFound || message.object.is_some() {
        return None;
    }
    let copy = world.inventory.named(library).next().map(|copy| copy.path.clone());
    let opener = PythonCode::new(vfs, world).opener_by_name(str::from_utf8(library).ok()?);
    if copy.is_none() && opener.is_none() {
        return None;
    }
    let case = Case::OpenedByName {
        library: library.to_vec(),
        code: opener.map(|line| (world.place(&line.file), line.line)),
        file: copy.as_deref().map(|copy| world.place(copy)),
    };
    let words = Verdict::by_words(message, Outcome::Found);
    Some(match copy {
        Some(copy) => Verdict {
            cause: Some(Cause::PathMissing),
            case,
            remedy: Remedy::OpenByPath(copy),
            ..words
        },
        None => Verdict { cause: Some(Cause::NotInstalled), case, ..words },
    })
}

/// A relative path depends on the working directory, wherever the file is. A path that does not begin with a
/// name was truncated, or is written for people.
fn opened_by_relative_path(world: &World, message: &Message) -> Option<Verdict> {
    let named = message.object.as_deref().filter(|_| message.kind == Kind::ObjectNotFound)?;
    let path = Path::new(OsStr::from_bytes(named));
    let path = path.strip_prefix(".").unwrap_or(path);
    let first = named.first()?;
    let is_relative = named.contains(&b'/') && !named.starts_with(b"...");
    if !is_relative || !(first.is_ascii_alphanumeric() || matches!(first, b'.' | b'_')) {
        return None;
    }
    let object = world.inventory.objects.iter().find(|object| object.path.ends_with(path))?;
    let file = world.place(&object.path);
    let from = object.path.ancestors().nth(path.components().count())?.to_owned();
    Some(Verdict {
        cause: Some(Cause::PathMissing),
        case: Case::OpenedByRelativePath { path: named.to_vec(), file },
        remedy: Remedy::OpenFromRoot { file: object.path.clone(), from },
        ..Verdict::by_words(message, Outcome::Found)
    })
}

/// Reports that the missing library is found now.
fn resolves(
    vfs: &dyn Vfs,
    world: &World,
    diagnosis: &Diagnosis,
    message: &Message,
) -> Option<Verdict> {
    match message.kind {
        Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded => {
            let library = message.library.as_deref()?;
            let name = leaf(library).to_vec();
            let answers = diagnosis.bindings.first()?.of_library(leaf(library));
            if let Some(Some(path)) = answers.last().filter(|_| !answers.contains(&None)) {
                let file = world.place(path);
                let verdict = Verdict::resolved(Case::LibraryIsFound { library: name, file });
                return Some(verdict.or_elsewhere(message));
            }
            if message.kind == Kind::GpuLibraryNotLoaded {
                let object = world.inventory.named(leaf(library)).next()?;
                let file = world.place(&object.path);
                let verdict = Verdict::resolved(Case::LibraryIsHere { library: name, file });
                return Some(verdict.or_elsewhere(message));
            }
            None
        }
        Kind::TensorRtNotFound
        | Kind::Harmless
        | Kind::DriverNotFound
        | Kind::GpuLibrariesNotLoaded
        | Kind::ModuleNotFound => None,
        // A valid file is also rejected if the system does not allow it to be mapped or executed.
        _ if message.is_of_the_system() => None,
        _ => {
            let named = message.object.as_deref()?;
            let path = Path::new(OsStr::from_bytes(named));
            // An absolute path names one file; files with the same name elsewhere are different.
            let object = match path.is_absolute() {
                true => world.object_at(vfs, path)?,
                false => {
                    world.inventory.objects.iter().find(|object| object.path.ends_with(path))?
                }
            };
            let object = world.place(&object.path);
            let verdict = Verdict::resolved(Case::NothingIsWrong { object });
            Some(match message.kind {
                Kind::SymbolNotFound | Kind::VersionNotFound => verdict.of_another_copy(),
                _ => verdict,
            })
        }
    }
}
