//! What is shipped beside the engine: completions, manual pages, the version, stores in images.

use std::process::Command;

pub(crate) fn tfpatch() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tfpatch"))
}

pub(crate) fn prints(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
