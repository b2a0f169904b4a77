//! Where a library is that is not found by its name: known by soname, class and machine, in trees that are
//! held in memory.

use crate::ld_so_cache::cache;
use crate::support::elf_writer::Elf;
use std::path::Path;
use tfpatch::diagnosis::diagnose::diagnose_asked;
use tfpatch::findings::finding::{Cause, Finding, Severity};
use tfpatch::loader::Settings;
use tfpatch::report::words::findings as words;
use tfpatch::vfs::MemVfs;
use tfpatch::world::{Question, World};

/// The one finding about a module in `/s` that needs a library.
fn finding(vfs: MemVfs, library: &str) -> Finding {
    let module = Elf::needing(&[library]).runpath("$ORIGIN/libs").bytes();
    let vfs = vfs
        .file("/s/m.abi3.so", module)
        .file("/lib64/ld-linux-x86-64.so.2", Elf::needing(&[]).bytes());
    let world = World::of_directory(&vfs, Path::new("/s"), None, Settings::default());
    let found = diagnose_asked(&vfs, &world, &Question::default()).findings;
    let [found] = <[Finding; 1]>::try_from(found).unwrap();
    assert_eq!(found.library.as_deref(), Some(library.as_bytes()));
    found
}

fn told(vfs: MemVfs, library: &str) -> (Cause, String) {
    let found = finding(vfs, library);
    assert!(!found.fixable, "{found:#?}");
    (found.cause, words::cure(&found))
}

fn library(soname: &str) -> Vec<u8> {
    Elf::needing(&[]).soname(soname).bytes()
}

fn of_another_machine(soname: &str) -> Vec<u8> {
    let mut bytes = library(soname);
    // e_machine: EM_AARCH64.
    bytes[18] = 183;
    bytes
}

#[test]
fn a_library_whose_link_is_gone_is_known_by_its_soname() {
    let vfs = || MemVfs::new().file("/s/libs/libpq.so.5.15", library("libpq.so.5"));
    let linked = "ln -s libpq.so.5.15 /s/libs/libpq.so.5".to_owned();
    assert_eq!(told(vfs(), "libpq.so.5"), (Cause::DroppedLink, linked));
    // Another name of it means another version.
    assert_eq!(told(vfs(), "libpq.so.6").0, Cause::SonameMismatch);
    let other = MemVfs::new().file("/s/libs/libpq.so.5.15", of_another_machine("libpq.so.5"));
    assert_eq!(told(other, "libpq.so.5").0, Cause::NotInstalled);
    // A link is not enough where no search path leads to it.
    let away = MemVfs::new().file("/s/away/libpq.so.5.15", library("libpq.so.5"));
    let both = "ln -s libpq.so.5.15 /s/away/libpq.so.5 && tfpatch fix /s".to_owned();
    assert_eq!(told(away, "libpq.so.5"), (Cause::DroppedLink, both));
}

#[test]
fn a_text_in_the_place_of_a_link_says_what_it_was() {
    let vfs = |text: &str| {
        MemVfs::new()
            .file("/s/libs/libpq.so.5.15", library("libpq.so.5"))
            .file("/s/libs/libpq.so.5", text)
    };
    let linked = "ln -sf libpq.so.5.15 /s/libs/libpq.so.5".to_owned();
    for text in ["libpq.so.5.15", "libpq.so.5.15\n", "../libs/libpq.so.5.15"] {
        let (cause, cure) = told(vfs(text), "libpq.so.5");
        assert_eq!(cause, Cause::DroppedLink, "{text}");
        assert_eq!(cure, linked.replace("libpq.so.5.15 ", &format!("{} ", text.trim_end())));
    }
}

/// A text that names nothing is a damaged file; one that nobody asks for is no finding.
#[test]
fn other_texts_are_what_they_were() {
    let vfs = MemVfs::new().file("/s/libs/libpq.so.5", "libgone.so.5");
    let world = World::of_directory(&vfs, Path::new("/s"), None, Settings::default());
    let found = diagnose_asked(&vfs, &world, &Question::default()).findings;
    assert_eq!(found.iter().map(|found| found.cause).collect::<Vec<_>>(), [Cause::Unreadable]);
    let vfs = MemVfs::new()
        .file("/s/libs/libpq.so.5.15", library("libpq.so.5"))
        .file("/s/libs/libpq.so", "libpq.so.5.15");
    let world = World::of_directory(&vfs, Path::new("/s"), None, Settings::default());
    assert_eq!(diagnose_asked(&vfs, &world, &Question::default()).findings, []);
}

#[test]
fn a_name_without_a_version_lacks_the_link_of_developers() {
    let vfs = MemVfs::new().file("/s/libs/libcublas.so.11", library("libcublas.so.11"));
    let linked = "ln -s libcublas.so.11 /s/libs/libcublas.so".to_owned();
    assert_eq!(told(vfs, "libcublas.so"), (Cause::DroppedLink, linked));
    let other =
        MemVfs::new().file("/s/libs/libcublas.so.11", of_another_machine("libcublas.so.11"));
    assert_eq!(told(other, "libcublas.so").0, Cause::NotInstalled);
}

#[test]
fn a_library_that_ldconfig_has_not_seen_is_cured_by_it() {
    let vfs = || {
        MemVfs::new()
            .file("/etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n")
            .file("/etc/ld.so.conf.d/libc.conf", "/usr/local/lib\n")
            .file("/etc/ld.so.cache", cache(&[], &[]))
    };
    let ldconfig = || (Cause::StaleCache, "run ldconfig as root".to_owned());
    let there = vfs().file("/usr/local/lib/libpq.so.5", library("libpq.so.5"));
    assert_eq!(told(there, "libpq.so.5"), ldconfig());
    // It makes the links as well.
    let unlinked = vfs().file("/usr/local/lib/libpq.so.5.15", library("libpq.so.5"));
    assert_eq!(told(unlinked, "libpq.so.5"), ldconfig());
    let foreign = vfs().file("/usr/local/lib/libpq.so.5", of_another_machine("libpq.so.5"));
    assert_eq!(told(foreign, "libpq.so.5").0, Cause::NotInstalled);
    // What it does not look into is out of reach.
    let other = vfs().file("/opt/pq/lib/libpq.so.5", library("libpq.so.5"));
    let found = finding(other, "libpq.so.5");
    assert_eq!((found.cause, found.fixable), (Cause::PathMissing, true));
    assert_eq!(words::cure(&found), "tfpatch fix --allow-absolute");
}

#[test]
fn a_library_of_another_machine_is_not_another_version() {
    let vfs = MemVfs::new().file("/s/libs/libpq.so.6", of_another_machine("libpq.so.6"));
    assert_eq!(told(vfs, "libpq.so.5").0, Cause::NotInstalled);
}

/// Node.js and others have endings of their own for libraries: the first bytes tell, and not the name.
#[test]
fn objects_are_known_by_their_first_bytes() {
    for name in ["sharp.node", "core.dso", "worker", "libx.so.1", "module.so"] {
        let asking = Elf::needing(&["libgone.so.1"]).bytes();
        let vfs = MemVfs::new().file(format!("/t/build/{name}"), asking);
        let world = World::of_directory(&vfs, Path::new("/t"), None, Settings::default());
        assert_eq!(world.inventory.objects.len(), 1, "{name}");
        let found = diagnose_asked(&vfs, &world, &Question::default()).findings;
        assert_eq!(found.iter().map(|it| it.cause).collect::<Vec<_>>(), [Cause::NotInstalled]);
    }
    // What is none is no finding under such names.
    let vfs = MemVfs::new().file("/t/weights.bin", "\0\0\0\0").file("/t/x.node", "");
    let world = World::of_directory(&vfs, Path::new("/t"), None, Settings::default());
    assert_eq!(diagnose_asked(&vfs, &world, &Question::default()).findings, []);
}

/// What the kernel shows of processes and devices is not walked, whatever lies there.
#[test]
fn what_the_kernel_shows_is_not_walked() {
    let broken = || Elf::needing(&["libgone.so.1"]).bytes();
    let vfs = MemVfs::new()
        .file("/proc/1/root/m.so", broken())
        .file("/sys/m.so", broken())
        .file("/dev/shm/m.so", broken())
        .file("/opt/proc/m.so", broken());
    let world = World::of_directory(&vfs, Path::new("/"), None, Settings::default());
    let paths: Vec<&Path> = world.inventory.objects.iter().map(|it| it.path.as_path()).collect();
    assert_eq!(paths, [Path::new("/opt/proc/m.so")]);
}

/// Python code opens the only library that it has; of several each may be a plugin, and a directory of
/// packages is imported from by somebody, wherever the interpreter is.
#[test]
fn the_only_library_of_python_code_is_judged() {
    let severity = |size: u64, more: &[&str]| {
        let rows = format!("boost/lib_boost.so,,\nboost/__init__.py,,{size}\n");
        let rows = more.iter().fold(rows, |rows, file| rows + &format!("{},,\n", &file[3..]));
        let vfs = MemVfs::new()
            .file("/s/boost/lib_boost.so", Elf::needing(&["libomp_away.so.5"]).bytes())
            .file("/s/boost/__init__.py", "x")
            .file("/s/boost-1.dist-info/METADATA", "Name: boost\nVersion: 1\n")
            .file("/s/boost-1.dist-info/RECORD", rows);
        let vfs = more.iter().fold(vfs, |vfs, file| vfs.file(file, Elf::needing(&[]).bytes()));
        let world = World::of_directory(&vfs, Path::new("/s"), None, Settings::default());
        let found = diagnose_asked(&vfs, &world, &Question::default()).findings;
        let found: Vec<_> = found.into_iter().filter(|it| it.library.is_some()).collect();
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!(found.cause, Cause::NotInstalled);
        found.severity()
    };
    assert_eq!(severity(1, &[]), Severity::Error);
    assert_eq!(severity(1, &["/s/boost.libs/libz.so.1"]), Severity::Error);
    assert_eq!(severity(1, &["/s/boost/other.so"]), Severity::Info);
    assert_eq!(severity(0, &[]), Severity::Info);
}
