//! Why backups are not used, and why the record of an operation is not.

use std::path::PathBuf;

/// Why a store is not one that this user may rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// A symbolic link stands in its place.
    Link,
    /// Something else that is no directory does.
    NoDirectory,
    /// It belongs to a user that is neither this one, nor root, nor the owner of the tree.
    OfUser {
        /// The user.
        uid: u32,
    },
    /// It belongs to a user that this user namespace has no number for.
    OfNobody {
        /// The number that the kernel shows.
        uid: u32,
    },
    /// The directory of its records is a link, or none.
    NoRecords,
    /// The directory of its records belongs to another user than it does.
    RecordsOfUser {
        /// The user.
        uid: u32,
    },
    /// A package brought it along.
    Shipped {
        /// The list of the package's files that names it.
        list: PathBuf,
    },
    /// Its lock has names elsewhere: what is written into it would be written into another file.
    LinkedLock {
        /// How many names it has.
        names: u64,
    },
}

/// Why a record cannot be used, or cannot be written so that it could be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// There are as many records as there are numbers.
    NoNumber,
    /// It would be longer than any that is read.
    WouldBeTooLong {
        /// What is read, in bytes.
        limit: u64,
    },
    /// It is longer than any that is read.
    TooLong {
        /// What is read, in bytes.
        limit: u64,
    },
    /// It cannot be opened.
    Unread {
        /// What the system says.
        said: String,
    },
    /// Its file has names elsewhere.
    Linked {
        /// How many names it has.
        names: u64,
    },
    /// Its file belongs to another user than the store.
    OfUser {
        /// The user.
        uid: u32,
    },
    /// It is no JSON, or another document.
    Json {
        /// What the parser says.
        said: String,
    },
    /// The digest in it is not that of the rest.
    Damaged,
    /// It is of a version that is not known.
    Schema {
        /// What it says that it is.
        found: String,
        /// What this version writes.
        known: &'static str,
    },
    /// It has more values than a record of the largest environment.
    TooManyValues {
        /// How many are read.
        limit: usize,
    },
    /// No operation can have left it.
    Impossible(Impossible),
}

/// Why no operation can have left a record, whatever files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impossible {
    /// An ID in it is none of an operation.
    Id,
    /// It names a file twice.
    NamedTwice,
    /// It changes a file by nothing.
    NoChange,
    /// It changes a file more often than any operation does.
    TooManyChanges,
    /// A file in it that is no object is a link.
    Link,
    /// It does not tell what a file held.
    NoContents,
    /// The name of a file in it is not one that its kind has.
    OtherKind,
    /// A file in it grows more than by any operation.
    TooMuchGrowth,
    /// A time in it is none.
    Time,
}
