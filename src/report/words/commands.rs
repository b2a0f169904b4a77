//! Translates pip commands for the tool that installs packages into an environment.

use crate::bytes::shell_word;
use crate::python::installs::Installs;
use std::os::unix::ffi::OsStrExt as _;

/// A text with its pip commands in the form of that tool: `uv pip install --python PREFIX …` for uv, whose
/// environments contain no pip.
pub(super) fn in_words_of(installs: &Installs, text: &str) -> String {
    let word = |prefix: &std::path::Path| shell_word(prefix.as_os_str().as_bytes());
    let (before, after) = match installs {
        Installs::Pip => return text.to_owned(),
        Installs::Uv(prefix) => ("uv pip".to_owned(), format!(" --python {}", word(prefix))),
        Installs::Conda { prefix, .. } => {
            (format!("{} -m pip", word(&prefix.join("bin/python"))), String::new())
        }
    };
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, verb)) = first_command(rest) {
        let (head, tail) = rest.split_at(at);
        let head = head.strip_suffix("python -m ").unwrap_or(head);
        said += &format!("{head}{before} {verb}{after}");
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
            assert_eq!(in_words_of(&uv, text), said);
            assert_eq!(in_words_of(&Installs::Pip, text), text);
        }
    }
}
