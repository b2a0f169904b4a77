//! Words in a distribution's code: names of modules, and of files that it may open.

use super::{File, PythonCode, SourceLine};
use crate::python::sources::Standing;
use crate::world::inventory::Object;
use crate::world::makers::Maker;
use crate::world::object_names::stem;
use memchr::memmem::{self, Finder};
use std::collections::BTreeSet;
use std::path::Path;

/// What code says if it does not find a library.
const RAISING: [&str; 3] = ["raise ImportError", "raise OSError", "raise EnvironmentError"];

/// A library that code looks for.
pub struct Demand {
    /// The names that do for one another, without `lib` and the ending, or whole.
    pub names: Vec<String>,
    /// Where the first is looked for.
    pub line: SourceLine,
}

impl PythonCode<'_> {
    /// Does the code of a distribution look for a library with `ctypes.util.find_library`, by its name
    /// without `lib` and the ending?
    #[must_use]
    pub fn searches_for(&self, maker: &Maker, name: &str) -> bool {
        self.package(maker).is_some_and(|package| {
            let files = self.holding(&package, "find_library").into_iter();
            let mut searched = files.filter_map(File::source).flat_map(|it| &it.searched);
            searched.any(|(searched, _)| searched == name)
        })
    }

    /// The libraries that a distribution's code looks for with `find_library` whenever it is imported, in a file that
    /// raises an error of a library or a module.
    #[must_use]
    pub fn demanded(&self, maker: &Maker, name: &str) -> Vec<Demand> {
        let Some(package) = self.package(maker).filter(|it| !it.is_partly_unread) else {
            return Vec::new();
        };
        let holds = |file: &File, words: &[&str]| {
            words.iter().any(|word| Finder::new(word).find(&file.bytes).is_some())
        };
        let asks = |file: &File| holds(file, &["find_library"]) && holds(file, &RAISING);
        if !package.files.iter().any(asks) {
            return Vec::new();
        }
        let sure = self.surely_imported(&package, name);
        let demands = sure.into_iter().filter(|file| asks(file)).filter_map(|file| {
            let source = file.source()?;
            let is_caught =
                |standing: Standing| standing.catches_os_error || standing.catches_import_error;
            let mut sure = source.searched.iter().filter(|(_, it)| it.is_sure());
            let (_, first) = sure.next().filter(|(_, it)| !is_caught(*it))?;
            let opened = source.openings.iter().filter_map(|it| it.what.file_name());
            // It may try another name where the first one is not found.
            let names = source.searched.iter().map(|(name, _)| name.clone());
            let names = names.chain(opened.map(str::to_owned)).collect();
            Some(Demand { names, line: file.at(*first) })
        });
        demands.collect()
    }

    /// Is a word anywhere in the code of a distribution? Code that is not read may contain it.
    #[must_use]
    pub fn mentions(&self, maker: &Maker, word: &str) -> bool {
        let finder = Finder::new(word);
        self.any_file(maker, |file| finder.find(&file.bytes).is_some())
    }

    /// Does the code of a distribution contain a word where it may be the name of a library, except where it only
    /// asks whether such a file exists? Code that is not read may contain it.
    #[must_use]
    pub fn names_file(&self, maker: &Maker, word: &str) -> bool {
        let finder = Finder::new(word);
        self.any_file(maker, |file| {
            let count = names(&finder, &file.bytes);
            let optional = || {
                self.parse(&[file]);
                let texts = file.source().into_iter().flat_map(|source| &source.optional);
                texts.map(|text| names(&finder, text.as_bytes())).sum()
            };
            count > 0 && count > optional()
        })
    }

    /// Does a source file of a module's distribution have the names of several libraries, and none of these?
    #[must_use]
    pub fn lists_others(&self, module: &Object, file: &Path, these: &[&[u8]]) -> bool {
        let Some(package) = self.world.maker(module).and_then(|maker| self.package(&maker)) else {
            return false;
        };
        let Some(file) = package.files.iter().find(|it| it.path == file) else { return false };
        let stems = stems(&file.bytes);
        let is_listed = |library: &&[u8]| stems.contains(stem(library));
        stems.len() >= SEVERAL && !these.iter().any(is_listed)
    }

    fn any_file(&self, maker: &Maker, is_it: impl Fn(&File) -> bool) -> bool {
        self.package(maker)
            .is_none_or(|package| package.is_partly_unread || package.files.iter().any(is_it))
    }
}

/// As many names of libraries are a list.
const SEVERAL: usize = 3;

/// The names of libraries in quotes in a text, as far as their `.so`.
fn stems(text: &[u8]) -> BTreeSet<&[u8]> {
    let stems = memmem::find_iter(text, b".so").map(|at| stem_before(text, at));
    stems.filter(|stem| stem.starts_with(b"lib")).collect()
}

/// The word that ends at a position.
fn stem_before(text: &[u8], end: usize) -> &[u8] {
    let before = text.get(..end).unwrap_or_default();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_+-".contains(byte);
    let length = before.iter().rev().take_while(|byte| is_of_name(byte)).count();
    before.get(end - length..).unwrap_or_default()
}

/// How often a word may be the name of a library, or its beginning: after a quote, a slash or `lib`, and before a
/// quote, a version or the ending. As in `whisper.load()` and `/whisper.html`, it names something else at other
/// places.
fn names(word: &Finder<'_>, text: &[u8]) -> usize {
    let is_name = |&at: &usize| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + word.needle().len()..).unwrap_or_default();
        let begins = before.last().is_none_or(|byte| b"'\"/}".contains(byte));
        let ends = after.first().is_none_or(|byte| b"'\"{}*%-".contains(byte));
        let is_followed = [".so", ".dylib", ".{", ".%", ".*"].iter();
        let mut is_followed = is_followed.map(|ending| after.starts_with(ending.as_bytes()));
        (begins || before.ends_with(b"lib")) && (ends || is_followed.any(|it| it))
    };
    word.find_iter(text).filter(is_name).count()
}

#[cfg(test)]
mod tests {
    use super::{Finder, names};

    #[test]
    fn a_word_is_a_name_between_quotes_slashes_and_endings() {
        for (text, count) in [
            ("open('whisper.so')", 1),
            ("f'{here}/whisper.so', f'{lib}whisper'", 2),
            ("\"libwhisper.so.1\"", 1),
            ("whisper.load(whisper), lib = whisper_new()", 0),
            ("https://host/whisper.html", 0),
            ("import whisper, _whisper", 0),
        ] {
            assert_eq!(names(&Finder::new("whisper"), text.as_bytes()), count, "{text}");
        }
    }
}
