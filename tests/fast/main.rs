//! Any user, no external program, no compiler, no network, no mount: seconds.

#[cfg(test)]
mod counterpart;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod documented;
#[cfg(test)]
mod dyld;
#[cfg(test)]
mod elf_writer;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod explain_mixtures;
#[cfg(test)]
mod explain_threads;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod ld_so_cache;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod loader_versions;
#[cfg(test)]
mod macos;
#[cfg(test)]
mod musl;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod overtaken;
#[cfg(test)]
mod python;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod record;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod shipping;
#[cfg(test)]
mod style;
#[cfg(test)]
#[path = "../support/mod.rs"]
mod support;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod vfs;
#[cfg(test)]
mod wheel;
#[cfg(test)]
mod whereabouts;
