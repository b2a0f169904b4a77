//! The command line of patchelf, for programs that call it.
//!
//! The output and the exit status are those of patchelf. A file is written as in all other commands: after a
//! failure it is either the old or the new one. No backup is kept unless `TFPATCH_STORE` names a directory
//! for it, because files that are edited here are usually packed afterwards.

pub mod options;

use self::options::{Asked, Options, Rpath, unread};
use super::error::Error;
use super::foreign::{self, print, say};
use super::settings;
use crate::bytes::Source;
use crate::elf::Image;
use crate::elf::edit::{self, Change, Request};
use crate::elf::search_path::{RpathKind, current};
use crate::operation;
use crate::repair::rewrite::{self, shrink};
use crate::vfs::{OsVfs, Vfs};
use goblin::elf::dynamic::DT_SONAME;
use goblin::elf::header::{EI_OSABI, ET_DYN};
use goblin::elf::program_header::{PF_X, PT_DYNAMIC, PT_GNU_STACK};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::ExitCode;

/// The version of patchelf that is emulated. Programs query it.
const VERSION: &str = concat!("patchelf 0.19.3 (tfpatch ", env!("CARGO_PKG_VERSION"), ")");

/// The size of the smaller ELF header, in bytes. Shorter files are reported as files without one.
const SMALLEST: u64 = 52;

/// The names of `EI_OSABI` in the output.
const SYSTEMS: [(u8, &str); 12] = [
    (0, "System V"),
    (1, "HP-UX"),
    (2, "NetBSD"),
    (3, "Linux"),
    (4, "GNU Hurd"),
    (6, "Solaris"),
    (7, "AIX"),
    (8, "IRIX"),
    (9, "FreeBSD"),
    (10, "Tru64"),
    (12, "OpenBSD"),
    (13, "OpenVMS"),
];

/// Additional names that are accepted.
const ALIASES: [(u8, &str); 6] =
    [(0, "system-v"), (0, "sysv"), (3, "gnu"), (4, "gnu-hurd"), (4, "hurd"), (3, "linux")];

/// The list of options.
const HELP: &str = "  \
  [--set-interpreter FILENAME]
  [--print-interpreter]
  [--print-os-abi]
  [--set-os-abi ABI]
  [--print-soname]
  [--set-soname SONAME]
  [--set-rpath RPATH]
  [--add-rpath RPATH]
  [--remove-rpath]
  [--shrink-rpath]
  [--allowed-rpath-prefixes PREFIXES]
  [--print-rpath]
  [--force-rpath]
  [--add-needed LIBRARY]
  [--remove-needed LIBRARY]
  [--replace-needed LIBRARY NEW_LIBRARY]
  [--print-needed]
  [--no-default-lib]
  [--add-debug-tag]
  [--print-execstack]
  [--clear-execstack]
  [--set-execstack]
  [--page-size SIZE]
  [--no-sort]
  [--no-clobber-old-sections]
  [--output FILE]
  [--debug]
  [--version]
  FILENAME...
";

/// Runs the command line after the name of the program.
#[must_use]
pub fn main(called: &OsStr, words: &[OsString]) -> ExitCode {
    let help = || say(&format!("syntax: {}\n{HELP}", called.display()));
    if words.is_empty() {
        help();
        return ExitCode::FAILURE;
    }
    let files = OsVfs::new();
    let done = match options::parse(&files, words) {
        Ok(Asked::Help) => {
            help();
            Ok(())
        }
        Ok(Asked::Version) => print(VERSION.as_bytes()),
        Ok(Asked::Work(asked)) => {
            asked.files.iter().try_for_each(|file| work(&files, &asked, file))
        }
        Err(said) => Err(said),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            say(&format!("patchelf: {said}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the requested fields of a file, and edits it.
fn work(files: &dyn Vfs, options: &Options, file: &Path) -> Result<(), String> {
    if options.is_verbose || settings::is_patchelf_verbose() {
        say(&format!("patching ELF file '{}'\n", file.display()));
    }
    let source = files.open(file).map_err(|error| unread(file, &error))?;
    let magic = source.get(0..4).filter(|_| source.len() >= SMALLEST);
    match magic.as_deref() {
        None => return Err("missing ELF header".to_owned()),
        Some(b"\x7fELF") => {}
        Some(_) => return Err("not an ELF executable".to_owned()),
    }
    let image = Image::parse(source.as_ref()).map_err(|error| error.to_string())?;
    show(&image, options)?;
    let changes = changes(files, &image, options)?;
    if let Some(output) = &options.output {
        return write_copy(&image, file, output, changes);
    }
    if changes.is_empty() {
        return Ok(());
    }
    let edited = foreign::edit(file, rewrite::Change::Fields(changes));
    edited.map(drop).map_err(|error| error.line())
}

fn show(image: &Image<'_>, options: &Options) -> Result<(), String> {
    let prints = options.prints;
    if prints.interpreter {
        print(&interpreter(image)?)?;
    }
    if prints.os_abi {
        let abi = image.header().e_ident.get(EI_OSABI).copied().unwrap_or(0);
        let name = SYSTEMS.iter().find(|(number, _)| *number == abi);
        let name = name.map_or_else(|| format!("0x{abi:02X}"), |(_, name)| (*name).to_owned());
        print(name.as_bytes())?;
    }
    if prints.soname && image.header().e_type == ET_DYN {
        require_dynamic(image)?;
        let soname = image.string_of(DT_SONAME, "DT_SONAME").map_err(|error| error.to_string())?;
        if let Some(soname) = soname.filter(|soname| !soname.is_empty()) {
            print(&soname)?;
        }
    }
    if prints.rpath {
        require_dynamic(image)?;
        let path = current(image).map_err(|error| error.to_string())?;
        if !image.dynamic().is_empty() {
            print(&path.map_or_else(Vec::new, |path| path.entries.join(&b':')))?;
        }
    }
    if prints.stack {
        let flag = match image.segment(PT_GNU_STACK) {
            None => '?',
            Some(stack) if stack.p_flags & PF_X != 0 => 'X',
            Some(_) => '-',
        };
        print(format!("execstack: {flag}").as_bytes())?;
    }
    if prints.needed {
        require_dynamic(image)?;
        for name in image.needed().map_err(|error| error.to_string())? {
            print(&name)?;
        }
    }
    Ok(())
}

fn interpreter(image: &Image<'_>) -> Result<Vec<u8>, String> {
    let found = image.interpreter().map_err(|error| error.to_string())?;
    found.ok_or_else(|| no_section(".interp"))
}

fn require_dynamic(image: &Image<'_>) -> Result<(), String> {
    // A file of debug symbols has the header without the table.
    image.segment(PT_DYNAMIC).map(drop).ok_or_else(|| no_section(".dynamic"))
}

fn no_section(name: &str) -> String {
    format!("cannot find section '{name}'. The input file is most likely statically linked")
}

/// The requested changes, in the order in which patchelf makes them.
fn changes(files: &dyn Vfs, image: &Image<'_>, options: &Options) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    if let Some(name) = &options.os_abi {
        changes.push(Change::OsAbi(system_of(name)?));
    }
    if let Some(soname) = options.soname.clone().filter(|_| image.header().e_type == ET_DYN) {
        changes.push(Change::Soname(soname));
    }
    if !options.interpreter.is_empty() {
        interpreter(image)?;
        changes.push(Change::Interpreter(options.interpreter.clone()));
    }
    if let Some(is_wanted) = options.stack.filter(|_| !options.prints.stack) {
        changes.push(Change::ExecutableStack(is_wanted));
    }
    if let Some(rpath) = &options.rpath {
        require_dynamic(image)?;
        if image.dynamic().is_empty() {
            return Ok(changes);
        }
        changes.extend(search_path(files, image, options, rpath)?);
    }
    changes.extend(options.removed.iter().cloned().map(Change::RemoveNeeded));
    let replaced = options.replaced.iter();
    changes.extend(
        replaced.map(|(old, new)| Change::ReplaceNeeded { old: old.clone(), new: new.clone() }),
    );
    // Each is added at the front, and they keep their order.
    let added = options.added.iter().rev();
    changes.extend(added.map(|name| Change::AddNeeded { name: name.clone(), first: true }));
    if options.no_default_lib {
        changes.push(Change::NoDefaultLibraries);
    }
    if options.debug_tag {
        changes.push(Change::DebugTag);
    }
    Ok(changes)
}

fn system_of(name: &[u8]) -> Result<u8, String> {
    let name = String::from_utf8_lossy(name).to_lowercase();
    let mut known = SYSTEMS.iter().chain(&ALIASES);
    let found = known.find(|(_, known)| known.to_lowercase() == name);
    found.map(|(number, _)| *number).ok_or_else(|| "unrecognized OS ABI".to_owned())
}

/// The change of the search path; `None` if it does not change.
fn search_path(
    files: &dyn Vfs,
    image: &Image<'_>,
    options: &Options,
    rpath: &Rpath,
) -> Result<Option<Change>, String> {
    let old = current(image).map_err(|error| error.to_string())?.map(|path| path.entries);
    let split = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect()
    };
    let entries = match (rpath, old) {
        (Rpath::Remove | Rpath::Shrink, None) => return Ok(None),
        (Rpath::Remove, Some(_)) => {
            return Ok(Some(Change::SearchPath { entries: Vec::new(), kind: None }));
        }
        (Rpath::Shrink, Some(old)) => {
            let needed = image.needed().map_err(|error| error.to_string())?;
            let kept = shrunk(files, image, &options.allowed_prefixes, &old, needed);
            if kept.is_empty() { vec![Vec::new()] } else { kept }
        }
        (Rpath::Set(path), _) => split(path),
        (Rpath::Add(path), Some(old)) if !old.concat().is_empty() => [old, split(path)].concat(),
        (Rpath::Add(path), _) => split(path),
    };
    let kind = if options.forces_rpath { RpathKind::Rpath } else { RpathKind::Runpath };
    Ok(Some(Change::SearchPath { entries, kind: Some(kind) }))
}

/// The entries that do not begin with a slash, and those with a needed library that no earlier entry has.
fn shrunk(
    files: &dyn Vfs,
    image: &Image<'_>,
    prefixes: &[Vec<u8>],
    entries: &[Vec<u8>],
    needed: Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let mut missing: BTreeSet<Vec<u8>> = needed.into_iter().collect();
    let is_there = |directory: &[u8], name: &[u8]| {
        let directory = Path::new(OsStr::from_bytes(directory));
        shrink::fits(files, &directory.join(OsStr::from_bytes(name)), image)
    };
    let stays = |entry: &&Vec<u8>| {
        if entry.first().is_some_and(|&first| first != b'/') {
            return true;
        }
        if !prefixes.is_empty() && !prefixes.iter().any(|prefix| entry.starts_with(prefix)) {
            return false;
        }
        let before = missing.len();
        missing.retain(|name| !is_there(entry, name));
        missing.len() < before
    };
    entries.iter().filter(stays).cloned().collect()
}

/// Writes the edited file to another one, even if nothing changes.
fn write_copy(
    image: &Image<'_>,
    file: &Path,
    output: &Path,
    changes: Vec<Change>,
) -> Result<(), String> {
    let edits = match changes.is_empty() {
        true => crate::edit::EditSet::none(image.source().len()),
        false => {
            let patch = edit::edit(image, &Request { changes });
            patch.map_err(|error| format!("{}: {error}", file.display()))?.edits
        }
    };
    let written = operation::write_over(file, &edits, output, true);
    written.map_err(|error| Error::from(error).line())
}
