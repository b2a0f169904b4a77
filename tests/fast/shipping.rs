//! What is shipped beside the engine: completions, manual pages, the version, stores in images.

use crate::support::shipping::{prints, tfpatch};
use crate::support::wheels;
use std::path::Path;

/// The commands below a command, by the references at the end of its manual page.
fn commands(above: &[&str]) -> Vec<String> {
    let page = prints(tfpatch().arg("man").args(above));
    let depth = above.len() + 1;
    page.lines()
        .filter_map(|line| line.strip_suffix("(1)"))
        .map(|name| name.replace("\\-", "-"))
        .filter(|name| name.matches('-').count() == depth)
        .map(|name| name.rsplit('-').next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_command_has_a_page_that_names_it() {
    let first = commands(&[]);
    assert!(first.iter().any(|name| name == "fix"), "{first:?}");
    let mut pages = 0;
    for name in &first {
        for below in commands(&[name]) {
            let page = prints(tfpatch().args(["man", name, &below]));
            assert!(page.contains(&format!("tfpatch\\-{name}\\-{below} \\-")), "{page}");
            pages += 1;
        }
        let page = prints(tfpatch().args(["man", name]));
        assert!(page.contains(&format!("tfpatch\\-{name} \\-")), "{page}");
        assert!(page.contains("\\-\\-store"), "the common options are missing: {page}");
    }
    assert!(pages > 3, "tfpatch rpath has commands below it");
}

#[test]
fn an_unknown_page_is_an_error_that_names_the_others() {
    let output = tfpatch().args(["man", "rpath", "nonsense"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("unknown command: rpath nonsense"), "{error}");
    assert!(error.contains("prune"), "{error}");
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = prints(tfpatch().args(["completions", shell]));
        assert!(script.contains("revert"), "{shell}: {script}");
    }
}

#[test]
fn the_version_says_what_was_built_for_what() {
    let version = prints(tfpatch().arg("--version"));
    let rest = version.strip_prefix(concat!("tfpatch ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    assert!(rest.contains(std::env::consts::ARCH), "{version}");
}

#[test]
fn the_readme_quotes_the_dockerfiles_that_are_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let file = |name| wheels::fixture("docker").join(name).join("Dockerfile");
    let text = std::fs::read_to_string(file("one-stage")).unwrap();
    assert!(readme.contains(&format!("```dockerfile\n{text}```")), "it differs");
    std::fs::read_to_string(file("multi-stage")).unwrap();
    assert!(readme.contains("(fixtures/docker/multi-stage/Dockerfile)"));
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
}

#[test]
fn the_readme_shows_the_session_that_was_recorded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let session = std::fs::read_to_string(wheels::fixture("docs").join("session.txt")).unwrap();
    assert!(
        readme.contains(&format!("```console,ignore\n{session}```")),
        "run scripts/docs/record: the README's session is not the recorded one"
    );
}
