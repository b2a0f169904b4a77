//! The reasons why a store, or the record of an operation, is not used.

use std::path::PathBuf;

/// The reason why this user must not rely on a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Its name is a symbolic link.
    Link,
    /// Its name is neither a directory nor a link.
    NoDirectory,
    /// It belongs to a user who is neither the current one, nor root, nor the owner of the tree.
    OfUser {
        /// The user.
        uid: u32,
    },
    /// It belongs to a user that has no number in this user namespace.
    OfNobody {
        /// The number that the kernel reports.
        uid: u32,
    },
    /// The directory of its records is a symbolic link, or not a directory.
    NoRecords,
    /// The directory of its records belongs to a different user than the store.
    RecordsOfUser {
        /// The user.
        uid: u32,
    },
    /// It was installed by a package.
    Shipped {
        /// The list of files, of that package, that contains it.
        list: PathBuf,
    },
    /// Its lock file has hard links elsewhere, so that writing to it would change another file.
    LinkedLock {
        /// The number of its links.
        names: u64,
    },
}

/// The reason why a record cannot be used, or could not be used once it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// All numbers for records are used up.
    NoNumber,
    /// It would exceed the maximum length.
    WouldBeTooLong {
        /// The maximum length in bytes.
        limit: u64,
    },
    /// It exceeds the maximum length.
    TooLong {
        /// The maximum length in bytes.
        limit: u64,
    },
    /// It cannot be opened.
    Unread {
        /// The error of the operating system.
        said: String,
    },
    /// Its file has hard links elsewhere.
    Linked {
        /// The number of its links.
        names: u64,
    },
    /// Its file belongs to a different user than the store.
    OfUser {
        /// The user.
        uid: u32,
    },
    /// It is not valid JSON, or another kind of document.
    Json {
        /// The error of the parser.
        said: String,
    },
    /// Its digest does not match its content.
    Damaged,
    /// Its version is unknown.
    Schema {
        /// The version that it declares.
        found: String,
        /// The version that this tfpatch writes.
        known: &'static str,
    },
    /// It has more values than the record of the largest environment would have.
    TooManyValues {
        /// The maximum number of values.
        limit: usize,
    },
    /// No operation can have produced it.
    Impossible(Impossible),
}

/// The reason why no operation can have produced a record, regardless of the files in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impossible {
    /// It contains an invalid ID of an operation.
    Id,
    /// It names a file twice.
    NamedTwice,
    /// It lists a file without a change.
    NoChange,
    /// It changes a file more often than an operation can.
    TooManyChanges,
    /// It contains a link in place of a file that is not an object.
    Link,
    /// It does not describe the content of a file.
    NoContents,
    /// The name of a file in it does not match its kind.
    OtherKind,
    /// A file in it grows more than an operation can cause.
    TooMuchGrowth,
    /// It contains an invalid time.
    Time,
}
