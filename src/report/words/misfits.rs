//! In what a plan that was made elsewhere does not fit.

use super::findings;
use crate::bytes::printable;
use crate::repair::foreign_plan::{Mismatch, Stamp};
use crate::world::Place;

/// In what a plan that was made elsewhere does not fit a file, as a clause.
pub(super) fn of(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::EditedTwice => "two steps edit it".to_owned(),
        Mismatch::Gone => "is not there".to_owned(),
        Mismatch::NoObject => "is no object of the target".to_owned(),
        Mismatch::OfPackage { package } => {
            format!("belongs to the package {package}; name the file to edit it")
        }
        Mismatch::Io(error) => error.said.clone(),
        Mismatch::Edit(failure) => failure.to_string(),
        Mismatch::Unplanned(error) => error.to_string(),
        Mismatch::OtherName => {
            "is another name of a file that has to be edited by its own name".to_owned()
        }
        Mismatch::LeadsOut { entry } => format!(
            "would be given the entry {}, which leads to no directory of the target; --allow-absolute lets it",
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
        Mismatch::OtherBytes => "has other bytes where the plan relies on them".to_owned(),
        Mismatch::OtherNames => {
            "has other names in the target than where the plan was made".to_owned()
        }
        Mismatch::OtherStep { field } => format!(
            "{field:?} of its step is not what this tfpatch would plan for that search path: the plan was \
             altered, or another version made it"
        ),
        Mismatch::NoRow => "has no row for the edited files".to_owned(),
        Mismatch::OtherRow { row } => {
            format!("has another row, or files of other bytes, than {row}")
        }
        Mismatch::UnknownRow { row } => format!("has a row that the plan does not know: {row}"),
        Mismatch::Moves { library, after, before } => {
            let now = after.as_ref().map_or_else(|| "nowhere".to_owned(), Place::to_string);
            format!("would get {} from {now} and no longer from {before}", printable(library))
        }
        Mismatch::NewFault(found) => {
            format!("would have a new fault: {}", findings::message(found))
        }
    }
}
