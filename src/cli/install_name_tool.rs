//! The command line of `install_name_tool`, for programs that call it.
//!
//! The options are those of Apple's program and of LLVM's, and the checks of the options are LLVM's. Signatures
//! stay valid. If the load commands do not fit, the file is not changed. No backup is kept unless
//! `TFPATCH_STORE` names a directory for it.

use super::foreign::{edit, print, say};
use crate::object::Format;
use crate::repair::rewrite::{Change, LoadCommand};
use crate::vfs::{OsVfs, Vfs as _};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The answer to `--version`. Programs look for the name of Apple's tools in it.
const VERSION: &str =
    concat!("tfpatch ", env!("CARGO_PKG_VERSION"), ", compatible with cctools install_name_tool");

/// The list of options.
const HELP: &str = "  \
  -id NAME                Set the name of a dylib
  -change OLD NEW         Rename a library that the file needs
  -rpath OLD NEW          Replace a path
  -add_rpath PATH         Append a path
  -prepend_rpath PATH     Insert a path before the others
  -delete_rpath PATH      Remove a path
  -delete_all_rpaths      Remove all paths
  --version, -V           Print the version
  --help, -h              Print this list
";

/// The meaning of a command line.
enum Asked {
    Help,
    Version,
    Work { file: PathBuf, changes: Vec<LoadCommand> },
}

/// Runs the command line after the name of the program.
#[must_use]
pub fn main(called: &OsStr, words: &[OsString]) -> ExitCode {
    let help = format!("usage: {} [OPTION...] FILE\n{HELP}", called.display());
    if words.is_empty() {
        say(&help);
        return ExitCode::FAILURE;
    }
    let done = match parse(words) {
        Ok(Asked::Help) => print(help.trim_end().as_bytes()),
        Ok(Asked::Version) => print(VERSION.as_bytes()),
        Ok(Asked::Work { file, changes }) => work(&file, changes),
        Err(said) => Err(said),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            say(&format!("install_name_tool: error: {said}\n"));
            ExitCode::FAILURE
        }
    }
}

fn work(file: &Path, changes: Vec<LoadCommand>) -> Result<(), String> {
    let files = OsVfs::new();
    let source = files.open(file).map_err(|error| {
        let said = error.to_string();
        format!("'{}': {}", file.display(), said.split(" (os error").next().unwrap_or_default())
    })?;
    if Format::of(source.as_ref()) != Some(Format::Macho) {
        return Err(format!("'{}' is not a Mach-O file", file.display()));
    }
    let edited = edit(file, Change::LoadCommands(changes)).map_err(|error| error.line())?;
    if edited.is_some_and(|edited| edited.drops_signer) {
        let file = file.display();
        say(&format!(
            "install_name_tool: warning: '{file}': an ad-hoc signature replaces that of the signer\n"
        ));
    }
    Ok(())
}

fn parse(words: &[OsString]) -> Result<Asked, String> {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut changes = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(name) = word.as_bytes().strip_prefix(b"-") else {
            files.push(word.into());
            continue;
        };
        let mut value = || {
            let missing = || format!("missing argument to {} option", word.display());
            words.next().cloned().map(OsString::into_vec).ok_or_else(missing)
        };
        changes.push(match name.strip_prefix(b"-").unwrap_or(name) {
            b"help" | b"h" => return Ok(Asked::Help),
            b"version" | b"V" => return Ok(Asked::Version),
            b"id" => LoadCommand::InstallName(value()?),
            b"change" => LoadCommand::Needed { old: value()?, new: value()? },
            b"rpath" => LoadCommand::ReplaceRpath { old: value()?, new: value()? },
            b"add_rpath" => LoadCommand::AddRpath(value()?),
            b"prepend_rpath" => LoadCommand::PrependRpath(value()?),
            b"delete_rpath" => LoadCommand::DeleteRpath(value()?),
            b"delete_all_rpaths" => LoadCommand::DeleteAllRpaths,
            _ => return Err(format!("unknown argument '{}'", word.display())),
        });
    }
    let file = match files.as_slice() {
        [file] => file.clone(),
        [] => return Err("no input file specified".to_owned()),
        _ => return Err("install_name_tool expects a single input file".to_owned()),
    };
    for (index, one) in changes.iter().enumerate() {
        let conflicting = changes.iter().skip(index + 1).find(|other| contradict(one, other));
        if let Some(other) = conflicting {
            return Err(format!("cannot specify both {} and {}", option(one), option(other)));
        }
    }
    Ok(Asked::Work { file, changes })
}

/// Do two changes of the search path name the same path, so that their order would matter?
fn contradict(one: &LoadCommand, other: &LoadCommand) -> bool {
    use LoadCommand::{AddRpath, DeleteRpath, PrependRpath, ReplaceRpath};
    match (one, other) {
        (DeleteRpath(gone), AddRpath(path) | PrependRpath(path))
        | (AddRpath(path) | PrependRpath(path), DeleteRpath(gone)) => gone == path,
        (ReplaceRpath { old, new }, AddRpath(path) | PrependRpath(path) | DeleteRpath(path))
        | (AddRpath(path) | PrependRpath(path) | DeleteRpath(path), ReplaceRpath { old, new }) => {
            path == old || path == new
        }
        (ReplaceRpath { old, new }, ReplaceRpath { old: from, new: to }) => {
            [old, new].iter().any(|path| *path == from || *path == to)
        }
        _ => false,
    }
}

/// An option with its arguments.
fn option(change: &LoadCommand) -> String {
    let (name, arguments) = match change {
        LoadCommand::InstallName(name) => ("-id", vec![name]),
        LoadCommand::Needed { old, new } => ("-change", vec![old, new]),
        LoadCommand::ReplaceRpath { old, new } => ("-rpath", vec![old, new]),
        LoadCommand::AddRpath(path) => ("-add_rpath", vec![path]),
        LoadCommand::PrependRpath(path) => ("-prepend_rpath", vec![path]),
        LoadCommand::DeleteRpath(path) => ("-delete_rpath", vec![path]),
        LoadCommand::DeleteAllRpaths => ("-delete_all_rpaths", Vec::new()),
    };
    let quoted = arguments.iter().map(|word| format!(" '{}'", OsStr::from_bytes(word).display()));
    std::iter::once(name.to_owned()).chain(quoted).collect()
}
