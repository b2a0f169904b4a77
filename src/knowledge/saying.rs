//! A row of the table of what programs and libraries say in words of their own.

/// What a saying is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing is wrong.
    Harmless,
    /// A library or a plugin was not found.
    NotInstalled,
    /// Two things are of releases or builds that do not fit.
    Releases,
    /// Something was not found, and the program continues without it.
    LeftOut,
    /// The graphics driver is missing or does not answer.
    Driver,
    /// A program is for another processor.
    Processor,
    /// What a loader's own words in the same line say, with another meaning and another cure.
    AsTheLoaderSays,
}

/// A saying.
#[derive(Debug, PartialEq, Eq)]
pub struct Saying {
    /// Any of these has to be in the line, with all of its words.
    pub(super) words: &'static [&'static [&'static str]],
    /// What it is about.
    pub subject: Subject,
    /// The library, the module or the program that it is about.
    pub about: &'static str,
    /// What it means: a sentence or two.
    pub meaning: &'static str,
    /// What helps.
    pub cure: &'static str,
}

impl Saying {
    /// Does it speak of what no environment of Python can have a part in?
    #[must_use]
    pub fn is_of_another_world(&self) -> bool {
        ELSEWHERE.contains(&self.about)
    }
}

/// What no environment of Python has a part in.
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
