//! Translates messages of the GNU C library from other languages back into English.

use crate::knowledge::translations;
use aho_corasick::{AhoCorasick, BuildError, MatchKind};
use std::borrow::Cow;

/// Finds translated messages.
pub(super) struct Translations {
    finder: AhoCorasick,
    /// The English message of each.
    english: Vec<&'static str>,
}

impl Translations {
    /// All known translations.
    pub(super) fn new() -> Result<Self, BuildError> {
        let (said, english): (Vec<_>, Vec<_>) = translations::all().unzip();
        // A message may be a prefix of another one.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(said)?;
        Ok(Self { finder, english })
    }

    /// A line with its translated messages in English.
    pub(super) fn in_english<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        if !self.finder.is_match(line) {
            return Cow::Borrowed(line);
        }
        let mut english = Vec::with_capacity(line.len());
        self.finder.replace_all_with_bytes(line, &mut english, |found, _, to| {
            let message = self.english.get(found.pattern().as_usize()).copied();
            to.extend_from_slice(message.unwrap_or_default().as_bytes());
            true
        });
        Cow::Owned(english)
    }
}

#[cfg(test)]
mod tests {
    use super::Translations;

    #[test]
    fn what_the_loader_says_is_put_into_english() {
        let translations = Translations::new().unwrap();
        let english = |line: &str| {
            String::from_utf8(translations.in_english(line.as_bytes()).into_owned()).unwrap()
        };
        let absent = "libx.so.1: cannot open shared object file: No such file or directory";
        for line in [
            "libx.so.1: Kann die Shared-Object-Datei nicht öffnen: Datei oder Verzeichnis nicht gefunden",
            "libx.so.1: Ne peut ouvrir le fichier d'objet partagé: Aucun fichier ou dossier de ce type",
            "libx.so.1: no se puede abrir el fichero del objeto compartido: No existe el fichero o el directorio",
            "libx.so.1: невозможно открыть разделяемый объектный файл: Нет такого файла или каталога",
            "libx.so.1: 无法打开共享对象文件: 没有那个文件或目录",
            "libx.so.1: 共有オブジェクトファイルを開けません: そのようなファイルやディレクトリはありません",
            absent,
        ] {
            assert_eq!(english(line), absent);
        }
        let class = "/a/libx.so: wrong ELF class: ELFCLASS32";
        assert_eq!(english("/a/libx.so: mauvaise classe ELF\u{a0}:\u{a0}ELFCLASS32"), class);
    }
}
