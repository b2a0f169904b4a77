//! Words in a distribution's code: names of modules, and of files that it may open.

use super::{File, PythonCode};
use crate::world::makers::Maker;
use memchr::memmem::Finder;

impl PythonCode<'_> {
    /// Does the code of a distribution look for a library with `ctypes.util.find_library`, by its name
    /// without `lib` and the ending?
    #[must_use]
    pub fn searches_for(&self, maker: &Maker, name: &str) -> bool {
        self.package(maker).is_some_and(|package| {
            let files = self.holding(&package, "find_library").into_iter();
            let mut searched = files.filter_map(File::source).flat_map(|it| &it.searched);
            searched.any(|searched| searched == name)
        })
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

    fn any_file(&self, maker: &Maker, is_it: impl Fn(&File) -> bool) -> bool {
        self.package(maker)
            .is_none_or(|package| package.is_partly_unread || package.files.iter().any(is_it))
    }
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
