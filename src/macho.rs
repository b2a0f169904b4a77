//! STOPGAP until branch macho is merged: what dyld reads of a Mach-O file.

use crate::bytes::{Error, Source};

/// `cputype` and `cpusubtype` without its capability bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arch {
    /// `cputype`.
    pub cpu_type: u32,
    /// `cpusubtype`.
    pub cpu_subtype: u32,
}

/// One slice.
#[derive(Debug, Clone, Copy)]
pub struct Slice {
    /// Its architecture.
    pub arch: Arch,
    /// Where it begins.
    pub offset: u64,
    /// How long it is.
    pub size: u64,
}

/// How a library is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadKind {
    /// `LC_LOAD_DYLIB`.
    Load,
    /// `LC_LOAD_WEAK_DYLIB`.
    Weak,
    /// `LC_REEXPORT_DYLIB`.
    Reexport,
    /// `LC_LOAD_UPWARD_DYLIB`.
    Upward,
    /// `LC_LAZY_LOAD_DYLIB`.
    Lazy,
}

/// A library that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its install name.
    pub name: Vec<u8>,
    /// How.
    pub kind: LoadKind,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `MH_EXECUTE`.
    Executable,
    /// `MH_DYLIB`.
    Dylib,
    /// `MH_BUNDLE`.
    Bundle,
    /// Anything else.
    Other,
}

/// What dyld reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its architecture.
    pub arch: Arch,
    /// What it is.
    pub kind: Kind,
    /// `LC_ID_DYLIB`.
    pub install_name: Option<Vec<u8>>,
    /// The libraries.
    pub needed: Vec<Needed>,
    /// `LC_RPATH`s.
    pub rpaths: Vec<Vec<u8>>,
    /// `LC_UUID`.
    pub uuid: Option<[u8; 16]>,
    /// Platform.
    pub platform: u32,
    /// SDK as X.Y.Z nibbles.
    pub sdk: u32,
    /// `LC_CODE_SIGNATURE` is there.
    pub signed: bool,
}

impl Arch {
    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.cpu_type, self.cpu_subtype) {
            (0x0100_0007, 8) => "x86_64h",
            (0x0100_0007, _) => "x86_64",
            (0x0100_000c, 2) => "arm64e",
            (0x0100_000c, _) => "arm64",
            (7, _) => "i386",
            _ => "unknown",
        }
    }
}

fn le(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}
fn be(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The slices.
///
/// # Errors
/// Where it is none.
pub fn slices(source: &dyn Source) -> Result<Vec<Slice>, Error> {
    let head = source.read(0, 32.min(source.len()), "header")?;
    if be(&head, 0) == 0xcafe_babe {
        let count = be(&head, 4).min(64);
        let table = source.read(8, u64::from(count) * 20, "fat_arch")?;
        return Ok((0..count as usize)
            .map(|i| Slice {
                arch: Arch {
                    cpu_type: be(&table, i * 20),
                    cpu_subtype: be(&table, i * 20 + 4) & 0x00ff_ffff,
                },
                offset: be(&table, i * 20 + 8).into(),
                size: be(&table, i * 20 + 12).into(),
            })
            .collect());
    }
    if le(&head, 0) != 0xfeed_facf {
        return Err(Error::invalid("magic", 0, "no Mach-O"));
    }
    let arch = Arch { cpu_type: le(&head, 4), cpu_subtype: le(&head, 8) & 0x00ff_ffff };
    Ok(vec![Slice { arch, offset: 0, size: source.len() }])
}

/// What dyld reads of a slice.
///
/// # Errors
/// Where it is malformed.
pub fn summary(source: &dyn Source, slice: &Slice) -> Result<Summary, Error> {
    let head = source.read(slice.offset, 32, "header")?;
    let commands = source.read(slice.offset + 32, le(&head, 20).into(), "commands")?;
    let mut summary = Summary {
        arch: slice.arch,
        kind: match le(&head, 12) {
            2 => Kind::Executable,
            6 => Kind::Dylib,
            8 => Kind::Bundle,
            _ => Kind::Other,
        },
        install_name: None,
        needed: Vec::new(),
        rpaths: Vec::new(),
        uuid: None,
        platform: 1,
        sdk: 0,
        signed: false,
    };
    let mut at = 0;
    for _ in 0..le(&head, 16) {
        let size = le(&commands, at + 4) as usize;
        let Some(command) = commands.get(at..at + size).filter(|c| c.len() >= 8) else {
            return Err(Error::invalid("command", 0, "cut off"));
        };
        let text = || {
            let from = command.get(le(command, 8) as usize..).unwrap_or_default();
            from.split(|&b| b == 0).next().unwrap_or_default().to_vec()
        };
        let need = |kind| Needed { name: text(), kind };
        match le(command, 0) {
            0xc => summary.needed.push(need(LoadKind::Load)),
            0x8000_0018 => summary.needed.push(need(LoadKind::Weak)),
            0x8000_001f => summary.needed.push(need(LoadKind::Reexport)),
            0x8000_0023 => summary.needed.push(need(LoadKind::Upward)),
            0xd => summary.install_name = Some(text()),
            0x8000_001c => summary.rpaths.push(text()),
            0x1b => summary.uuid = command.get(8..24).and_then(|b| b.try_into().ok()),
            0x24 => summary.sdk = le(command, 12),
            0x32 => {
                summary.platform = le(command, 8);
                summary.sdk = le(command, 16);
            }
            0x1d => summary.signed = true,
            _ => {}
        }
        at += size;
    }
    Ok(summary)
}
