//! Keeps the house as the map in `src/lib.rs` draws it: layers, the ban on reading the disk and
//! the environment below the rim, and files of one subject.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory of the project, with their text.
fn files(directory: &str, suffix: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(root().join(directory))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(suffix))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.path().strip_prefix(root()).unwrap().to_owned(), text)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "nothing found below {directory}");
    found
}

/// The layer that a file belongs to: its directory below `src`, or its own name.
fn layer(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The layers that a text refers to, as `crate::layer` or `super::` chains never leave a layer.
fn uses(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .flat_map(|rest| {
            let names = rest.strip_prefix('{').map_or(rest, |list| list);
            let word: String =
                names.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            (!word.is_empty()).then_some(word)
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Which layers each may use; none may use what stands above it.
const LAYERS: &[(&str, &[&str])] = &[
    ("bytes", &[]),
    ("edit", &["bytes"]),
    ("elf", &["bytes", "edit"]),
    ("macho", &["bytes", "edit"]),
    ("object", &["bytes", "edit", "elf", "macho"]),
    ("plan", &["bytes", "edit", "elf", "macho", "object"]),
    ("vfs", &["bytes", "edit"]),
    ("loader", &["bytes", "vfs", "elf", "macho"]),
    ("python", &["bytes", "edit", "vfs"]),
    ("operation", &["bytes", "edit", "object", "plan", "python"]),
    ("repair", &["bytes", "edit", "elf", "macho", "object", "plan", "vfs", "loader", "python"]),
    (
        "report",
        &["bytes", "edit", "elf", "macho", "object", "plan", "loader", "repair", "operation"],
    ),
    (
        "cli",
        &[
            "bytes",
            "edit",
            "elf",
            "macho",
            "object",
            "plan",
            "vfs",
            "loader",
            "python",
            "operation",
            "repair",
            "report",
        ],
    ),
];

#[test]
fn each_layer_uses_only_what_stands_below_it() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let layer = layer(&path);
        if layer == "lib" || layer == "main" {
            continue;
        }
        let (_, below) = LAYERS
            .iter()
            .find(|(name, _)| *name == layer)
            .unwrap_or_else(|| panic!("{} belongs to no layer", path.display()));
        for used in uses(&text) {
            let known = LAYERS.iter().any(|(name, _)| *name == used);
            if known && used != layer && !below.contains(&used.as_str()) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_layer_test_sees_what_it_must_see() {
    assert_eq!(
        uses("use crate::cli::args;\n// crate::report\nlet x = crate::vfs::f();"),
        ["cli", "vfs"]
    );
}

#[test]
fn the_disk_and_the_environment_are_read_at_the_rim() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let name = path.to_str().unwrap();
        let layer = layer(&path);
        let fs_allowed = matches!(layer.as_str(), "operation" | "cli") || name == "src/vfs/os.rs";
        let env_allowed = name == "src/cli/settings.rs";
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            let place = format!("{name}:{}", number + 1);
            if !fs_allowed && line.contains("std::fs") {
                wrong.push(format!("{place} reads the disk"));
            }
            if !env_allowed && line.contains("std::env") {
                wrong.push(format!("{place} reads the environment"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_file_has_one_subject() {
    let long: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 600)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 60, "main.rs parses, runs and gives an exit code");
}

#[test]
fn every_cause_has_a_page_and_every_page_a_cause() {
    let pages: Vec<String> = files("src/repair/causes", ".md")
        .into_iter()
        .map(|(path, text)| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(text.starts_with(&format!("# {name}\n")), "{name}.md begins with its name");
            for section in ["The loader's words", "How to see it", "Cure"] {
                assert!(text.contains(&format!("\n## {section}\n\n")), "{name}.md: {section}");
            }
            name
        })
        .collect();
    let mut causes: Vec<String> =
        tfpatch::repair::finding::Cause::ALL.iter().map(|cause| cause.name().to_owned()).collect();
    causes.sort();
    assert_eq!(pages, causes);
}

#[test]
fn every_fixture_says_where_it_comes_from() {
    for entry in fs::read_dir(root().join("fixtures")).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            let origin = fs::read_to_string(entry.path().join("ORIGIN.md"));
            assert!(origin.is_ok(), "{} has no ORIGIN.md", entry.path().display());
        }
    }
}
