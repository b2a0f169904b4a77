//! Options of the commands that edit, as they are typed.

use crate::elf::search_path;
use crate::operation;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// What a repair may do.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Repair options")]
pub struct Repair {
    /// Search DIR for libraries too, which may be outside the target.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub search: Vec<PathBuf>,
    /// Allow entries with absolute paths, for libraries outside the target.
    #[arg(long)]
    pub allow_absolute: bool,
    /// Clear the executable stack flag of every reported file, even if its code may need it.
    #[arg(long, hide_short_help = true)]
    pub exec_stack: bool,
    /// Set the tag of the search path.
    #[arg(long, hide_short_help = true, value_enum, default_value_t = RpathKind::Keep, value_name = "KIND")]
    pub rpath_kind: RpathKind,
    /// Update RECORD files, or keep them.
    #[arg(long, hide_short_help = true, value_enum, default_value_t = Record::Update, value_name = "WHAT")]
    pub record: Record,
}

/// How files are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "File options")]
pub struct Writing {
    /// Edit files in place, or replace them with edited copies; `auto` edits in place if that is safe.
    #[arg(long, hide_short_help = true, value_enum, default_value_t = Write::Auto, value_name = "HOW")]
    pub write: Write,
    /// Do not wait until all data is on the disk. For image builds, where a crash discards the layer.
    #[arg(long, hide_short_help = true)]
    pub no_sync: bool,
}

/// Which tag a search path is to stand in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RpathKind {
    /// Keep the existing tag; DT_RUNPATH if there is none.
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
    /// Update hashes and sizes of edited files.
    #[default]
    Update,
    /// Leave RECORD unchanged.
    Keep,
}

/// How files are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Write {
    /// In place if that is safe, otherwise replace the file.
    #[default]
    Auto,
    /// In place only.
    InPlace,
    /// Always replace the file.
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
