//! The texts for differences between a plan and its target.

use super::findings;
use crate::bytes::printable;
use crate::repair::foreign_plan::{Mismatch, Stamp};

/// How a plan does not fit a file, as a clause.
pub(super) fn of(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::EditedTwice => "two steps of the plan edit it".to_owned(),
        Mismatch::Gone => "not found".to_owned(),
        Mismatch::NoObject => "is not a shared library of the target".to_owned(),
        Mismatch::OfPackage { package } => {
            format!("belongs to the package {package}; name the file as TARGET to edit it")
        }
        Mismatch::Io(error) => error.said.clone(),
        Mismatch::Edit(failure) => failure.to_string(),
        Mismatch::Unplanned(error) => error.to_string(),
        Mismatch::OtherName => {
            "is another name of a file; the plan must use its own name".to_owned()
        }
        Mismatch::LeadsOut { entry } => format!(
            "would get the entry {}, which is not a directory of the target; --allow-absolute permits it",
            printable(entry)
        ),
        Mismatch::OtherBuild { identity, found, expected } => {
            let identity = match identity {
                Stamp::BuildId => "build ID",
                Stamp::Uuid => "LC_UUID",
            };
            format!("is another build: its {identity} is {found}, expected {expected}")
        }
        Mismatch::OtherLength { found, expected } => {
            format!("has {found} bytes, expected {expected}")
        }
        Mismatch::OtherBytes => "has different bytes where the plan depends on them".to_owned(),
        Mismatch::OtherNames => "has different names in this target".to_owned(),
        Mismatch::OtherStep { field } => format!(
            "{field:?} of its step differs from the plan that this tfpatch makes for the same search path: the plan \
             was modified, or another version wrote it"
        ),
        Mismatch::NoRow => "has no row for the edited files".to_owned(),
        Mismatch::OtherRow { row } => {
            format!("has a different row, or files with different bytes, than {row}")
        }
        Mismatch::UnknownRow { row } => format!("has a row that is not in the plan: {row}"),
        Mismatch::Moves { library, after, before } => {
            let library = printable(library);
            match after {
                Some(now) => format!("would load {library} from {now} instead of {before}"),
                None => format!("would not find {library}, which is now loaded from {before}"),
            }
        }
        Mismatch::NewFault(found) => {
            format!("would have a new error: {}", findings::message(found))
        }
    }
}
