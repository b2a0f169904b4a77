//! The parts of an ELF file that the loader reads: the ELF header, the segments, the dynamic table, and
//! single strings of its string table.
//!
//! Section headers are not read here: the loader does not use them, and stripped files may have none.

use super::layout::{DynamicEntry, Layout};
use super::opens_by_note::OpensByNote;
use crate::bytes::{Error, Excess, Problem, Source};
use goblin::container::Ctx;
use goblin::elf::dynamic;
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{self, ProgramHeader};
use scroll::Pread;
use std::ops::Range;
use std::sync::Arc;

/// `DT_RELR`: relative relocations in the packed form (gABI, 2022).
pub(super) const DT_RELR: u64 = 36;

/// The maximum number of version records of an object.
const MAX_VERSIONS: u64 = 65_536;
/// The maximum length of a string, and of all names of one kind together, in bytes. The strings of a
/// malformed object may overlap, or have no end.
const MAX_STRING_BYTES: u64 = 1 << 20;

/// `EI_CLASS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `ELFCLASS32`.
    Elf32,
    /// `ELFCLASS64`.
    Elf64,
}

/// `EI_DATA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// `ELFDATA2LSB`.
    Little,
    /// `ELFDATA2MSB`.
    Big,
}

/// What a file is to the loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `ET_DYN` without `DF_1_PIE`: a shared object.
    Shared,
    /// `ET_EXEC`, or `ET_DYN` with `DF_1_PIE`: a program.
    Executable,
    /// No dynamic table: a static program, a relocatable object, a core.
    NotDynamic,
}

/// The versions that an object needs of one library (`Elf64_Verneed`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionNeed {
    /// `vn_file`: the same name as in `DT_NEEDED`.
    pub file: Vec<u8>,
    /// The versions. Those marked `VER_FLG_WEAK` may be absent.
    pub versions: Vec<NeededVersion>,
}

/// One version that is needed (`Elf64_Vernaux`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededVersion {
    /// The version's name, such as `GLIBCXX_3.4.30`.
    pub name: Vec<u8>,
    /// `VER_FLG_WEAK`: its absence is not an error.
    pub weak: bool,
}

/// Everything about an object that the loader uses, independent of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// 32 or 64 bits.
    pub class: Class,
    /// Byte order.
    pub endian: Endian,
    /// `e_machine`.
    pub machine: u16,
    /// `EI_OSABI`.
    pub osabi: u8,
    /// Shared object, program, or neither.
    pub kind: Kind,
    /// `PT_INTERP`, without its NUL.
    pub interpreter: Option<Vec<u8>>,
    /// `DT_SONAME`.
    pub soname: Option<Vec<u8>>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<Vec<u8>>,
    /// `DT_RPATH`, the last one if there are several. glibc ignores it if [`Self::runpath`] exists too.
    pub rpath: Option<Vec<u8>>,
    /// `DT_RUNPATH`, the last one if there are several. An empty one is effective too.
    pub runpath: Option<Vec<u8>>,
    /// `DT_FLAGS_1`.
    pub flags_1: u64,
    /// What `DT_VERNEED` lists.
    pub version_needs: Vec<VersionNeed>,
    /// The names that `DT_VERDEF` defines, without the base definition (the name of the file itself). `None`
    /// if the object defines no versions.
    pub version_definitions: Option<Vec<Vec<u8>>>,
    /// The GNU build ID, if a `PT_NOTE` contains one.
    pub build_id: Option<Vec<u8>>,
    /// The libraries that the object opens at run time, according to its notes.
    pub opens_by_note: Vec<OpensByNote>,
    /// The bytes of static thread-local storage that it needs: `p_memsz` of its `PT_TLS`, if `DF_STATIC_TLS`
    /// is set.
    pub static_tls: Option<u64>,
    /// `p_flags` of its `PT_GNU_STACK`, if it has one.
    pub stack_flags: Option<u32>,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED`: one bit for each level of x86-64 that it requires, the baseline
    /// first.
    pub x86_isa_needed: u32,
    /// Does it have `DT_RELR`?
    pub has_relr: bool,
}

impl Summary {
    /// The name of the machine, as in `uname -m` if that has one.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        match (self.machine, self.class) {
            (header::EM_X86_64, Class::Elf64) => "x86_64",
            (header::EM_X86_64, Class::Elf32) => "x86_64 (x32)",
            (header::EM_386, _) => "i386",
            (header::EM_AARCH64, _) => "aarch64",
            (header::EM_ARM, _) => "arm",
            (header::EM_PPC64, _) if self.endian == Endian::Little => "ppc64le",
            (header::EM_PPC64, _) => "ppc64",
            (header::EM_S390, _) => "s390x",
            (header::EM_RISCV, _) => "riscv64",
            (header::EM_MIPS, _) => "mips",
            (258, _) => "loongarch64",
            _ => "an unknown machine",
        }
    }

    /// Does it request an executable stack? On x86, an object without `PT_GNU_STACK` does (glibc's
    /// `sysdeps/x86/stackinfo.h`, `DEFAULT_STACK_PERMS`).
    #[must_use]
    pub fn wants_executable_stack(&self) -> bool {
        let is_x86 = matches!(self.machine, header::EM_X86_64 | header::EM_386);
        self.stack_flags.map_or(is_x86, |flags| flags & program_header::PF_X != 0)
    }

    /// `DF_1_NODEFLIB`: the default directories are not searched for the dependencies of this object.
    #[must_use]
    pub fn has_nodeflib(&self) -> bool {
        self.flags_1 & dynamic::DF_1_NODEFLIB != 0
    }
}

/// An ELF file, with the parts that the loader reads.
pub struct Image<'a> {
    source: &'a dyn Source,
    layout: Arc<Layout>,
}

impl<'a> Image<'a> {
    /// Reads the ELF header, the program headers and the dynamic table.
    ///
    /// # Errors
    /// If the file is not an ELF file, or one of the three is malformed or truncated.
    pub fn parse(source: &'a dyn Source) -> Result<Self, Error> {
        Ok(Self { source, layout: Arc::new(Layout::read(source)?) })
    }

    /// A file of which the headers are known.
    pub(super) fn laid_out(source: &'a dyn Source, layout: Arc<Layout>) -> Self {
        Self { source, layout }
    }

    /// The headers, for the same file when it is opened again.
    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The file.
    #[must_use]
    pub fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// The ELF header.
    #[must_use]
    pub(crate) fn header(&self) -> &Header {
        &self.layout.header
    }

    /// Class and byte order in the form that `goblin` and `scroll` use.
    #[must_use]
    pub(crate) fn ctx(&self) -> Ctx {
        self.layout.ctx
    }

    /// The program headers.
    #[must_use]
    pub(crate) fn segments(&self) -> &[ProgramHeader] {
        &self.layout.segments
    }

    /// The dynamic table up to its first `DT_NULL`, which is not included. Empty if there is no table.
    #[must_use]
    pub fn dynamic(&self) -> &[DynamicEntry] {
        &self.layout.dynamic
    }

    /// 32 or 64 bits.
    #[must_use]
    pub fn class(&self) -> Class {
        if self.layout.ctx.is_big() { Class::Elf64 } else { Class::Elf32 }
    }

    /// Byte order.
    #[must_use]
    pub fn endian(&self) -> Endian {
        if self.layout.ctx.is_little_endian() { Endian::Little } else { Endian::Big }
    }

    /// Shared object, program, or neither.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.segment(program_header::PT_DYNAMIC).is_none() {
            return Kind::NotDynamic;
        }
        let flags = self.value(dynamic::DT_FLAGS_1).unwrap_or(0);
        match self.layout.header.e_type {
            header::ET_EXEC => Kind::Executable,
            header::ET_DYN if flags & dynamic::DF_1_PIE != 0 => Kind::Executable,
            header::ET_DYN => Kind::Shared,
            _ => Kind::NotDynamic,
        }
    }

    /// The segments that are mapped.
    pub(super) fn loads(&self) -> impl Iterator<Item = &ProgramHeader> {
        self.segments().iter().filter(|segment| segment.p_type == program_header::PT_LOAD)
    }

    /// The first segment of a type.
    #[must_use]
    pub(crate) fn segment(&self, p_type: u32) -> Option<&ProgramHeader> {
        self.layout.segments.iter().find(|segment| segment.p_type == p_type)
    }

    /// The last entry of a tag, which glibc uses (`elf_get_dynamic_info`).
    #[must_use]
    pub fn entry(&self, tag: u64) -> Option<&DynamicEntry> {
        self.layout.dynamic.iter().rev().find(|entry| entry.tag == tag)
    }

    /// The value of the last entry of a tag.
    #[must_use]
    pub fn value(&self, tag: u64) -> Option<u64> {
        self.entry(tag).map(|entry| entry.value)
    }

    /// The file offset of a virtual address; `None` outside the bytes that `PT_LOAD` segments map from the
    /// file.
    #[must_use]
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        self.loads().find_map(|segment| {
            let distance = address.checked_sub(segment.p_vaddr)?;
            (distance < segment.p_filesz).then(|| segment.p_offset.checked_add(distance))?
        })
    }

    /// The file offsets of the dynamic string table (`DT_STRTAB`, `DT_STRSZ`).
    ///
    /// # Errors
    /// If the two tags are absent or point outside the file.
    pub fn string_table(&self) -> Result<Range<u64>, Error> {
        let at = self.segment(program_header::PT_DYNAMIC).map_or(0, |dynamic| dynamic.p_offset);
        let address = self
            .value(dynamic::DT_STRTAB)
            .ok_or_else(|| Error::invalid("DT_STRTAB", at, "the dynamic table has none"))?;
        let size = self
            .value(dynamic::DT_STRSZ)
            .ok_or_else(|| Error::invalid("DT_STRSZ", at, "the dynamic table has none"))?;
        let start = self
            .offset_of(address)
            .ok_or_else(|| Error::invalid("DT_STRTAB", at, "no segment maps its address"))?;
        let available = self.source.len().saturating_sub(start);
        if size > available {
            let problem = Problem::Truncated { needed: size, available };
            return Err(Error { what: "dynamic string table", offset: start, problem });
        }
        Ok(start..start + size)
    }

    /// A string of the dynamic string table, given its offset in the table.
    ///
    /// # Errors
    /// If it is outside the table, does not end inside it, or is longer than 1 MiB.
    pub fn string(&self, offset: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        self.string_in(&self.string_table()?, offset, what)
    }

    fn string_in(
        &self,
        table: &Range<u64>,
        offset: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        let outside = || Error::invalid(what, table.start, "it is outside the string table");
        let start = table.start.checked_add(offset).filter(|&start| start < table.end);
        let start = start.ok_or_else(outside)?;
        let limit = table.end.min(start.saturating_add(MAX_STRING_BYTES));
        self.source.string(start, limit, what).map_err(|error| match error.problem {
            Problem::Unterminated if limit < table.end => too_long(what, start),
            _ => error,
        })
    }

    /// The strings that all entries of these tags refer to, in order.
    ///
    /// # Errors
    /// As for [`Self::string`], or if they are longer than [`MAX_STRING_BYTES`] together.
    pub(super) fn strings_of(
        &self,
        is_wanted: impl Fn(u64) -> bool,
        what: &'static str,
    ) -> Result<Vec<Vec<u8>>, Error> {
        let mut names = Names::new(self);
        let entries = self.layout.dynamic.iter().filter(|entry| is_wanted(entry.tag));
        entries.map(|entry| names.get(entry.value, what)).collect()
    }

    /// The string that the last entry of a tag refers to.
    ///
    /// # Errors
    /// As for [`Self::string`].
    pub fn string_of(&self, tag: u64, what: &'static str) -> Result<Option<Vec<u8>>, Error> {
        self.value(tag).map(|offset| self.string(offset, what)).transpose()
    }

    /// `DT_NEEDED`, in order.
    ///
    /// # Errors
    /// As for [`Self::string`].
    pub fn needed(&self) -> Result<Vec<Vec<u8>>, Error> {
        self.strings_of(|tag| tag == dynamic::DT_NEEDED, "DT_NEEDED")
    }

    /// Everything that the loader uses, independent of the file.
    ///
    /// # Errors
    /// If a name or a version record is malformed.
    pub fn summary(&self) -> Result<Summary, Error> {
        Ok(Summary {
            class: self.class(),
            endian: self.endian(),
            machine: self.layout.header.e_machine,
            osabi: self.layout.header.e_ident.get(header::EI_OSABI).copied().unwrap_or(0),
            kind: self.kind(),
            interpreter: self.interpreter()?,
            soname: self.string_of(dynamic::DT_SONAME, "DT_SONAME")?,
            needed: self.needed()?,
            rpath: self.string_of(dynamic::DT_RPATH, "DT_RPATH")?,
            runpath: self.string_of(dynamic::DT_RUNPATH, "DT_RUNPATH")?,
            flags_1: self.value(dynamic::DT_FLAGS_1).unwrap_or(0),
            version_needs: self.version_needs()?,
            version_definitions: self.version_definitions()?,
            build_id: self.build_id(),
            opens_by_note: self.opens_by_note(),
            static_tls: self.static_tls(),
            stack_flags: self.segment(program_header::PT_GNU_STACK).map(|stack| stack.p_flags),
            x86_isa_needed: self.x86_isa_needed(),
            has_relr: self.value(DT_RELR).is_some(),
        })
    }

    /// Fails if the file ends before a `PT_LOAD` segment does. The loader maps such a file, and the program gets
    /// SIGBUS when it reaches the part that is missing.
    ///
    /// # Errors
    /// In that case.
    pub fn require_whole(&self) -> Result<(), Error> {
        self.loads().try_for_each(|load| {
            let available = self.source().len().saturating_sub(load.p_offset);
            if load.p_filesz <= available {
                return Ok(());
            }
            let problem = Problem::Truncated { needed: load.p_filesz, available };
            Err(Error { what: "loadable segment", offset: load.p_offset, problem })
        })
    }

    fn static_tls(&self) -> Option<u64> {
        let flags = self.value(dynamic::DT_FLAGS).unwrap_or(0);
        let storage = self.segment(program_header::PT_TLS)?.p_memsz;
        (flags & dynamic::DF_STATIC_TLS != 0).then_some(storage)
    }

    /// The records of `DT_VERNEED` (an extension of the gABI: LSB, "Symbol Versioning").
    ///
    /// # Errors
    /// If a record is truncated, or its name is outside the string table.
    pub fn version_needs(&self) -> Result<Vec<VersionNeed>, Error> {
        const WHAT: &str = "DT_VERNEED";
        let mut needs = Vec::new();
        let Some(mut at) = self.table(dynamic::DT_VERNEED, WHAT)? else { return Ok(needs) };
        // The records of all libraries together are limited: each may claim 65,535 versions.
        let mut left = MAX_VERSIONS;
        let mut names = Names::new(self);
        for _ in 0..self.value(dynamic::DT_VERNEEDNUM).unwrap_or(0).min(MAX_VERSIONS) {
            let record = self.source.read(at, 16, WHAT)?;
            let mut versions = Vec::new();
            let mut aux_at = at.saturating_add(self.u32_at(&record, 8).into());
            for _ in 0..self.u16_at(&record, 2) {
                left = left
                    .checked_sub(1)
                    .ok_or_else(|| Error::invalid(WHAT, at, "more than 65536 versions"))?;
                let aux = self.source.read(aux_at, 16, "Vernaux")?;
                versions.push(NeededVersion {
                    name: names.get(self.u32_at(&aux, 8).into(), "vna_name")?,
                    weak: self.u16_at(&aux, 4) & VER_FLG_WEAK != 0,
                });
                match self.u32_at(&aux, 12) {
                    0 => break,
                    next => aux_at = aux_at.saturating_add(next.into()),
                }
            }
            needs.push(VersionNeed {
                file: names.get(self.u32_at(&record, 4).into(), "vn_file")?,
                versions,
            });
            match self.u32_at(&record, 12) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        Ok(needs)
    }

    /// The names that `DT_VERDEF` defines, without the base definition; `None` if the tag is absent.
    ///
    /// # Errors
    /// If a record is truncated, or its name is outside the string table.
    pub fn version_definitions(&self) -> Result<Option<Vec<Vec<u8>>>, Error> {
        const WHAT: &str = "DT_VERDEF";
        let Some(mut at) = self.table(dynamic::DT_VERDEF, WHAT)? else { return Ok(None) };
        let (mut names, mut defined) = (Names::new(self), Vec::new());
        for _ in 0..self.value(dynamic::DT_VERDEFNUM).unwrap_or(0).min(MAX_VERSIONS) {
            let record = self.source.read(at, 20, WHAT)?;
            if self.u16_at(&record, 2) & VER_FLG_BASE == 0 {
                let aux_at = at.saturating_add(self.u32_at(&record, 12).into());
                let aux = self.source.read(aux_at, 8, "Verdaux")?;
                defined.push(names.get(self.u32_at(&aux, 0).into(), "vda_name")?);
            }
            match self.u32_at(&record, 16) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        Ok(Some(defined))
    }

    /// The file offset of the table that a tag points to; `None` if the tag is absent.
    ///
    /// # Errors
    /// If no segment maps the address of the table.
    pub(super) fn table(&self, tag: u64, what: &'static str) -> Result<Option<u64>, Error> {
        let Some(entry) = self.entry(tag) else { return Ok(None) };
        let offset = self.offset_of(entry.value);
        offset
            .map(Some)
            .ok_or_else(|| Error::invalid(what, entry.offset, "no segment maps its address"))
    }

    /// A 16-bit field of a record that was read completely; 0 outside the record.
    fn u16_at(&self, record: &[u8], at: usize) -> u16 {
        record.pread_with(at, self.layout.ctx.le).unwrap_or(0)
    }

    /// A 32-bit field of a record that was read completely; 0 outside the record.
    pub(super) fn u32_at(&self, record: &[u8], at: usize) -> u32 {
        record.pread_with(at, self.layout.ctx.le).unwrap_or(0)
    }
}

/// Reads strings whose total length is limited to [`MAX_STRING_BYTES`].
struct Names<'i, 'a> {
    image: &'i Image<'a>,
    /// The string table, once a string was read.
    table: Option<Range<u64>>,
    left: u64,
}

impl<'i, 'a> Names<'i, 'a> {
    fn new(image: &'i Image<'a>) -> Self {
        Self { image, table: None, left: MAX_STRING_BYTES }
    }

    fn get(&mut self, offset: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        let table = match &self.table {
            Some(table) => table,
            None => self.table.insert(self.image.string_table()?),
        };
        let name = self.image.string_in(table, offset, what)?;
        let start = table.start.saturating_add(offset);
        let left = self.left.checked_sub(name.len() as u64);
        self.left = left.ok_or_else(|| too_long(what, start))?;
        Ok(name)
    }
}

fn too_long(what: &'static str, at: u64) -> Error {
    let problem = Problem::TooMuch(Excess::Strings(MAX_STRING_BYTES));
    Error { what, offset: at, problem }
}

/// `VER_FLG_BASE`: marks the definition with the name of the file itself.
const VER_FLG_BASE: u16 = 1;
/// `VER_FLG_WEAK`: marks a need that may stay unresolved.
const VER_FLG_WEAK: u16 = 2;
