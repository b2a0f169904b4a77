//! Parts of sentences: lists, and numbers with nouns.

use crate::bytes::printable;
use std::fmt::Display;

/// The word that joins the parts of a list.
pub(super) const AND: &str = " and ";
/// The end of an incomplete list.
pub(super) const MORE: &str = ", …";

/// The items of a list, separated by `between`.
pub(super) fn joined<T: Display>(items: impl IntoIterator<Item = T>, between: &str) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    items.join(between)
}

/// The first names of a list, and whether there are more.
pub(super) fn first_names(names: &[Vec<u8>], shown: usize) -> String {
    let first = joined(names.iter().take(shown).map(|name| printable(name)), ", ");
    if names.len() > shown { first + MORE } else { first }
}

/// A number and a noun: `1 symbol`, `2 symbols`.
pub(super) fn counted(count: usize, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}
