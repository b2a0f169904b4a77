//! What is said of an operation that did not take place, and of files that it leaves alone.

use crate::bytes::printable;
use crate::operation::{
    Change, Contradiction, Distrust, Error, Impossible, Obstacle, Refusal, Unpermitted, Unusable,
};

/// Why an operation did not take place, and the cure.
#[must_use]
pub fn error(error: &Error) -> String {
    match error {
        Error::Path(error) => error.to_string(),
        Error::NestedStore { store, other } => format!(
            "the store {store:?} would be nested with {other:?}; name that one's directory instead"
        ),
        Error::Locked { store, pid } => {
            let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!("another tfpatch{who} works on {store:?}; wait until it has ended")
        }
        Error::Pending { store, id } => format!(
            "operation {id} in {store:?} was interrupted; `tfpatch fix` or `tfpatch revert`, without \
             --dry-run, finishes it or takes it back"
        ),
        Error::PendingElsewhere { store, id, target } => format!(
            "operation {id} on {target:?} was interrupted, and its backups are in {store:?} too; run \
             tfpatch revert on that target first"
        ),
        Error::Record { path, why } => format!(
            "the undo record {path:?} cannot be used: {}; restore it, or move it away",
            unusable(why)
        ),
        Error::Outside { path, root } => {
            format!("{path:?} leads out of {root:?}; run tfpatch on the tree that it lies in")
        }
        Error::Changed { path, change } => {
            format!("{path:?} is not as the plan expects: {}; plan again", self::change(change))
        }
        Error::Overtaken { path } => {
            format!("{path:?} changed while tfpatch was running; run it again")
        }
        Error::InUse { path } => {
            format!("cannot edit {path:?}: {}", obstacle(Obstacle::OpenElsewhere))
        }
        Error::ForeignStore { store, why } => {
            format!("the backups in {store:?} are not used: {}", distrust(why))
        }
        Error::ReadOnlyStore { store } => {
            format!("the backups in {store:?} belong to root; run tfpatch as root to change them")
        }
        Error::Inconsistent { path, why } => {
            format!("the plan's step for {path:?} is wrong: {}; plan again", contradiction(*why))
        }
        Error::Refused { path, why } => format!("{path:?} {}", refusal(why)),
        Error::NoSpace { path, needed, available } => format!(
            "the file system of {path:?} has {available} bytes left, {needed} are needed; make room"
        ),
        Error::NoOperation { store, id } => {
            format!("the store {store:?} has no operation {id:?}; `tfpatch log` lists them")
        }
        Error::Stopped { id, cause, rest } => {
            let left = match rest {
                None => "every file is as it was before",
                Some(_) => "run tfpatch again to put every file back",
            };
            format!("operation {id} stopped: {}; {left}", self::error(cause))
        }
    }
}

/// How a file differs from what was recorded of it, as a sentence without its subject.
#[must_use]
pub fn change(change: &Change) -> String {
    match change {
        Change::Gone => "it is gone".to_owned(),
        Change::OtherKind => "it is another kind of file".to_owned(),
        Change::Size { expected, found } => format!("it has {found} bytes, expected {expected}"),
        Change::Digest { at, expected, found } => {
            let from = at.map(|at| format!("its bytes are others from offset {at:#x} on; "));
            let from = from.unwrap_or_default();
            format!("{from}its digest is {found}, expected {expected}")
        }
        Change::Outside { expected, found } => format!(
            "its bytes differ outside of the edits; its digest is {found}, expected {expected}"
        ),
        Change::Forbidden { what } => {
            format!("the undo record would change more than a search path: {}", unpermitted(what))
        }
        Change::Later { operations } => {
            let all = operations.join(", ");
            let them = if operations.len() == 1 { "that" } else { "them, in this order," };
            format!("{all} changed it afterwards; revert {them} first")
        }
    }
}

/// What would change besides a search path.
#[must_use]
pub fn unpermitted(what: &Unpermitted) -> String {
    const NOT_OWN: &str = "bytes that no edit of a search path by this version of tfpatch changes";
    let said = match what {
        Unpermitted::Moves => "bytes that would move within the file",
        Unpermitted::NotOwn => NOT_OWN,
        Unpermitted::NotOwnIn { member } => {
            return format!("in {} in a wheel {NOT_OWN}", printable(member));
        }
        Unpermitted::NoRecord => "a file that is not a RECORD",
        Unpermitted::LongRecord => "a RECORD that is longer than any",
        Unpermitted::UnreadRecord => "a RECORD that cannot be read",
        Unpermitted::OtherRows => "other rows of a RECORD, or their number",
        Unpermitted::BetweenRows => "what stands between the rows of a RECORD",
        Unpermitted::Row { file } => return format!("the row of {} in a RECORD", printable(file)),
        Unpermitted::NoWheel => "a file that is not a wheel",
        Unpermitted::UnreadWheel { error } => return error.to_string(),
        Unpermitted::UnreadMember { member, said } => {
            return format!("{} in a wheel: {said}", printable(member));
        }
        Unpermitted::Checksum { member } => {
            return format!("the checksum of {} in a wheel", printable(member));
        }
        Unpermitted::Members => "the members of a wheel, or their number",
        Unpermitted::SetUserId => "a file that is setuid or setgid, which no operation edits",
        Unpermitted::OtherFile => "another file, which is not the one whose name it is said to be",
        Unpermitted::TooOften { limit } => {
            return format!("a file more than {limit} times; revert some operations first");
        }
    };
    said.to_owned()
}

/// Why a file is not written, and the cure: what follows upon its path.
fn refusal(refusal: &Refusal) -> String {
    let said = match refusal {
        Refusal::SetUserId => {
            "is setuid or setgid: the loader drops search paths of such programs, and tfpatch does not \
             change them"
        }
        Refusal::Verity => "is protected by fs-verity; patch it before it is sealed",
        Refusal::Immutable => "is immutable or append-only; see chattr(1)",
        Refusal::OtherOwner { owner, user } => {
            return format!(
                "belongs to user {owner}, and user {user}, with whose rights tfpatch works on this \
                 tree, could not keep its owner and times; give it the owner of the tree, or run \
                 tfpatch as its own"
            );
        }
        Refusal::OtherGroup { group } => {
            return format!(
                "belongs to group {group}, which could not be kept; run tfpatch as a member of it or \
                 as root"
            );
        }
        Refusal::Attribute { attribute } => {
            return format!(
                "has the attribute {attribute}, which an edit drops; run tfpatch as root"
            );
        }
        Refusal::NoRights { uid, error } => {
            return format!(
                "belongs to user {uid}, with whose rights root works on it, and the system does not \
                 let tfpatch become that user: {error}. Run tfpatch as user {uid}, or in a container \
                 with the capabilities SETUID and SETGID"
            );
        }
        Refusal::NotInPlace { obstacle } => {
            let obstacle = self::obstacle(*obstacle);
            return format!("cannot be edited in place: {obstacle}; let it be replaced");
        }
        Refusal::NoWayBack { change } => {
            let change = unpermitted(change);
            return format!(
                "is not edited, for that could not be taken back: it would change {change}"
            );
        }
        Refusal::NotRegular => "is not a regular file",
        Refusal::DanglingLink => "is a link that leads to no file; repair the link",
        Refusal::NameTaken => {
            "is there already, with other bytes; name another file, or remove it first"
        }
    };
    said.to_owned()
}

/// What is in the way of editing a file in place.
fn obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Unsafe => "its edits are not safe in place",
        Obstacle::LeavingLink => "it is a link that leaves the target",
        Obstacle::HardLinks => "it has hard links outside the target",
        Obstacle::Capabilities => "it has capabilities",
        Obstacle::Moves => "its bytes move",
        Obstacle::NotWritable => "it is not writable",
        Obstacle::OpenElsewhere => "another process may have it open",
    }
}

fn contradiction(why: Contradiction) -> &'static str {
    match why {
        Contradiction::OtherVersion => "the plan is of another version of tfpatch",
        Contradiction::EditedTwice => "two steps edit the same file",
        Contradiction::Alias => "an alias is not a name of the same file",
        Contradiction::LinkWithAliases => "a link that leaves the target cannot have aliases",
        Contradiction::OtherLength => "its edits are for a file of another length",
        Contradiction::OtherOutcome => "its edits do not lead to the file that it says it leaves",
    }
}

/// Why a store is not used, and the cure.
fn distrust(why: &Distrust) -> String {
    const ELSEWHERE: &str = "remove it, or keep backups elsewhere with --store DIR";
    let what = match why {
        Distrust::Link => "it is a symbolic link".to_owned(),
        Distrust::NoDirectory => "it is not a directory".to_owned(),
        Distrust::OfUser { uid } => format!("they belong to user {uid}"),
        Distrust::OfNobody { uid } => format!("they belong to user {uid}, who is nobody here"),
        Distrust::NoRecords => "its directory `operations` is a link or no directory".to_owned(),
        Distrust::RecordsOfUser { uid } => {
            format!("its directory `operations` belongs to user {uid}")
        }
        Distrust::Shipped { list } => {
            let list = list.display();
            return format!(
                "{list} lists it: a package brought it along; remove it, and report the package"
            );
        }
        Distrust::LinkedLock { names } => {
            return format!("its file `lock` has {names} names; remove it");
        }
    };
    format!("{what}; {ELSEWHERE}")
}

fn unusable(why: &Unusable) -> String {
    match why {
        Unusable::NoNumber => "no number is left for another record".to_owned(),
        Unusable::WouldBeTooLong { limit } => {
            format!("it would be longer than {} MiB; edit a part at a time", limit >> 20)
        }
        Unusable::TooLong { limit } => format!("it is longer than {} MiB", limit >> 20),
        Unusable::Unread { said } | Unusable::Json { said } => said.clone(),
        Unusable::Linked { names } => format!("it has {names} names"),
        Unusable::OfUser { uid } => format!("it belongs to user {uid}"),
        Unusable::Damaged => "it is damaged: its digest does not match".to_owned(),
        Unusable::Schema { found, known } => format!("its schema is {found:?}, not {known:?}"),
        Unusable::TooManyValues { limit } => format!("it has more than {limit} values"),
        Unusable::Impossible(why) => impossible(*why).to_owned(),
    }
}

fn impossible(why: Impossible) -> &'static str {
    match why {
        Impossible::Id => "an ID in it is none of an operation",
        Impossible::NamedTwice => "it names a file twice",
        Impossible::NoChange => "it changes a file by nothing",
        Impossible::TooManyChanges => "it changes a file more often than any operation does",
        Impossible::Link => "a file in it that is no object is a link",
        Impossible::NoContents => "it does not tell what a file held",
        Impossible::OtherKind => "a file in it is not of the kind that it is said to be",
        Impossible::TooMuchGrowth => "a file in it grows more than by any operation",
        Impossible::Time => "a time in it is none",
    }
}
