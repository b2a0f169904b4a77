//! Requests for edits as an input describes them, and the file after an edit.

use tfpatch::bytes::Source;
use tfpatch::edit::{Content, EditSet, Patched};

/// Bytes of the input that describe requests: flags, an action, a number of repetitions, and text.
pub const REQUEST: usize = 64;

/// What the first bytes of an input ask for: to set, add, remove or take away.
pub struct Wish {
    /// What it means is the target's.
    pub flags: u8,
    action: u8,
    given: Vec<Vec<u8>>,
}

impl Wish {
    /// Reads a request; its text is repeated `longer` times more than it says.
    ///
    /// # Panics
    /// Where `head` has less than three bytes.
    pub fn read(head: &[u8], longer: usize) -> Self {
        let [flags, action, repetitions, text @ ..] = head else {
            unreachable!("the head has 64 bytes")
        };
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let text = text.repeat(usize::from(repetitions % 64) + longer);
        let given = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
        Self { flags: *flags, action: *action, given }
    }

    /// The entries that are asked for where there are `old` ones.
    pub fn entries(&self, old: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let given = self.given.iter().cloned();
        match self.action % 5 {
            0 => given.collect(),
            1 => old.into_iter().chain(given).collect(),
            2 => given.chain(old).collect(),
            3 => old.into_iter().filter(|entry| !self.given.contains(entry)).skip(1).collect(),
            _ => Vec::new(),
        }
    }
}

/// The bytes after the edits, put together by another hand than [`Patched`], which has to agree.
///
/// # Panics
/// Where they do not agree.
pub fn apply(old: &[u8], edits: &EditSet) -> Vec<u8> {
    let mut new = Vec::new();
    let mut at = 0;
    for edit in edits.by_offset() {
        new.extend_from_slice(&old[at as usize..edit.range.start as usize]);
        match &edit.new {
            Content::Bytes(bytes) => new.extend_from_slice(bytes),
            Content::Kept(_) => panic!("an object's new bytes are few"),
            Content::CopyOf(range) => {
                new.extend_from_slice(&old[range.start as usize..range.end as usize]);
            }
        }
        at = edit.range.end;
    }
    new.extend_from_slice(&old[at as usize..]);
    let patched = Patched::new(&old as &dyn Source, edits);
    let whole = patched.get(0..patched.len()).expect("a file can be read whole");
    assert!(*whole == *new, "what is shown is not what is written");
    new
}
