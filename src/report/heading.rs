//! The target and the facts about it.

use super::findings::Detail;
use super::linked;
use super::style::{DIM, paint};
use super::words::targets as words;
use crate::app::targets::facts;
use crate::app::{App, Chosen};
use crate::bytes::{printable, shown};
use crate::command_line::CommandLine;
use crate::python::target::Target;
use crate::world::World;
use std::io::{self, Write};
use std::path::Path;

/// Writes the line with the target, and the reason for choosing it.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    world: &World,
    detail: Detail,
) -> io::Result<()> {
    if detail == Detail::Quiet {
        return Ok(());
    }
    let (what, facts) = heading(app, chosen, world);
    writeln!(out, "{what} {}", paint(DIM, facts))
}

/// Reports directories that were skipped because links lead there from the target.
///
/// # Errors
/// If the output cannot be written.
pub fn write_not_followed(
    out: &mut dyn Write,
    chosen: &Chosen,
    world: &World,
    detail: Detail,
) -> io::Result<()> {
    if detail == Detail::Quiet {
        return Ok(());
    }
    let command = |directory: &Path| chosen.command_for(CommandLine::new(["doctor"]), directory);
    linked::write(out, world, detail == Detail::Verbose, command)
}

/// The target, and in parentheses the reason for choosing it and the facts about it.
#[must_use]
pub fn heading(app: &App, chosen: &Chosen, world: &World) -> (String, String) {
    let (kind, path) = match &chosen.target {
        Target::Environment(environment) => ("Environment", &environment.prefix),
        Target::Distribution { environment, normalized, .. } => {
            let place = format!("in {}", shown(&app.relative(&environment.prefix)));
            let known = [place, words::reason(&chosen.reason)].into_iter();
            let facts: Vec<String> = known.chain(facts(world)).collect();
            let what = format!("Distribution  {normalized}");
            return (what, in_parentheses(&facts));
        }
        Target::SitePackages { path, .. } => ("Packages", path),
        Target::Directory(directory) => ("Directory", directory),
        Target::File(path) => ("Object", path),
        Target::Wheel(path) => ("Wheel", path),
    };
    let facts: Vec<String> =
        std::iter::once(words::reason(&chosen.reason)).chain(facts(world)).collect();
    let what = format!("{kind}  {}", shown(&app.relative(path)));
    (what, in_parentheses(&facts))
}

fn in_parentheses(facts: &[String]) -> String {
    format!("({})", printable(facts.join("; ").as_bytes()))
}
