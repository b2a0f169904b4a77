//! The requests of a traced command to the loader, for people and for programs.

use super::findings::{self, Detail, write_tried};
use super::heading;
use super::json::{FindingReport, PlanReport, StepReport, TargetReport, text};
use super::outcome::{self, Telling};
use super::path_text::PathText;
use super::style::{COMMAND, DIM, ERROR, GOOD, WARNING, counted, paint};
use super::words::findings as words;
use super::words::replays;
use crate::app::App;
use crate::app::runs::Child;
use crate::app::trace::{Examined, Silence, Traced};
use crate::bytes::printable;
use crate::command_line::CommandLine;
use crate::findings::cure::Cure;
use crate::findings::finding::{Cause, Finding};
use crate::trace::compare::{Compared, Confirmation};
use crate::trace::replay::{Answer, Verdict};
use crate::trace::{Kind, LoaderError};
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The content of a report about a traced command.
pub struct Report<'a> {
    /// How it ended.
    pub child: Child,
    /// The requests, and their interpretation.
    pub traced: &'a Traced,
    /// What they show about the diagnosis.
    pub compared: &'a [Compared<'a>],
    /// Notes about the trace, in sentences.
    pub notes: &'a [String],
    /// The command that repairs the environment; `None` if there is none, or a repair was requested.
    pub fix: Option<CommandLine>,
}

/// Notes about a trace, in sentences.
#[must_use]
pub fn notes(traced: &Traced) -> Vec<String> {
    let cut = "the trace was too long and was truncated";
    let cut = traced.is_cut.then(|| cut.to_owned());
    cut.into_iter().chain(traced.silence.as_ref().map(why_nothing)).collect()
}

/// The reason why the loader printed nothing.
pub(super) fn why_nothing(silence: &Silence) -> String {
    const NOTHING: &str = "nothing was traced";
    match silence {
        Silence::Unknown => NOTHING.to_owned(),
        Silence::SetId(program) => {
            let program = program.display();
            format!(
                "{NOTHING}: {program} is set-user-ID, and the loader ignores LD_DEBUG for such programs"
            )
        }
        Silence::NotElf(program) => {
            format!("{NOTHING}: {} is not an ELF program", program.display())
        }
        Silence::Static(program) => {
            format!("{NOTHING}: {} is statically linked and uses no loader", program.display())
        }
        Silence::OtherLoader(program, loader) => {
            format!(
                "{NOTHING}: {} uses the loader {loader}, which is not from glibc",
                program.display()
            )
        }
        Silence::NoAnswer(program) => {
            format!("{NOTHING}: the loader of {} ignored LD_DEBUG", program.display())
        }
    }
}

/// Writes the whole report, including the repair.
///
/// # Errors
/// If the output cannot be written.
pub fn write_all(
    out: &mut dyn Write,
    app: &App,
    report: &Report<'_>,
    telling: Telling<'_>,
) -> io::Result<()> {
    let Traced { chosen, examined, repaired, .. } = report.traced;
    let (world, detail) = (&examined.world, telling.detail);
    if detail > Detail::Quiet {
        writeln!(out, "{}", paint(DIM, "──── tfpatch trace ────"))?;
    }
    if let Some(chosen) = chosen {
        heading::write(out, app, chosen, world, detail)?;
    }
    write(out, report, detail)?;
    if let (Some(chosen), Some(Ok(repaired))) = (chosen, repaired) {
        // Findings that are new, or that now have a reason why they remain.
        let remaining = repaired.remaining.iter();
        let is_new = |finding: &&Finding| !examined.findings.contains(finding);
        let new: Vec<Finding> = remaining.filter(is_new).cloned().collect();
        findings::write(out, world, &new, detail)?;
        outcome::write_done(out, chosen, world, repaired, telling)?;
    }
    Ok(())
}

/// Writes the report for people.
///
/// # Errors
/// If the output cannot be written.
fn write(out: &mut dyn Write, report: &Report<'_>, detail: Detail) -> io::Result<()> {
    let Examined { world, findings, .. } = &report.traced.examined;
    for note in report.notes {
        writeln!(out, "{}  {}", paint(WARNING, "note"), printable(note.as_bytes()))?;
    }
    if detail > Detail::Quiet {
        write_summary(out, report)?;
    }
    findings::write(out, world, findings, detail)?;
    if report.fix.is_some() {
        for finding in findings {
            // The fix of findings that `fix` does not solve was written already.
            if finding.fixable && finding.cure != Cure::fix() {
                let cure = words::cure(finding);
                writeln!(out, "{} {}", paint(COMMAND, "→"), printable(cure.as_bytes()))?;
            }
        }
    }
    let view = View { world, findings, detail };
    for answer in &report.traced.answers {
        view.answer(out, answer)?;
    }
    for compared in report.compared {
        let is_told = match compared.confirmation {
            Confirmation::Confirmed | Confirmation::Contradicted { .. } => true,
            _ => compared.finding.cause == Cause::DlopenPathMissing,
        };
        if is_told && detail > Detail::Quiet || detail == Detail::Verbose {
            let style = match compared.confirmation {
                Confirmation::Confirmed => GOOD,
                Confirmation::Contradicted { .. } => ERROR,
                _ => DIM,
            };
            writeln!(out, "{}", paint(style, view.confirmation(compared)))?;
        }
    }
    if detail > Detail::Quiet {
        // A version that is not found always keeps an object from loading. A missing symbol may be optional.
        let is_told = |error: &&LoaderError| {
            let names = |object: &[u8]| {
                findings.iter().any(|it| it.object.as_os_str().as_bytes() == object)
            };
            detail == Detail::Verbose || error.lacking_object().is_some_and(|object| !names(object))
        };
        for (error, times) in report.traced.errors.iter().filter(|(error, _)| is_told(error)) {
            let (object, message) = (printable(&error.object), printable(&error.message));
            writeln!(out, "{object}: {message} {}", paint(DIM, format!("({times} times)")))?;
        }
    }
    match &report.fix {
        Some(fix) if findings.iter().any(|finding| finding.cure == Cure::fix()) => {
            writeln!(out, "{}", paint(COMMAND, format!("→ {fix}")))
        }
        _ => Ok(()),
    }
}

fn write_summary(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let ended = match (report.child.status, report.child.signal) {
        (_, Some(signal)) => format!("the command was terminated by signal {signal}"),
        (status, None) => format!("the command exited with status {}", status.unwrap_or(0)),
    };
    let count = |verdict| {
        let such = report.traced.answers.iter().filter(|answer| answer.verdict == verdict);
        such.map(|answer| answer.times).sum::<usize>()
    };
    let all: usize = report.traced.answers.iter().map(|answer| answer.times).sum();
    let noun = if report.traced.processes == 1 { "process" } else { "processes" };
    let predicted = match count(Verdict::Agrees) {
        _ if all == 0 => String::new(),
        predicted if predicted == all => ", all as predicted".to_owned(),
        predicted => format!(", {predicted} as predicted"),
    };
    write!(
        out,
        "{ended}; {} in {} {noun}{predicted}",
        counted(all, "library request"),
        report.traced.processes
    )?;
    for (verdict, words) in [(Verdict::Differs, "different"), (Verdict::Unknown, "not predictable")]
    {
        match count(verdict) {
            0 => {}
            count => write!(out, ", {count} {words}")?,
        }
    }
    writeln!(out)?;
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for answer in report.traced.answers.iter().filter(|answer| answer.verdict == Verdict::Unknown) {
        *unknown.entry(answer.why.map(replays::why).unwrap_or_default()).or_default() +=
            answer.times;
    }
    unknown
        .iter()
        .try_for_each(|(why, count)| writeln!(out, "  {}", paint(DIM, format!("{count}: {why}"))))
}

struct View<'a> {
    world: &'a World,
    findings: &'a [Finding],
    detail: Detail,
}

impl View<'_> {
    fn answer(&self, out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
        let is_finding = self.findings.iter().any(|finding| {
            finding.library.as_ref() == Some(&answer.name) && finding.tried == answer.tried
        });
        let is_told = match answer.verdict {
            Verdict::Differs => true,
            Verdict::Agrees | Verdict::Unknown => answer.found.is_none() && !is_finding,
        };
        if self.detail != Detail::Verbose && !(is_told && self.detail == Detail::Normal) {
            return Ok(());
        }
        let verb = match answer.kind {
            Kind::Needed => "needs",
            Kind::Preload => "preloads",
            Kind::Dlopen => "opens",
        };
        let outcome = match &answer.found {
            Some(found) => format!("{} {}", paint(GOOD, "→"), self.world.shown(found)),
            None => paint(ERROR, "not found"),
        };
        let asker = self.world.shown(&answer.asker);
        let times = match answer.times {
            1 => String::new(),
            times => paint(DIM, format!("  {times} times")),
        };
        writeln!(out, "{asker} {verb} {} {outcome}{times}", printable(&answer.name))?;
        if let Some((asker, found)) = &answer.found_later {
            let (asker, found) = (self.world.shown(asker), self.world.shown(found));
            writeln!(out, "  found later, for {asker}: {found}")?;
        }
        if let Some(why) = answer.why.map(replays::why) {
            let predicted = match &answer.predicted {
                Some(predicted) => format!(": {}", self.world.shown(predicted)),
                None => String::new(),
            };
            writeln!(out, "  {}", paint(WARNING, format!("{why}{predicted}")))?;
        }
        // A finding has already listed the locations.
        if self.detail == Detail::Verbose && answer.found.is_none() && !is_finding {
            write_tried(out, "    ", &answer.tried)?;
        }
        Ok(())
    }

    fn confirmation(&self, compared: &Compared<'_>) -> String {
        let library = printable(&compared.library);
        let object = self.world.shown(&compared.finding.object);
        match &compared.confirmation {
            Confirmation::Confirmed => {
                format!("{library} was requested by {object} and not found, as doctor reports")
            }
            Confirmation::Contradicted { found } => format!(
                "{library} was requested by {object} and found in {}, although doctor reports it as not found",
                self.directory(found)
            ),
            Confirmation::AskedByAnother { asker, found } => {
                let outcome = match found {
                    Some(found) => format!("found in {}", self.directory(found)),
                    None => "not found".to_owned(),
                };
                let asker = self.world.shown(asker);
                format!("{library} was requested by {asker} and {outcome}; doctor names {object}")
            }
            Confirmation::NotAsked => format!(
                "{library} was not requested by {object} in this run; doctor reports that it would not be found"
            ),
        }
    }

    fn directory(&self, file: &Path) -> String {
        self.world.shown(file.parent().unwrap_or(file))
    }
}

/// `tfpatch/trace/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct TraceReport<'a> {
    schema: &'static str,
    child: Child,
    target: Option<TargetReport>,
    processes: usize,
    requests: Vec<RequestReport>,
    findings: Vec<FindingReport>,
    doctor: Vec<ComparedReport>,
    errors: Vec<ErrorReport>,
    notes: Vec<String>,
    /// With `--fix`: the repair of the findings, or what would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanReport<'a>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RequestReport {
    kind: Kind,
    name: String,
    asker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    asker_bytes: Option<String>,
    found: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_bytes: Option<String>,
    tried: Vec<StepReport>,
    predicted: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    predicted_bytes: Option<String>,
    verdict: Verdict,
    why: Option<&'static str>,
    found_later: Option<LaterReport>,
    times: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LaterReport {
    asker: PathText,
    found: PathText,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ComparedReport {
    object: String,
    library: String,
    cause: Cause,
    trace: &'static str,
    message: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ErrorReport {
    object: String,
    message: String,
    times: usize,
}

impl RequestReport {
    fn of(answer: &Answer) -> Self {
        let asker = PathText::of(&answer.asker);
        let (found, found_bytes) = PathText::optional(answer.found.as_deref());
        let (predicted, predicted_bytes) = PathText::optional(answer.predicted.as_deref());
        Self {
            kind: answer.kind,
            name: text(&answer.name),
            asker: asker.path,
            asker_bytes: asker.path_bytes,
            found,
            found_bytes,
            tried: answer.tried.iter().map(StepReport::of).collect(),
            predicted,
            predicted_bytes,
            verdict: answer.verdict,
            why: answer.why.map(replays::why),
            found_later: answer.found_later.as_ref().map(|(asker, found)| LaterReport {
                asker: PathText::of(asker),
                found: PathText::of(found),
            }),
            times: answer.times,
        }
    }
}

impl<'a> TraceReport<'a> {
    /// The report of a traced command.
    #[must_use]
    pub fn of(report: &Report<'a>) -> Self {
        let Report { traced, .. } = report;
        let world = &traced.examined.world;
        let chosen = traced.chosen.as_ref();
        let target = chosen.map(|chosen| TargetReport::of(&world.root, &chosen.reason));
        let view = View { world, findings: &[], detail: Detail::Verbose };
        let requests = traced.answers.iter().map(RequestReport::of);
        let doctor = report.compared.iter().map(|compared| ComparedReport {
            object: PathText::of(&compared.finding.object).path,
            library: text(&compared.library),
            cause: compared.finding.cause,
            trace: match compared.confirmation {
                Confirmation::Confirmed => "confirmed",
                Confirmation::Contradicted { .. } => "contradicted",
                Confirmation::AskedByAnother { .. } => "asked_by_another",
                Confirmation::NotAsked => "not_asked",
            },
            message: view.confirmation(compared),
        });
        let errors = traced.errors.iter().map(|(error, &times)| ErrorReport {
            object: text(&error.object),
            message: text(&error.message),
            times,
        });
        let done = traced.repaired.as_ref().and_then(|repaired| repaired.as_ref().ok());
        Self {
            schema: "tfpatch/trace/v1",
            child: report.child,
            target,
            processes: traced.processes,
            requests: requests.collect(),
            findings: traced.examined.findings.iter().map(FindingReport::of).collect(),
            doctor: doctor.collect(),
            errors: errors.collect(),
            notes: report.notes.to_vec(),
            plan: done.map(|repaired| {
                PlanReport::of(&repaired.carried.plan, &world.root, &repaired.remaining)
            }),
        }
    }
}
