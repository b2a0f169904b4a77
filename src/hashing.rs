//! Maps and sets for what is looked up millions of times in one run.
//!
//! The hash of the standard library is safe even if an attacker can measure it and try again for hours. Names in a
//! target may be anything, but they are chosen before the run draws its seed.

use foldhash::fast::RandomState;

/// A map that is quick to look things up in.
pub(crate) type QuickMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A set that is quick to look things up in.
pub(crate) type QuickSet<T> = std::collections::HashSet<T, RandomState>;
