//! Tables of packages and their contents. No other module names a package.

pub mod alternatives;
mod conda_forge;
mod development_packages;
mod further;
pub mod glibc_symbols;
pub mod homebrew;
pub mod import_names;
pub mod installers;
pub mod managers;
pub mod opened;
pub mod packages;
pub mod releases;
pub mod saying;
pub mod sayings;
mod sayings_of_fragments;
mod sayings_of_mixtures;
mod shipped_libraries;
pub mod standard_modules;
pub mod symbols;
pub mod tensorflow;
pub mod translations;
