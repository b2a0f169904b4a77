//! The reasons why something is not repaired.

use super::operations;
use crate::bytes::{printable, shown};
use crate::findings::refusal::{Protected, Refusal};
use crate::operation;

/// The reason why an object is skipped, as a clause.
pub(super) fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::OutsideTarget => {
            "it is outside the target, where tfpatch does not write".to_owned()
        }
        Refusal::OfPackage { package } => {
            format!("it belongs to the package {package}; name the file as TARGET to edit it")
        }
        Refusal::LeavesRoot(leaves) => leaves.to_string(),
        Refusal::Unspellable { directory } => {
            let directory = shown(directory);
            format!("a search path cannot contain {directory}: it has a ':' or a '$'")
        }
        Refusal::NeedsAbsolute { directory } => format!(
            "{} is outside the target; --allow-absolute permits an entry for it",
            shown(directory)
        ),
        Refusal::Io(error) => error.said.clone(),
        Refusal::Edit(failure) => failure.to_string(),
        Refusal::Moves { library, after, before } => {
            let (library, before) = (printable(library), shown(before));
            let then = match after.as_deref() {
                Some(after) => format!("be loaded from {} instead of {before}", shown(after)),
                None => format!("not be found; now it is loaded from {before}"),
            };
            format!("skipped, because {library} would then {then}")
        }
        Refusal::Clashes { object, version, provider } => {
            let version = printable(version);
            format!("skipped, because {provider} lacks version {version}, which {object} needs")
        }
        Refusal::Protected(protected) => format!("it {}", operations::refusal(&of(protected))),
        Refusal::NotCured => "skipped, because an entry would not fix it".to_owned(),
    }
}

/// The same reason of an operation, which has the words for it.
fn of(protected: &Protected) -> operation::Refusal {
    match protected.clone() {
        Protected::SetUserId => operation::Refusal::SetUserId,
        Protected::Verity => operation::Refusal::Verity,
        Protected::Immutable => operation::Refusal::Immutable,
        Protected::NotOwner(owner) => operation::Refusal::NotOwner { owner },
        Protected::OtherOwner { owner, user } => operation::Refusal::OtherOwner { owner, user },
        Protected::OtherGroup(group) => operation::Refusal::OtherGroup { group },
        Protected::Attribute(attribute) => operation::Refusal::Attribute { attribute },
    }
}
