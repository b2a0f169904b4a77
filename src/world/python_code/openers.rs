//! Which libraries the code of packages opens by names and paths that do not stand beside the call.

use super::{File, Package, PythonCode, SourceLine};
use crate::python::sources::{OPENERS, Opened, Opening, Source};
use crate::world::inventory::Object;
use crate::world::makers::Maker;
use memchr::memmem;

impl PythonCode<'_> {
    /// Does the code of an object's own distribution pass the name of a library, with or without its ending, to
    /// some function? Such code opens libraries by paths that constants do not show.
    #[must_use]
    pub fn hands_over(&self, object: &Object, library: &[u8]) -> bool {
        let Ok(library) = str::from_utf8(library) else { return false };
        let stem = library.split('.').next().unwrap_or(library);
        let names = |source: &Source| source.handed.iter().any(|it| it == library || it == stem);
        let opens = |source: &Source| source.openings.iter().any(|it| it.what == Opened::Unknown);
        self.remembered(object, library, |package| {
            self.any_holding(package, &[stem], names) && self.any_holding(package, &OPENERS, opens)
        })
    }

    /// The answer to a question about a name and the code of an object's own distribution. Many objects of a
    /// distribution lack the same library.
    fn remembered(&self, object: &Object, name: &str, ask: impl FnOnce(&Package) -> bool) -> bool {
        let Some(maker) = self.world.maker(object) else { return false };
        let question = (maker, name.to_owned());
        if let Some(known) = self.handed.borrow().get(&question) {
            return *known;
        }
        let answer = self.package(&question.0).is_some_and(|package| ask(&package));
        self.handed.borrow_mut().insert(question, answer);
        answer
    }

    /// Does any file of a package meet a condition, among those that contain one of these words? The shortest files
    /// are parsed first, and parsing stops once one does.
    fn any_holding(
        &self,
        package: &Package,
        words: &[&str],
        is_it: impl Fn(&Source) -> bool,
    ) -> bool {
        /// How many files are parsed at once: each time a thread is started.
        const AT_ONCE: usize = 8;
        let finders: Vec<_> = words.iter().map(memmem::Finder::new).collect();
        let holds = |file: &&File| finders.iter().any(|it| it.find(&file.bytes).is_some());
        let mut files: Vec<&File> = package.files.iter().filter(holds).collect();
        files.sort_by_key(|file| file.bytes.len());
        files.chunks(AT_ONCE).any(|files| {
            self.parse(files);
            files.iter().filter_map(|file| file.source()).any(&is_it)
        })
    }

    /// Does the code of an object's own distribution open libraries of other distributions through
    /// `cuda.pathfinder`?
    #[must_use]
    pub fn opens_installed(&self, object: &Object) -> bool {
        const CALL: &str = "load_nvidia_dynamic_lib";
        let opens = |source: &Source| source.openings.iter().any(|it| it.what == Opened::Installed);
        self.remembered(object, CALL, |package| self.any_holding(package, &[CALL], opens))
    }

    /// Where the code of an installed distribution opens a library by that name alone, for which the loader
    /// searches.
    #[must_use]
    pub fn opener_by_name(&self, library: &str) -> Option<SourceLine> {
        let all = (0..self.world.inventory.distributions.len()).map(Maker::Distribution);
        all.filter_map(|maker| self.package(&maker)).find_map(|package| {
            self.holding(&package, library).into_iter().find_map(|file| {
                let openings = file.source().into_iter().flat_map(|source| &source.openings);
                let is_it = |opening: &&Opening| {
                    matches!(&opening.what, Opened::Name(name) if name == library)
                };
                openings.filter(is_it).map(|opening| file.at(opening.standing)).next()
            })
        })
    }
}
