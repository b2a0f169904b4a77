//! What is loaded in a process, by name, soname and file (glibc's `struct link_map`).

use super::files::Fatal;
use super::{Dependency, FileId, LoadedObject, Resolution};
use crate::hashing::QuickMap;
use std::path::Path;
use std::sync::Arc;

/// What is loaded: the objects from before, and the new ones.
pub(super) struct LinkMap<'m> {
    pub(super) base: &'m [&'m Resolution],
    pub(super) own: Vec<LoadedObject>,
    /// Indices over base and own together.
    pub(super) names: QuickMap<Arc<[u8]>, usize>,
    /// `DT_SONAME`, which with glibc becomes a name of an object when it is requested.
    pub(super) sonames: QuickMap<Arc<[u8]>, usize>,
    pub(super) ids: QuickMap<FileId, usize>,
}

/// As many objects are usually loaded with one; maps that grow to that are filled several times.
const USUAL: usize = 32;

fn quick_map<K, V>(capacity: usize) -> QuickMap<K, V> {
    QuickMap::with_capacity_and_hasher(capacity, <_>::default())
}

impl<'m> LinkMap<'m> {
    /// The index of the main program.
    pub(super) const MAIN: usize = 0;

    pub(super) fn new(base: &'m [&'m Resolution]) -> Self {
        Self::of_namespace(base, &|_| true)
    }

    /// That of one namespace of a process (`dlmopen`): an object in another one, by the index of its
    /// resolution, can request libraries and provides its search paths, but is not found as loaded.
    pub(super) fn of_namespace(base: &'m [&'m Resolution], is_in: &dyn Fn(usize) -> bool) -> Self {
        let mut map = Self {
            base,
            own: Vec::with_capacity(USUAL),
            names: quick_map(2 * USUAL),
            sonames: quick_map(USUAL),
            ids: quick_map(USUAL),
        };
        let mut offset = 0;
        for (number, resolution) in base.iter().enumerate() {
            if !is_in(number) {
                offset += resolution.objects.len();
                continue;
            }
            for (name, index) in &resolution.names {
                map.names.entry(Arc::clone(name)).or_insert(offset + index);
            }
            for (name, index) in &resolution.sonames {
                map.sonames.entry(Arc::clone(name)).or_insert(offset + index);
            }
            for (index, object) in resolution.objects.iter().enumerate() {
                // The loader does not know the main program's inode.
                if offset + index != Self::MAIN {
                    map.ids.entry(object.id).or_insert(offset + index);
                }
            }
            offset += resolution.objects.len();
        }
        map
    }

    /// The resolution that an index belongs to, and where that one begins.
    pub(super) fn part(&self, index: usize) -> (usize, &[LoadedObject]) {
        let mut offset = 0;
        for resolution in self.base {
            if index < offset + resolution.objects.len() {
                return (offset, &resolution.objects);
            }
            offset += resolution.objects.len();
        }
        (offset, &self.own)
    }

    pub(super) fn get(&self, index: usize) -> Option<&LoadedObject> {
        let (offset, objects) = self.part(index);
        objects.get(index - offset)
    }

    /// The object that is known by a name (`_dl_name_match_p`).
    pub(super) fn named(&self, name: &[u8]) -> Option<&LoadedObject> {
        self.names.get(name).and_then(|&index| self.get(index))
    }

    /// The object for a name: one that is known by it, or that has it as a soname and is also known
    /// by that from now on.
    pub(super) fn serving(&mut self, name: &[u8]) -> Option<usize> {
        if let Some(&index) = self.names.get(name) {
            return Some(index);
        }
        let (name, &index) = self.sonames.get_key_value(name)?;
        self.names.insert(Arc::clone(name), index);
        Some(index)
    }

    /// Everything that is loaded, in order.
    pub(super) fn objects(&self) -> impl Iterator<Item = &LoadedObject> {
        self.base.iter().flat_map(|resolution| &resolution.objects).chain(&self.own)
    }

    /// Is an object opened in a running process?
    pub(super) fn is_running(&self) -> bool {
        !self.base.is_empty()
    }

    pub(super) fn base_len(&self) -> usize {
        self.base.iter().map(|resolution| resolution.objects.len()).sum()
    }

    /// The objects whose `DT_RPATH` is used for what `asker` needs: itself, those that loaded it up
    /// to one that was opened, and last the main program.
    pub(super) fn rpath_chain(&self, asker: Option<usize>) -> Vec<usize> {
        let mut chain = self.loaders(asker);
        if !chain.contains(&Self::MAIN) {
            chain.push(Self::MAIN);
        }
        chain
    }

    /// An object, the one that loaded it, and so on up to one that no object needs: the main
    /// program, or what was preloaded or opened.
    pub(super) fn loaders(&self, asker: Option<usize>) -> Vec<usize> {
        std::iter::successors(asker, |&index| {
            let (offset, objects) = self.part(index);
            Some(offset + objects.get(index - offset)?.requested_by?)
        })
        .collect()
    }

    /// Was an object loaded when the program started?
    pub(super) fn is_of_start(&self, index: usize) -> bool {
        self.part(index).0 == 0
    }

    /// The object that was loaded by `path`.
    pub(super) fn at(&self, path: &Path) -> Option<&LoadedObject> {
        let base = self.base.iter().flat_map(|resolution| &resolution.objects);
        // Paths are compared by their components, which takes long: only of files of that name.
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        base.chain(&self.own).find(|object| {
            object.path.as_os_str().as_encoded_bytes().ends_with(name) && *object.path == *path
        })
    }

    /// Adds an object that is known by `names`, and returns its index.
    pub(super) fn push(
        &mut self,
        object: LoadedObject,
        names: impl IntoIterator<Item = Arc<[u8]>>,
        match_id: bool,
    ) -> usize {
        let index = self.base_len() + self.own.len();
        for name in names {
            self.names.entry(name).or_insert(index);
        }
        if let Some(soname) = &object.names.soname {
            self.sonames.entry(Arc::clone(soname)).or_insert(index);
        }
        if match_id {
            self.ids.entry(object.id).or_insert(index);
        }
        self.own.push(object);
        index
    }

    pub(super) fn into_resolution(
        self,
        root: Dependency,
        preload: Vec<Dependency>,
        refused: Vec<Fatal>,
    ) -> Resolution {
        let base_len = self.base_len();
        let own = |mut names: QuickMap<Arc<[u8]>, usize>| {
            names.retain(|_, at| at.checked_sub(base_len).map(|own| *at = own).is_some());
            names
        };
        Resolution {
            root,
            preload,
            refused,
            names: own(self.names),
            sonames: own(self.sonames),
            objects: self.own,
        }
    }
}
