//! File systems of our own, mounted for one test.

use std::path::Path;
use std::process::Command;

/// A file system that is mounted as long as this lives.
pub(crate) struct Mounted {
    at: tempfile::TempDir,
}

impl Mounted {
    /// Mounts `source` as a file system of that kind, with further options of mount(8).
    pub(crate) fn new(kind: &str, options: &[&str], source: &str) -> Self {
        let at = tempfile::tempdir().unwrap();
        run(Command::new("mount").args(["-t", kind]).args(options).arg(source).arg(at.path()));
        Self { at }
    }

    /// A new file system in an image of that many megabytes, made by `mkfs` with its arguments.
    pub(crate) fn image(image: &Path, megabytes: u64, kind: &str, mkfs: &[&str]) -> Self {
        std::fs::File::create(image).unwrap().set_len(megabytes << 20).unwrap();
        let (program, arguments) = mkfs.split_first().unwrap();
        run(Command::new(program).args(arguments).arg(image));
        Self::new(kind, &["-o", "loop"], &image.display().to_string())
    }

    /// Changes options of the mount.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run(Command::new("mount").args(["-o", &options]).arg(self.path()));
    }

    pub(crate) fn path(&self) -> &Path {
        self.at.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily, for a failing test may still have files of it open.
        run(Command::new("umount").arg("--lazy").arg(self.at.path()));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
