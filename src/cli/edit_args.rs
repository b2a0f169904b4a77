//! Options of the commands that edit, as they are typed.

use crate::elf::search_path;
use crate::operation;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// What a repair may do.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How it is repaired")]
pub struct Repair {
    /// Look for libraries in DIR too; may lie outside the target.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Allow entries with absolute paths, for libraries that lie outside the target.
    #[arg(long)]
    pub allow_absolute: bool,
    /// Which tag the search path is to stand in.
    #[arg(long, value_enum, default_value_t = RpathKind::Keep, value_name = "KIND")]
    pub rpath_kind: RpathKind,
    /// Whether RECORD files are kept up to date.
    #[arg(long, value_enum, default_value_t = Record::Update, value_name = "WHAT")]
    pub record: Record,
}

/// How files are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How files are written")]
pub struct Writing {
    /// Edit files in place, or put edited copies in their stead; `auto` edits in place where that
    /// is safe.
    #[arg(long, value_enum, default_value_t = Write::Auto, value_name = "HOW")]
    pub write: Write,
    /// Do not wait until everything is on the disk. For image builds, where a crash throws the
    /// layer away.
    #[arg(long)]
    pub no_sync: bool,
}

/// Which tag a search path is to stand in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RpathKind {
    /// The tag that is there; DT_RUNPATH where there is none.
    #[default]
    Keep,
    /// DT_RUNPATH.
    Runpath,
    /// DT_RPATH: inherited by dependencies, and searched before LD_LIBRARY_PATH.
    Rpath,
}

/// Whether RECORD files are kept up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// Hashes and sizes of edited files are brought up to date.
    #[default]
    Update,
    /// RECORD stays as it is.
    Keep,
}

/// How files are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Write {
    /// In place where that is safe, else a copy in the file's stead.
    #[default]
    Auto,
    /// In place, or not at all.
    InPlace,
    /// Always a copy in the file's stead.
    Replace,
}

impl From<RpathKind> for Option<search_path::RpathKind> {
    fn from(kind: RpathKind) -> Self {
        match kind {
            RpathKind::Keep => None,
            RpathKind::Runpath => Some(search_path::RpathKind::Runpath),
            RpathKind::Rpath => Some(search_path::RpathKind::Rpath),
        }
    }
}

impl From<Write> for operation::Write {
    fn from(write: Write) -> Self {
        match write {
            Write::Auto => Self::Auto,
            Write::InPlace => Self::InPlace,
            Write::Replace => Self::Replace,
        }
    }
}
