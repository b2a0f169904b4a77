//! The wanted dynamic table and the strings that it refers to, before the positions of the strings are known.

use super::Failure;
use super::headers::Headers;
use super::version_needs::{self, Fate, Record};
use super::wanted::Wanted;
use crate::bytes::Error;
use crate::edit::Edit;
use crate::elf::dynamic_table::{self, Entries, counting, is_search_path, tag_of};
use crate::elf::image::Image;
use crate::elf::search_path::{RpathKind, SearchPath};
use goblin::elf::dynamic;

/// The value of an entry, or of a field that refers to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// This number.
    Known(u64),
    /// The offset of a string, given as its index among the new strings.
    Of(usize),
}

/// A string that must be in the string table.
#[derive(Debug, Clone)]
pub(in crate::elf) struct NewString {
    pub(in crate::elf) bytes: Vec<u8>,
    /// The entry of the old table that refers to the string it replaces.
    pub(in crate::elf) replaces: Option<usize>,
}

/// A dynamic table whose strings have no positions yet.
#[derive(Debug)]
pub(in crate::elf) struct Table {
    entries: Vec<(u64, Value)>,
    strings: Vec<NewString>,
    /// What happens to each record of version needs, if any of them changes.
    versions: Vec<(Record, Fate<Value>)>,
    /// The number of version need records that remain, if it changes.
    version_needs: Option<u32>,
}

impl Table {
    /// The wanted table.
    ///
    /// # Errors
    /// If a table that has to change is malformed.
    pub(in crate::elf) fn of(image: &Image<'_>, wanted: &Wanted) -> Result<Self, Failure> {
        let old = dynamic_table::old_entries(image);
        let entries = old.into_iter().map(|(tag, value)| (tag, Value::Known(value))).collect();
        let mut table =
            Self { entries, strings: Vec::new(), versions: Vec::new(), version_needs: None };
        // The indices of old entries must stay valid, so entries are first changed, then added, and removed
        // last.
        let mut added = Vec::new();
        if let Some(flags) = wanted.flags_1 {
            table.set_last(image, dynamic::DT_FLAGS_1, Value::Known(flags), &mut added);
        }
        if let Some(soname) = &wanted.soname {
            let replaces = image.dynamic().iter().rposition(|it| it.tag == dynamic::DT_SONAME);
            let value = table.string(soname, replaces);
            table.set_last(image, dynamic::DT_SONAME, value, &mut added);
        }
        let gone = match &wanted.needed {
            Some(needed) => table.name_needed(image, needed, &mut added)?,
            None => Vec::new(),
        };
        if wanted.debug {
            added.push((dynamic::DT_DEBUG, Value::Known(0)));
        }
        if let Some(files) = &wanted.version_files {
            table.name_versions(image, files)?;
        }
        let counting = counting(image);
        if let Some(Some(path)) = &wanted.path {
            table.set_search_path(path, counting, &mut added);
        }
        table.leave_out(image, wanted, counting, &gone);
        table.entries.extend(added);
        Ok(table)
    }

    /// A value that refers to a string. Equal strings are stored once.
    fn string(&mut self, bytes: &[u8], replaces: Option<usize>) -> Value {
        if let Some(index) = self.strings.iter().position(|known| known.bytes == bytes) {
            return Value::Of(index);
        }
        self.strings.push(NewString { bytes: bytes.to_vec(), replaces });
        Value::Of(self.strings.len() - 1)
    }

    /// Sets the last entry of a tag, which is the effective one, or adds an entry.
    fn set_last(
        &mut self,
        image: &Image<'_>,
        tag: u64,
        value: Value,
        added: &mut Vec<(u64, Value)>,
    ) {
        let index = image.dynamic().iter().rposition(|entry| entry.tag == tag);
        match index.and_then(|index| self.entries.get_mut(index)) {
            Some(entry) => entry.1 = value,
            None => added.push((tag, value)),
        }
    }

    /// Assigns these names to the entries of `DT_NEEDED`, in order. Returns the surplus entries.
    fn name_needed(
        &mut self,
        image: &Image<'_>,
        needed: &[Vec<u8>],
        added: &mut Vec<(u64, Value)>,
    ) -> Result<Vec<usize>, Error> {
        let places = image.dynamic().iter().enumerate();
        let places: Vec<usize> =
            places.filter(|(_, it)| it.tag == dynamic::DT_NEEDED).map(|(at, _)| at).collect();
        let old = image.needed()?;
        for (number, name) in needed.iter().enumerate() {
            if old.get(number) == Some(name) {
                continue;
            }
            let place = places.get(number).copied();
            // A name that another entry has is already in the table.
            let known = old.iter().position(|old| old == name).and_then(|at| places.get(at));
            let value = match known.and_then(|&at| image.dynamic().get(at)) {
                Some(entry) => Value::Known(entry.value),
                // Never overwrite the string of another name, which may only have moved to another entry.
                None => self.string(name, None),
            };
            match place.and_then(|place| self.entries.get_mut(place)) {
                Some(entry) => entry.1 = value,
                None => added.push((dynamic::DT_NEEDED, value)),
            }
        }
        Ok(places.into_iter().skip(needed.len()).collect())
    }

    /// Renames the files of the version need records, or removes records.
    fn name_versions(
        &mut self,
        image: &Image<'_>,
        files: &[Option<Vec<u8>>],
    ) -> Result<(), Failure> {
        let records = version_needs::records(image)?;
        let (old, needed) = (image.version_needs()?, image.needed()?);
        let all = image.dynamic().iter().filter(|entry| entry.tag == dynamic::DT_NEEDED);
        let values: Vec<u64> = all.map(|entry| entry.value).collect();
        for (index, record) in records.into_iter().enumerate() {
            let stays = || old.get(index).map(|need| &need.file);
            let fate = match files.get(index) {
                None => Fate::Stays,
                Some(None) => Fate::Goes,
                Some(Some(file)) if stays() == Some(file) => Fate::Stays,
                Some(Some(file)) => {
                    let known = needed.iter().position(|needed| needed == file);
                    Fate::Renamed(match known.and_then(|at| values.get(at)) {
                        Some(&value) => Value::Known(value),
                        None => self.string(file, None),
                    })
                }
            };
            self.versions.push((record, fate));
        }
        let is_kept = |fate: &Fate<Value>| *fate != Fate::Goes;
        let count = self.versions.iter().filter(|(_, fate)| is_kept(fate)).count();
        self.version_needs = (count < self.versions.len()).then_some(count as u32);
        Ok(())
    }

    /// Writes the search path to the effective entry.
    fn set_search_path(
        &mut self,
        path: &SearchPath,
        counting: Option<(usize, RpathKind)>,
        added: &mut Vec<(u64, Value)>,
    ) {
        let tag = tag_of(path.kind);
        let index = counting.map(|(index, _)| index);
        let value = self.string(&path.entries.join(&b':'), index);
        match index.and_then(|index| self.entries.get_mut(index)) {
            Some(entry) => *entry = (tag, value),
            None => added.push((tag, value)),
        }
    }

    /// Removes entries: search paths that would take precedence over the new one, libraries that are no
    /// longer needed, and the tags of version needs if no record remains.
    fn leave_out(
        &mut self,
        image: &Image<'_>,
        wanted: &Wanted,
        counting: Option<(usize, RpathKind)>,
        gone: &[usize],
    ) {
        // A remaining DT_RUNPATH would disable the DT_RPATH, and of several DT_RPATH entries the last one is
        // effective.
        let only = match (&wanted.path, counting) {
            (Some(None), _) => Some(None),
            (Some(Some(path)), Some((index, RpathKind::Runpath)))
                if path.kind == RpathKind::Rpath =>
            {
                Some(Some(index))
            }
            _ => None,
        };
        let version_needs = self.version_needs;
        let drops = Headers::of(image, wanted, version_needs).drops_versions();
        let mut places = 0..;
        self.entries.retain_mut(|(tag, value)| {
            let place = places.next();
            if *tag == dynamic::DT_VERNEEDNUM
                && let Some(count) = version_needs
            {
                *value = Value::Known(count.into());
            }
            let is_needless = match *tag {
                dynamic::DT_VERNEED | dynamic::DT_VERNEEDNUM => version_needs == Some(0),
                dynamic::DT_VERSYM => drops,
                _ => false,
            };
            let is_other_path = is_search_path(*tag) && only.is_some_and(|stays| stays != place);
            !is_needless && !is_other_path && !place.is_some_and(|it| gone.contains(&it))
        });
    }

    /// The strings, in the order of their indices.
    pub(in crate::elf) fn strings(&self) -> &[NewString] {
        &self.strings
    }

    /// The number of entries.
    pub(in crate::elf) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The changes that the headers need in addition.
    pub(in crate::elf) fn headers(&self, image: &Image<'_>, wanted: &Wanted) -> Headers {
        Headers::of(image, wanted, self.version_needs)
    }

    /// The entries, given the offsets of the strings in the string table.
    pub(in crate::elf) fn entries(&self, offsets: &[u64]) -> Entries {
        self.entries.iter().map(|&(tag, value)| (tag, placed(value, offsets))).collect()
    }

    /// The edits of the version records, given the offsets of the strings in the string table.
    ///
    /// # Errors
    /// If the records cannot be changed.
    pub(in crate::elf) fn version_edits(
        &self,
        image: &Image<'_>,
        offsets: &[u64],
    ) -> Result<Vec<Edit>, Failure> {
        let (records, fates): (Vec<Record>, Vec<Fate<u64>>) = self
            .versions
            .iter()
            .map(|(record, fate)| {
                let fate = match *fate {
                    Fate::Stays => Fate::Stays,
                    Fate::Goes => Fate::Goes,
                    Fate::Renamed(value) => Fate::Renamed(placed(value, offsets)),
                };
                (record.clone(), fate)
            })
            .unzip();
        version_needs::edits(image, &records, &fates)
    }
}

fn placed(value: Value, offsets: &[u64]) -> u64 {
    match value {
        Value::Known(value) => value,
        Value::Of(index) => offsets.get(index).copied().unwrap_or(0),
    }
}
