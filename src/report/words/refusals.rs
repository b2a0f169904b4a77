//! Why something is not repaired.

use crate::bytes::{printable, shown};
use crate::findings::refusal::Refusal;

/// Why an object is left alone, as a clause.
pub(super) fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::OutsideTarget => "it lies outside the target, where nothing is written".to_owned(),
        Refusal::OfPackage { package } => {
            format!("it belongs to the package {package}; name the file to edit it")
        }
        Refusal::LeavesRoot(leaves) => leaves.to_string(),
        Refusal::Unspellable { directory } => {
            let directory = shown(directory);
            format!("{directory} cannot be written in a search path: it has a ':' or a '$'")
        }
        Refusal::NeedsAbsolute { directory } => format!(
            "{} lies outside the target; --allow-absolute lets the object point there",
            shown(directory)
        ),
        Refusal::Io(error) => error.said.clone(),
        Refusal::Edit(failure) => failure.to_string(),
        Refusal::Moves { library, after, before } => format!(
            "left alone, since {} would then come from {} and no longer from {}",
            printable(library),
            after.as_deref().map_or_else(|| "nowhere".to_owned(), shown),
            shown(before)
        ),
        Refusal::NotCured => "left alone, since an entry would not cure it".to_owned(),
    }
}
