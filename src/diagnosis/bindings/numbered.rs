//! Things that are named many times, and kept once.

use crate::hashing::QuickMap;
use std::borrow::Borrow;
use std::hash::Hash;

/// Each of many things once, by a number.
#[derive(Debug, Clone)]
pub(super) struct Numbered<T> {
    all: Vec<T>,
    numbers: QuickMap<T, u32>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self { all: Vec::new(), numbers: QuickMap::default() }
    }
}

impl<T: Hash + Eq + Clone> Numbered<T> {
    /// The number of a thing, which it gets now where it has none.
    pub(super) fn number<Q>(&mut self, thing: &Q) -> u32
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(number) = self.numbers.get(thing) {
            return *number;
        }
        // Four thousand million paths do not fit into memory.
        let number = self.all.len() as u32;
        self.all.push(thing.to_owned());
        self.numbers.insert(thing.to_owned(), number);
        number
    }

    /// The number of a thing, where it has one.
    pub(super) fn known<Q>(&self, thing: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.numbers.get(thing).copied()
    }

    /// The thing of that number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.all.get(number as usize)
    }

    /// Everything, by its numbers.
    pub(super) fn all(&self) -> &[T] {
        &self.all
    }

    /// The numbers that others give to what is here, by the numbers here.
    pub(super) fn numbers_in(&self, other: &Self) -> Vec<Option<u32>> {
        self.all.iter().map(|thing| other.numbers.get(thing).copied()).collect()
    }
}
