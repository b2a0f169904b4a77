//! The undefined symbols of many objects, and which of them the files define that are loaded with the
//! objects. Each name is kept once, and each file is searched once for all names that are still
//! undefined.

use super::symbol_names::{exports, undefined};
use crate::elf::hash::Name;
use crate::hashing::QuickMap;
use crate::loader::FileId;
use crate::vfs::Vfs;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

/// Objects whose names are read before they are added to those of the others: some megabytes of names.
const AT_ONCE: usize = 128;

/// Undefined symbols of objects that were not found yet.
#[derive(Debug, Default)]
pub(super) struct OpenSymbols {
    /// Each name once; the objects have their numbers.
    names: Vec<Arc<[u8]>>,
    /// The symbols of each object that are still undefined.
    open: Vec<Vec<u32>>,
}

impl OpenSymbols {
    /// All undefined symbols of `objects`, of each those that `counts`.
    pub(super) fn of(
        vfs: &dyn Vfs,
        objects: &[&Path],
        counts: impl Fn(usize, &[u8]) -> bool + Sync,
    ) -> Self {
        let mut all = Self::default();
        let mut numbers: QuickMap<Arc<[u8]>, u32> = QuickMap::default();
        for (chunk, first) in objects.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let read = |(index, object): (usize, &&Path)| {
                let mut names = undefined(vfs, object);
                names.retain(|name| counts(first + index, name));
                names
            };
            let read: Vec<Vec<Vec<u8>>> = chunk.par_iter().enumerate().map(read).collect();
            for names in read {
                let numbered = names.into_iter().map(|name| {
                    if let Some(number) = numbers.get(name.as_slice()) {
                        return *number;
                    }
                    let (name, number): (Arc<[u8]>, u32) = (name.into(), all.names.len() as u32);
                    all.names.push(Arc::clone(&name));
                    numbers.insert(name, number);
                    number
                });
                let numbered = numbered.collect();
                all.open.push(numbered);
            }
        }
        all
    }

    /// Removes the symbols that files define: for each object, by its index, the files that are loaded with
    /// it, by device and inode, and with a path of each. Nothing is known of a file that cannot be read, so an object that is loaded with one counts as
    /// having no undefined symbols.
    pub(super) fn look_in<'f, F>(&mut self, vfs: &dyn Vfs, files: &[F])
    where
        F: AsRef<[(FileId, &'f Path)]>,
    {
        let mut askers: QuickMap<FileId, (&Path, Vec<usize>)> = QuickMap::default();
        for (object, files) in files.iter().enumerate().filter(|(it, _)| !self.is_settled(*it)) {
            for (id, file) in files.as_ref() {
                askers.entry(*id).or_insert_with(|| (file, Vec::new())).1.push(object);
            }
        }
        // The files that are loaded with most objects define most of their symbols.
        let mut askers: Vec<(&Path, Vec<usize>)> = askers.into_values().collect();
        askers.sort_unstable_by(|(a, of_a), (b, of_b)| (of_b.len(), a).cmp(&(of_a.len(), b)));
        let names = std::mem::take(&mut self.names);
        let hashed: Vec<Name<'_>> = names.iter().map(|name| Name::new(name)).collect();
        let mut marks = Marks(vec![false; hashed.len()]);
        // As many files as there are threads are searched at the same time.
        for some in askers.chunks(rayon::current_num_threads().max(1)) {
            let asked = some.iter().map(|(file, askers)| (*file, self.asked(askers, &mut marks)));
            let asked: Vec<(&Path, Vec<u32>)> = asked.collect();
            let look = |(file, asked): &(&Path, Vec<u32>)| {
                let names = asked.iter().filter_map(|&number| hashed.get(number as usize).copied());
                let names: Vec<Name<'_>> = names.collect();
                if names.is_empty() { Some(Vec::new()) } else { exports(vfs, file, &names) }
            };
            let found: Vec<Option<Vec<bool>>> = asked.par_iter().map(look).collect();
            for (((_, askers), (_, asked)), found) in some.iter().zip(&asked).zip(found) {
                self.take_out(askers, asked, found.as_deref(), &mut marks);
            }
        }
        drop(hashed);
        self.names = names;
    }

    /// The names that are still undefined in any of the objects, each once.
    fn asked(&self, askers: &[usize], marks: &mut Marks) -> Vec<u32> {
        let open = askers.iter().filter_map(|&asker| self.open.get(asker)).flatten();
        let asked: Vec<u32> = open.copied().filter(|&number| !marks.set(number, true)).collect();
        asked.iter().for_each(|&number| _ = marks.set(number, false));
        asked
    }

    /// Removes the names that a file defines from those that are still undefined, or all of them if the file
    /// cannot be read. `found` is the answer for each name that was `asked`.
    fn take_out(
        &mut self,
        askers: &[usize],
        asked: &[u32],
        found: Option<&[bool]>,
        marks: &mut Marks,
    ) {
        let Some(found) = found else {
            for &asker in askers {
                self.open.get_mut(asker).into_iter().for_each(Vec::clear);
            }
            return;
        };
        let taken = || asked.iter().zip(found).filter(|(_, found)| **found);
        taken().for_each(|(&number, _)| _ = marks.set(number, true));
        for &asker in askers {
            if let Some(open) = self.open.get_mut(asker) {
                open.retain(|&number| !marks.has(number));
            }
        }
        taken().for_each(|(&number, _)| _ = marks.set(number, false));
    }

    /// The names of an object that are still undefined, in the order of its symbols.
    pub(super) fn names(&self, object: usize) -> Vec<Vec<u8>> {
        let open = self.open.get(object).into_iter().flatten();
        open.filter_map(|&number| Some(self.names.get(number as usize)?.to_vec())).collect()
    }

    /// Are all symbols of an object found?
    pub(super) fn is_settled(&self, object: usize) -> bool {
        self.open.get(object).is_none_or(Vec::is_empty)
    }
}

/// A mark for each name, which is only set within one step.
struct Marks(Vec<bool>);

impl Marks {
    fn has(&self, number: u32) -> bool {
        self.0.get(number as usize) == Some(&true)
    }

    /// Marks a name or removes its mark; was it marked before?
    fn set(&mut self, number: u32, marked: bool) -> bool {
        self.0.get_mut(number as usize).is_some_and(|mark| std::mem::replace(mark, marked))
    }
}
