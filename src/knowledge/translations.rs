//! Messages of the GNU C library in other languages.
//!
//! If a program sets its locale, the messages of the loader are translated. The table contains the
//! translations in the catalogues of Debian 11 to 13 (`libc-l10n`) of the messages that are parsed;
//! `scripts/agree/translations` writes and checks it.

/// A translation, the English message, and the languages that use it.
const TABLE: &str = include_str!("glibc_messages.tsv");

/// The translations, each with the English message.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter_map(|row| {
        let (said, rest) = row.split_once('\t')?;
        Some((said, rest.split_once('\t')?.0))
    })
}
