//! How a file differs from its recorded state.

use super::error::Change;
use super::journal::{State, Step};
use crate::bytes::Source;
use crate::edit::{Content, Edit};
use crate::plan::Lock;
use std::ops::Range;

/// How `source` differs from the locked state, if it does.
pub(super) fn change(lock: &Lock, source: &dyn Source) -> Option<Change> {
    if lock.size != source.len() {
        return Some(Change::Size { expected: lock.size, found: source.len() });
    }
    let found = lock.digest_in(source).unwrap_or_else(|| "unreadable".to_owned());
    (found != lock.digest).then(|| Change::Digest {
        at: None,
        expected: lock.digest.clone(),
        found,
    })
}

/// How `source` differs from the state after `step`, if it does. The whole file is compared if a digest of it
/// was recorded.
pub(super) fn change_since(step: &Step, source: &dyn Source) -> Option<Change> {
    let Some(mut change) = change(&step.new.lock, source) else {
        return outside(&step.new, source);
    };
    if let (Change::Digest { at, .. }, Some(last)) = (&mut change, step.changes.last()) {
        let written = last.edits.in_write_order().iter().zip(last.edits.new_ranges());
        *at = written.filter_map(|(edit, range)| first_difference(edit, range, source)).min();
    }
    Some(change)
}

/// How `source` differs from the recorded state outside the ranges that the edits rely on, if it does and
/// a digest of the whole file was recorded.
pub(super) fn outside(state: &State, source: &dyn Source) -> Option<Change> {
    let expected = state.whole.as_ref()?;
    let found = expected.of_same_kind(source);
    (found.as_ref() != Some(expected)).then(|| Change::Outside {
        expected: expected.to_string(),
        found: found.map_or_else(|| "unreadable".to_owned(), |found| found.to_string()),
    })
}

fn first_difference(edit: &Edit, range: Range<u64>, source: &dyn Source) -> Option<u64> {
    let Content::Bytes(written) = &edit.new else { return None };
    let now = source.get(range.clone())?;
    let differs = written.iter().zip(now.iter()).position(|(one, other)| one != other)?;
    Some(range.start + differs as u64)
}
