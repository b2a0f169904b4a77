//! What compilers and linkers make of one small library and one small program, for each machine
//! that can be run here.

use crate::support::elf_builder::{OLD, SOURCES, stderr, tool};
use proptest::prelude::*;
use proptest::sample::select;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tfpatch::elf::search_path::RpathKind;

/// What objects are linked for, and the C library they are linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    X86_64,
    I386,
    Aarch64,
    /// x86_64 with musl.
    Musl,
    /// Big-endian.
    S390x,
}

/// How the object comes to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A library that a program opens.
    Dlopen,
    /// A library that a program needs.
    Needed,
    /// A program that can be loaded anywhere.
    Pie,
    /// A program that has its place.
    NoPie,
}

impl Form {
    pub(crate) fn is_program(self) -> bool {
        matches!(self, Self::Pie | Self::NoPie)
    }
}

/// How an object is linked.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) form: Form,
    pub(crate) compiler: &'static str,
    pub(crate) linker: &'static str,
    /// The tag of [`OLD`], if it is linked with it.
    pub(crate) kind: Option<RpathKind>,
    pub(crate) flags: Vec<&'static str>,
    /// Are the section headers taken away afterwards?
    pub(crate) is_sectionless: bool,
}

/// Leaves a gap after the program headers, as linkers do that reserve room.
const GAP: &str = "-Wl,-T,gap.ld";

const LINKERS: &[&str] = &["bfd", "gold", "lld", "mold"];

/// Everything that can be linked for a machine.
pub(crate) fn layouts(machine: Machine) -> impl Strategy<Value = Layout> {
    let (compilers, linkers): (&[&str], &[&str]) = match machine {
        Machine::S390x => (&["clang-19"], &["lld"]),
        Machine::Musl => (&["gcc"], LINKERS),
        _ => (&["gcc", "clang-19"], LINKERS),
    };
    let forms = select(vec![Form::Dlopen, Form::Needed, Form::Pie, Form::NoPie]);
    let kinds = select(vec![None, Some(RpathKind::Rpath), Some(RpathKind::Runpath)]);
    let choice = |flags: &'static [&'static str]| select(flags);
    let flags = (
        choice(&["", "-Wl,-z,norelro", "-Wl,-z,relro", "-Wl,-z,relro,-z,now"]),
        choice(&["", "-Wl,--hash-style=sysv", "-Wl,--hash-style=gnu", "-Wl,--hash-style=both"]),
        choice(&["", "-Wl,--build-id=none", "-Wl,--build-id=sha1"]),
        choice(&["", "", "-Wl,-z,max-page-size=65536"]),
        choice(&["", "-Wl,-z,separate-code", "-Wl,-z,noseparate-code"]),
        choice(&["", "-Wl,-z,rodynamic"]),
        choice(&["", "-Wl,--spare-dynamic-tags=0"]),
        choice(&["", "-s"]),
        choice(&["", GAP]),
    );
    let is_sectionless = proptest::bool::weighted(0.15);
    (forms, select(compilers), select(linkers), kinds, flags, is_sectionless).prop_map(
        move |(form, compiler, linker, kind, flags, is_sectionless)| {
            let (relro, hash, build_id, pages, code, dynamic, spare, strip, gap) = flags;
            let flags = [relro, hash, build_id, pages, code, dynamic, spare, strip, gap];
            let is_known = |flag: &&str| match *flag {
                "" => false,
                GAP => linker == "bfd" && form != Form::NoPie,
                "-Wl,-z,rodynamic" => linker == "lld",
                "-Wl,--spare-dynamic-tags=0" => matches!(linker, "bfd" | "gold"),
                // lld writes words of 32 bits into DT_HASH, where this machine's loader reads 64.
                "-Wl,--hash-style=sysv" => machine != Machine::S390x,
                // gold for i386 ends with an internal error.
                "-Wl,-z,max-page-size=65536" => {
                    !(machine == Machine::I386 && linker == "gold" && form == Form::NoPie)
                }
                "-Wl,-z,separate-code" | "-Wl,-z,noseparate-code" => linker != "gold",
                _ => true,
            };
            let flags = flags.into_iter().filter(is_known).collect();
            Layout { form, compiler, linker, kind, flags, is_sectionless }
        },
    )
}

impl Machine {
    /// What compiles and links, with what it needs for the machine.
    fn driver(self, compiler: &'static str) -> Vec<&'static str> {
        match (self, compiler) {
            (Self::I386, compiler) => vec![compiler, "-m32"],
            (Self::Aarch64, "gcc") => vec!["aarch64-linux-gnu-gcc"],
            (Self::Aarch64, compiler) => vec![compiler, "--target=aarch64-linux-gnu"],
            (Self::Musl, _) => vec!["musl-gcc"],
            (Self::S390x, compiler) => vec![
                compiler,
                "--target=s390x-linux-gnu",
                "-isystem",
                "/usr/s390x-linux-gnu/include",
                "-nostdlib",
                "-Qunused-arguments",
            ],
            (Self::X86_64, compiler) => vec![compiler],
        }
    }

    fn linker(self, name: &str) -> &'static str {
        match (self, name) {
            (_, "lld") => "/usr/bin/ld.lld-19",
            (_, "mold") => "/usr/bin/mold",
            (Self::Aarch64, "gold") => "/usr/bin/aarch64-linux-gnu-ld.gold",
            (Self::Aarch64, _) => "/usr/bin/aarch64-linux-gnu-ld.bfd",
            (_, "gold") => "/usr/bin/ld.gold",
            _ => "/usr/bin/ld.bfd",
        }
    }

    /// What a linker has to be told that the driver would tell it.
    fn emulation(self) -> &'static [&'static str] {
        if self == Self::I386 { &["-melf_i386"] } else { &[] }
    }

    /// What the driver would add to a program, where there is no driver that knows the machine.
    fn start_files(self, is_program: bool) -> &'static [&'static str] {
        match (self, is_program) {
            (Self::S390x, true) => &[
                "/usr/s390x-linux-gnu/lib/Scrt1.o",
                "/usr/s390x-linux-gnu/lib/crti.o",
                "/usr/s390x-linux-gnu/lib/crtn.o",
                "/usr/s390x-linux-gnu/lib/libc.so.6",
                "-Wl,-dynamic-linker,/lib/ld64.so.1",
            ],
            _ => &[],
        }
    }

    /// The emulator, with where its machine's libraries are; nothing for what the processor runs.
    pub(crate) fn emulator(self) -> &'static [&'static str] {
        match self {
            Self::Aarch64 => &["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"],
            Self::S390x => &["qemu-s390x", "-L", "/usr/s390x-linux-gnu"],
            _ => &[],
        }
    }

    /// binutils' `strip` and `objcopy` for the machine.
    pub(crate) fn binutils(self) -> [&'static str; 2] {
        match self {
            Self::Aarch64 => ["aarch64-linux-gnu-strip", "aarch64-linux-gnu-objcopy"],
            _ => ["strip", "objcopy"],
        }
    }
}

/// A directory for a machine: `d/libdep.so`, compiled objects, a program that opens libraries, and
/// one that needs `libsubject.so`.
pub(crate) struct Bench {
    pub(crate) machine: Machine,
    dir: TempDir,
}

impl Bench {
    pub(crate) fn new(machine: Machine) -> Self {
        let bench = Self { machine, dir: TempDir::new().unwrap() };
        std::fs::create_dir(bench.path("d")).unwrap();
        for name in LINKERS {
            let dir = bench.path(name);
            std::fs::create_dir(&dir).unwrap();
            symlink(machine.linker(name), dir.join("ld")).unwrap();
        }
        for (name, text) in SOURCES {
            std::fs::write(bench.path(name), text).unwrap();
        }
        let user = "int answer(void);\nint main(void) { return answer() != 42; }\n";
        std::fs::write(bench.path("user.c"), user).unwrap();
        bench.write_gap_script();
        let compilers: &[&str] = match machine {
            Machine::S390x => &["clang-19"],
            Machine::Musl => &["gcc"],
            _ => &["gcc", "clang-19"],
        };
        let main = compilers[0];
        let linker = if machine == Machine::S390x { "lld" } else { "bfd" };
        for compiler in compilers {
            for name in ["library", "program"] {
                let (source, object) = (format!("{name}.c"), format!("{name}-{compiler}.o"));
                bench.run(compiler, &["-fPIC", "-c", &source, "-o", &object]);
            }
        }
        let library = ["-shared", "-fPIC", "-Wl,-soname,libdep.so", "dep.c", "-o", "d/libdep.so"];
        bench.link(main, linker, false, &library);
        bench.run(main, &["-fPIC", "-c", "user.c", "-o", "user.o"]);
        bench.link(main, linker, true, &["-fPIC", "-pie", "load.c", "-o", "load"]);
        let object = format!("library-{main}.o");
        let stub = ["-shared", "-Wl,-soname,libsubject.so", &object, "-o", "libsubject.so"];
        bench.link(main, linker, false, &[&stub[..], &["-Ld", "-ldep"]].concat());
        let user = ["-fPIC", "-pie", "user.o", "-o", "user", "-Wl,-rpath,$ORIGIN"];
        let user = [&user[..], &["libsubject.so", "-Wl,-rpath-link,d"]].concat();
        bench.link(main, linker, true, &user);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// bfd's own script, with more room for headers than there are.
    fn write_gap_script(&self) {
        let arguments = [&["-shared", "--verbose"][..], self.machine.emulation()].concat();
        let (text, _) = tool(self.machine.linker("bfd"), &arguments);
        let script = text.split("==================================================").nth(1);
        let script = script.unwrap().replace("SIZEOF_HEADERS", "SIZEOF_HEADERS + 0x100");
        std::fs::write(self.path("gap.ld"), script).unwrap();
    }

    fn run(&self, compiler: &'static str, arguments: &[&str]) {
        let driver = self.machine.driver(compiler);
        let mut command = Command::new(driver[0]);
        command.args(&driver[1..]).args(arguments).current_dir(self.dir.path());
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", driver[0]));
        assert!(output.status.success(), "{command:?}: {}", stderr(&output));
    }

    /// Links with a linker that stands in a directory of its name.
    fn link(&self, compiler: &'static str, linker: &str, is_program: bool, arguments: &[&str]) {
        let linker = format!("-B{}/", self.path(linker).display());
        let own = self.machine.start_files(is_program);
        self.run(compiler, &[&[linker.as_str()][..], arguments, own].concat());
    }

    /// The linkers that take the object for a library to link with.
    pub(crate) fn linkers_that_take(&self, library: &Path) -> Vec<&'static str> {
        let takes = |name: &&&str| {
            let objects = ["-shared", "-o", "user.so", "user.o", library.to_str().unwrap()];
            let mut command = Command::new(self.machine.linker(name));
            command.args(self.machine.emulation()).args(objects).args([
                "-rpath-link",
                "d",
                "--no-undefined",
            ]);
            command.current_dir(self.dir.path()).output().unwrap().status.success()
        };
        LINKERS.iter().filter(takes).copied().collect()
    }

    /// The bytes of an object.
    pub(crate) fn build(&self, layout: &Layout) -> Vec<u8> {
        self.build_with(layout, OLD, &[])
    }

    /// The bytes of an object with this search path, linked with more flags.
    pub(crate) fn build_with(&self, layout: &Layout, path: &str, more: &[&str]) -> Vec<u8> {
        let is_program = layout.form.is_program();
        let name = if is_program { "program" } else { "library" };
        let object = format!("{name}-{}.o", layout.compiler);
        let mut arguments = match layout.form {
            Form::Dlopen => vec!["-shared"],
            Form::Needed => vec!["-shared", "-Wl,-soname,libsubject.so"],
            Form::Pie => vec!["-pie"],
            Form::NoPie => vec!["-no-pie"],
        };
        arguments.extend([&object, "-o", "built", "-Ld", "-ldep"]);
        let rpath = format!("-Wl,-rpath,{path}");
        match layout.kind {
            None => {}
            Some(RpathKind::Rpath) => arguments.extend([&rpath, "-Wl,--disable-new-dtags"]),
            Some(RpathKind::Runpath) => arguments.extend([&rpath, "-Wl,--enable-new-dtags"]),
        }
        arguments.extend(layout.flags.iter().chain(more));
        self.link(layout.compiler, layout.linker, is_program, &arguments);
        if layout.is_sectionless {
            let built = self.path("built");
            let (_, complaints) =
                tool("llvm-strip-19", &["--strip-sections", built.to_str().unwrap()]);
            assert_eq!(complaints, "");
        }
        std::fs::read(self.path("built")).unwrap()
    }

    /// Where an object of a form has to stand to be loaded.
    pub(crate) fn place(&self, form: Form, bytes: &[u8]) -> PathBuf {
        let path = self.path(if form.is_program() { "subject" } else { "libsubject.so" });
        crate::support::elf_builder::place(&path, bytes);
        path
    }

    /// Loads the object that was placed, with all its symbols bound.
    pub(crate) fn command(&self, form: Form, more: &[&str]) -> Command {
        let emulator = self.machine.emulator();
        let program = |name: &str| {
            let path = self.path(name);
            match emulator.split_first() {
                None => Command::new(path),
                Some((name, arguments)) => {
                    let mut command = Command::new(name);
                    command.args(arguments).args(more).arg(path);
                    command
                }
            }
        };
        let mut command = match form {
            Form::Pie | Form::NoPie => program("subject"),
            Form::Needed => program("user"),
            Form::Dlopen => {
                let mut command = program("load");
                command.arg(self.path("libsubject.so")).arg("answer");
                command
            }
        };
        command.env_remove("LD_LIBRARY_PATH");
        command
    }

    /// The directory in which the library stands that the objects need.
    pub(crate) fn library_path(&self) -> PathBuf {
        self.path("d")
    }
}
