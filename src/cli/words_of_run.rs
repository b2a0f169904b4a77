//! What a command writes to its standard error: it may be passed on to ours, and the last lines are kept.

use std::collections::VecDeque;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What is kept, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// Lines that are reported, and characters of each.
const MAX_LINES: usize = 20;
const MAX_CHARACTERS: usize = 500;

/// How long the end is waited for once the command has ended: what it left running may keep the pipe
/// open for ever.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who listens to a command until it has said everything.
pub struct Listener {
    heard: Arc<Mutex<VecDeque<u8>>>,
    end: Receiver<()>,
}

impl Listener {
    /// Begins to listen to what is written into the pipe.
    ///
    /// # Errors
    /// If the system has no pipe or no thread for it.
    pub fn new() -> io::Result<(Self, PipeWriter)> {
        Self::of(true)
    }

    /// The same, and passes nothing on.
    ///
    /// # Errors
    /// As for [`Listener::new`].
    pub fn silent() -> io::Result<(Self, PipeWriter)> {
        Self::of(false)
    }

    fn of(passes_on: bool) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe()?;
        let heard = Arc::new(Mutex::new(VecDeque::new()));
        let (done, end) = mpsc::channel::<()>();
        let kept = Arc::clone(&heard);
        let listen = move || {
            hear(reader, &kept, passes_on);
            drop(done);
        };
        thread::Builder::new().name("standard error".to_owned()).spawn(listen)?;
        Ok((Self { heard, end }, writer))
    }

    /// The last lines that were written.
    #[must_use]
    pub fn last_lines(self) -> Vec<String> {
        // Nothing is ever sent: the channel ends where the pipe does.
        let _ = self.end.recv_timeout(PATIENCE);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let is_cut = heard.len() == MAX_BYTES;
        let text = String::from_utf8_lossy(heard.make_contiguous());
        // Of the first line only the end may be there.
        let lines = text.lines().skip(usize::from(is_cut)).filter(|line| !line.trim().is_empty());
        let lines: Vec<&str> = lines.collect();
        let last = lines.len().saturating_sub(MAX_LINES);
        let bounded = |line: &&str| line.trim_end().chars().take(MAX_CHARACTERS).collect();
        lines.iter().skip(last).map(bounded).collect()
    }
}

/// Keeps the end of what is read, and passes it on to our standard error where that is wanted.
fn hear(mut reader: PipeReader, kept: &Mutex<VecDeque<u8>>, passes_on: bool) {
    let mut buffer = [0; 8192];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        if passes_on {
            // Where nobody reads ours, the command goes on all the same.
            let _ = io::stderr().write_all(read);
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(read);
        let excess = kept.len().saturating_sub(MAX_BYTES);
        kept.drain(..excess);
    }
}
