//! The findings of a diagnosis, for people: one paragraph for each problem, however many objects have it.

use super::style::{COMMAND, DIM, ERROR, GOOD, INFO, WARNING, counted, paint};
use super::words::findings as words;
use super::words::needs::found_instead;
use crate::bytes::{printable, shown};
use crate::findings::cure::Cure;
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::need::{Lacking, Need, Supply};
use crate::findings::finding::{Cause, Finding, Severity};
use crate::findings::refusal::Refusal;
use crate::loader::{Rule, SearchStep, StepOutcome};
use crate::world::World;
use crate::world::unreadable::Why;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::io::{self, Write};

/// The level of detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only problems.
    Quiet,
    /// One screen.
    Normal,
    /// Every object and every searched location.
    Verbose,
}

/// The maximum number of findings in a report for people. The most severe come first.
const ONE_SCREEN: usize = 10;

/// Findings that are one problem to a user: one library that is missing for one reason.
pub(super) struct Group<'a> {
    pub(super) first: &'a Finding,
    pub(super) all: Vec<&'a Finding>,
}

/// Writes the findings.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    world: &World,
    findings: &[Finding],
    detail: Detail,
) -> io::Result<()> {
    let mut groups = groups(findings);
    if detail == Detail::Quiet {
        groups.retain(|group| group.first.severity() != Severity::Info);
    }
    let most = if detail == Detail::Normal { ONE_SCREEN } else { usize::MAX };
    for group in groups.iter().take(most) {
        write_group(out, world, group, detail)?;
    }
    let left = groups.get(most..).unwrap_or_default();
    if left.is_empty() {
        return Ok(());
    }
    let counts: Vec<String> = [
        counted(count(left, Severity::Error), "error"),
        counted(count(left, Severity::Warning), "warning"),
        format!("{} info", count(left, Severity::Info)),
    ]
    .into_iter()
    .filter(|count| !count.starts_with("0 "))
    .collect();
    writeln!(out, "{}", paint(DIM, format!("and {} more (-v lists them)", counts.join(", "))))
}

/// The number of groups with a severity, each of which may concern many objects.
pub(super) fn count(groups: &[Group<'_>], severity: Severity) -> usize {
    groups.iter().filter(|group| group.first.severity() == severity).count()
}

pub(super) fn groups(findings: &[Finding]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<_, Vec<usize>> = HashMap::new();
    for finding in findings {
        let is_about_entries = matches!(finding.cause, Cause::DuplicateRpath | Cause::DeadRpath);
        if finding.library.is_some() || is_about_entries {
            let alike = known.entry(matter(finding)).or_default();
            let is_one = |group: &Group<'_>| help(group.first) == help(finding);
            let same = alike.iter().copied().find(|&index| groups.get(index).is_some_and(is_one));
            if let Some(group) = same.and_then(|index| groups.get_mut(index)) {
                group.all.push(finding);
                continue;
            }
            alike.push(groups.len());
        }
        groups.push(Group { first: finding, all: vec![finding] });
    }
    groups
}

/// Two findings about a library with the same key are one problem, if they have the same fix.
fn matter(finding: &Finding) -> impl Eq + Hash + '_ {
    let Finding { cause, library, lies_in, fixable, .. } = finding;
    (cause, library, lies_in, fixable)
}

/// The fix, or the reason why the repair was refused.
fn help(finding: &Finding) -> (Option<&Refusal>, Option<&Cure>) {
    let refusal = finding.refusal.as_ref();
    (refusal, refusal.is_none().then_some(&finding.cure))
}

fn write_group(
    out: &mut dyn Write,
    world: &World,
    group: &Group<'_>,
    detail: Detail,
) -> io::Result<()> {
    let first = group.first;
    let severity = match first.severity() {
        Severity::Error => paint(ERROR, "error"),
        Severity::Warning => paint(WARNING, "warning"),
        Severity::Info => paint(INFO, "info"),
    };
    let title = title(world, first);
    writeln!(out, "{severity}  {title}\t{}", paint(DIM, first.cause))?;
    if let [finding] = group.all.as_slice() {
        writeln!(out, "  {}", printable(words::message(finding).as_bytes()))?;
    } else {
        let objects: BTreeSet<_> = group.all.iter().map(|finding| &finding.object).collect();
        let mut objects = objects.into_iter().map(|object| world.shown(object));
        let others = objects.len().saturating_sub(1);
        let example = objects.next().unwrap_or_default();
        let what = if first.library.is_some() { "files need it" } else { "files" };
        writeln!(out, "  {} {what}: {example} and {others} more", others + 1)?;
        if detail == Detail::Verbose {
            objects.try_for_each(|object| writeln!(out, "    {object}"))?;
        }
        if let Some(found) = found_instead(&first.evidence) {
            writeln!(out, "  {}", printable(found.as_bytes()))?;
        } else if let Some(directory) = first.lies_in.first() {
            writeln!(out, "  it is in {}, which is not searched", world.shown(directory))?;
        }
    }
    // An optional problem takes only one or two lines, because there may be dozens of optional plugins.
    if first.is_optional && detail != Detail::Verbose {
        return match first.cure {
            Cure::Shadowed(_) => write_cure(out, first),
            _ => Ok(()),
        };
    }
    write_places(out, world, first, detail)?;
    // The message of a single finding already contains the reason for a refusal.
    let is_said = group.all.len() == 1 && first.refusal.is_some();
    if !first.fixable && !is_said {
        write_cure(out, first)?;
    }
    Ok(())
}

fn write_cure(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    writeln!(out, "  {} {}", paint(COMMAND, "→"), printable(words::cure(finding).as_bytes()))
}

/// Writes where a library is and which locations were searched, and the symbols.
fn write_places(
    out: &mut dyn Write,
    world: &World,
    first: &Finding,
    detail: Detail,
) -> io::Result<()> {
    if detail == Detail::Verbose {
        for directory in first.lies_in.iter().skip(1) {
            writeln!(out, "  also in {}", world.shown(directory))?;
        }
        write_tried(out, "    ", &first.tried)?;
        for symbol in &first.symbols {
            writeln!(out, "    {}", printable(symbol))?;
        }
    } else if !first.tried.is_empty() {
        let tried = match first.tried.len() {
            1 => "1 location".to_owned(),
            places => format!("{places} locations"),
        };
        let places = paint(DIM, format!("searched {tried} (-v lists them)"));
        writeln!(out, "  {places}")?;
    }
    Ok(())
}

/// Is a file that cannot be loaded sound to read?
fn is_readable(evidence: &Evidence) -> bool {
    let why = match evidence {
        Evidence::File(File::Unreadable { why, .. }) => why,
        evidence => {
            let refused =
                |need: &Need| matches!(need.supply, Supply::Lacking(Lacking::Refused { .. }));
            return matches!(evidence, Evidence::Need(need) if refused(need));
        }
    };
    matches!(why, Why::NoExec | Why::Token | Why::Refused(_))
}

pub(super) fn title(world: &World, finding: &Finding) -> String {
    let library = finding.library.as_deref().map(printable);
    let object = || world.shown(&finding.object);
    match (finding.cause, library) {
        (Cause::PathMissing, Some(library)) => format!("{library} is not found by the loader"),
        (Cause::DlopenPathMissing, Some(library)) => {
            format!("{library}, opened at run time, is not found")
        }
        (Cause::DroppedLink, Some(library)) => format!("the symlink {library} is missing"),
        (Cause::StaleCache, Some(library)) => format!("{library} is not in ld.so.cache"),
        (Cause::NotInstalled, Some(library)) => format!("{library} is not installed"),
        (Cause::NotInstalled, None) => "an imported package is not installed".to_owned(),
        (Cause::SonameMismatch, Some(library)) => {
            format!("only another version of {library} was found")
        }
        (Cause::SymbolVersion, Some(library)) => format!("{library} lacks a symbol version"),
        (Cause::DriverMissing, Some(library)) => format!("the driver library {library} is missing"),
        (Cause::DuplicateInstall, Some(library)) => {
            format!("several copies of {library} were found")
        }
        (Cause::EnvOverride, Some(library)) => {
            format!("{library} depends on environment variables")
        }
        (Cause::LoadOrder, Some(library)) => format!("{library} must be loaded first"),
        (Cause::VersionMismatch, Some(library)) => format!("{library} is from another release"),
        (Cause::MissingSymbol, Some(library)) => format!("{library} lacks symbols"),
        (Cause::MissingSymbol, None) => format!("{} has undefined symbols", object()),
        (Cause::BadSignature, _) => format!("{} has no valid signature", object()),
        (Cause::DuplicateRpath, _) => "search paths contain duplicate entries".to_owned(),
        (Cause::DeadRpath, _) => "search paths name missing directories".to_owned(),
        (Cause::VersionMismatch, None) => "installed packages are incompatible".to_owned(),
        (Cause::DuplicateInstall, None) => "duplicate installations were found".to_owned(),
        (Cause::WrongInterpreter, _) => words::environment(finding).to_owned(),
        (Cause::WrongArch, Some(library)) => {
            format!("{library} is built for another architecture")
        }
        (Cause::WrongArch, None) => format!("{} is built for another architecture", object()),
        (Cause::WrongPlatform, _) => format!("{} is built for another platform", object()),
        (Cause::PartialInstall, _) => format!("{} {}", object(), damage(finding)),
        (Cause::StaticTls, _) => format!("{} needs static thread-local storage", object()),
        (Cause::ExecStack, _) => format!("{} requests an executable stack", object()),
        (Cause::DataMissing, Some(file)) => format!("{file} was not found"),
        (Cause::Unreadable, library) => {
            let action = if is_readable(&finding.evidence) { "loaded" } else { "read" };
            format!("{} cannot be {action}", library.unwrap_or_else(object))
        }
        (_, None) => object(),
    }
}

/// What is wrong with a file of an installation.
fn damage(finding: &Finding) -> &'static str {
    match &finding.evidence {
        Evidence::Installed(Installed::InPart { gone, .. }) if *gone > 0 => "is missing",
        Evidence::Installed(Installed::InPart { .. }) => "has another size than in its RECORD",
        Evidence::Installed(Installed::Changed { .. }) => "was modified",
        _ => "is incomplete or modified",
    }
}

/// Writes the locations that a loader searched, each after `lead`.
///
/// # Errors
/// If the output cannot be written.
pub fn write_tried(out: &mut dyn Write, lead: &str, tried: &[SearchStep]) -> io::Result<()> {
    tried.iter().try_for_each(|step| {
        let outcome = match step.outcome {
            StepOutcome::Found => paint(GOOD, "found"),
            other => paint(DIM, outcome_in_words(other)),
        };
        writeln!(
            out,
            "{lead}{}  {outcome}  {}",
            shown(&step.path),
            paint(DIM, rule_in_words(step.rule))
        )
    })
}

/// The text for a result.
#[must_use]
pub fn outcome_in_words(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Found => "found",
        StepOutcome::Absent => "not found",
        StepOutcome::WrongClass => "32-bit instead of 64-bit, or the reverse",
        StepOutcome::WrongMachine => "built for another architecture",
        StepOutcome::NotALibrary => "not a library",
        StepOutcome::Unreadable => "not readable",
        StepOutcome::BadSignature => "invalid signature",
    }
}

/// The text for the rule by which the loader searched a location, in the loader's own terms.
#[must_use]
pub fn rule_in_words(rule: Rule) -> &'static str {
    match rule {
        Rule::Rpath => "RPATH",
        Rule::Runpath => "RUNPATH",
        Rule::LdLibraryPath => "LD_LIBRARY_PATH",
        Rule::LdSoCache => "ld.so.cache",
        Rule::DefaultDirs => "default directory",
        Rule::MuslPath => "musl's path file",
        Rule::LibcItself => "musl itself",
        Rule::Loaded => "already loaded",
        Rule::Direct => "given by path",
        Rule::DyldLibraryPath => "DYLD_LIBRARY_PATH",
        Rule::DyldFrameworkPath => "DYLD_FRAMEWORK_PATH",
        Rule::DyldFallback => "fallback directory",
        Rule::InstallName => "already loaded under this install name",
        Rule::Cryptex => "cryptex",
        Rule::SharedCache => "shared cache",
        Rule::WeakAbsent => "not found (optional)",
        Rule::NotFound => "not found",
    }
}
