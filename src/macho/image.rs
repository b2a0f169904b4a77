//! The parts of a slice that dyld reads before it loads anything else: the header and the load commands.

use super::arch::Arch;
use super::fat::Slice;
use crate::bytes::{Error, Excess, Problem, Source};
use goblin::container::{Container as Width, Ctx};
use goblin::mach::header::{self, Header};
use goblin::mach::load_command as lc;
use scroll::ctx::{SizeWith, TryFromCtx};
use scroll::{Endian, Pread};

/// The maximum size of load commands in bytes, far more than any linker writes; limits the work on a
/// malformed slice.
const MAX_COMMAND_BYTES: u32 = 1 << 24;
/// `dylib_use_command.marker`, at the position of the timestamp of a `dylib_command`.
const DYLIB_USE_MARKER: u32 = 0x1a74_1800;
/// The `nameoff` of a `dylib_use_command`.
const DYLIB_USE_NAME: u32 = 28;

/// What a slice is to dyld.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `MH_DYLIB`.
    Dylib,
    /// `MH_BUNDLE`: a plugin that is loaded with `dlopen`, such as an extension module of Python.
    Bundle,
    /// `MH_EXECUTE`.
    Executable,
    /// An object file, a core dump or debug information. dyld does not load these.
    Other,
}

/// A version as Mach-O packs it: 16 bits, 8 bits, 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// The first number.
    #[must_use]
    pub fn major(self) -> u32 {
        self.0 >> 16
    }

    /// The second number.
    #[must_use]
    pub fn minor(self) -> u32 {
        (self.0 >> 8) & 0xff
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())?;
        match self.0 & 0xff {
            0 => Ok(()),
            patch => write!(f, ".{patch}"),
        }
    }
}

/// `LC_BUILD_VERSION`, or one of the older `LC_VERSION_MIN_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildVersion {
    /// `PLATFORM_*`: 1 is macOS.
    pub platform: u32,
    /// The oldest system version that it supports.
    pub minimum: Version,
    /// The SDK that it was built with; 0.0 if the linker did not know it.
    pub sdk: Version,
}

/// A library that a slice needs, in the order of ordinals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its install name at link time.
    pub name: Vec<u8>,
    /// `LC_LOAD_WEAK_DYLIB`: its absence is not an error.
    pub is_weak: bool,
    /// `LC_REEXPORT_DYLIB`: the slice exports its symbols too.
    pub is_reexport: bool,
    /// `LC_LOAD_UPWARD_DYLIB`: initialised later, because it needs the slice itself.
    pub is_upward: bool,
    /// `LC_LAZY_LOAD_DYLIB`, or delayed initialisation: loaded or initialised at its first use.
    pub is_lazy: bool,
    /// Its version at link time.
    pub current_version: Version,
    /// Its minimum version.
    pub compatibility_version: Version,
}

/// One load command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Offset in the slice, in bytes.
    pub offset: u64,
    /// `cmd`.
    pub cmd: u32,
    /// All of its bytes, `cmd` and `cmdsize` included.
    pub bytes: Vec<u8>,
}

/// `LC_SEGMENT` or `LC_SEGMENT_64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name, padded with zeros.
    pub name: [u8; 16],
    /// The address.
    pub vmaddr: u64,
    /// Size in the address space, in bytes.
    pub vmsize: u64,
    /// Offset in the slice.
    pub fileoff: u64,
    /// Size in the file, in bytes.
    pub filesize: u64,
    /// Its sections.
    pub sections: Vec<Section>,
}

impl Segment {
    /// Is this its name?
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(self.name.len());
        self.name.get(..end) == Some(name.as_bytes())
    }
}

/// One section of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Offset in the slice; 0 if it has no bytes in the file.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
    /// The type in the lowest byte, and attributes.
    pub flags: u32,
}

/// Everything about a slice that dyld uses, independent of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its architecture.
    pub arch: Arch,
    /// Dylib, bundle, program, or none of these.
    pub kind: Kind,
    /// `LC_ID_DYLIB`.
    pub install_name: Option<Vec<u8>>,
    /// The libraries that it needs. The first has ordinal 1.
    pub needed: Vec<Needed>,
    /// `LC_RPATH`, in order, including duplicates.
    pub rpaths: Vec<Vec<u8>>,
    /// `LC_UUID`.
    pub uuid: Option<[u8; 16]>,
    /// The platforms that it was built for.
    pub build_versions: Vec<BuildVersion>,
    /// `MH_TWOLEVEL`: each symbol is bound to the library in which the linker found it.
    pub is_two_level: bool,
}

impl Summary {
    /// The platform and versions that apply on a Mac.
    #[must_use]
    pub fn build_version(&self) -> Option<BuildVersion> {
        const PLATFORM_MACOS: u32 = 1;
        let mut all = self.build_versions.iter();
        all.clone().find(|built| built.platform == PLATFORM_MACOS).or_else(|| all.next()).copied()
    }
}

/// One slice with its load commands.
pub struct Image<'a> {
    slice: Slice<'a>,
    ctx: Ctx,
    header: Header,
    commands: Vec<Command>,
}

impl<'a> Image<'a> {
    /// Reads the header and the load commands.
    ///
    /// # Errors
    /// If one of them is malformed or truncated.
    pub fn parse(slice: Slice<'a>) -> Result<Self, Error> {
        const WHAT: &str = "Mach-O header";
        let magic = slice.read(0, 4, WHAT)?;
        let magic: u32 = magic.pread_with(0, Endian::Little).unwrap_or_default();
        let (width, endian) = match magic {
            header::MH_MAGIC => (Width::Little, Endian::Little),
            header::MH_CIGAM => (Width::Little, Endian::Big),
            header::MH_MAGIC_64 => (Width::Big, Endian::Little),
            header::MH_CIGAM_64 => (Width::Big, Endian::Big),
            _ => return Err(slice.invalid(WHAT, 0, "the slice does not begin like Mach-O")),
        };
        let ctx = Ctx::new(width, endian);
        let mut bytes = slice.read(0, Header::size_with(&ctx) as u64, WHAT)?.into_owned();
        // goblin expects a 64-bit header where it reads a 32-bit one.
        bytes.resize(header::SIZEOF_HEADER_64, 0);
        let header: Header =
            bytes.pread_with(0, ctx).map_err(|_| slice.invalid(WHAT, 0, "it cannot be read"))?;
        let mut image = Self { slice, ctx, header, commands: Vec::new() };
        image.commands = image.read_commands()?;
        Ok(image)
    }

    /// The slice.
    #[must_use]
    pub fn slice(&self) -> &Slice<'a> {
        &self.slice
    }

    /// Class and byte order in the form that `goblin` and `scroll` use.
    #[must_use]
    pub(crate) fn ctx(&self) -> Ctx {
        self.ctx
    }

    /// The load commands, in order.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }

    /// The size of the header in bytes, which is the offset of the load commands.
    #[must_use]
    pub fn header_size(&self) -> u64 {
        Header::size_with(&self.ctx) as u64
    }

    /// The end of the load commands, as an offset in the slice.
    #[must_use]
    pub fn commands_end(&self) -> u64 {
        self.header_size() + u64::from(self.header.sizeofcmds)
    }

    /// Dylib, bundle, program, or none of these.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.header.filetype {
            header::MH_DYLIB => Kind::Dylib,
            header::MH_BUNDLE => Kind::Bundle,
            header::MH_EXECUTE => Kind::Executable,
            _ => Kind::Other,
        }
    }

    /// The commands of one type, in order.
    pub fn commands_of(&self, cmd: u32) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.cmd == cmd)
    }

    /// The command of a type that occurs at most once, as a struct of goblin.
    ///
    /// # Errors
    /// If it is too short for its type.
    pub(crate) fn command_as<T>(&self, cmd: u32, what: &'static str) -> Result<Option<T>, Error>
    where
        T: for<'b> TryFromCtx<'b, Endian, Error = scroll::Error>,
    {
        self.commands_of(cmd).next().map(|command| self.fields(command, what)).transpose()
    }

    /// `LC_RPATH`, in order, including duplicates.
    ///
    /// # Errors
    /// If a path is outside its command or does not end inside it.
    pub fn rpaths(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.commands_of(lc::LC_RPATH).map(|command| self.rpath_of(command)).collect()
    }

    /// The path of an `LC_RPATH`.
    pub(super) fn rpath_of(&self, command: &Command) -> Result<Vec<u8>, Error> {
        let fields: lc::RpathCommand = self.fields(command, "LC_RPATH")?;
        self.text(command, fields.path, "LC_RPATH")
    }

    /// The libraries that the slice needs. The first has ordinal 1.
    ///
    /// # Errors
    /// If a name is outside its command or does not end inside it.
    pub fn needed(&self) -> Result<Vec<Needed>, Error> {
        let dylibs = self.commands.iter().filter(|command| is_needed(command.cmd));
        dylibs.map(|command| self.needed_of(command)).collect()
    }

    /// `LC_ID_DYLIB`: the name under which others are linked with it.
    ///
    /// # Errors
    /// If it is outside its command or does not end inside it.
    pub fn install_name(&self) -> Result<Option<Vec<u8>>, Error> {
        const WHAT: &str = "LC_ID_DYLIB";
        let Some(command) = self.commands_of(lc::LC_ID_DYLIB).next() else { return Ok(None) };
        let fields: lc::DylibCommand = self.fields(command, WHAT)?;
        self.text(command, fields.dylib.name, WHAT).map(Some)
    }

    /// `LC_UUID`.
    ///
    /// # Errors
    /// If the command is too short.
    pub fn uuid(&self) -> Result<Option<[u8; 16]>, Error> {
        let command: Option<lc::UuidCommand> = self.command_as(lc::LC_UUID, "LC_UUID")?;
        Ok(command.map(|command| command.uuid))
    }

    /// The platforms that it was built for, with versions.
    ///
    /// # Errors
    /// If a command is too short.
    pub fn build_versions(&self) -> Result<Vec<BuildVersion>, Error> {
        const VERSION_MIN: [(u32, u32); 4] = [
            (lc::LC_VERSION_MIN_MACOSX, 1),
            (lc::LC_VERSION_MIN_IPHONEOS, 2),
            (lc::LC_VERSION_MIN_TVOS, 3),
            (lc::LC_VERSION_MIN_WATCHOS, 4),
        ];
        let mut found = Vec::new();
        for command in &self.commands {
            if command.cmd == lc::LC_BUILD_VERSION {
                let fields: lc::BuildVersionCommand = self.fields(command, "LC_BUILD_VERSION")?;
                let (minimum, sdk) = (Version(fields.minos), Version(fields.sdk));
                found.push(BuildVersion { platform: fields.platform, minimum, sdk });
            } else if let Some((_, platform)) =
                VERSION_MIN.iter().find(|(cmd, _)| *cmd == command.cmd)
            {
                let fields: lc::VersionMinCommand = self.fields(command, "LC_VERSION_MIN")?;
                let (minimum, sdk) = (Version(fields.version), Version(fields.sdk));
                found.push(BuildVersion { platform: *platform, minimum, sdk });
            }
        }
        Ok(found)
    }

    /// Its segments, in order.
    ///
    /// # Errors
    /// If a command is too short for its sections.
    pub fn segments(&self) -> Result<Vec<Segment>, Error> {
        let segments = self
            .commands
            .iter()
            .filter(|command| matches!(command.cmd, lc::LC_SEGMENT | lc::LC_SEGMENT_64));
        segments.map(|command| self.segment(command)).collect()
    }

    /// Everything that dyld uses, independent of the file.
    ///
    /// # Errors
    /// If a command is malformed.
    pub fn summary(&self) -> Result<Summary, Error> {
        Ok(Summary {
            arch: Arch::new(self.header.cputype, self.header.cpusubtype),
            kind: self.kind(),
            install_name: self.install_name()?,
            needed: self.needed()?,
            rpaths: self.rpaths()?,
            uuid: self.uuid()?,
            build_versions: self.build_versions()?,
            is_two_level: self.header.flags & header::MH_TWOLEVEL != 0,
        })
    }

    fn read_commands(&self) -> Result<Vec<Command>, Error> {
        const WHAT: &str = "load command";
        let start = self.header_size();
        if self.header.sizeofcmds > MAX_COMMAND_BYTES {
            let problem = Problem::TooMuch(Excess::LoadCommands(MAX_COMMAND_BYTES.into()));
            return Err(Error { what: "sizeofcmds", offset: self.slice.in_file(20), problem });
        }
        let bytes = self.slice.read(start, self.header.sizeofcmds.into(), "load commands")?;
        let mut rest: &[u8] = &bytes;
        let mut commands = Vec::new();
        for _ in 0..self.header.ncmds {
            let offset = start + (bytes.len() - rest.len()) as u64;
            let outside =
                || self.slice.invalid(WHAT, offset, "it extends beyond the load commands");
            let endian = self.ctx.le;
            let cmd: u32 = rest.pread_with(0, endian).map_err(|_| outside())?;
            let size: u32 = rest.pread_with(4, endian).map_err(|_| outside())?;
            if size < 8 || !size.is_multiple_of(4) {
                return Err(self.slice.invalid(WHAT, offset, "its size is too small or uneven"));
            }
            let (own, after) = rest.split_at_checked(size as usize).ok_or_else(outside)?;
            commands.push(Command { offset, cmd, bytes: own.to_vec() });
            rest = after;
        }
        Ok(commands)
    }

    /// A command as a struct of goblin.
    pub(super) fn fields<T>(&self, command: &Command, what: &'static str) -> Result<T, Error>
    where
        T: for<'b> TryFromCtx<'b, Endian, Error = scroll::Error>,
    {
        command
            .bytes
            .pread_with(0, self.ctx.le)
            .map_err(|_| self.slice.invalid(what, command.offset, "it is too short"))
    }

    /// The string of a command, by its offset from the start of the command. dyld requires that it ends
    /// inside the command.
    fn text(&self, command: &Command, at: u32, what: &'static str) -> Result<Vec<u8>, Error> {
        let text =
            command.bytes.as_slice().get(at as usize..).filter(|_| at >= 8).ok_or_else(|| {
                self.slice.invalid(what, command.offset, "its name is outside it")
            })?;
        let end = text.iter().position(|&byte| byte == 0).ok_or_else(|| Error {
            what,
            offset: self.slice.in_file(command.offset),
            problem: Problem::Unterminated,
        })?;
        Ok(text.get(..end).unwrap_or_default().to_vec())
    }

    fn needed_of(&self, command: &Command) -> Result<Needed, Error> {
        const WHAT: &str = "LC_LOAD_DYLIB";
        let fields: lc::DylibCommand = self.fields(command, WHAT)?;
        let dylib = fields.dylib;
        let use_flags = if dylib.timestamp == DYLIB_USE_MARKER && dylib.name == DYLIB_USE_NAME {
            command.bytes.pread_with::<u32>(24, self.ctx.le).unwrap_or_default()
        } else {
            0
        };
        Ok(Needed {
            name: self.text(command, dylib.name, WHAT)?,
            is_weak: command.cmd == lc::LC_LOAD_WEAK_DYLIB || use_flags & 1 != 0,
            is_reexport: command.cmd == lc::LC_REEXPORT_DYLIB || use_flags & 2 != 0,
            is_upward: command.cmd == lc::LC_LOAD_UPWARD_DYLIB || use_flags & 4 != 0,
            is_lazy: command.cmd == lc::LC_LAZY_LOAD_DYLIB || use_flags & 8 != 0,
            current_version: Version(dylib.current_version),
            compatibility_version: Version(dylib.compatibility_version),
        })
    }

    fn segment(&self, command: &Command) -> Result<Segment, Error> {
        const WHAT: &str = "LC_SEGMENT";
        let short = || self.slice.invalid(WHAT, command.offset, "its sections extend beyond it");
        let endian = self.ctx.le;
        let mut sections = Vec::new();
        if command.cmd == lc::LC_SEGMENT_64 {
            let fields: lc::SegmentCommand64 = self.fields(command, WHAT)?;
            let mut at = lc::SIZEOF_SEGMENT_COMMAND_64;
            for _ in 0..fields.nsects {
                let section: lc::Section64 =
                    command.bytes.gread_with(&mut at, endian).map_err(|_| short())?;
                let (offset, size) = (section.offset.into(), section.size);
                sections.push(Section { offset, size, flags: section.flags });
            }
            return Ok(Segment {
                name: fields.segname,
                vmaddr: fields.vmaddr,
                vmsize: fields.vmsize,
                fileoff: fields.fileoff,
                filesize: fields.filesize,
                sections,
            });
        }
        let fields: lc::SegmentCommand32 = self.fields(command, WHAT)?;
        let mut at = lc::SIZEOF_SEGMENT_COMMAND_32;
        for _ in 0..fields.nsects {
            let section: lc::Section32 =
                command.bytes.gread_with(&mut at, endian).map_err(|_| short())?;
            let (offset, size) = (section.offset.into(), section.size.into());
            sections.push(Section { offset, size, flags: section.flags });
        }
        Ok(Segment {
            name: fields.segname,
            vmaddr: fields.vmaddr.into(),
            vmsize: fields.vmsize.into(),
            fileoff: fields.fileoff.into(),
            filesize: fields.filesize.into(),
            sections,
        })
    }
}

/// Does a command name a library, and get an ordinal (dyld, `Header::forEachLinkedDylib`)?
pub(super) fn is_needed(cmd: u32) -> bool {
    matches!(
        cmd,
        lc::LC_LOAD_DYLIB
            | lc::LC_LOAD_WEAK_DYLIB
            | lc::LC_REEXPORT_DYLIB
            | lc::LC_LOAD_UPWARD_DYLIB
            | lc::LC_LAZY_LOAD_DYLIB
    )
}
