//! Tells the crate what it is built from, for `tfpatch --version`: the target, and in release builds
//! the commit and its day.
//!
//! The commit comes from the repository, else from what `git archive` or `cargo package` left in the
//! sources, else it is left out: a build outside a repository is a build like any other.

#![allow(clippy::disallowed_methods, reason = "Cargo tells a build script what it is by variables")]

use std::path::Path;
use std::process::Command;

/// `git archive` writes the commit and its day here, as `.gitattributes` asks.
const ARCHIVED: &str = "$Format:%H %cs$";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = variable("TARGET");
    // While it is developed nobody wants to wait for a rebuild after each commit.
    let commit = (variable("PROFILE") == "release").then(commit).flatten();
    let built_from = commit.map_or_else(|| target.clone(), |commit| format!("{commit} {target}"));
    println!("cargo::rustc-env=TFPATCH_BUILT_FROM={built_from}");
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The commit's abbreviated name, and its day where that is known.
fn commit() -> Option<String> {
    of_repository().or_else(of_archive).or_else(of_package)
}

fn of_repository() -> Option<String> {
    // Sources that were unpacked below another project's repository are not of that repository.
    if !Path::new(".git").exists() {
        return None;
    }
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    short(&git(&["log", "-1", "--format=%H %cs"])?)
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn of_archive() -> Option<String> {
    if ARCHIVED.starts_with('$') { None } else { short(ARCHIVED) }
}

/// `cargo package` names the commit in `.cargo_vcs_info.json`: `"sha1": "…"`.
fn of_package() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    short(rest.split('"').nth(1)?)
}

/// A commit's name is cut to nine digits; what git itself would cut it to depends on the repository.
fn short(commit: &str) -> Option<String> {
    let (name, day) = commit.split_once(' ').unwrap_or((commit, ""));
    Some(format!("{} {day}", name.get(..9)?).trim_end().to_owned())
}
