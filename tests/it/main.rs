//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod operation;
