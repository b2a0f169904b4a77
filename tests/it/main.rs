//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod elf_builder;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod oracle_elf;
