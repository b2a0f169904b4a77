//! The options of patchelf 0.19, as in its manual page. Each is one word; options and files may be in any
//! order.

use crate::bytes::Source as _;
use crate::vfs::Vfs;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The requested change of a search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rpath {
    /// Remove entries without a needed library, and those without an allowed prefix.
    Shrink,
    /// Remove it.
    Remove,
    /// Replace it.
    Set(Vec<u8>),
    /// Append to it.
    Add(Vec<u8>),
}

/// The requested actions.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// The output file for a single input.
    pub output: Option<PathBuf>,
    /// What to print.
    pub prints: Prints,
    /// The new interpreter. An empty name is ignored.
    pub interpreter: Vec<u8>,
    /// The name of the new `EI_OSABI`.
    pub os_abi: Option<Vec<u8>>,
    /// The new `DT_SONAME`.
    pub soname: Option<Vec<u8>>,
    /// The new flag of the stack.
    pub stack: Option<bool>,
    /// The change of the search path.
    pub rpath: Option<Rpath>,
    /// Use `DT_RPATH`?
    pub forces_rpath: bool,
    /// The allowed prefixes of entries.
    pub allowed_prefixes: Vec<Vec<u8>>,
    /// Needed libraries to add.
    pub added: BTreeSet<Vec<u8>>,
    /// Needed libraries to remove.
    pub removed: BTreeSet<Vec<u8>>,
    /// Needed libraries to rename, with the new names.
    pub replaced: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Set the flag that excludes the default directories?
    pub no_default_lib: bool,
    /// Add a tag for debuggers?
    pub debug_tag: bool,
    /// Write more to standard error?
    pub is_verbose: bool,
}

/// What to print, in this order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prints {
    /// The interpreter.
    pub interpreter: bool,
    /// `EI_OSABI`.
    pub os_abi: bool,
    /// `DT_SONAME`.
    pub soname: bool,
    /// The search path.
    pub rpath: bool,
    /// The flag of the stack.
    pub stack: bool,
    /// The names of needed libraries.
    pub needed: bool,
}

/// The meaning of a command line.
#[derive(Debug, Clone)]
pub enum Asked {
    /// Print the list of options.
    Help,
    /// Print the version.
    Version,
    /// Edit or print.
    Work(Box<Options>),
}

/// Parses the words after the name of the program. Files after an `@` are read through `vfs`.
///
/// # Errors
/// The message, without the name of the program.
pub fn parse(vfs: &dyn Vfs, words: &[OsString]) -> Result<Asked, String> {
    let mut options = Options::default();
    let mut rpaths = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_bytes() {
            b"--help" | b"-h" => return Ok(Asked::Help),
            b"--version" => return Ok(Asked::Version),
            name if is_flag(name, &mut options, &mut rpaths) => {}
            b"--replace-needed" => {
                let (Some(old), Some(new)) = (words.next(), words.next()) else {
                    return Err("missing argument(s)".to_owned());
                };
                options.replaced.insert(old.clone().into_vec(), new.clone().into_vec());
            }
            b"--clear-symbol-version"
            | b"--rename-dynamic-symbols"
            | b"--build-resolution-cache" => {
                return Err(format!("{} is not supported by tfpatch", word.display()));
            }
            name if ARGUED.contains(&name) => {
                let argument = words.next().ok_or_else(|| "missing argument".to_owned())?;
                take(vfs, name, argument, &mut options, &mut rpaths)?;
            }
            _ => options.files.push(word.into()),
        }
    }
    options.rpath = chosen(rpaths)?;
    match (&options.output, options.files.len()) {
        (_, 0) => Err("missing filename".to_owned()),
        (Some(_), 2..) => Err("--output option only allowed with single input file".to_owned()),
        _ => Ok(Asked::Work(Box::new(options))),
    }
}

/// The options with one argument.
const ARGUED: [&[u8]; 11] = [
    b"--set-interpreter",
    b"--interpreter",
    b"--page-size",
    b"--set-os-abi",
    b"--set-soname",
    b"--allowed-rpath-prefixes",
    b"--set-rpath",
    b"--add-rpath",
    b"--add-needed",
    b"--remove-needed",
    b"--output",
];

/// Handles an option without an argument; false if it is not one.
fn is_flag(name: &[u8], options: &mut Options, rpaths: &mut Vec<Rpath>) -> bool {
    let prints = &mut options.prints;
    match name {
        b"--print-interpreter" => prints.interpreter = true,
        b"--print-os-abi" => prints.os_abi = true,
        b"--print-soname" => prints.soname = true,
        b"--print-rpath" => prints.rpath = true,
        b"--print-needed" => prints.needed = true,
        b"--print-execstack" => prints.stack = true,
        b"--remove-rpath" => rpaths.push(Rpath::Remove),
        b"--shrink-rpath" => rpaths.push(Rpath::Shrink),
        b"--force-rpath" => options.forces_rpath = true,
        b"--clear-execstack" => options.stack = Some(false),
        b"--set-execstack" => options.stack = options.stack.or(Some(true)),
        b"--debug" => options.is_verbose = true,
        b"--no-default-lib" => options.no_default_lib = true,
        b"--add-debug-tag" => options.debug_tag = true,
        // They work around problems that do not occur here.
        b"--no-sort" | b"--no-clobber-old-sections" => {}
        _ => return false,
    }
    true
}

/// Handles an option with its argument.
fn take(
    vfs: &dyn Vfs,
    name: &[u8],
    argument: &OsStr,
    options: &mut Options,
    rpaths: &mut Vec<Rpath>,
) -> Result<(), String> {
    match name {
        b"--page-size" => return check_page_size(argument),
        b"--allowed-rpath-prefixes" => {
            let prefixes = argument.as_bytes().split(|&byte| byte == b':');
            options.allowed_prefixes = prefixes.map(<[u8]>::to_vec).collect();
            return Ok(());
        }
        _ => {}
    }
    let text = resolved(vfs, argument)?;
    match name {
        b"--set-os-abi" => options.os_abi = Some(text),
        b"--set-soname" => options.soname = Some(text),
        b"--set-rpath" => rpaths.push(Rpath::Set(text)),
        b"--add-rpath" => rpaths.push(Rpath::Add(text)),
        b"--add-needed" => drop(options.added.insert(text)),
        b"--remove-needed" => drop(options.removed.insert(text)),
        b"--output" => options.output = Some(OsString::from_vec(text).into()),
        _ => options.interpreter = text,
    }
    Ok(())
}

/// The change of the search path if several are requested. Of several of one kind, the last one counts.
fn chosen(asked: Vec<Rpath>) -> Result<Option<Rpath>, String> {
    let rank = |rpath: &Rpath| match rpath {
        Rpath::Shrink => 0,
        Rpath::Remove => 1,
        Rpath::Set(_) => 2,
        Rpath::Add(_) => 3,
    };
    let has = |wanted| asked.iter().any(|rpath| rank(rpath) == wanted);
    if has(2) && has(3) {
        return Err("--set-rpath option not allowed with --add-rpath".to_owned());
    }
    Ok(asked.into_iter().rev().min_by_key(rank))
}

fn check_page_size(word: &OsStr) -> Result<(), String> {
    let digits: Vec<u8> = word.as_bytes().iter().copied().take_while(u8::is_ascii_digit).collect();
    match digits.iter().any(|&digit| digit != b'0') {
        true => Ok(()),
        false => Err("invalid argument to --page-size".to_owned()),
    }
}

/// An argument, or the content of the file that it names after an `@`.
fn resolved(vfs: &dyn Vfs, word: &OsStr) -> Result<Vec<u8>, String> {
    let Some(file) = word.as_bytes().strip_prefix(b"@") else {
        return Ok(word.as_bytes().to_vec());
    };
    let file = Path::new(OsStr::from_bytes(file));
    let source = vfs.open(file).map_err(|error| unread(file, &error))?;
    let bytes = source.read(0, source.len(), "argument").map_err(|error| error.to_string())?;
    // A string in the file ends at its first NUL.
    Ok(bytes.split(|&byte| byte == 0).next().unwrap_or_default().to_vec())
}

/// The message for a file that cannot be opened.
#[must_use]
pub fn unread(file: &Path, error: &io::Error) -> String {
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or_default();
    format!("getting info about '{}': {said}", file.display())
}
