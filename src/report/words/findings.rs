//! The texts of a finding: what was found, how to fix it, and why it is not repaired.

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

/// The fix: a command or an instruction.
#[must_use]
pub fn cure(finding: &Finding) -> String {
    match &finding.refusal {
        Some(refusal) => refusals::reason(refusal),
        None => cures::of(&finding.cure, &finding.installs, &finding.naming),
    }
}

/// The message in two parts, if distributions are incompatible or symbols are missing: what does not work,
/// and why. The second part is empty if there is only one.
#[must_use]
pub(super) fn halves(finding: &Finding) -> (String, String) {
    let whole = message(finding);
    let told = whole.trim_end_matches('.');
    let (head, rest) = told.split_once(": ").unwrap_or((told, ""));
    (head.to_owned(), rest.to_owned())
}

/// The title of a finding about an environment or its interpreter.
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
