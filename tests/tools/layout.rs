//! Reports on terminals of several widths, word for word: `BLESS=1 cargo test --test tools -- layout` writes
//! them again after an intended change.

use crate::support::command::{inner, outer, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const WIDTHS: [usize; 4] = [60, 80, 120, 200];

/// The commands of which each has a golden for each width.
const SCREENS: [(&str, &[&str]); 5] = [
    ("doctor", &["doctor", "tree"]),
    ("fix", &["fix", "--dry-run", "tree"]),
    ("tree", &["tree", "tree/package/with/a/long/path/to/its/modules/module_0.so"]),
    (
        "explain",
        &[
            "explain",
            "ImportError: /nowhere/libgomp.so.1: cannot allocate memory in static TLS block",
        ],
    ),
    ("help", &["-h"]),
];

fn golden(name: &str, width: usize) -> PathBuf {
    let file = format!("fixtures/layout/{name}-{width}.txt");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Modules in a package whose library is in a directory that is not searched.
fn broken(dir: &Path) {
    let modules = dir.join("tree/package/with/a/long/path/to/its/modules");
    fs::create_dir_all(&modules).unwrap();
    fs::create_dir_all(dir.join("tree/libraries")).unwrap();
    inner(&dir.join("tree/libraries/libinner.so.1"));
    for number in 0..3 {
        outer(&modules.join(format!("module_{number}.so")), "$ORIGIN/gone:$ORIGIN/../gone");
    }
}

/// What a command writes to a terminal, without its styles and its progress.
fn on_terminal(dir: &Path, width: usize, words: &[&str]) -> String {
    let program = env!("CARGO_BIN_EXE_tfpatch");
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let command = format!("stty cols {width}; {program} {}", quoted.join(" "));
    let output = Command::new("script")
        .args(["--quiet", "--command", &command, "/dev/null"])
        .current_dir(dir)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    let mut plain = String::new();
    for line in text.lines() {
        // Progress is written over.
        let line = line.rsplit('\r').next().unwrap();
        let mut rest = line;
        while let Some((before, style)) = rest.split_once('\x1b') {
            plain += before;
            let end = style.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
            rest = &style[(end + 1).min(style.len())..];
        }
        plain += rest;
        plain.push('\n');
    }
    plain.replace(dir.to_str().unwrap(), "[DIR]")
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a person asks for new files by the environment")]
fn a_report_fits_its_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    broken(&dir);
    let mut wrong = Vec::new();
    for (name, words) in SCREENS {
        for width in WIDTHS {
            let text = on_terminal(&dir, width, words);
            let path = golden(name, width);
            if std::env::var_os("BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            }
            if fs::read_to_string(&path).unwrap_or_default() != text {
                wrong.push(format!("{name} at {width} columns:\n{text}"));
            }
            let is_long = |line: &&str| line.chars().count() > width && !line.starts_with('→');
            let long: Vec<&str> = text.lines().filter(is_long).collect();
            assert!(long.is_empty(), "{name} at {width}: {long:#?}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_pipe_gets_whole_lines_and_whole_paths() {
    let dir = tempfile::tempdir().unwrap();
    broken(dir.path());
    let text = run(dir.path(), &["doctor", "tree"]).out;
    assert!(!text.contains('…'), "{text}");
    let object = "package/with/a/long/path/to/its/modules/module_0.so and 2 more";
    assert!(text.contains(object), "{text}");
    // The same report with other line ends.
    let narrow = on_terminal(dir.path(), 200, &["doctor", "tree"]);
    let words = |text: &str| -> Vec<String> {
        text.split_whitespace().map(|word| word.trim_matches(['[', ']']).to_owned()).collect()
    };
    assert_eq!(words(&text), words(&narrow));
}
