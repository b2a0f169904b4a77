//! A command that is run and waited for. A signal that is sent to us goes on to it.

use crate::report::trace::Child;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::exfiltrator::origin::{Origin, WithOrigin};
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level;
use signal_hook::low_level::siginfo::Cause;
use std::ffi::c_int;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a shell adds to a signal to make an exit status of it.
const ENDED_BY_SIGNAL: u8 = 128;

/// How far the command is.
#[derive(Debug)]
enum Stage {
    /// It has not been started. A signal that came before is for it as well.
    Before(Option<Signal>),
    Running(Pid),
    /// Its process ID may be another's by now.
    Ended,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    /// The first signal that came.
    received: Option<c_int>,
}

/// Passes on to a command the signals that ask a program to end, until it is dropped.
///
/// Once the command has ended, the first signal lets us finish what we are about, for that is short; the
/// second one ends us.
#[derive(Debug)]
pub struct Forwarder {
    state: Arc<Mutex<State>>,
    handle: Handle,
}

impl Forwarder {
    /// Begins to take signals. `scratch` is removed where a second one ends us; `is_ignored` tells which
    /// are not taken, as `nohup` wishes it.
    ///
    /// # Errors
    /// Where the system does not let us have a handler or a thread.
    pub fn new(scratch: PathBuf, is_ignored: impl Fn(c_int) -> bool) -> io::Result<Self> {
        // Handlers do not survive exec, but what is ignored stays so: the command has the signals as we
        // were given them.
        let taken = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter();
        let mut signals =
            SignalsInfo::<WithOrigin>::new(taken.filter(|&signal| !is_ignored(signal)))?;
        let handle = signals.handle();
        let state = Arc::new(Mutex::new(State { stage: Stage::Before(None), received: None }));
        let shared = Arc::clone(&state);
        let pass_on = move || {
            for origin in signals.forever() {
                if is_second(&mut locked(&shared), &origin) {
                    // What cannot be removed is no reason to stay.
                    let _ = std::fs::remove_dir_all(&scratch);
                    let _ = low_level::emulate_default_handler(origin.signal);
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(pass_on)?;
        Ok(Self { state, handle })
    }

    /// Starts the command and waits for its end. Its process ID, and how it ended.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn run(&self, command: &mut Command) -> io::Result<(u32, Child)> {
        let mut child = {
            // A signal that comes in between waits until there is a process that it can go to.
            let mut state = locked(&self.state);
            let child = command.spawn()?;
            let pid = pid_of(&child);
            if let (Some(pid), Stage::Before(Some(early))) = (pid, &state.stage) {
                send(pid, *early);
            }
            state.stage = pid.map_or(Stage::Ended, Stage::Running);
            child
        };
        if let Some(pid) = pid_of(&child) {
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // Until it is waited for, its process ID stays its own.
            while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(pid), end)
            {
            }
        }
        locked(&self.state).stage = Stage::Ended;
        let status = child.wait()?;
        Ok((child.id(), Child { status: status.code(), signal: status.signal() }))
    }

    /// The exit status that tells of the signal that came, if one did.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        let signal = u8::try_from(locked(&self.state).received?).ok()?;
        Some(ENDED_BY_SIGNAL.saturating_add(signal))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// Takes note of a signal and passes it on; true for one that comes after another and after the end of
/// the command.
fn is_second(state: &mut State, origin: &Origin) -> bool {
    let is_first = state.received.is_none();
    state.received.get_or_insert(origin.signal);
    let signal = match origin.signal {
        SIGINT => Signal::INT,
        SIGQUIT => Signal::QUIT,
        SIGHUP => Signal::HUP,
        _ => Signal::TERM,
    };
    match &mut state.stage {
        Stage::Before(early) => *early = early.or(Some(signal)),
        // The command shares our terminal and gets the signals of its keys by itself.
        Stage::Running(_) if is_of_terminal(origin) => {}
        Stage::Running(pid) => send(*pid, signal),
        Stage::Ended => return !is_first,
    }
    false
}

/// Did a key of the terminal send the signal, or the end of the terminal? Where the system does not
/// tell who sent it, the signals of keys are taken for those.
fn is_of_terminal(origin: &Origin) -> bool {
    match origin.cause {
        Cause::Kernel => true,
        Cause::Unknown => matches!(origin.signal, SIGINT | SIGQUIT),
        _ => false,
    }
}

fn send(pid: Pid, signal: Signal) {
    // Not every command may be sent signals to: sudo runs as another user.
    let _ = rustix::process::kill_process(pid, signal);
}

fn pid_of(child: &process::Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
