//! Reports linked directories that were not followed.

use super::path_text::PathText;
use super::style::{COMMAND, DIM, counted, paint};
use crate::bytes::shown;
use crate::command_line::CommandLine;
use crate::world::World;
use crate::world::linked_directories::{Linked, places};
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// The maximum number of links that a report for people names; the others are counted.
const MAX_NAMED: usize = 3;

/// A linked directory that was not followed, in JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LinkReport {
    /// The link.
    #[serde(flatten)]
    path: PathText,
    /// Its target, a directory with links resolved.
    target: String,
    /// Its bytes, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    target_bytes: Option<String>,
}

impl LinkReport {
    /// The linked directories of a target.
    #[must_use]
    pub fn all(world: &World) -> Vec<Self> {
        let report = |Linked { path, target }: &Linked| {
            let PathText { path: text, path_bytes } = PathText::of(target);
            Self { path: PathText::of(path), target: text, target_bytes: path_bytes }
        };
        world.not_followed().map(report).collect()
    }
}

/// Writes a line for each link, and the commands that examine their targets. `command` returns the one for a
/// directory.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    world: &World,
    is_verbose: bool,
    command: impl Fn(&Path) -> CommandLine,
) -> io::Result<()> {
    let all: Vec<&Linked> = world.not_followed().collect();
    let most = if is_verbose { usize::MAX } else { MAX_NAMED };
    let note = paint(DIM, "note");
    for linked in all.iter().take(most) {
        let (path, target) = (world.shown(&linked.path), shown(&linked.target));
        writeln!(out, "{note}  {path} is a link to {target}, outside the target; not followed")?;
    }
    if all.len() > most {
        let rest = counted(all.len() - most, "more link");
        writeln!(out, "{note}  {rest} (-v lists them)")?;
    }
    for directory in places(world.not_followed()).iter().take(most) {
        writeln!(out, "{} {}", paint(COMMAND, "→"), command(directory))?;
    }
    Ok(())
}

/// The end of a conclusion if not everything was examined; `None` if everything was.
#[must_use]
pub fn reservation(world: &World) -> Option<String> {
    match world.not_followed().count() {
        0 => None,
        1 => Some("1 linked directory was not followed".to_owned()),
        links => Some(format!("{links} linked directories were not followed")),
    }
}
