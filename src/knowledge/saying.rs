//! A row of the table of messages that programs and libraries write in their own words.

/// The subject of a saying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing is wrong.
    Harmless,
    /// A library or a plugin was not found.
    NotInstalled,
    /// Two components are from incompatible releases or builds.
    Releases,
    /// Something was not found, and the program continues without it.
    LeftOut,
    /// The graphics driver is missing or does not respond.
    Driver,
    /// A program is for another processor.
    Processor,
    /// A message of a loader in the same line, but with another meaning and another fix.
    AsTheLoaderSays,
}

/// A known message.
#[derive(Debug, PartialEq, Eq)]
pub struct Saying {
    /// The alternatives. A line matches if it contains all texts of one of them.
    pub(super) words: &'static [&'static [&'static str]],
    /// The subject.
    pub subject: Subject,
    /// The library, module or program.
    pub about: &'static str,
    /// The meaning, one or two sentences.
    pub meaning: &'static str,
    /// The fix.
    pub cure: &'static str,
}

impl Saying {
    /// Is it about something that cannot be part of a Python environment?
    #[must_use]
    pub fn is_of_another_world(&self) -> bool {
        ELSEWHERE.contains(&self.about)
    }
}

/// Subjects that cannot be part of a Python environment.
const ELSEWHERE: &[&str] = &[
    "Node.js",
    "the ODBC driver",
    "libnvidia-ml.so.1",
    "a library of Java code",
    "a library on Android",
    "a library on Haiku",
    "a program for another processor",
    "an AppImage",
];
