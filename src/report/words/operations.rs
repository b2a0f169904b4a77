//! The texts for operations that did not take place, and for skipped files.

use crate::bytes::printable;
use crate::operation::{
    Change, Contradiction, Distrust, Error, Impossible, Obstacle, Refusal, Unpermitted, Unusable,
};

/// The reason why an operation did not take place, and the fix.
#[must_use]
pub fn error(error: &Error) -> String {
    match error {
        Error::Path(error) => error.to_string(),
        Error::NestedStore { store, other } => {
            format!("cannot keep backups in {store:?}: {other:?} keeps those of files there")
        }
        Error::Locked { store, pid } => {
            let who = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!("another tfpatch{who} is using {store:?}; wait until it has finished")
        }
        Error::Pending { store, id } => format!(
            "operation {id} in {store:?} was interrupted; `tfpatch fix` or `tfpatch revert` completes or undoes it"
        ),
        Error::PendingElsewhere { store, id, target } => format!(
            "operation {id} on {target:?} was interrupted, and {store:?} has its backups; run `tfpatch revert` there \
             first"
        ),
        Error::Record { path, why } => format!(
            "cannot use the undo record {path:?}: {}; restore it, or move it away",
            unusable(why)
        ),
        Error::Outside { path, root } => {
            format!("{path:?} is outside {root:?}; run tfpatch on the directory that contains it")
        }
        Error::Changed { path, change } => {
            format!("{path:?} does not match the plan: {}; make a new plan", self::change(change))
        }
        Error::Overtaken { path } => {
            format!("{path:?} changed while tfpatch was running; run it again")
        }
        Error::Moved { path } => {
            format!("{path:?} was moved while tfpatch was editing it; move it back if it is gone")
        }
        Error::InUse { path } => {
            format!("cannot edit {path:?}: {}", obstacle(Obstacle::OpenElsewhere))
        }
        Error::ForeignStore { store, why } => {
            format!("cannot use the backups in {store:?}: {}", distrust(why))
        }
        Error::ReadOnlyStore { store } => {
            format!("the backups in {store:?} belong to root; run tfpatch as root to change them")
        }
        Error::Inconsistent { path, why } => {
            format!("the plan has an invalid step for {path:?}: {}", contradiction(*why))
        }
        Error::Refused { path, why } => format!("{path:?} {}", refusal(why)),
        Error::NoSpace { path, needed, available } => format!(
            "not enough space on the file system of {path:?}: {needed} bytes needed, {available} available; free some space and run it again"
        ),
        Error::NoOperation { store, id } => {
            format!("no operation {id:?} in {store:?}")
        }
        Error::Stopped { id, cause, rest } => {
            format!("operation {id} failed: {}; {}", self::error(cause), left_by(rest.as_deref()))
        }
    }
}

/// What an operation that failed left behind, as a clause.
fn left_by(rest: Option<&Error>) -> &'static str {
    match rest {
        None => "all files are unchanged",
        Some(_) => "run tfpatch again to restore all files",
    }
}

/// How a file differs from its recorded state, as a clause.
#[must_use]
pub fn change(change: &Change) -> String {
    match change {
        Change::Gone => "it is missing".to_owned(),
        Change::OtherKind => "it is a different kind of file".to_owned(),
        Change::Size { expected, found } => format!("it has {found} bytes, expected {expected}"),
        Change::Digest { at, expected, found } => {
            let from = at.map(|at| format!("its bytes differ from offset {at:#x} on; "));
            let from = from.unwrap_or_default();
            format!("{from}its digest is {found}, expected {expected}")
        }
        Change::Outside { expected, found } => format!(
            "its bytes differ outside the edits; its digest is {found}, expected {expected}"
        ),
        Change::Forbidden { what } => {
            format!("the undo record would change more than a search path: {}", unpermitted(what))
        }
        Change::Later { operations } => {
            let all = operations.join(", ");
            let them = if operations.len() == 1 { "that" } else { "them, in this order," };
            format!("{all} changed it later; revert {them} first")
        }
    }
}

/// What would change in addition to a search path.
#[must_use]
pub fn unpermitted(what: &Unpermitted) -> String {
    const NOT_OWN: &str =
        "bytes that this version of tfpatch does not change when it edits a search path";
    let said = match what {
        Unpermitted::Moves => "bytes that would move within the file",
        Unpermitted::NotOwn => NOT_OWN,
        Unpermitted::NotOwnIn { member } => {
            return format!("in {} in a wheel, {NOT_OWN}", printable(member));
        }
        Unpermitted::NoRecord => "a file that is not a RECORD",
        Unpermitted::LongRecord => "a RECORD that is too long",
        Unpermitted::UnreadRecord => "a RECORD that is not readable",
        Unpermitted::OtherRows => "other rows of a RECORD, or the number of rows",
        Unpermitted::BetweenRows => "the bytes between the rows of a RECORD",
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
        Unpermitted::SetUserId => "a setuid or setgid file, which tfpatch never edits",
        Unpermitted::OtherFile => "a different file: the recorded name is not a name of this file",
        Unpermitted::TooOften { limit } => {
            return format!("a file more than {limit} times; revert some operations first");
        }
    };
    said.to_owned()
}

/// The reason why a file is not written, and the fix. The text follows the path.
pub(super) fn refusal(refusal: &Refusal) -> String {
    let said = match refusal {
        Refusal::SetUserId => {
            "is setuid or setgid; the loader ignores search paths of such programs, and tfpatch does not edit them"
        }
        Refusal::Verity => "is protected by fs-verity; edit it before it is sealed",
        Refusal::Immutable => "is immutable or append-only; see chattr(1)",
        Refusal::NotOwner { owner: 0 } => "belongs to root; run tfpatch as root",
        Refusal::NotOwner { owner } => {
            return format!("belongs to user {owner}; run tfpatch as that user, or as root");
        }
        Refusal::OtherOwner { owner, user } => {
            return format!(
                "belongs to {}, but the target belongs to {}, with whose permissions tfpatch edits it; first change the owner of the \
                 file, as root: chown --no-dereference {user} FILE",
                user_called(*owner),
                user_called(*user)
            );
        }
        Refusal::OtherGroup { group } => {
            return format!(
                "belongs to group {group}, which cannot be preserved; run tfpatch as a member of that group or as \
                 root"
            );
        }
        Refusal::Attribute { attribute } => {
            return format!(
                "has the attribute {attribute}, which an edit would remove; run tfpatch as root"
            );
        }
        Refusal::NoRights { uid, error } => {
            return format!(
                "belongs to user {uid}, and tfpatch cannot switch from root to that user: {error}. Run tfpatch as \
                 user {uid}, or in a container with the capabilities SETUID and SETGID"
            );
        }
        Refusal::NotInPlace { obstacle } => {
            let obstacle = self::obstacle(*obstacle);
            return format!("cannot be edited in place: {obstacle}; use --write replace");
        }
        Refusal::NoWayBack { change } => {
            let change = unpermitted(change);
            return format!(
                "is not edited, because the edit could not be reverted: it would change {change}"
            );
        }
        Refusal::NotRegular => "is not a regular file",
        Refusal::DanglingLink => "is a dangling link; repair or remove it",
        Refusal::NameTaken => {
            "already exists with different content; choose another name, or remove it first"
        }
    };
    said.to_owned()
}

/// A user, as shown in a text.
fn user_called(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("user {uid}") }
}

/// The obstacle to editing a file in place.
fn obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Unsafe => "its edits are not safe in place",
        Obstacle::LeavingLink => "it is a link to a file outside the target",
        Obstacle::HardLinks => "it has hard links outside the target",
        Obstacle::Capabilities => "it has file capabilities",
        Obstacle::Moves => "its bytes would move",
        Obstacle::NotWritable => "it is not writable",
        Obstacle::OpenElsewhere => "another process may have it open",
    }
}

fn contradiction(why: Contradiction) -> &'static str {
    match why {
        Contradiction::OtherVersion => "another version of tfpatch made the plan",
        Contradiction::EditedTwice => "two steps edit the same file",
        Contradiction::Alias => "an alias does not name the same file",
        Contradiction::LinkWithAliases => "a link to a file outside the target cannot have aliases",
        Contradiction::OtherLength => "its edits are for a file of another size",
        Contradiction::OtherOutcome => "its edits do not produce the file that it describes",
    }
}

/// The reason why a store is not used, and the fix.
fn distrust(why: &Distrust) -> String {
    const ELSEWHERE: &str = "remove it, or keep backups elsewhere with --store DIR";
    let what = match why {
        Distrust::Link => "it is a symlink".to_owned(),
        Distrust::NoDirectory => "it is not a directory".to_owned(),
        Distrust::OfUser { uid } => format!("they belong to user {uid}"),
        Distrust::OfNobody { uid } => {
            format!("they belong to user {uid}, who does not exist on this system")
        }
        Distrust::NoRecords => "its entry `operations` is a link or not a directory".to_owned(),
        Distrust::RecordsOfUser { uid } => {
            format!("its directory `operations` belongs to user {uid}")
        }
        Distrust::Shipped { list } => {
            let list = list.display();
            return format!(
                "{list} lists it, so a package installed it; remove it, and report the package"
            );
        }
        Distrust::LinkedLock { names } => {
            return format!("its file `lock` has {names} hard links; remove it");
        }
    };
    format!("{what}; {ELSEWHERE}")
}

fn unusable(why: &Unusable) -> String {
    match why {
        Unusable::NoNumber => "no number is left for another record".to_owned(),
        Unusable::WouldBeTooLong { limit } => {
            format!("it would exceed {} MiB; edit fewer files at a time", limit >> 20)
        }
        Unusable::TooLong { limit } => format!("it exceeds {} MiB", limit >> 20),
        Unusable::Unread { said } | Unusable::Json { said } => said.clone(),
        Unusable::Linked { names } => format!("it has {names} hard links"),
        Unusable::OfUser { uid } => format!("it belongs to user {uid}"),
        Unusable::Damaged => "it is damaged: its digest does not match".to_owned(),
        Unusable::Schema { found, known } => format!("its schema is {found:?}, not {known:?}"),
        Unusable::TooManyValues { limit } => format!("it has more than {limit} values"),
        Unusable::Impossible(why) => impossible(*why).to_owned(),
    }
}

fn impossible(why: Impossible) -> &'static str {
    match why {
        Impossible::Id => "it contains an invalid operation ID",
        Impossible::NamedTwice => "it lists a file twice",
        Impossible::NoChange => "it lists a file without a change",
        Impossible::TooManyChanges => "it lists more changes of a file than an operation makes",
        Impossible::Link => "it lists a link that is not a shared library",
        Impossible::NoContents => "it lacks the content of a file",
        Impossible::OtherKind => "it gives the wrong kind for a file",
        Impossible::TooMuchGrowth => "it lists a file that grows more than an operation allows",
        Impossible::Time => "it contains an invalid time",
    }
}
