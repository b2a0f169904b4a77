//! `tfpatch revert`: puts the exact old bytes back.

use crate::cli::args::{Format, Revert};
use crate::cli::error::CommandError;
use crate::cli::session::{Place, Session};
use crate::operation::{self, FileDiff, Kind, Operation, Reverted, Selection, Write};
use crate::plan::{self, Plan, RelativePath};
use crate::repair::records;
use crate::report::json;
use crate::report::style::{DIM, ERROR, GOOD, counted, paint};
use crate::vfs::OsVfs;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Serialize)]
struct RevertReport {
    schema: &'static str,
    dry_run: bool,
    targets: Vec<Reverted>,
    /// The operations that brought RECORD rows up to date, of files that were put back while others
    /// of the same distribution stay edited.
    records: Vec<Operation>,
}

/// Reverts each target.
///
/// # Errors
/// Where a store cannot be read or a file cannot be written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Revert) -> Result<u8, CommandError> {
    let mut targets = Vec::new();
    let mut records = Vec::new();
    for chosen in session.targets(&options.targets.targets)? {
        let place = session.place(&chosen)?;
        if !options.dry_run {
            session.recover(&place.root, &place.store)?;
        }
        let edited = Edited::of(&place)?;
        let mut selection = match &options.operation {
            Some(id) => Selection::Operation(id.clone()),
            None => session.selection(&chosen, &place),
        };
        if let Selection::Paths(paths) = &mut selection {
            paths.extend(edited.records_of(|file| session.means(&chosen, &place, file)));
        }
        let writing = session.writing(!options.no_sync, Write::Auto, options.dry_run);
        let mut reverted = operation::revert(&place.root, &place.store, &selection, &writing)?;
        if let Some(plan) = edited.rows_to_refresh(&mut reverted, options.dry_run)? {
            let refreshed =
                operation::apply(&place.root, &place.store, &plan, Kind::Rpath, &writing)?;
            records.extend(refreshed);
        }
        targets.push(reverted);
    }
    let status = u8::from(targets.iter().any(|reverted| !reverted.refused.is_empty()));
    if session.format == Format::Json {
        let report = RevertReport {
            schema: "tfpatch/revert/v1",
            dry_run: options.dry_run,
            targets,
            records,
        };
        json::write(&mut *session.out, &report)?;
        return Ok(status);
    }
    for reverted in &targets {
        write_reverted(&mut *session.out, reverted, options.dry_run)?;
    }
    for refreshed in records.iter().flat_map(|operation| &operation.steps) {
        writeln!(
            session.out,
            "  {}: the rows of these files are brought up to date",
            refreshed.path
        )?;
    }
    Ok(status)
}

/// What operations have changed and nobody has reverted.
struct Edited<'a> {
    place: &'a Place,
    objects: Vec<RelativePath>,
    records: Vec<RelativePath>,
}

impl<'a> Edited<'a> {
    fn of(place: &'a Place) -> Result<Self, CommandError> {
        let files = operation::diff(&place.store)?;
        let (records, objects): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.kind == plan::Kind::Record);
        let paths = |files: Vec<FileDiff>| files.into_iter().map(|file| file.path).collect();
        Ok(Self { place, objects: paths(objects), records: paths(records) })
    }

    /// The RECORDs that are to be put back as a whole along with the files that are meant: those
    /// whose rows were edited for these files alone.
    fn records_of(&self, is_meant: impl Fn(&RelativePath) -> bool) -> Vec<PathBuf> {
        let (meant, others): (Vec<_>, Vec<_>) =
            self.objects.iter().partition(|file| is_meant(file));
        let listed = |record: &Path, files: &[&RelativePath]| {
            let files = files.iter().map(|file| self.place.root.join(file)).collect();
            !records::listed(&OsVfs::new(), record, &files).is_empty()
        };
        let records = self.records.iter().map(|record| self.place.root.join(record));
        records.filter(|record| listed(record, &meant) && !listed(record, &others)).collect()
    }

    /// The rows of files that were put back, in RECORDs that were not.
    fn rows_to_refresh(
        &self,
        reverted: &mut Reverted,
        dry_run: bool,
    ) -> Result<Option<Plan>, CommandError> {
        let Some(operation) = &reverted.operation else { return Ok(None) };
        let files: BTreeSet<PathBuf> = operation
            .steps
            .iter()
            .filter(|step| step.kind != plan::Kind::Record)
            .flat_map(|step| std::iter::once(&step.path).chain(&step.aliases))
            .map(|path| self.place.root.join(path))
            .collect();
        let mut steps = Vec::new();
        for record in &self.records {
            if operation.steps.iter().any(|step| step.path == *record) {
                continue;
            }
            let path = self.place.root.join(record);
            if records::listed(&OsVfs::new(), &path, &files).is_empty() {
                continue;
            }
            // It is changed further instead of being put back.
            reverted.refused.retain(|left| left.path != *record);
            if !dry_run {
                steps.extend(records::refresh(&OsVfs::new(), &self.place.root, &path, &files)?);
            }
        }
        Ok((!steps.is_empty()).then(|| Plan::new(steps)))
    }
}

fn write_reverted(out: &mut dyn io::Write, reverted: &Reverted, dry_run: bool) -> io::Result<()> {
    match &reverted.operation {
        None => writeln!(out, "nothing to put back")?,
        Some(operation) => {
            let files = counted(operation.steps.len(), "file");
            if dry_run {
                writeln!(out, "{}", paint(GOOD, format!("{files} would be put back")))?;
            } else {
                let id = paint(DIM, format!("(operation {})", operation.id));
                writeln!(out, "{} {id}", paint(GOOD, format!("{files} put back")))?;
            }
        }
    }
    for path in &reverted.already {
        writeln!(out, "  {path} has its old bytes already")?;
    }
    for left in &reverted.refused {
        let refused = paint(ERROR, "left alone");
        writeln!(
            out,
            "{refused}  {}: something else changed it since, {}",
            left.path, left.change
        )?;
    }
    Ok(())
}
