//! Commands that are shown to be typed: lists of arguments, which are quoted here.

use crate::bytes::shell_word;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A command of tfpatch. As text it can be pasted into a shell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandLine {
    arguments: Vec<OsString>,
}

impl CommandLine {
    /// `tfpatch` with these arguments.
    pub fn new(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// Adds an option and its value.
    #[must_use]
    pub fn option(self, name: &str, value: impl Into<OsString>) -> Self {
        self.argument(name).argument(value)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds a path, which is not an option even if it begins with a dash.
    #[must_use]
    pub fn path(self, path: &Path) -> Self {
        match path.as_os_str().as_bytes().starts_with(b"-") {
            true => self.argument(Path::new(".").join(path)),
            false => self.argument(path),
        }
    }

    /// The arguments, without the program.
    pub fn arguments(&self) -> impl Iterator<Item = &OsStr> {
        self.arguments.iter().map(OsString::as_os_str)
    }
}

/// How a command names a target: as the user did, with the options that say where it and its store are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// The options, each with its value.
    pub options: Vec<(&'static str, PathBuf)>,
    /// The target; `None` if it was detected, and is detected again.
    pub target: Option<PathBuf>,
}

impl Naming {
    /// A command for the target: its name and options, followed by the target.
    #[must_use]
    pub fn command(&self, words: CommandLine) -> CommandLine {
        match &self.target {
            Some(target) => self.command_for(words, target),
            None => self.with_options(words),
        }
    }

    /// A command for another target beside this one.
    #[must_use]
    pub fn command_for(&self, words: CommandLine, target: &Path) -> CommandLine {
        self.with_options(words).path(target)
    }

    fn with_options(&self, words: CommandLine) -> CommandLine {
        self.options.iter().fold(words, |words, (name, value)| words.option(name, value))
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("tfpatch")?;
        self.arguments().try_for_each(|word| write!(to, " {}", shell_word(word.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let command = CommandLine::new(["fix"]).option("--search", "/a b").argument("it's");
        assert_eq!(command.to_string(), r"tfpatch fix --search '/a b' 'it'\''s'");
        assert_eq!(command.arguments().count(), 4);
        assert_eq!(CommandLine::new([""]).to_string(), "tfpatch ''");
        let command = |path: &str| CommandLine::new(["fix"]).path(Path::new(path)).to_string();
        assert_eq!(command("-dash.so"), "tfpatch fix ./-dash.so");
        assert_eq!(command("/a/-dash.so"), "tfpatch fix /a/-dash.so");
    }
}
