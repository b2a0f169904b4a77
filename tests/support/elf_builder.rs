//! Builds the ELF fixtures with the compiler and linker of the machine, and asks its loader.
//!
//! Every fixture is an object that needs `libdep.so`, which lies in the directory `d` beside it,
//! and has a search path (if any) that leads nowhere: it loads once an edit adds `$ORIGIN/d`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use tfpatch::bytes::Source;
use tfpatch::edit::{EditSet, Patched};
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Failure, Patch, Request, edit};
use tfpatch::elf::search_path::RpathKind;
use tfpatch::elf::structs::Structs as _;

/// The search path with which the fixtures are linked.
pub(crate) const OLD: &str = "$ORIGIN/nothing/is/there";

/// How a fixture is linked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavour {
    pub(crate) name: &'static str,
    pub(crate) flags: &'static [&'static str],
    pub(crate) is_program: bool,
    /// Are the section headers taken away afterwards?
    pub(crate) is_sectionless: bool,
}

const fn library(name: &'static str, flags: &'static [&'static str]) -> Flavour {
    Flavour { name, flags, is_program: false, is_sectionless: false }
}

const fn program(name: &'static str, flags: &'static [&'static str]) -> Flavour {
    Flavour { name, flags, is_program: true, is_sectionless: false }
}

const RPATH: &str = "-Wl,-rpath,$ORIGIN/nothing/is/there";

/// What is linked with a search path.
pub(crate) const TAGGED: &[Flavour] = &[
    library("runpath", &[RPATH, "-Wl,--enable-new-dtags"]),
    library("rpath", &[RPATH, "-Wl,--disable-new-dtags"]),
    library("gnu", &[RPATH, "-Wl,--hash-style=gnu", "-Wl,-z,relro,-z,now"]),
    library("sysv", &[RPATH, "-Wl,--hash-style=sysv", "-Wl,-z,norelro"]),
    library("both", &[RPATH, "-Wl,--hash-style=both", "-Wl,--build-id=none"]),
    library("packed", &[RPATH, "-Wl,-z,noseparate-code"]),
    library("pages_of_64k", &[RPATH, "-Wl,-z,max-page-size=65536"]),
    library("gold", &[RPATH, "-fuse-ld=gold"]),
    library("stripped", &[RPATH, "-s"]),
    Flavour { is_sectionless: true, ..library("sectionless", &[RPATH]) },
    program("pie", &[RPATH, "-pie"]),
    program("no_pie", &[RPATH, "-no-pie"]),
    program("no_pie_packed", &[RPATH, "-no-pie", "-Wl,-z,noseparate-code,-z,now"]),
];

/// What is linked without one.
pub(crate) const UNTAGGED: &[Flavour] = &[
    library("no_tag", &[]),
    library("no_tag_sysv", &["-Wl,--hash-style=sysv", "-Wl,--build-id=none"]),
    library("no_tag_no_spare", &["-Wl,-z,now", "-Wl,--spare-dynamic-tags=0"]),
    Flavour { is_sectionless: true, ..library("no_tag_sectionless", &[]) },
    program("no_tag_pie", &["-pie"]),
    program("no_tag_no_pie_no_spare", &["-no-pie", "-Wl,--spare-dynamic-tags=0"]),
];

/// What the fixtures are made of: a library that others need, a library and a program that need
/// it, and a program that opens a library and calls functions of it.
pub(crate) const SOURCES: [(&str, &str); 4] = [
    ("dep.c", "int dep(void) { return 42; }\nint dep_tail(void) { return 42; }\n"),
    (
        "library.c",
        "int dep(void);\nstatic int zeros[5000], started;\nstatic int *first = zeros;\n\
         __attribute__((constructor)) static void start(void) { started = 1; first++; }\n\
         int answer(void) { return started ? dep() + *first : 0; }\n",
    ),
    (
        "program.c",
        "int dep(void);\nstatic int zeros[5000], started;\nstatic int *first = zeros;\n\
         __attribute__((constructor)) static void start(void) { started = 1; first++; }\n\
         int main(void) { return started ? dep() + *first != 42 : 1; }\n",
    ),
    (
        "load.c",
        "#include <dlfcn.h>\n#include <stdio.h>\n\
         int main(int argc, char **argv) {\n\
         void *library = dlopen(argv[1], RTLD_NOW);\n\
         if (!library) { fprintf(stderr, \"%s\\n\", dlerror()); return 1; }\n\
         for (int i = 2; i < argc; i++) {\n\
         int (*answer)(void) = (int (*)(void))dlsym(library, argv[i]);\n\
         if (!answer || answer() != 42) { fprintf(stderr, \"no %s\\n\", argv[i]); return 2; }\n\
         }\nreturn 0; }\n",
    ),
];

/// A directory with `d/libdep.so`, a program that loads libraries, and the fixtures.
pub(crate) struct Workshop {
    dir: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let shop = Self { dir: TempDir::new().unwrap() };
        std::fs::create_dir(shop.path("d")).unwrap();
        for (name, text) in SOURCES {
            shop.write(name, text);
        }
        shop.gcc(&["-shared", "-fPIC", "dep.c", "-Wl,-soname,libdep.so", "-o", "d/libdep.so"]);
        shop.gcc(&["load.c", "-o", "load", "-ldl"]);
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn gcc(&self, arguments: &[&str]) {
        let output = Command::new("gcc").args(arguments).current_dir(self.dir.path()).output();
        let output = output.expect("gcc is installed");
        assert!(output.status.success(), "gcc {arguments:?}: {}", stderr(&output));
    }

    /// The bytes of a fixture.
    pub(crate) fn build(&self, flavour: &Flavour) -> Vec<u8> {
        let name = format!("{}.built", flavour.name);
        let mut arguments = match flavour.is_program {
            true => vec!["program.c"],
            false => vec!["-shared", "-fPIC", "library.c"],
        };
        arguments.extend(["-o", &name, "-Ld", "-ldep"]);
        arguments.extend(flavour.flags);
        self.gcc(&arguments);
        let mut bytes = std::fs::read(self.path(&name)).unwrap();
        if flavour.is_sectionless {
            remove_section_headers(&mut bytes);
        }
        bytes
    }

    /// A library with a gap after its program headers, as linkers leave it that reserve room.
    pub(crate) fn build_with_gap(&self) -> Vec<u8> {
        let verbose = Command::new("ld").args(["-shared", "--verbose"]).output().unwrap();
        let text = String::from_utf8(verbose.stdout).unwrap();
        let script = text.split("==================================================").nth(1);
        let script = script.unwrap().replace("SIZEOF_HEADERS", "SIZEOF_HEADERS + 0x100");
        self.write("gap.ld", &script);
        self.build(&library("gap", &[RPATH, "-Wl,-T,gap.ld"]))
    }

    /// Writes an object beside `d`, ready to be loaded or run.
    pub(crate) fn place(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        place(&path, bytes);
        path
    }

    /// Does the loader load it, with everything it needs and all its symbols bound?
    pub(crate) fn loads(&self, path: &Path, flavour: &Flavour) -> Result<(), String> {
        let mut command = match flavour.is_program {
            true => Command::new(path),
            false => self.loader(path, &["answer"]),
        };
        outcome(command.env("LD_BIND_NOW", "1"))
    }

    /// The program that loads a library and calls functions, each of which returns 42.
    pub(crate) fn loader(&self, library: &Path, functions: &[&str]) -> Command {
        let mut command = Command::new(self.path("load"));
        command.arg(library).args(functions).env_remove("LD_LIBRARY_PATH");
        command
    }
}

/// Writes an object that can be run.
pub(crate) fn place(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    // Never over a file that is mapped.
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn outcome(command: &mut Command) -> Result<(), String> {
    // A child that another test forks while a program is being written holds that program open for
    // writing until it calls exec, and the kernel does not start it meanwhile (ETXTBSY).
    let output = loop {
        match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => break output.unwrap(),
        }
    };
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{} {}", output.status, stderr(&output)))
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a tool, which must be there and succeed; its output, and its complaints.
pub(crate) fn tool<S: AsRef<OsStr>>(name: &str, arguments: &[S]) -> (String, String) {
    let output = Command::new(name).args(arguments).env("LC_ALL", "C").output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    (String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
}

/// What eu-elflint says, free of numbers.
pub(crate) fn lint(file: &Path) -> BTreeSet<String> {
    let (out, complaints) = tool("eu-elflint", &["--gnu-ld", file.to_str().unwrap()]);
    let lines = out.lines().chain(complaints.lines());
    lines
        // It adds the size of the symbol, which may be a function of many pages in another
        // segment, to the place of the relocation, and so finds the segment behind it
        // (check_one_reloc in src/elflint.c).
        .filter(|line| !line.contains("read-only section modified"))
        .filter(|line| *line != "No errors" && !line.is_empty())
        .map(|line| line.chars().filter(|c| !c.is_ascii_digit() && *c != ' ').collect())
        .collect()
}

/// What sstrip does: no section headers, and nothing after the last segment.
fn remove_section_headers(bytes: &mut Vec<u8>) {
    let image = Image::parse(bytes).unwrap();
    let ends = image.segments().iter().map(|segment| segment.p_offset + segment.p_filesz);
    let end = ends.max().unwrap() as usize;
    bytes.truncate(end);
    // e_shoff, and e_shnum with e_shstrndx, of a 64-bit header.
    bytes[40..48].fill(0);
    bytes[60..64].fill(0);
}

pub(crate) fn request(entries: &[&str], kind: Option<RpathKind>) -> Request {
    let entries = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    Request::search_path(entries, kind)
}

pub(crate) fn patch(bytes: &dyn Source, request: &Request) -> Result<Patch, Failure> {
    edit(&Image::parse(bytes)?, request)
}

/// The bytes after the edits.
pub(crate) fn apply(bytes: &dyn Source, edits: &EditSet) -> Vec<u8> {
    let patched = Patched::new(bytes, edits);
    patched.get(0..patched.len()).unwrap().into_owned()
}

/// The bytes after a request that must be served, which the laws of all edits are checked on:
/// what is turned around gives the old bytes, and what is asked for twice is done once.
pub(crate) fn patched(bytes: &Vec<u8>, request: &Request) -> (Patch, Vec<u8>) {
    let patch = patch(bytes, request).unwrap_or_else(|failure| panic!("{request:?}: {failure}"));
    let new = apply(bytes, &patch.edits);
    let back = apply(&new, &patch.edits.invert(bytes).unwrap());
    assert!(back == *bytes, "{:?} cannot be taken back", patch.method);
    let again = edit(&Image::parse(&new).unwrap(), request).unwrap();
    assert!(again.edits.is_empty(), "{:?} is not idempotent", patch.method);
    let is_sorted = patch.relies_on.windows(2).all(|pair| pair[0].end < pair[1].start);
    assert!(is_sorted, "{:?}", patch.relies_on);
    for edit in patch.edits.in_write_order().iter().filter(|edit| !edit.range.is_empty()) {
        let is_relied_on = patch
            .relies_on
            .iter()
            .any(|range| range.start <= edit.range.start && edit.range.end <= range.end);
        assert!(is_relied_on, "{:?} is replaced and not relied on", edit.range);
    }
    (patch, new)
}
