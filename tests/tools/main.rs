//! Real compilers, linkers, loaders, interpreters and installers, which `scripts/tools/base` installs; no rights.
//! A tool that is missing is a failure.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod by_name;
#[cfg(test)]
mod child;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod cures;
#[cfg(test)]
mod direct;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod dlopen;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod edits;
#[cfg(test)]
mod entries;
#[cfg(test)]
mod exec_stack;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod followed;
#[cfg(test)]
mod in_use;
#[cfg(test)]
mod inert;
#[cfg(test)]
mod install_name_tool;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod layout;
#[cfg(test)]
mod link_modes;
#[cfg(test)]
mod macho;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod naming;
#[cfg(test)]
mod nothing;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod oracle_elf;
#[cfg(test)]
mod oracle_ld_so;
#[cfg(test)]
mod oracle_musl;
#[cfg(test)]
mod patchelf;
#[cfg(test)]
mod planner;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod promised;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod python;
#[cfg(test)]
mod record;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod replaced;
#[cfg(test)]
mod reverting;
#[cfg(test)]
mod rootfs;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod shadowed;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod shipping;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod sources;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod toolchains;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod unfit;
#[cfg(test)]
mod wheel_target;
