//! Files that a process has mapped, or opens just then, while they are edited or made shorter again.

use crate::support::wheels;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};

/// Maps a file, closes it, and reads every byte of the mapping when it is told to.
pub(crate) const MAPS: &str = "
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
size = os.path.getsize(sys.argv[1])
file = os.open(sys.argv[1], os.O_RDONLY)
at = libc.mmap(None, ctypes.c_size_t(size), 1, 2, file, 0)
os.close(file)
print('mapped', flush=True)
sys.stdin.readline()
print(sum(ctypes.string_at(at, size)))
";

/// Has a file mapped until it is told to read the mapping.
pub(crate) struct Mapper {
    pub(crate) process: Child,
    pub(crate) before: u64,
}

impl Mapper {
    pub(crate) fn of(file: &Path) -> Self {
        let before = std::fs::read(file).unwrap().iter().map(|&byte| u64::from(byte)).sum();
        let mut process = wheels::python3()
            .args(["-c", MAPS])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "mapped\n");
        Self { process, before }
    }

    /// Does every byte stand where it stood? `None` where the process was killed.
    pub(crate) fn reads_the_same(mut self) -> Option<bool> {
        self.process.stdin.take().unwrap().write_all(b"\n").unwrap();
        let output = self.process.wait_with_output().unwrap();
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap().trim() == self.before.to_string())
    }
}
