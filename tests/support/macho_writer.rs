//! Mach-O files with just the load commands that dyld's search reads.

/// A thin 64-bit file.
#[derive(Debug, Clone)]
pub(crate) struct Macho {
    arch: &'static str,
    file_type: u32,
    sdk: (u16, u8),
    uuid: Option<[u8; 16]>,
    install_name: Option<String>,
    needed: Vec<(u32, String)>,
    rpaths: Vec<String>,
    signed: bool,
    exports: Vec<String>,
    reexports: Vec<(u8, String)>,
    imports: Vec<(u8, String, bool)>,
}

/// Where `__LINKEDIT` begins: the load commands have room up to there.
const LINKEDIT: usize = 0x1000;

const LC_LOAD_DYLIB: u32 = 0xc;
const LC_ID_DYLIB: u32 = 0xd;
const LC_LOAD_WEAK_DYLIB: u32 = 0x8000_0018;
const LC_RPATH: u32 = 0x8000_001c;

/// `cputype` and `cpusubtype`.
pub(crate) fn cpu(arch: &str) -> (u32, u32) {
    match arch {
        "arm64" => (0x0100_000c, 0),
        "arm64e" => (0x0100_000c, 2),
        "x86_64" => (0x0100_0007, 3),
        _ => panic!("no such architecture: {arch}"),
    }
}

impl Macho {
    fn of_type(file_type: u32) -> Self {
        Self {
            arch: "arm64",
            file_type,
            sdk: (14, 0),
            uuid: None,
            install_name: None,
            needed: Vec::new(),
            rpaths: Vec::new(),
            signed: true,
            exports: Vec::new(),
            reexports: Vec::new(),
            imports: Vec::new(),
        }
    }

    pub(crate) fn program() -> Self {
        Self::of_type(2)
    }

    pub(crate) fn dylib(install_name: &str) -> Self {
        Self { install_name: Some(install_name.to_owned()), ..Self::of_type(6) }
    }

    pub(crate) fn bundle() -> Self {
        Self::of_type(8)
    }

    pub(crate) fn arch(self, arch: &'static str) -> Self {
        Self { arch, signed: arch != "x86_64", ..self }
    }

    pub(crate) fn sdk(self, major: u16, minor: u8) -> Self {
        Self { sdk: (major, minor), ..self }
    }

    pub(crate) fn uuid(self, uuid: &str) -> Self {
        let digits: String = uuid.chars().filter(|c| *c != '-').collect();
        let mut bytes = [0; 16];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).unwrap();
        }
        Self { uuid: Some(bytes), ..self }
    }

    fn asking(mut self, command: u32, name: &str) -> Self {
        self.needed.push((command, name.to_owned()));
        self
    }

    pub(crate) fn needs(self, name: &str) -> Self {
        self.asking(LC_LOAD_DYLIB, name)
    }

    pub(crate) fn weak(self, name: &str) -> Self {
        self.asking(LC_LOAD_WEAK_DYLIB, name)
    }

    pub(crate) fn rpath(mut self, entry: &str) -> Self {
        self.rpaths.push(entry.to_owned());
        self
    }

    pub(crate) fn unsigned(self) -> Self {
        Self { signed: false, ..self }
    }

    pub(crate) fn exports(mut self, symbol: &str) -> Self {
        self.exports.push(symbol.to_owned());
        self
    }

    /// Exports a symbol that stands in the library of that ordinal.
    pub(crate) fn reexports(mut self, ordinal: u8, symbol: &str) -> Self {
        self.reexports.push((ordinal, symbol.to_owned()));
        self
    }

    /// Binds a symbol to the library of that ordinal.
    pub(crate) fn binds(mut self, ordinal: u8, symbol: &str) -> Self {
        self.imports.push((ordinal, symbol.to_owned(), false));
        self
    }

    /// The same for a symbol that may be absent.
    pub(crate) fn binds_weakly(mut self, ordinal: u8, symbol: &str) -> Self {
        self.imports.push((ordinal, symbol.to_owned(), true));
        self
    }

    fn bind_opcodes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (ordinal, symbol, is_weak) in &self.imports {
            bytes.extend([0x10 | ordinal, 0x40 | u8::from(*is_weak)]);
            bytes.extend(symbol.as_bytes());
            bytes.extend([0, 0x51, 0x72, 0, 0x90]);
        }
        bytes.push(0);
        bytes
    }

    /// A trie as old linkers wrote it: what all names begin with, then the rest of each, which is
    /// empty for one that is the beginning of the others.
    fn export_trie(&self) -> Vec<u8> {
        let own = self.exports.iter().map(|name| (name.as_str(), vec![0, 0]));
        let others =
            self.reexports.iter().map(|(ordinal, name)| (name.as_str(), vec![8, *ordinal, 0]));
        let mut names: Vec<(&str, Vec<u8>)> = own.chain(others).collect();
        let Some((first, _)) = names.first() else { return Vec::new() };
        let shared = (0..=first.len())
            .rev()
            .map(|len| &first[..len])
            .find(|start| names.iter().all(|(name, _)| name.starts_with(start)))
            .unwrap();
        let shared = shared.to_owned();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        // Offsets take two bytes of ULEB128.
        let offset = |at: usize| [at as u8 & 0x7f | 0x80, (at >> 7) as u8];
        let mut trie = vec![0, 1];
        trie.extend(shared.as_bytes());
        trie.push(0);
        let second = trie.len() + 2;
        trie.extend(offset(second));
        let rest: usize = names.iter().map(|(name, _)| name.len() - shared.len() + 3).sum();
        let mut leaf = second + 2 + rest;
        trie.extend([0, names.len() as u8]);
        for (name, terminal) in &names {
            trie.extend(&name.as_bytes()[shared.len()..]);
            trie.push(0);
            trie.extend(offset(leaf));
            leaf += terminal.len() + 2;
        }
        for (_, terminal) in &names {
            trie.push(terminal.len() as u8);
            trie.extend(terminal);
            trie.push(0);
        }
        trie
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut commands: Vec<Vec<u8>> = Vec::new();
        let words = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        let texts = |command: u32, fields: &[u32], text: &str| {
            let offset = 12 + 4 * fields.len() as u32;
            let size = (offset as usize + text.len() + 1).next_multiple_of(8);
            let mut bytes = words(&[command, size as u32, offset]);
            bytes.extend(words(fields));
            bytes.extend(text.as_bytes());
            bytes.resize(size, 0);
            bytes
        };
        if let Some(name) = &self.install_name {
            commands.push(texts(LC_ID_DYLIB, &[2, 0x1_0000, 0x1_0000], name));
        }
        if let Some(uuid) = self.uuid {
            commands.push([words(&[0x1b, 24]), uuid.to_vec()].concat());
        }
        let sdk = u32::from(self.sdk.0) << 16 | u32::from(self.sdk.1) << 8;
        commands.push(words(&[0x32, 24, 1, 12 << 16, sdk, 0]));
        for (command, name) in &self.needed {
            commands.push(texts(*command, &[2, 0x1_0000, 0x1_0000], name));
        }
        for entry in &self.rpaths {
            commands.push(texts(LC_RPATH, &[], entry));
        }
        let (binds, trie) = (self.bind_opcodes(), self.export_trie());
        let (at, linkedit) = (LINKEDIT as u32, [binds.clone(), trie.clone()].concat());
        let (binds, trie) = (binds.len() as u32, trie.len() as u32);
        commands.push(words(&[0x8000_0022, 48, 0, 0, at, binds, 0, 0, 0, 0, at + binds, trie]));
        let mut segment = words(&[0x19, 72]);
        segment.extend(b"__LINKEDIT\0\0\0\0\0\0");
        let size = linkedit.len() as u64;
        let fields = [u64::from(at), 0x4000, u64::from(at), size];
        segment.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        segment.extend(words(&[1, 1, 0, 0]));
        commands.push(segment);
        if self.signed {
            commands.push(words(&[0x1d, 16, 0, 0]));
        }
        let (cpu_type, cpu_subtype) = cpu(self.arch);
        let count = commands.len() as u32;
        let body = commands.concat();
        let mut file = words(&[
            0xfeed_facf,
            cpu_type,
            cpu_subtype,
            self.file_type,
            count,
            body.len() as u32,
            0x85,
            0,
        ]);
        file.extend(body);
        assert!(file.len() <= LINKEDIT);
        file.resize(LINKEDIT, 0);
        file.extend(linkedit);
        file
    }
}

/// A universal file of thin ones.
pub(crate) fn universal(slices: &[Macho]) -> Vec<u8> {
    let mut file = Vec::new();
    let word = |value: u32| value.to_be_bytes();
    file.extend(word(0xcafe_babe));
    file.extend(word(slices.len() as u32));
    let mut bodies = Vec::new();
    let mut at = 0x4000_u32;
    for slice in slices {
        let (cpu_type, cpu_subtype) = cpu(slice.arch);
        let bytes = slice.bytes();
        [cpu_type, cpu_subtype, at, bytes.len() as u32, 14]
            .iter()
            .for_each(|value| file.extend(word(*value)));
        bodies.push((at as usize, bytes));
        at += 0x4000;
    }
    for (at, bytes) in bodies {
        file.resize(at, 0);
        file.extend(bytes);
    }
    file
}
