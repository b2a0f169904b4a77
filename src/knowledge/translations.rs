//! What the GNU C library says in other languages.
//!
//! A program that sets its locale has the loader's messages translated. The table has what the catalogues of
//! Debian 11 to 13 (`libc-l10n`) make of the messages that are read here; `scripts/agree/translations` writes it,
//! and holds it against them.

/// Rows of a translation, the English message, and the languages that say so.
const TABLE: &str = include_str!("glibc_messages.tsv");

/// The translations, each with the English message.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter_map(|row| {
        let (said, rest) = row.split_once('\t')?;
        Some((said, rest.split_once('\t')?.0))
    })
}
