//! Explanations of messages, for people, for issues and for programs.

use super::findings::Detail;
use super::json::{FindingReport, text};
use super::layout::COMMANDS;
use super::markdown::{cell, code, write_fenced};
use super::path_text::PathText;
use super::style::{COMMAND, DIM, ERROR, GOOD, INFO, WARNING, paint};
use super::words::targets;
use super::words::{Words, meanings, verdicts};
use crate::app::explain::{Explained, LookedInto};
use crate::bytes::{printable, shell_word, shown};
use crate::findings::finding::{Cause, Finding, Severity};
use crate::messages::verdict::{Outcome, Verdict};
use crate::messages::{Kind, Message, Speaker, Weight, leaf};
use crate::python::target;
use schemars::JsonSchema;
use serde::Serialize;
use std::io::{self, Write};

/// The maximum number of messages in a report for people.
const ONE_SCREEN: usize = 4;

/// The maximum length of a fix in one line.
const ONE_LINE: usize = 76;

/// The part of a message that a report quotes.
const MAX_QUOTED: usize = 600;

/// The line with the environment and the facts about it.
fn line(place: &LookedInto) -> String {
    let reason = targets::reason(&place.reason);
    let facts: Vec<&str> =
        std::iter::once(&reason).chain(&place.facts).map(String::as_str).collect();
    format!("{} ({})", shown(&place.root), facts.join("; "))
}

/// The error for an empty text.
#[must_use]
pub fn needs_a_message() -> Words {
    let why = "explain needs a message: its text, - for standard input, or the name of a cause";
    Words::new(why).hint("python train.py 2>&1 | tfpatch explain -").hint(causes())
}

/// The error for an argument that looks like a cause, but is not one.
#[must_use]
pub fn neither_message_nor_cause(word: &[u8]) -> Words {
    let word = printable(word);
    let names = Cause::ALL.iter().map(|cause| cause.name().to_owned()).collect();
    let what = Words::new(format!("{word} is neither a known message nor the name of a cause"));
    match target::nearest(&word, names).first() {
        Some(near) => what.hint(format!("did you mean {near}?")),
        None => what.hint(causes()),
    }
}

/// The error for an argument that is the name of a file.
#[must_use]
pub fn is_called_like_a_file(word: &[u8]) -> Words {
    Words::new(format!("{} is not a known message", printable(word)))
        .hint(format!("to explain the messages in a file: tfpatch explain < {}", shell_word(word)))
}

/// The error for a text of this many lines without a message.
#[must_use]
pub fn no_message(lines: usize) -> Words {
    let of = "of a program or a dynamic loader about a library that it did not load";
    let example = "ImportError: libx.so.1: cannot open shared object file";
    Words::new(match lines {
        0 => "the text is empty".to_owned(),
        1 => format!("the text is not a known message {of}"),
        lines => format!("none of {lines} lines is a known message {of}"),
    })
    .hint(format!("pass the lines with the error itself, such as: {example}"))
    .hint("without a message, `tfpatch doctor` finds libraries that do not load")
}

/// The error for a text from Windows.
#[must_use]
pub fn of_windows() -> Words {
    Words::new("the message is from Windows, which is not supported; tfpatch explains loader errors of Linux and \
                macOS")
        .hint("on Windows, https://github.com/lucasg/Dependencies shows which DLLs are missing")
}

fn causes() -> String {
    let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    format!("causes: {}", names.join(", "))
}

/// Messages with the same explanation.
struct Group<'a> {
    first: &'a Explained,
    libraries: Vec<String>,
}

fn groups(explained: &[Explained]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for one in explained {
        if says_less(one, &groups) {
            continue;
        }
        let library = one.message.library.as_deref().map(printable);
        let same = |group: &&mut Group<'_>| {
            let (a, b) = (&group.first.message, &one.message);
            let (va, vb) = (&group.first.verdict, &one.verdict);
            a.kind == b.kind
                && matches!(a.kind, Kind::GpuLibraryNotLoaded | Kind::TensorRtNotFound)
                && a.object == b.object
                && (va.outcome, va.cause) == (vb.outcome, vb.cause)
                && verdicts::cure(a, va) == verdicts::cure(b, vb)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.libraries.extend(library),
            None => groups.push(Group { first: one, libraries: library.into_iter().collect() }),
        }
    }
    groups
}

/// Has the content of a message been reported already, and more precisely?
fn says_less(one: &Explained, said: &[Group<'_>]) -> bool {
    let any = |condition: fn(&Explained) -> bool| said.iter().any(|group| condition(group.first));
    match one.message.kind {
        Kind::GpuLibrariesNotLoaded => any(|other| other.message.kind == Kind::GpuLibraryNotLoaded),
        Kind::DriverNotFound => any(|other| other.verdict.cause == Some(Cause::DriverMissing)),
        Kind::TensorRtNotFound if one.message.library.is_none() => {
            any(|other| other.message.kind == Kind::TensorRtNotFound)
        }
        _ => false,
    }
}

impl Group<'_> {
    /// The libraries after the first one with the same explanation.
    fn others(&self) -> Option<String> {
        let others = self.libraries.get(1..).filter(|others| !others.is_empty())?;
        Some(format!("The same applies to {}.", others.join(", ")))
    }

    /// The finding, or the meaning of the message if there is no finding.
    fn answer(&self) -> Vec<String> {
        let Explained { message, verdict, .. } = self.first;
        let meaning = sentence(&meanings::of(message), message);
        let mut lines = match verdict.outcome {
            Outcome::Found | Outcome::Resolves => {
                vec![verdicts::sentence(verdict), format!("What the message means: {meaning}")]
            }
            _ => vec![meaning, verdicts::sentence(verdict)],
        };
        lines.extend(self.others());
        lines.retain(|line| !line.is_empty());
        lines
    }
}

/// A text that begins with a capital letter, unless it begins with a name.
fn sentence(text: &str, message: &Message) -> String {
    let Message { object, library, symbol, module, .. } = message;
    let mut names = [object, library, symbol, module].into_iter().flatten();
    let begins_with_name = text.split(' ').next().is_some_and(|word| {
        word.contains(['.', '/', '_', '@']) || names.any(|name| printable(leaf(name)) == word)
    });
    let mut characters = text.chars();
    match characters.next() {
        Some(first)
            if !begins_with_name && !text.starts_with("dyld") && !text.starts_with("macOS") =>
        {
            first.to_uppercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

fn severity(message: &Message, verdict: &Verdict) -> Option<Severity> {
    let found = verdict.findings.first().map(Finding::severity);
    // A program that continues has no error, according to its message.
    let by_words = verdict.cause.map(Cause::severity).map(|severity| match message.weight() {
        Weight::Fails => Severity::Error,
        Weight::GoesOn | Weight::Harmless => severity.max(Severity::Warning),
    });
    found.or(by_words)
}

/// Writes the report for people.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    explained: &[Explained],
    is_cut: bool,
    detail: Detail,
) -> io::Result<()> {
    let groups = groups(explained);
    let most = if detail == Detail::Verbose { usize::MAX } else { ONE_SCREEN };
    for (index, group) in groups.iter().take(most).enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write_group(out, group, detail)?;
    }
    let left = groups.len().saturating_sub(most);
    if left > 0 {
        writeln!(out, "\n{}", paint(DIM, format!("and {left} more (-v lists them)")))?;
    }
    if is_cut {
        writeln!(out, "{}", paint(DIM, "the text contains more messages than are explained"))?;
    }
    Ok(())
}

fn write_group(out: &mut dyn Write, group: &Group<'_>, detail: Detail) -> io::Result<()> {
    let Explained { message, place, verdict } = group.first;
    let mark = match (verdict.outcome, severity(message, verdict)) {
        (Outcome::Resolves | Outcome::Harmless, _) | (_, None) => paint(GOOD, "ok"),
        (_, Some(Severity::Error)) => paint(ERROR, "error"),
        (_, Some(Severity::Warning)) => paint(WARNING, "warning"),
        (_, Some(Severity::Info)) => paint(INFO, "info"),
    };
    let mut lines = group.answer().into_iter().map(|line| printable(line.as_bytes()));
    writeln!(out, "{mark}  {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(out, "  {line}"))?;
    if detail == Detail::Verbose {
        for quoted in quoted(message) {
            writeln!(out, "  {} {}", paint(DIM, "|"), paint(DIM, quoted))?;
        }
        for tried in &message.tried {
            let (path, note) = (printable(&tried.path), printable(&tried.note));
            writeln!(out, "    {path}  {}", paint(DIM, note))?;
        }
    }
    let place = place.iter().map(|place| format!("checked in {}", line(place)));
    let more = verdict.cause.map(|cause| format!("more: tfpatch explain {cause}"));
    if detail > Detail::Quiet {
        for note in place.chain(more) {
            writeln!(out, "  {}", paint(DIM, printable(note.as_bytes())))?;
        }
    }
    let cure = verdicts::cure(message, verdict);
    let mut clauses = clauses(&cure).into_iter();
    let first = clauses.next().unwrap_or_default();
    writeln!(out, "{} {}", paint(COMMAND, "→"), printable(first.as_bytes()))?;
    clauses.try_for_each(|clause| writeln!(out, "  {}", printable(clause.as_bytes())))
}

/// Does a clause begin with a command, or with `or` and a command?
fn begins_a_command(rest: Option<&str>) -> bool {
    let rest = rest.unwrap_or_default().trim_start();
    let mut words = rest.strip_prefix("or ").unwrap_or(rest).split(' ');
    let verbs = ["install", "uninstall", "reinstall", "add", "fix", "pip", "-m"];
    words.next().is_some_and(|first| COMMANDS.contains(&first))
        && words.next().is_some_and(|second| verbs.contains(&second))
}

/// The clauses of a long fix, one per line: they are separated by semicolons, or are several commands. Text
/// in quotes, which may be part of a command, and in parentheses is not split.
fn clauses(cure: &str) -> Vec<&str> {
    let (mut clauses, mut start) = (Vec::new(), 0);
    let (mut quoted, mut depth) = (false, 0_i32);
    for (at, character) in cure.char_indices().filter(|_| cure.len() > ONE_LINE) {
        match character {
            '\'' => quoted = !quoted,
            '(' => depth += 1,
            ')' => depth -= 1,
            ';' if !quoted && depth == 0 => {
                clauses.extend(cure.get(start..at));
                start = at + 1;
            }
            ',' if !quoted
                && depth == 0
                && begins_a_command(cure.get(start..at))
                && begins_a_command(cure.get(at + 1..)) =>
            {
                clauses.extend(cure.get(start..=at));
                start = at + 1;
            }
            _ => {}
        }
    }
    clauses.extend(cure.get(start..));
    clauses.into_iter().map(str::trim_start).collect()
}

/// The text of a message, as lines without control characters.
fn quoted(message: &Message) -> Vec<String> {
    let words = message.words.get(..MAX_QUOTED).unwrap_or(&message.words);
    words.split(|&byte| byte == b'\n').map(printable).collect()
}

/// Writes the report for an issue.
///
/// # Errors
/// If the output cannot be written.
pub fn write_markdown(
    out: &mut dyn Write,
    explained: &[Explained],
    is_cut: bool,
) -> io::Result<()> {
    for group in groups(explained) {
        let Explained { message, place, verdict } = group.first;
        let title = verdict.cause.map(|cause| code(cause.name()));
        writeln!(out, "### {}\n", title.as_deref().unwrap_or("Nothing is wrong"))?;
        for line in group.answer() {
            writeln!(out, "{}\n", cell(&line))?;
        }
        if let Some(place) = place {
            writeln!(out, "- environment: {}", cell(&line(place)))?;
        }
        writeln!(out, "- fix: {}\n", cell(&verdicts::cure(message, verdict)))?;
        write_fenced(out, (quoted(message).join("\n") + "\n").as_bytes())?;
        writeln!(out)?;
    }
    if is_cut {
        writeln!(out, "The text contains more messages than are explained.")?;
    }
    Ok(())
}

/// `tfpatch/explain/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExplainReport {
    schema: &'static str,
    messages: Vec<MessageReport>,
    /// The messages of the text.
    lines: usize,
    /// Did the text contain more messages?
    cut: bool,
}

/// `tfpatch/cause/v1`: the page of a cause.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PageReport {
    schema: &'static str,
    cause: Cause,
    severity: Severity,
    page: &'static str,
}

/// One message with its explanation.
#[derive(Debug, Serialize, JsonSchema)]
struct MessageReport {
    kind: Kind,
    speaker: Speaker,
    line: usize,
    times: usize,
    words: String,
    object: Option<String>,
    library: Option<String>,
    symbol: Option<String>,
    version: Option<String>,
    module: Option<String>,
    entry: Option<String>,
    tried: Vec<TriedReport>,
    /// The possible causes according to the message, the most likely one first.
    causes: &'static [Cause],
    meaning: String,
    outcome: Outcome,
    /// The cause in the environment, or the most likely one according to the message; `null` if nothing is
    /// wrong.
    cause: Option<Cause>,
    message: String,
    cure: String,
    fixable: bool,
    environment: Option<PlaceReport>,
    findings: Vec<FindingReport>,
}

/// A location that was searched, according to the message.
#[derive(Debug, Serialize, JsonSchema)]
struct TriedReport {
    path: String,
    note: String,
}

/// The environment in which the message was checked, and the reason for choosing it.
#[derive(Debug, Serialize, JsonSchema)]
struct PlaceReport {
    #[serde(flatten)]
    path: PathText,
    reason: String,
}

impl ExplainReport {
    /// The report of a text.
    #[must_use]
    pub fn of(explained: &[Explained], lines: usize, cut: bool) -> Self {
        let messages = explained.iter().map(MessageReport::of).collect();
        Self { schema: "tfpatch/explain/v1", messages, lines, cut }
    }
}

impl PageReport {
    /// The page of a cause.
    #[must_use]
    pub fn of(cause: Cause) -> Self {
        Self { schema: "tfpatch/cause/v1", cause, severity: cause.severity(), page: cause.page() }
    }
}

impl MessageReport {
    fn of(explained: &Explained) -> Self {
        let Explained { message, place, verdict } = explained;
        let field = |field: &Option<Vec<u8>>| field.as_ref().map(text);
        let tried = message.tried.iter();
        Self {
            kind: message.kind,
            speaker: message.speaker,
            line: message.line,
            times: message.times,
            words: text(&message.words),
            object: field(&message.object),
            library: field(&message.library),
            symbol: field(&message.symbol),
            version: field(&message.version),
            module: field(&message.module),
            entry: field(&message.entry),
            tried: tried
                .map(|tried| TriedReport { path: text(&tried.path), note: text(&tried.note) })
                .collect(),
            causes: message.causes(),
            meaning: meanings::of(message),
            outcome: verdict.outcome,
            cause: verdict.cause,
            message: verdicts::sentence(verdict),
            cure: verdicts::cure(message, verdict),
            fixable: verdict.fixable,
            environment: place.as_ref().map(|place| PlaceReport {
                path: PathText::of(&place.root),
                reason: targets::reason(&place.reason),
            }),
            findings: verdict.findings.iter().map(FindingReport::of).collect(),
        }
    }
}
