//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod crash;
#[cfg(test)]
mod operated;
#[cfg(test)]
mod operation;
