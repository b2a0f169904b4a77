//! The search for one name (`Loader::getLoader`).

use super::Dyld;
use super::expand::{Expanded, Expansion, Link};
use super::files::{Candidate, Probe};
use super::process::{Attempt, LoadedImage};
use super::shared_cache;
use super::variants::{Asker, Place, leaf, variants};
use crate::loader::{Rule, SearchStep, StepOutcome};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longer chains of real paths are a loop.
const MAX_RETRIES: usize = 8;

/// What is loaded when a search begins.
#[derive(Clone, Copy)]
pub(super) struct Loaded<'m> {
    pub(super) images: &'m [Arc<LoadedImage>],
    pub(super) fresh: &'m [LoadedImage],
    pub(super) cached: &'m BTreeSet<Vec<u8>>,
}

impl<'m> Loaded<'m> {
    pub(super) fn iter(self) -> impl Iterator<Item = (usize, &'m LoadedImage)> {
        self.images.iter().map(|image| &**image).chain(self.fresh).enumerate()
    }

    pub(super) fn get(self, index: usize) -> Option<&'m LoadedImage> {
        match index.checked_sub(self.images.len()) {
            Some(fresh) => self.fresh.get(fresh),
            None => self.images.get(index).map(|image| &**image),
        }
    }
}

/// A requested name, and the requester.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query<'q> {
    /// The requested name.
    pub(super) name: &'q [u8],
    /// Is it a load command's, and no `dlopen`?
    pub(super) is_linked: bool,
    /// Does the requester's SDK use the default fallbacks?
    pub(super) needs_fallbacks: bool,
    /// The images on the chain, the requester first, the main program last.
    pub(super) chain: &'q [usize],
    /// The main program.
    pub(super) main: Option<usize>,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Hit {
    /// An image that is loaded already.
    Loaded(usize),
    /// A library of the shared cache.
    Cached(Vec<u8>),
    /// A file that is to be loaded.
    File(Arc<Candidate>),
}

/// The result of a search.
#[derive(Debug, Default)]
pub(super) struct Search {
    pub(super) hit: Option<Hit>,
    pub(super) rule: Option<Rule>,
    pub(super) via: Option<PathBuf>,
    pub(super) attempts: Vec<Attempt>,
}

impl Dyld<'_> {
    /// Looks for a name.
    pub(super) fn search(&self, loaded: Loaded<'_>, query: Query<'_>) -> Search {
        let mut search = Search::default();
        let name = query.name;
        let is_leaf = !name.contains(&b'/');
        // An image that is loaded under this name is used without a search.
        let shortcut = match name {
            [b'@', ..] if name.starts_with(b"@rpath/") => Some(name.to_vec()),
            [b'/', ..] if query.is_linked => Some(name.to_vec()),
            [b'@' | b'/', ..] => None,
            _ if !query.is_linked && is_leaf => Some([b"@rpath/", name].concat()),
            _ => None,
        };
        if let Some(known) = shortcut.and_then(|name| known_as(loaded, &name)) {
            let (index, rule) = known;
            (search.hit, search.rule) = (Some(Hit::Loaded(index)), Some(rule));
            return search;
        }
        let mut name = name.to_vec();
        for _ in 0..MAX_RETRIES {
            self.search_variants(loaded, Query { name: &name, ..query }, &mut search);
            if search.hit.is_some() {
                return search;
            }
            match self.real_name(&name, query.is_linked) {
                Some(real) => name = real,
                None => break,
            }
        }
        search
    }

    fn search_variants(&self, loaded: Loaded<'_>, query: Query<'_>, search: &mut Search) {
        let name = query.name;
        let version = self.system.version;
        let is_slashed = name.contains(&b'/') && super::variants::framework_part(name).is_none();
        let asker = Asker {
            needs_fallbacks: query.needs_fallbacks || version.falls_back_for_all(),
            skips_fallbacks: !query.is_linked && is_slashed && !version.falls_back_for_slashes(),
        };
        let chain: Vec<Link<'_>> = query
            .chain
            .iter()
            .filter_map(|&index| loaded.get(index))
            .map(|image| Link { path: &image.path, rpaths: &image.summary.rpaths })
            .collect();
        let expansion = Expansion {
            version,
            hardened: self.settings.hardened,
            executable: query
                .main
                .and_then(|main| loaded.get(main))
                .map(|main| main.path.as_path()),
            chain: &chain,
        };
        for (place, variant) in variants(name, version, &self.settings, asker) {
            let is_relative = !matches!(name.first(), Some(b'/' | b'@'));
            let mut paths = Vec::new();
            let mut add = |place, expanded: Vec<Expanded>| {
                paths.extend(expanded.into_iter().map(|expanded| (place, expanded)));
            };
            if !query.is_linked && place == Place::Raw && is_relative {
                // A relative name that is opened is an @rpath name too, and may be in /usr/lib.
                add(place, expansion.expand(&[b"@rpath/", name].concat()));
                let standard = [b"/usr/lib/", name].concat();
                add(Place::Fallback, vec![Expanded { path: standard, rule: None, via: None }]);
                if !self.settings.hardened {
                    add(place, vec![Expanded { path: variant, rule: None, via: None }]);
                }
            } else {
                add(place, expansion.expand(&variant));
            }
            for (place, expanded) in paths {
                self.look_at(loaded, query, place, expanded, search);
                if search.hit.is_some() {
                    return;
                }
            }
        }
    }

    /// Examines one place, and records the result.
    fn look_at(
        &self,
        loaded: Loaded<'_>,
        query: Query<'_>,
        place: Place,
        expanded: Expanded,
        search: &mut Search,
    ) {
        let rule = expanded.rule.unwrap_or(match place {
            Place::LibraryPath => Rule::DyldLibraryPath,
            Place::FrameworkPath => Rule::DyldFrameworkPath,
            Place::OnDisk | Place::Raw => Rule::Direct,
            Place::Cryptex => Rule::Cryptex,
            Place::Fallback => Rule::DyldFallback,
        });
        let path = expanded.path;
        let found = self.probe(loaded, query, place, &path);
        let (outcome, note) = match found {
            Ok((hit, instead)) => {
                (search.hit, search.rule) = (Some(hit), Some(instead.unwrap_or(rule)));
                search.via.clone_from(&expanded.via);
                (StepOutcome::Found, String::new())
            }
            Err(refused) => refused,
        };
        let path = PathBuf::from(OsString::from_vec(path));
        let step = SearchStep { path, rule, via: expanded.via, outcome };
        search.attempts.push(Attempt { step, note });
    }

    /// What is found in a place, with the rule that describes it better than the place; or why
    /// nothing is found, in dyld's words.
    fn probe(
        &self,
        loaded: Loaded<'_>,
        query: Query<'_>,
        place: Place,
        path: &[u8],
    ) -> Result<(Hit, Option<Rule>), (StepOutcome, String)> {
        if let Some((index, rule)) = known_as(loaded, path) {
            return Ok((Hit::Loaded(index), Some(rule)));
        }
        let is_relative = path.first() != Some(&b'/');
        if self.settings.hardened && is_relative {
            let words = "relative path not allowed in hardened program";
            return Err((StepOutcome::Absent, words.into()));
        }
        let may_be_cached = place != Place::OnDisk && shared_cache::may_hold(path);
        match self.files.probe(&self.settings.working_directory.join(OsStr::from_bytes(path))) {
            Probe::Found(candidate) => {
                let same = loaded.iter().find(|(_, image)| image.id == candidate.id);
                Ok(match same {
                    Some((index, _)) => (Hit::Loaded(index), None),
                    None => (Hit::File(candidate), None),
                })
            }
            Probe::Refused(outcome, words) => Err((outcome, words)),
            _ if may_be_cached
                && (loaded.cached.contains(path) || shared_cache::holds(path, query.name)) =>
            {
                Ok((Hit::Cached(path.to_vec()), Some(Rule::SharedCache)))
            }
            absent => {
                let what = match absent {
                    Probe::NotAFile => "not a file",
                    _ => "no such file",
                };
                let cache = match may_be_cached && self.system.version.mentions_cache() {
                    true => ", not in dyld cache",
                    false => "",
                };
                Err((StepOutcome::Absent, format!("{what}{cache}")))
            }
        }
    }

    /// The real path of a name that was not found, if it justifies another search: a name whose
    /// directory is a link, or has `..`. Its last component need not exist.
    fn real_name(&self, name: &[u8], is_linked: bool) -> Option<Vec<u8>> {
        let is_relative = name.first() != Some(&b'/');
        let is_opened_leaf = !is_linked && !name.contains(&b'/');
        if name.first() == Some(&b'@') || (self.settings.hardened && is_relative) || is_opened_leaf
        {
            return None;
        }
        let path = self.settings.working_directory.join(OsStr::from_bytes(name));
        let vfs = self.files.vfs;
        let real = vfs.canonicalize(&path).or_else(|_| {
            let directory = vfs.canonicalize(path.parent().unwrap_or(Path::new("/")))?;
            Ok::<_, std::io::Error>(directory.join(OsStr::from_bytes(leaf(name))))
        });
        let real = real.ok()?.into_os_string().into_vec();
        (!name.starts_with(&real)).then_some(real)
    }
}

/// The first image that is known by a name, and how.
fn known_as(loaded: Loaded<'_>, name: &[u8]) -> Option<(usize, Rule)> {
    loaded.iter().find_map(|(index, image)| Some((index, image.known_as(name)?)))
}
