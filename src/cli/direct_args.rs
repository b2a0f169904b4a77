//! Options of the commands that edit what is named outright, as they are typed.

use super::edit_args::{Record, RpathKind, Writing};
use clap::{Args, Subcommand, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;

/// `tfpatch show`
#[derive(Debug, Args)]
pub struct Show {
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// `tfpatch rpath print`
#[derive(Debug, Args)]
pub struct RpathPrint {
    /// Shared libraries or programs.
    #[command(flatten)]
    pub show: Show,
    /// End each entry with a NUL byte instead of a newline, and escape nothing.
    #[arg(short = '0', long)]
    pub null: bool,
}

/// `tfpatch rpath`
#[derive(Debug, Subcommand)]
pub enum Rpath {
    /// Print the entries, one per line: exact in a pipe, escaped on a terminal.
    Print(RpathPrint),
    /// Replace all entries.
    Set(RpathEdit),
    /// Append entries, except existing ones.
    Add(RpathAdd),
    /// Remove entries.
    Remove(RpathEdit),
    /// Remove duplicate entries.
    Dedupe(RpathTidy),
    /// Remove entries for missing directories.
    Prune(RpathTidy),
    /// Replace one entry with others.
    Replace(RpathReplace),
    /// Remove entries without a needed library, from ELF files.
    Shrink(RpathShrink),
}

/// `tfpatch rpath replace`
#[derive(Debug, Args)]
pub struct RpathReplace {
    /// The entry to replace.
    #[arg(value_name = "OLD")]
    pub old: OsString,
    /// The new entry, or several separated by colons.
    #[arg(value_name = "NEW")]
    pub new: OsString,
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What every edit of a search path takes.
    #[command(flatten)]
    pub options: RpathOptions,
}

/// `tfpatch rpath shrink`
#[derive(Debug, Args)]
#[command(after_long_help = "\
An entry is kept if it is the first one with some needed library, if the file contains the name of a library in its \
directory and may open it at run time, or if the entry depends on the machine.")]
pub struct RpathShrink {
    /// Files and options.
    #[command(flatten)]
    pub tidy: RpathTidy,
    /// Keep only entries that begin with PREFIX; can be repeated.
    #[arg(long = "allowed-prefix", value_name = "PREFIX")]
    pub prefixes: Vec<OsString>,
}

/// Files and entries of a direct edit.
#[derive(Debug, Args)]
pub struct RpathEdit {
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// An entry, such as '$ORIGIN/../lib'; can be repeated. For ELF files, a colon separates entries.
    #[arg(long = "entry", value_name = "ENTRY", required = true)]
    pub entries: Vec<OsString>,
    /// What every edit of a search path takes.
    #[command(flatten)]
    pub options: RpathOptions,
}

/// `tfpatch rpath add`
#[derive(Debug, Args)]
pub struct RpathAdd {
    /// Files and entries.
    #[command(flatten)]
    pub edit: RpathEdit,
    /// Add the entries first instead of last.
    #[arg(long)]
    pub first: bool,
}

/// Files of a direct edit that names no entries.
#[derive(Debug, Args)]
pub struct RpathTidy {
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What every edit of a search path takes.
    #[command(flatten)]
    pub options: RpathOptions,
}

/// What every edit of a search path takes.
#[derive(Debug, Args)]
pub struct RpathOptions {
    /// Set the tag of the search path.
    #[arg(long, value_enum, default_value_t = RpathKind::Keep, value_name = "KIND")]
    pub rpath_kind: RpathKind,
    /// Edit only the slice for ARCH of a universal Mach-O file, such as arm64 or x86_64.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// If a Mach-O file is signed with a certificate, replace its signature with an ad-hoc one.
    #[arg(long)]
    pub drop_signer: bool,
    /// What every direct edit takes.
    #[command(flatten)]
    pub direct: DirectOptions,
}

/// What every direct edit takes.
#[derive(Debug, Args)]
pub struct DirectOptions {
    /// Show what would be done, without changing anything.
    #[arg(long)]
    pub dry_run: bool,
    /// Write the edited file to FILE or into a directory, and leave the original unchanged.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// Update RECORD files, or keep them.
    #[arg(long, value_enum, default_value_t = Record::Update, value_name = "WHAT")]
    pub record: Record,
    /// How files are written.
    #[command(flatten)]
    pub writing: Writing,
}

/// Files of a direct edit, and how they are edited.
#[derive(Debug, Args)]
pub struct Direct {
    /// Shared libraries or programs.
    #[arg(value_name = "FILE", required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
    /// What every direct edit takes.
    #[command(flatten)]
    pub options: DirectOptions,
}

/// `tfpatch needed`
#[derive(Debug, Subcommand)]
pub enum Needed {
    /// Print the names, one per line: exact in a pipe, escaped on a terminal.
    Print(RpathPrint),
    /// Add a name, unless it exists.
    Add(NeededAdd),
    /// Remove a name, and the symbol versions needed from it.
    Remove(NeededRemove),
    /// Replace a name, in symbol versions too.
    Replace(NeededReplace),
}

/// `tfpatch needed add`
#[derive(Debug, Args)]
pub struct NeededAdd {
    /// The name, such as libfoo.so.1.
    #[arg(value_name = "NAME")]
    pub name: OsString,
    /// Add the name first instead of last; symbols are looked up in this order.
    #[arg(long)]
    pub first: bool,
    /// Files, and how they are edited.
    #[command(flatten)]
    pub direct: Direct,
}

/// `tfpatch needed remove`
#[derive(Debug, Args)]
pub struct NeededRemove {
    /// The name, such as libfoo.so.1.
    #[arg(value_name = "NAME")]
    pub name: OsString,
    /// Files, and how they are edited.
    #[command(flatten)]
    pub direct: Direct,
}

/// `tfpatch needed replace`
#[derive(Debug, Args)]
pub struct NeededReplace {
    /// The name to replace.
    #[arg(value_name = "OLD")]
    pub old: OsString,
    /// The new name.
    #[arg(value_name = "NEW")]
    pub new: OsString,
    /// Files, and how they are edited.
    #[command(flatten)]
    pub direct: Direct,
}

/// `tfpatch soname`
#[derive(Debug, Subcommand)]
pub enum Soname {
    /// Print the name: exact in a pipe, escaped on a terminal.
    Print(RpathPrint),
    /// Set the name.
    Set(NameSet),
}

/// `tfpatch interpreter`
#[derive(Debug, Subcommand)]
pub enum Interpreter {
    /// Print the path of the loader: exact in a pipe, escaped on a terminal.
    Print(RpathPrint),
    /// Set the path of the loader.
    Set(NameSet),
}

/// `tfpatch soname set`, `tfpatch interpreter set`
#[derive(Debug, Args)]
pub struct NameSet {
    /// The new name or path.
    #[arg(value_name = "NAME")]
    pub name: OsString,
    /// Files, and how they are edited.
    #[command(flatten)]
    pub direct: Direct,
}
