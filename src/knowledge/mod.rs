//! What is known of packages and of what they ship, as tables. Nothing else in the house names a package.

pub mod alternatives;
pub mod packages;
pub mod tensorflow;
