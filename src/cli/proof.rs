//! Runs a command that proves something. Each run is announced, has its own session and a time limit, and its
//! last lines of output are kept.

use super::args::Proof;
use super::child::Manner;
use super::error::Error;
use super::session::Session;
use super::traced::{Ran, Tracer};
use super::words_of_run::Listener;
use crate::app;
use crate::app::runs::{Purpose, Run, Runner};
use crate::bytes::shell_word;
use crate::operation::other_owner;
use crate::report::inert;
use crate::report::proof::purpose_in_words;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Runs the command.
pub struct Runs<'a> {
    /// Traces the loader.
    pub tracer: Tracer<'a>,
    limit: Duration,
    command: &'a [OsString],
    /// The command in a form that can be pasted.
    shown: String,
    count: usize,
}

impl<'a> Runs<'a> {
    /// Prepares the runs.
    ///
    /// # Errors
    /// As for [`Tracer::new`].
    pub fn new(session: &'a Session, options: &'a Proof) -> Result<Self, Error> {
        let tracer = Tracer::new(session)?;
        let limit = Duration::from_secs(options.timeout);
        let words: Vec<String> =
            options.command.iter().map(|word| shell_word(word.as_bytes())).collect();
        Ok(Self { tracer, limit, command: &options.command, shown: words.join(" "), count: 0 })
    }

    fn announce(&self, purpose: Purpose, owned: Option<&Path>) {
        let user = owned.and_then(other_owner).map(|(uid, _)| format!(", as user {uid}"));
        let (count, user, shown) = (self.count, user.unwrap_or_default(), &self.shown);
        let when = purpose_in_words(purpose);
        // A note that cannot be written does not prevent the run.
        let _ = writeln!(inert::stderr(), "tfpatch: run {count}, {when}{user}: {shown}");
    }
}

impl<'a> Runner<'a> for Runs<'a> {
    fn run(&mut self, purpose: Purpose, owned: Option<&Path>) -> Result<Run<'a>, app::Error> {
        self.count += 1;
        self.announce(purpose, owned);
        let (listener, ears) = Listener::new()?;
        let manner = Manner { own_session: true, limit: Some(self.limit) };
        let prepare = |command: &mut Command| {
            // Input would only be available to the first run, and a session of its own has no terminal.
            let may_read = purpose == Purpose::Once && !io::stdin().is_terminal();
            command.stdin(if may_read { Stdio::inherit() } else { Stdio::null() });
            // Standard output contains only the report of tfpatch.
            command.stdout(io::stderr()).stderr(ears);
            Ok(())
        };
        let Ran { requests, child, timed_out } =
            self.tracer.run(self.command, manner, owned, prepare)?;
        Ok(Run { child, timed_out, words: listener.last_lines(), requests })
    }

    fn is_told_to_end(&self) -> bool {
        self.tracer.forwarder.status().is_some()
    }
}
