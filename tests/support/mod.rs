//! Builders and helpers of the three tiers of tests; no cases.
#![allow(dead_code, reason = "each tier uses a part")]

pub(crate) mod bad_input;
pub(crate) mod command;
pub(crate) mod crash;
pub(crate) mod elf_builder;
pub(crate) mod elf_writer;
pub(crate) mod environments;
pub(crate) mod explain;
pub(crate) mod in_use;
pub(crate) mod linked;
pub(crate) mod macho_writer;
pub(crate) mod mounts;
pub(crate) mod operated;
pub(crate) mod python;
pub(crate) mod scene;
pub(crate) mod schemas;
pub(crate) mod shipping;
pub(crate) mod trace;
pub(crate) mod trust;
pub(crate) mod wheels;
