//! Notes on standard error while a use-case works.

use super::progress::Progress;
use super::settings;
use crate::app::{Watch, Work};
use crate::bytes::printable;
use crate::operation::Recovered;
use crate::report::inert;
use crate::report::words::operations;
use std::any::Any;
use std::io::{self, Write as _};

/// Writes every note in a line.
pub const WATCH: Watch = Watch { working, waiting, interrupted, recovered, now: settings::now };

fn working(on: Work) -> Box<dyn Any> {
    Box::new(Progress::new(match on {
        Work::Reading => "reading objects",
        Work::Planning => "planning",
        Work::Comparing => "comparing",
        Work::Writing => "writing",
    }))
}

fn waiting(pid: Option<u32>) {
    let who = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    // A note that cannot be written is not a reason to stop waiting.
    let _ = writeln!(inert::stderr(), "tfpatch: waiting for another tfpatch{who} to finish");
}

fn interrupted(id: &str) -> io::Result<()> {
    let cure = "the next `tfpatch fix` or `tfpatch revert` completes or undoes it";
    let id = printable(id.as_bytes());
    writeln!(inert::stderr(), "tfpatch: operation {id} was interrupted; {cure}")
}

fn recovered(recovered: &Recovered) {
    let Recovered { operation, finished, left_alone } = recovered;
    let outcome = if *finished { "was already complete" } else { "was undone" };
    let mut notes = inert::stderr();
    let operation = printable(operation.as_bytes());
    // A note that cannot be written is not a reason to stop.
    let _ = writeln!(notes, "tfpatch: operation {operation} was interrupted, and {outcome}");
    for left in left_alone {
        let _ =
            writeln!(notes, "tfpatch: skipped {}: {}", left.path, operations::change(&left.change));
    }
}

/// Writes notes for the user, which are sentences.
pub fn say(notes: &[String]) {
    let mut out = inert::stderr();
    // A note that cannot be written is not a reason to stop.
    let _ =
        notes.iter().try_for_each(|note| writeln!(out, "tfpatch: {}", printable(note.as_bytes())));
}
