//! `tfpatch trace` and signals: they go on to the command, the exit status tells of them, and nothing
//! is left behind.

use crate::support::command::{Ran, clean, command};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Says that it is there, and then does what each of these does with a signal.
const OBEYS: &str = "import time; print('there', flush=True); time.sleep(60)";
const GOES_ON: &str = "
import signal, sys
def note(number, frame): print('got', number, flush=True)
for one in (signal.SIGINT, signal.SIGTERM): signal.signal(one, note)
print('there', flush=True)
sys.stdin.readline()
print('ends by itself', flush=True)
";
const HANDLES: &str = "
import signal, sys, time
def end(number, frame):
    print('got', number, flush=True)
    sys.exit(7)
for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT): signal.signal(one, end)
print('there', flush=True)
time.sleep(60)
";

/// A trace that runs, in a directory of temporary files of its own.
struct Running {
    scratch: tempfile::TempDir,
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Running {
    /// Starts a trace of Python code, and waits until the code says that it is there.
    fn of(code: &str, set_up: impl FnOnce(&mut Command)) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let python = crate::support::wheels::python_says("import sys; print(sys.executable)");
        // Whoever started the tests, as nohup does, may ignore what is sent here.
        let mut tfpatch = Command::new("env");
        clean(&mut tfpatch);
        tfpatch.arg("--default-signal=HUP,INT,QUIT,TERM");
        tfpatch.arg(assert_cmd::cargo::cargo_bin!("tfpatch")).current_dir(scratch.path());
        tfpatch.args(["trace", "--format", "json", "--", &python, "-S", "-c", code]);
        tfpatch.env("TMPDIR", scratch.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        set_up(&mut tfpatch);
        let mut child = tfpatch.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "there\n");
        Self { scratch, child, output }
    }

    fn directory(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.scratch.path()).unwrap().map(|it| it.unwrap().path());
        entries.next().unwrap()
    }

    fn send(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// What the command said from then on, the report, and the status.
    fn end(mut self) -> (String, Value, i32) {
        let mut text = String::new();
        self.output.read_to_string(&mut text).unwrap();
        let status = self.child.wait().unwrap();
        let left: Vec<_> = fs::read_dir(self.scratch.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let (said, report) = text.split_at(text.find("{\n").unwrap_or_else(|| panic!("{text}")));
        (said.to_owned(), serde_json::from_str(report).unwrap(), status.code().unwrap())
    }
}

#[test]
fn a_signal_goes_on_to_the_command_and_the_status_says_so() {
    for (signal, number) in
        [(Signal::INT, 2), (Signal::QUIT, 3), (Signal::TERM, 15), (Signal::HUP, 1)]
    {
        // A core dump would be left in the working directory.
        let without_core = |tfpatch: &mut Command| _ = tfpatch.env("PYTHONFAULTHANDLER", "");
        let obeys =
            "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL);".to_owned() + OBEYS;
        if number != 3 {
            let running = Running::of(&obeys, without_core);
            running.send(signal);
            let (said, report, status) = running.end();
            assert_eq!((said.as_str(), status), ("", 128 + number));
            assert_eq!(report["child"]["signal"], number);
            assert!(report["processes"].as_u64() > Some(0), "as far as it goes: {report:#}");
        }
        let running = Running::of(HANDLES, |_| ());
        running.send(signal);
        let (said, report, status) = running.end();
        assert_eq!((said, status), (format!("got {number}\n"), 128 + number));
        assert_eq!(report["child"]["status"], 7);
    }
}

#[test]
fn a_command_that_goes_on_after_a_signal_is_waited_for() {
    let mut running = Running::of(GOES_ON, |_| ());
    // Each has to arrive before the next is sent: the kernel does not keep two signals in order.
    for (signal, number) in [(Signal::INT, 2), (Signal::INT, 2), (Signal::TERM, 15)] {
        running.send(signal);
        let mut line = String::new();
        running.output.read_line(&mut line).unwrap();
        assert_eq!(line, format!("got {number}\n"));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(running.child.try_wait().unwrap().is_none(), "it waits for the command");
    drop(running.child.stdin.take());
    let (said, report, status) = running.end();
    assert_eq!((said.as_str(), status), ("ends by itself\n", 130));
    assert_eq!(report["child"]["status"], 0);
}

#[test]
fn a_signal_that_ends_the_command_is_told_by_the_status() {
    let scratch = tempfile::tempdir().unwrap();
    let words = ["trace", "--format", "json", "--", "sh", "-c", "kill -TERM $$"];
    let ran = Ran::of(&command(scratch.path()).args(words).output().unwrap());
    assert_eq!(ran.json(128 + 15)["child"]["signal"], 15);
}

#[test]
fn what_is_ignored_for_nohup_stays_ignored() {
    let scratch = tempfile::tempdir().unwrap();
    let mut nohup = Command::new("sh");
    let code = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)";
    let script = format!(
        "trap '' HUP; exec {} trace -q -- python3 -c '{code}'",
        assert_cmd::cargo::cargo_bin!("tfpatch").display()
    );
    let output = nohup.args(["-c", &script]).current_dir(scratch.path()).output().unwrap();
    assert!(output.stdout.starts_with(b"True\n"), "{output:?}");
}

#[test]
fn the_files_of_a_trace_are_private() {
    let running = Running::of(OBEYS, |_| ());
    let directory = fs::metadata(running.directory()).unwrap();
    assert_eq!(directory.permissions().mode() & 0o7777, 0o700);
    assert_eq!(directory.uid(), rustix::process::geteuid().as_raw());
    running.send(Signal::TERM);
    running.end();
}

/// The command knows where the files are, and can put there what it likes.
#[test]
fn what_the_command_puts_among_the_files_does_no_harm() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "1: file=secret [0];  needed by secret [0]\n").unwrap();
    for (code, is_traced) in [
        ("os.mkfifo(d + '/t.1')", true),
        ("os.mkdir(d + '/t.1')", true),
        ("os.symlink(sys.argv[1], d + '/t.1')", true),
        ("os.symlink('t.1', d + '/t.1')", true),
        ("os.symlink('/dev/zero', d + '/t.1')", true),
        ("shutil.rmtree(d)", false),
    ] {
        let code = format!(
            "import os, shutil, sys; d = os.path.dirname(os.environ['LD_DEBUG_OUTPUT']); {code}"
        );
        let scratch = tempfile::tempdir().unwrap();
        let mut tfpatch = command(scratch.path());
        tfpatch.args(["trace", "--format", "json", "--", "python3", "-c", &code]);
        let started = Instant::now();
        let mut child = tfpatch
            .arg(secret.path())
            .env("TMPDIR", scratch.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while child.try_wait().unwrap().is_none() {
            if started.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("it hangs: {code}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let ran = Ran::of(&child.wait_with_output().unwrap());
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{code}: {ran:#?}");
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["processes"].as_u64() > Some(0), is_traced, "{code}: {report:#}");
        assert!(!ran.out.contains("secret"), "{ran:#?}");
        assert!(is_empty(scratch.path()), "{code}");
    }
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}
