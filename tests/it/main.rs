//! The integration tests: one binary, a module for each subject.

#[cfg(test)]
mod apply;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod command;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod dlopen;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod dyld;
#[cfg(test)]
mod elf_builder;
#[cfg(test)]
mod elf_writer;
#[cfg(test)]
mod entries;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod file_systems;
#[cfg(test)]
mod followed;
#[cfg(test)]
mod in_use;
#[cfg(test)]
mod inert;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod ladder;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod ld_so_cache;
#[cfg(test)]
mod link_modes;
#[cfg(test)]
mod linked;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod loader_versions;
#[cfg(test)]
mod macho;
#[cfg(test)]
mod macho_writer;
#[cfg(test)]
mod macos;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod mounts;
#[cfg(test)]
mod musl;
#[cfg(test)]
mod nothing;
#[cfg(test)]
mod operated;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod oracle_elf;
#[cfg(test)]
mod oracle_ld_so;
#[cfg(test)]
mod oracle_musl;
#[cfg(test)]
mod overtaken;
#[cfg(test)]
mod planner;
#[cfg(test)]
mod power_cut;
#[cfg(test)]
mod python;
#[cfg(test)]
mod record;
#[cfg(test)]
mod reverting;
#[cfg(test)]
mod root;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod shipping;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod toolchains;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod users;
#[cfg(test)]
mod vfs;
#[cfg(test)]
mod wheel_target;
#[cfg(test)]
mod wheels;
