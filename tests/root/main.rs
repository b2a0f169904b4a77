//! What only root can set up: mounts, other users, disks that are full, and cuts of power.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod child;
#[cfg(test)]
mod file_systems;
#[cfg(test)]
mod in_use;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod users;
