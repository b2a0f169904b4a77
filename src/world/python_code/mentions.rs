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

    /// Does the code of a distribution contain a word where it may begin the name of a file, except where it only
    /// asks whether such a file exists? Code that is not read may contain it.
    #[must_use]
    pub fn names_file(&self, maker: &Maker, word: &str) -> bool {
        let finder = Finder::new(word);
        self.any_file(maker, |file| {
            let count = beginnings(&finder, &file.bytes);
            let optional = || {
                self.parse(&[file]);
                let texts = file.source().into_iter().flat_map(|source| &source.optional);
                texts.map(|text| beginnings(&finder, text.as_bytes())).sum()
            };
            count > 0 && count > optional()
        })
    }

    fn any_file(&self, maker: &Maker, is_it: impl Fn(&File) -> bool) -> bool {
        self.package(maker)
            .is_none_or(|package| package.is_partly_unread || package.files.iter().any(is_it))
    }
}

/// How often a word is at the beginning of a string or of a part of a path, or follows `lib`. As in `whisper.load()`,
/// it names something else at other places.
fn beginnings(word: &Finder<'_>, text: &[u8]) -> usize {
    let begins = |&at: &usize| {
        let before = text.get(..at).unwrap_or_default();
        before.last().is_none_or(|byte| b"'\"/}".contains(byte)) || before.ends_with(b"lib")
    };
    word.find_iter(text).filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::{Finder, beginnings};

    #[test]
    fn a_word_begins_a_name_after_a_quote_a_slash_or_lib() {
        for (text, count) in [
            ("open('whisper.so')", 1),
            ("f'{here}/whisper.so', f'{lib}whisper'", 2),
            ("\"libwhisper.so.1\"", 1),
            ("whisper.load(whisper)", 1),
            ("import whisper, _whisper", 0),
        ] {
            assert_eq!(beginnings(&Finder::new("whisper"), text.as_bytes()), count, "{text}");
        }
    }
}
