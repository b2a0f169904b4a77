//! Determines which operations are in effect for which file. A revert cancels other operations, and a revert
//! of that revert reinstates them.

use super::journal::{Record, Step};
use crate::plan::RelativePath;
use std::collections::BTreeMap;

/// The operations of a store, by the names that they changed.
pub(super) struct History {
    records: Vec<Record>,
    names: BTreeMap<RelativePath, Vec<Position>>,
}

struct Position {
    record: usize,
    step: usize,
    in_effect: bool,
}

/// What one operation did to one name.
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    pub(super) step: &'a Step,
    /// The index of the operation in the store, and of the step in the operation.
    pub(super) position: (usize, usize),
    /// Is it not reverted?
    pub(super) in_effect: bool,
}

impl Entry<'_> {
    /// Is it a change that is in effect, and not itself a revert?
    pub(super) fn counts(&self) -> bool {
        self.in_effect && self.step.reverts.is_empty()
    }
}

impl History {
    /// The history of all operations, oldest first.
    pub(super) fn of(records: Vec<Record>) -> Self {
        let mut names: BTreeMap<RelativePath, Vec<Position>> = BTreeMap::new();
        for (record, operation) in records.iter().enumerate() {
            for (step, change) in operation.steps.iter().enumerate() {
                for name in change.names() {
                    let position = Position { record, step, in_effect: true };
                    names.entry(name.clone()).or_default().push(position);
                }
            }
        }
        for positions in names.values_mut() {
            let mut reverted = std::collections::BTreeSet::new();
            for position in positions.iter_mut().rev() {
                let Some(record) = records.get(position.record) else { continue };
                position.in_effect = !reverted.contains(&record.id);
                if let (true, Some(step)) = (position.in_effect, record.steps.get(position.step)) {
                    reverted.extend(&step.reverts);
                }
            }
        }
        Self { records, names }
    }

    /// Is there an operation with this ID?
    pub(super) fn has(&self, id: &str) -> bool {
        self.records.iter().any(|record| record.id == id)
    }

    /// Every name that was ever changed, with its changes, oldest first.
    pub(super) fn names(&self) -> impl Iterator<Item = (&RelativePath, Vec<Entry<'_>>)> {
        self.names.iter().map(|(name, positions)| {
            let entries = positions.iter().filter_map(|position| {
                let record = self.records.get(position.record)?;
                Some(Entry {
                    id: &record.id,
                    step: record.steps.get(position.step)?,
                    position: (position.record, position.step),
                    in_effect: position.in_effect,
                })
            });
            (name, entries.collect())
        })
    }
}
