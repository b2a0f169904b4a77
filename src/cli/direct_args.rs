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
    /// Replace one entry by others.
    Replace(RpathReplace),
    /// Remove the entries of ELF files that lead to no needed library.
    Shrink(RpathShrink),
}

/// `tfpatch rpath replace`
#[derive(Debug, Args)]
pub struct RpathReplace {
    /// The entry to replace.
    #[arg(value_name = "OLD")]
    pub old: OsString,
    /// The new entry, or several with colons between.
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
An entry stays if a needed library is found by it that no entry before leads to, if the file names a library of the \
directory among its constants, as a program does that opens it at run time, or if the entry depends on the machine.")]
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
    /// Put the entries first instead of last.
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
    /// Replace the signature of a Mach-O file that is signed with a certificate by an ad-hoc signature.
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
    /// Add a name, unless it is there.
    Add(NeededAdd),
    /// Remove a name, and what is needed of its symbol versions.
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
    /// Put the name first instead of last; symbols are searched in this order.
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
