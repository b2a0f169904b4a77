//! Small ELF files with just the parts that a loader reads, for file systems in memory.

/// A library, and the versions that are needed of it, each with its `VER_FLG_WEAK`.
pub(crate) type Need = (Vec<u8>, Vec<(Vec<u8>, bool)>);

/// What the file is to say.
#[derive(Clone)]
pub(crate) struct Elf {
    /// 64 bits, else 32.
    pub(crate) is_64: bool,
    /// Little-endian, else big-endian.
    pub(crate) little: bool,
    /// `e_machine`.
    pub(crate) machine: u16,
    /// `e_type`.
    pub(crate) e_type: u16,
    /// `EI_OSABI`.
    pub(crate) osabi: u8,
    /// `PT_INTERP`.
    pub(crate) interpreter: Option<Vec<u8>>,
    /// `DT_SONAME`.
    pub(crate) soname: Option<Vec<u8>>,
    /// `DT_NEEDED`, in order.
    pub(crate) needed: Vec<Vec<u8>>,
    /// `DT_RPATH`, each with a tag of its own.
    pub(crate) rpath: Vec<Vec<u8>>,
    /// `DT_RUNPATH`, each with a tag of its own.
    pub(crate) runpath: Vec<Vec<u8>>,
    /// `DT_FLAGS_1`; no tag for 0.
    pub(crate) flags_1: u64,
    /// `DT_VERNEED`; no tag where there is none.
    pub(crate) version_needs: Vec<Need>,
    /// `DT_VERDEF`; no tag where there is none.
    pub(crate) version_definitions: Vec<Vec<u8>>,
    /// May the stack be executed? No `PT_GNU_STACK` for `None`.
    pub(crate) executable_stack: Option<bool>,
    /// Bytes of `PT_TLS`, with `DF_STATIC_TLS`; neither for 0.
    pub(crate) static_tls: usize,
    /// `GNU_PROPERTY_X86_ISA_1_NEEDED`; no `PT_GNU_PROPERTY` for 0.
    pub(crate) isa_needed: u32,
}

impl Default for Elf {
    fn default() -> Self {
        Self {
            is_64: true,
            little: true,
            machine: 62,
            e_type: 3,
            osabi: 0,
            interpreter: None,
            soname: None,
            needed: Vec::new(),
            rpath: Vec::new(),
            runpath: Vec::new(),
            flags_1: 0,
            version_needs: Vec::new(),
            version_definitions: Vec::new(),
            executable_stack: None,
            static_tls: 0,
            isa_needed: 0,
        }
    }
}

const PT_TLS: u64 = 7;

const PT_GNU_STACK: u64 = 0x6474_e551;

const PT_GNU_PROPERTY: u64 = 0x6474_e553;

const PT_LOAD: u64 = 1;

const PT_DYNAMIC: u64 = 2;

const PT_INTERP: u64 = 3;

impl Elf {
    /// A shared object for x86-64 that needs `names`.
    pub(crate) fn needing(names: &[&str]) -> Self {
        Self { needed: bytes_of(names), ..Self::default() }
    }

    /// A program for x86-64 that needs `names`.
    pub(crate) fn program(names: &[&str]) -> Self {
        let interpreter = Some(b"/lib64/ld-linux-x86-64.so.2".to_vec());
        Self { interpreter, flags_1: 0x0800_0000, ..Self::needing(names) }
    }

    pub(crate) fn soname(mut self, name: &str) -> Self {
        self.soname = Some(name.into());
        self
    }

    pub(crate) fn rpath(mut self, path: &str) -> Self {
        self.rpath.push(path.into());
        self
    }

    pub(crate) fn runpath(mut self, path: &str) -> Self {
        self.runpath.push(path.into());
        self
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let word = if self.is_64 { 8 } else { 4 };
        let (header_size, segment_size) = if self.is_64 { (64, 56) } else { (52, 32) };
        let segments = 2
            + usize::from(self.interpreter.is_some())
            + usize::from(self.executable_stack.is_some())
            + usize::from(self.static_tls != 0)
            + usize::from(self.isa_needed != 0);
        let mut strings = Strings(vec![0]);
        let mut tags: Vec<(u64, u64)> = Vec::new();
        tags.extend(self.needed.iter().map(|name| (1, strings.add(name))));
        tags.extend(self.soname.iter().map(|name| (14, strings.add(name))));
        tags.extend(self.rpath.iter().map(|path| (15, strings.add(path))));
        tags.extend(self.runpath.iter().map(|path| (29, strings.add(path))));
        if self.flags_1 != 0 {
            tags.push((0x6fff_fffb, self.flags_1));
        }
        if self.static_tls != 0 {
            tags.push((30, 0x10));
        }
        let needs = self.needs(&mut strings);
        let definitions = self.definitions(&mut strings);

        // Both version tables come before the strings, so that only their sizes place them.
        let dynamic_at = header_size + segments * segment_size;
        let more =
            3 + if needs.is_empty() { 0 } else { 2 } + if definitions.is_empty() { 0 } else { 2 };
        let dynamic_size = (tags.len() + more) * 2 * word;
        let needs_at = dynamic_at + dynamic_size;
        let definitions_at = needs_at + needs.len();
        let strings_at = definitions_at + definitions.len();
        tags.push((5, strings_at as u64));
        tags.push((10, strings.0.len() as u64));
        if !needs.is_empty() {
            tags.push((0x6fff_fffe, needs_at as u64));
            tags.push((0x6fff_ffff, self.version_needs.len() as u64));
        }
        if !definitions.is_empty() {
            tags.push((0x6fff_fffc, definitions_at as u64));
            tags.push((0x6fff_fffd, self.version_definitions.len() as u64 + 1));
        }
        tags.push((0, 0));

        let interpreter = self.interpreter.clone().map(|mut path| {
            path.push(0);
            path
        });
        let interpreter_at = strings_at + strings.0.len();
        let property_at = interpreter_at + interpreter.as_ref().map_or(0, Vec::len);
        let property = self.property();
        let end = property_at + property.len();

        let mut file = self.header(header_size, segment_size, segments);
        self.segment(&mut file, PT_LOAD, 0, end);
        self.segment(&mut file, PT_DYNAMIC, dynamic_at, dynamic_size);
        if let Some(path) = &interpreter {
            self.segment(&mut file, PT_INTERP, interpreter_at, path.len());
        }
        if let Some(executable) = self.executable_stack {
            let at = file.len();
            self.segment(&mut file, PT_GNU_STACK, 0, 0);
            let flags_at = at + if self.is_64 { 4 } else { 24 };
            file[flags_at] = 6 + u8::from(executable);
        }
        if self.static_tls != 0 {
            self.segment(&mut file, PT_TLS, 0, self.static_tls);
        }
        if self.isa_needed != 0 {
            self.segment(&mut file, PT_GNU_PROPERTY, property_at, property.len());
        }
        for (tag, value) in tags {
            self.put(&mut file, tag, word);
            self.put(&mut file, value, word);
        }
        let interpreter = interpreter.unwrap_or_default();
        file.extend([needs, definitions, strings.0, interpreter, property].concat());
        file
    }

    /// The note of `PT_GNU_PROPERTY`.
    fn property(&self) -> Vec<u8> {
        let mut note = Vec::new();
        if self.isa_needed != 0 {
            for value in [4, 16, 5, 0x0055_4e47, 0xc000_8002, 4, u64::from(self.isa_needed), 0] {
                self.put(&mut note, value, 4);
            }
        }
        note
    }

    fn header(&self, size: usize, segment_size: usize, segments: usize) -> Vec<u8> {
        let word = if self.is_64 { 8 } else { 4 };
        let class = if self.is_64 { 2 } else { 1 };
        let mut file = b"\x7fELF".to_vec();
        file.extend([class, if self.little { 1 } else { 2 }, 1, self.osabi]);
        file.extend([0; 8]);
        self.put(&mut file, self.e_type.into(), 2);
        self.put(&mut file, self.machine.into(), 2);
        self.put(&mut file, 1, 4);
        for value in [0, size as u64, 0] {
            self.put(&mut file, value, word);
        }
        self.put(&mut file, 0, 4);
        for value in [size, segment_size, segments, 0, 0, 0] {
            self.put(&mut file, value as u64, 2);
        }
        file
    }

    fn segment(&self, file: &mut Vec<u8>, p_type: u64, at: usize, size: usize) {
        let (at, size) = (at as u64, size as u64);
        self.put(file, p_type, 4);
        if self.is_64 {
            self.put(file, 4, 4);
            for value in [at, at, at, size, size, 8] {
                self.put(file, value, 8);
            }
        } else {
            for value in [at, at, at, size, size, 4, 4] {
                self.put(file, value, 4);
            }
        }
    }

    fn needs(&self, strings: &mut Strings) -> Vec<u8> {
        let mut table = Vec::new();
        for (index, (file, versions)) in self.version_needs.iter().enumerate() {
            let size = 16 + 16 * versions.len() as u64;
            let last = index + 1 == self.version_needs.len();
            self.put(&mut table, 1, 2);
            self.put(&mut table, versions.len() as u64, 2);
            self.put(&mut table, strings.add(file), 4);
            self.put(&mut table, 16, 4);
            self.put(&mut table, if last { 0 } else { size }, 4);
            for (at, (name, weak)) in versions.iter().enumerate() {
                self.put(&mut table, 0, 4);
                self.put(&mut table, if *weak { 2 } else { 0 }, 2);
                self.put(&mut table, at as u64 + 2, 2);
                self.put(&mut table, strings.add(name), 4);
                self.put(&mut table, if at + 1 == versions.len() { 0 } else { 16 }, 4);
            }
        }
        table
    }

    fn definitions(&self, strings: &mut Strings) -> Vec<u8> {
        let mut table = Vec::new();
        if self.version_definitions.is_empty() {
            return table;
        }
        let base = self.soname.clone().unwrap_or_default();
        let names: Vec<&Vec<u8>> =
            std::iter::once(&base).chain(&self.version_definitions).collect();
        for (index, name) in names.iter().enumerate() {
            self.put(&mut table, 1, 2);
            self.put(&mut table, u64::from(index == 0), 2);
            self.put(&mut table, index as u64 + 1, 2);
            self.put(&mut table, 1, 2);
            self.put(&mut table, 0, 4);
            self.put(&mut table, 20, 4);
            self.put(&mut table, if index + 1 == names.len() { 0 } else { 28 }, 4);
            self.put(&mut table, strings.add(name), 4);
            self.put(&mut table, 0, 4);
        }
        table
    }

    fn put(&self, file: &mut Vec<u8>, value: u64, size: usize) {
        if self.little {
            file.extend(&value.to_le_bytes()[..size]);
        } else {
            file.extend(&value.to_be_bytes()[8 - size..]);
        }
    }
}

/// A string table in the making.
struct Strings(Vec<u8>);

impl Strings {
    fn add(&mut self, text: &[u8]) -> u64 {
        let at = self.0.len() as u64;
        self.0.extend(text);
        self.0.push(0);
        at
    }
}

pub(crate) fn bytes_of(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}
