//! The words for a finding: what was found, what cures it, and why it is not repaired.

use super::cures;
use super::{files, installed, interpreters, memory, needs, opening, refusals, symbols, variables};
use crate::findings::evidence::Evidence;
use crate::findings::finding::Finding;

/// The finding, in a sentence.
#[must_use]
pub fn message(finding: &Finding) -> String {
    let seen = evidence(finding);
    match &finding.refusal {
        Some(refusal) => format!("{seen}; {}", refusals::reason(refusal)),
        None => seen,
    }
}

/// What cures it: a command, or what a person has to do.
#[must_use]
pub fn cure(finding: &Finding) -> String {
    match &finding.refusal {
        Some(refusal) => refusals::reason(refusal),
        None => cures::of(&finding.cure, &finding.installs),
    }
}

/// Its message in two parts, where distributions do not fit or symbols are missing: what does not work,
/// and why; without a second part where it is one.
#[must_use]
pub(super) fn halves(finding: &Finding) -> (String, String) {
    let whole = message(finding);
    let told = whole.trim_end_matches('.');
    let (head, rest) = told.split_once(": ").unwrap_or((told, ""));
    (head.to_owned(), rest.to_owned())
}

/// What is wrong with an environment or its interpreter, as the title of a finding.
#[must_use]
pub fn environment(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::Interpreter(interpreter) => interpreters::title(interpreter),
        _ => "packages are installed for another interpreter",
    }
}

fn evidence(finding: &Finding) -> String {
    match &finding.evidence {
        Evidence::Need(need) => needs::of(need),
        Evidence::Symbols(symbols) => symbols::of(symbols, &finding.symbols),
        Evidence::Opening(opening) => opening::of(opening),
        Evidence::Variable(variable) => variables::of(variable),
        Evidence::Memory(memory) => memory::of(memory),
        Evidence::File(file) => files::of(file),
        Evidence::Installed(installed) => installed::of(installed),
        Evidence::Interpreter(interpreter) => interpreters::of(interpreter),
    }
}
