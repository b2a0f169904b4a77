//! Translates pip commands for the tool that installs packages into an environment.

use crate::bytes::{in_shell_quotes, shell_word};
use crate::findings::evidence::Release;
use crate::python::direct_url::Source;
use crate::python::installs::Installs;
use std::os::unix::ffi::OsStrExt as _;

/// A release as pip installs it again: from where it came, or by its version from a package index.
pub(super) fn requirement(release: &Release) -> String {
    let Release { name, version, source } = release;
    match source {
        Some(Source::Url(url)) => in_shell_quotes(format!("{name} @ {url}").as_bytes()),
        Some(Source::Local { path, is_editable }) => {
            let option = if *is_editable { "-e " } else { "" };
            format!("{option}{}", shell_word(path.as_os_str().as_bytes()))
        }
        Some(Source::Gone(_)) | None => in_shell_quotes(format!("{name}=={version}").as_bytes()),
    }
}

/// A text with its pip commands in the form of that tool: `uv pip install --python PREFIX …` for uv, whose
/// environments contain no pip.
pub(super) fn in_words_of(installs: &Installs, text: &str) -> String {
    let word = |prefix: &std::path::Path| shell_word(prefix.as_os_str().as_bytes());
    let (before, after) = match installs {
        Installs::Pip => return text.to_owned(),
        Installs::Uv(prefix) => ("uv pip".to_owned(), format!(" --python {}", word(prefix))),
        Installs::Target { directory, with_uv: true } => {
            ("uv pip".to_owned(), format!(" --target {}", word(directory)))
        }
        // Without `--upgrade`, pip keeps what is in the directory.
        Installs::Target { directory, with_uv: false } => {
            ("pip".to_owned(), format!(" --target {} --upgrade", word(directory)))
        }
        Installs::Conda { prefix, .. } => {
            (format!("{} -m pip", word(&prefix.join("bin/python"))), String::new())
        }
    };
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, verb)) = first_command(rest) {
        let (head, tail) = rest.split_at(at);
        let head = head.strip_suffix("python -m ").unwrap_or(head);
        match installs {
            // pip finds what it uninstalls in the directories that it imports from.
            Installs::Target { directory, with_uv: false } if verb == "uninstall" => {
                said += &format!("{head}PYTHONPATH={} pip uninstall", word(directory));
            }
            _ => said += &format!("{head}{before} {verb}{after}"),
        }
        rest = tail.get("pip ".len() + verb.len()..).unwrap_or_default();
    }
    said + rest
}

/// The start of a pip command as a separate word, and its action.
fn first_command(text: &str) -> Option<(usize, &'static str)> {
    let verbs = ["install", "uninstall"];
    text.match_indices("pip ").find_map(|(at, pip)| {
        let before = text.get(..at)?;
        let is_word = before.is_empty() || before.ends_with([' ', '(', '`']);
        let rest = text.get(at + pip.len()..)?;
        let verb = verbs.into_iter().find(|verb| {
            rest.strip_prefix(verb).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })?;
        (is_word && !before.ends_with("uv ")).then_some((at, verb))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_packages_is_named_to_pip() {
        let target = Installs::Target { directory: "/d".into(), with_uv: false };
        assert_eq!(
            in_words_of(&target, "pip uninstall x, or pip install --no-deps x"),
            "PYTHONPATH=/d pip uninstall x, or pip install --target /d --upgrade --no-deps x"
        );
    }

    #[test]
    fn commands_of_pip_are_said_as_the_tool_takes_them() {
        let uv = Installs::Uv("/e".into());
        for (text, said) in [
            (
                "pip install x, or pip uninstall y",
                "uv pip install --python /e x, or uv pip uninstall --python /e y",
            ),
            ("run (python -m pip install x)", "run (uv pip install --python /e x)"),
            (
                "uv pip install x; a pip-tool; apt install python3-pip installed",
                "uv pip install x; a pip-tool; apt install python3-pip installed",
            ),
        ] {
            let target = |with_uv| Installs::Target { directory: "/d e".into(), with_uv };
            let of_target = said.replace("--python /e", "--target '/d e'");
            assert_eq!(in_words_of(&target(true), text), of_target);
            assert_eq!(in_words_of(&uv, text), said);
            assert_eq!(in_words_of(&Installs::Pip, text), text);
        }
    }
}
