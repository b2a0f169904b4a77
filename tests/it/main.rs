//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod elf_writer;
#[cfg(test)]
mod ld_so_cache;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod oracle_ld_so;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod vfs;
