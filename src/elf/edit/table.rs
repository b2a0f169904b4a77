//! The dynamic table that an object is to have, and the strings that it names, before it is known where
//! they will stand.

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

/// The value of an entry, or of a field that names a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// This number.
    Known(u64),
    /// The offset of a string, by its place among the new ones.
    Of(usize),
}

/// A string that has to stand in the string table.
#[derive(Debug, Clone)]
pub(in crate::elf) struct NewString {
    pub(in crate::elf) bytes: Vec<u8>,
    /// The entry of the old table that names what it replaces.
    pub(in crate::elf) replaces: Option<usize>,
}

/// A dynamic table with strings that have no place yet.
#[derive(Debug)]
pub(in crate::elf) struct Table {
    entries: Vec<(u64, Value)>,
    strings: Vec<NewString>,
    /// The records of version needs, if any of them changes, with what becomes of each.
    versions: Vec<(Record, Fate<Value>)>,
    /// How many records of version needs stay, where that changes.
    version_needs: Option<u32>,
}

impl Table {
    /// The table that is wanted.
    ///
    /// # Errors
    /// Where a table that has to change is malformed.
    pub(in crate::elf) fn of(image: &Image<'_>, wanted: &Wanted) -> Result<Self, Failure> {
        let old = dynamic_table::old_entries(image);
        let entries = old.into_iter().map(|(tag, value)| (tag, Value::Known(value))).collect();
        let mut table =
            Self { entries, strings: Vec::new(), versions: Vec::new(), version_needs: None };
        // Places of old entries have to hold: what changes entries comes before what adds some, and what
        // removes some last.
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

    /// A value that names a string; one that is wanted twice is one string.
    fn string(&mut self, bytes: &[u8], replaces: Option<usize>) -> Value {
        if let Some(index) = self.strings.iter().position(|known| known.bytes == bytes) {
            return Value::Of(index);
        }
        self.strings.push(NewString { bytes: bytes.to_vec(), replaces });
        Value::Of(self.strings.len() - 1)
    }

    /// Sets the last entry of a tag, the one that counts, or adds one.
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

    /// Gives the entries of `DT_NEEDED` these names, one after the other. The entries that are left over are
    /// returned.
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
            // A name that another entry has is there already.
            let known = old.iter().position(|old| old == name).and_then(|at| places.get(at));
            let value = match known.and_then(|&at| image.dynamic().get(at)) {
                Some(entry) => Value::Known(entry.value),
                // Never over the string of another name, which may only have got another place.
                None => self.string(name, None),
            };
            match place.and_then(|place| self.entries.get_mut(place)) {
                Some(entry) => entry.1 = value,
                None => added.push((dynamic::DT_NEEDED, value)),
            }
        }
        Ok(places.into_iter().skip(needed.len()).collect())
    }

    /// Has the records of version needs name these files, or go.
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

    /// Puts the search path into the entry that counts.
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

    /// Removes entries: search paths that would count instead of the new one, libraries that are no longer
    /// needed, and the table of version needs if it is empty.
    fn leave_out(
        &mut self,
        image: &Image<'_>,
        wanted: &Wanted,
        counting: Option<(usize, RpathKind)>,
        gone: &[usize],
    ) {
        // Any DT_RUNPATH that stays would switch the DT_RPATH off, and of several DT_RPATH the
        // last one counts.
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

    /// The strings, in the order of their places.
    pub(in crate::elf) fn strings(&self) -> &[NewString] {
        &self.strings
    }

    /// How many entries there are.
    pub(in crate::elf) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the headers have to tell besides.
    pub(in crate::elf) fn headers(&self, image: &Image<'_>, wanted: &Wanted) -> Headers {
        Headers::of(image, wanted, self.version_needs)
    }

    /// The entries, where the strings are at these offsets of the string table.
    pub(in crate::elf) fn entries(&self, offsets: &[u64]) -> Entries {
        self.entries.iter().map(|&(tag, value)| (tag, placed(value, offsets))).collect()
    }

    /// The edits of version records, where the strings are at these offsets of the string table.
    ///
    /// # Errors
    /// Where the records cannot be changed.
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
