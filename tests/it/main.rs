//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod discovery;
#[cfg(test)]
mod python;
#[cfg(test)]
mod record;
#[cfg(test)]
mod vfs;
#[cfg(test)]
mod wheels;
