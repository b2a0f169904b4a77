//! The rules of glibc's loader that depend on its version, on the processor, or on who runs a
//! program; one test each, on file systems in memory.

use crate::loader::{LD_SO, NOWHERE, at, libx, loader, need, paths, run, settings, tree};
use crate::support::elf_writer::Elf;
use std::path::{Path, PathBuf};
use tfpatch::loader::{GlibcVersion, Rule, Settings};
use tfpatch::vfs::MemVfs;

fn lib() -> Vec<u8> {
    Elf::default().bytes()
}

fn of_glibc(version: GlibcVersion) -> Settings {
    Settings { glibc: Some(version), ..settings() }
}

/// A set-user-ID program's.
fn secure() -> Settings {
    Settings { secure: true, ..settings() }
}

#[test]
fn rule_1_the_preload_file_comes_after_the_variable() {
    let vfs = tree(&Elf::program(&[]))
        .file("/etc/ld.so.preload", "one.so:/opt/two.so # three.so\n\tfour.so\n")
        .file("/lib/zero.so", lib())
        .file("/lib/one.so", lib())
        .file("/opt/two.so", lib())
        .file("/lib/three.so", lib())
        .file("/lib/four.so", lib());
    let resolution = run(&vfs, Settings { preload: Some(b"zero.so".to_vec()), ..settings() });
    let loaded = ["/app/main", "/lib/zero.so", "/lib/one.so", "/opt/two.so", "/lib/four.so", LD_SO];
    assert_eq!(paths(&resolution), loaded);
}

#[test]
fn rule_1_tokens_of_preloaded_names_are_expanded_in_paths_alone() {
    let vfs = tree(&Elf::program(&[])).file("/lib/lib$LIB.so", lib()).file("/app/pre.so", lib());
    let preload = Some(b"lib$LIB.so $ORIGIN/pre.so".to_vec());
    let resolution = run(&vfs, Settings { preload, ..settings() });
    assert_eq!(paths(&resolution), ["/app/main", "/lib/lib$LIB.so", "/app/pre.so", LD_SO]);
}

#[test]
fn rule_1_the_programs_own_path_is_no_name_of_it() {
    let vfs = tree(&Elf::program(&["/opt/libx.so"]))
        .file("/opt/libx.so", Elf::needing(&["/app/main"]).bytes());
    let resolution = run(&vfs, settings());
    let fatal = need(&resolution, "/opt/libx.so", "/app/main").fatal.clone().unwrap();
    assert_eq!(fatal.message, "cannot dynamically load position-independent executable");
}

#[test]
fn rule_2_a_set_user_id_program_has_no_tokens_in_names() {
    let vfs = tree(&Elf::program(&["$ORIGIN/libx.so"])).file("/app/libx.so", lib());
    assert!(run(&vfs, settings()).loads());
    let fatal = need(&run(&vfs, secure()), "/app/main", "$ORIGIN/libx.so").fatal.clone();
    assert_eq!(fatal.unwrap().message, "DST not allowed in SUID/SGID programs");
}

#[test]
fn rule_3b_a_set_user_id_program_preloads_what_has_that_bit() {
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("/r"))
        .file("/r/one.so", lib())
        .file("/lib/one.so", lib())
        .mode("/lib/one.so", 0o4755)
        .file("/lib/two.so", lib())
        .file("/opt/three.so", lib())
        .mode("/opt/three.so", 0o4755)
        .file("/r/libx.so", lib());
    let preload = Some(b"one.so two.so /opt/three.so".to_vec());
    let resolution = run(&vfs, Settings { preload, ..secure() });
    assert_eq!(paths(&resolution), ["/app/main", "/lib/one.so", "/r/libx.so", LD_SO]);
}

#[test]
fn rule_3b_a_set_user_id_program_has_an_origin_in_a_system_directory_alone() {
    let needs = |path: &str| Elf::program(&["libx.so"]).runpath(path);
    let vfs = |path: &str| tree(&needs(path)).file("/app/sub/libx.so", lib());
    assert_eq!(libx(&vfs("$ORIGIN/sub"), secure()), NOWHERE);
    let inside = MemVfs::new()
        .file(LD_SO, crate::loader::ld_so())
        .symlink("/app/main", "/usr/lib/app/main")
        .file("/usr/lib/app/main", needs("$ORIGIN/sub").bytes())
        .file("/usr/lib/app/sub/libx.so", lib());
    assert_eq!(libx(&inside, secure()), at("/usr/lib/app/sub/libx.so", Rule::Runpath));
}

#[test]
fn rule_3_legacy_hwcaps_before_2_37_in_their_order() {
    let settings = |version| Settings {
        hwcaps: vec!["x86-64-v2".to_owned()],
        platform: Some("haswell".to_owned()),
        ..of_glibc(version)
    };
    let mut places = vec![
        ("/r/glibc-hwcaps/x86-64-v2", (2, 33)..(9, 0)),
        ("/r/tls/haswell/x86_64", (2, 0)..(2, 37)),
        ("/r/tls/haswell", (2, 0)..(2, 37)),
        ("/r/tls/x86_64", (2, 0)..(2, 37)),
        ("/r/tls", (2, 0)..(2, 37)),
        ("/r/haswell/x86_64", (2, 0)..(2, 37)),
        ("/r/haswell", (2, 0)..(2, 37)),
        ("/r/x86_64", (2, 0)..(2, 37)),
        ("/r", (2, 0)..(9, 0)),
    ];
    while !places.is_empty() {
        let main = Elf::program(&["libx.so"]).runpath("/r");
        let vfs = places
            .iter()
            .fold(tree(&main), |tree, (dir, _)| tree.file(format!("{dir}/libx.so"), lib()));
        for version in [(2, 31), (2, 33), (2, 36), (2, 37), (2, 41)] {
            let first = places.iter().find(|(_, versions)| versions.contains(&version)).unwrap();
            let expected = at(&format!("{}/libx.so", first.0), Rule::Runpath);
            assert_eq!(libx(&vfs, settings(version)), expected, "{version:?}");
        }
        places.remove(0);
    }
}

#[test]
fn rule_3_levels_of_another_architecture_mean_nothing() {
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("/r"))
        .file("/r/glibc-hwcaps/power10/libx.so", lib())
        .file("/r/libx.so", lib());
    let hwcaps = vec!["power10".to_owned(), "power9".to_owned()];
    assert_eq!(libx(&vfs, Settings { hwcaps, ..settings() }), at("/r/libx.so", Rule::Runpath));
}

#[test]
fn rule_4_platform_is_the_targets() {
    let vfs =
        tree(&Elf::program(&["libx.so"]).runpath("/$PLATFORM")).file("/x86_64/libx.so", lib());
    for platform in ["x86_64", "aarch64"] {
        let settings = Settings { platform: Some(platform.to_owned()), ..settings() };
        assert_eq!(libx(&vfs, settings), at("/x86_64/libx.so", Rule::Runpath));
    }
}

#[test]
fn rule_5_origin_of_a_library_in_a_programs_place_is_as_it_was_called() {
    let vfs = MemVfs::new()
        .file(LD_SO, crate::loader::ld_so())
        .file("/real/liba.so", Elf::needing(&["libx.so"]).runpath("$ORIGIN").bytes())
        .symlink("/app/main", "../real/liba.so")
        .file("/app/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/app/libx.so", Rule::Runpath));
}

#[test]
fn rule_6_a_relative_entry_that_is_a_file_ended_its_list_before_2_38() {
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("file:/r"))
        .file("/cwd/file", "text")
        .file("/r/libx.so", lib());
    assert_eq!(libx(&vfs, of_glibc((2, 37))), NOWHERE);
    assert_eq!(libx(&vfs, of_glibc((2, 38))), at("/r/libx.so", Rule::Runpath));
    let absolute = tree(&Elf::program(&["libx.so"]).runpath("/file:/r"))
        .file("/file", "")
        .file("/r/libx.so", lib());
    assert_eq!(libx(&absolute, of_glibc((2, 37))), at("/r/libx.so", Rule::Runpath));
}

#[test]
fn rule_6_what_is_fatal_in_the_header() {
    let with = |changes: &[(usize, u8)]| {
        let mut bytes = lib();
        for &(at, value) in changes {
            bytes[at] = value;
        }
        bytes
    };
    let cases: [(&str, Vec<u8>); 5] = [
        ("ELF file ABI version invalid", with(&[(7, 3), (8, 4)])),
        ("ELF file ABI version invalid", with(&[(8, 1)])),
        ("ELF file version does not match current one", with(&[(20, 2)])),
        ("ELF file's phentsize not the expected size", with(&[(54, 55)])),
        ("cannot read file data", with(&[(38, 1)])),
    ];
    for (message, bytes) in cases {
        let vfs = tree(&Elf::program(&["libx.so"])).file("/lib/libx.so", bytes);
        let fatal = need(&run(&vfs, settings()), "/app/main", "libx.so").fatal.clone().unwrap();
        assert_eq!(fatal.message, message);
    }
    let known = tree(&Elf::program(&["libx.so"])).file("/lib/libx.so", with(&[(7, 3), (8, 3)]));
    assert!(run(&known, settings()).loads());
}

#[test]
fn rule_6_a_pie_was_a_library_before_2_30() {
    let vfs = tree(&Elf::program(&["libx.so"])).file("/lib/libx.so", Elf::program(&[]).bytes());
    assert!(run(&vfs, of_glibc((2, 29))).loads());
    assert!(!run(&vfs, of_glibc((2, 30))).loads());
}

#[test]
fn rule_7_problems_are_told_in_the_loaders_words() {
    let version_needs = vec![(b"libx.so".to_vec(), vec![(b"X_2".to_vec(), false)])];
    let main = Elf { version_needs, ..Elf::program(&["libx.so"]) };
    let library = Elf { version_definitions: vec![b"X_1".to_vec()], ..Elf::default() };
    let vfs = tree(&main).file("/lib/libx.so", library.bytes());
    let resolution = run(&vfs, settings());
    let words = resolution.objects[0].version_problems[0].words(Path::new("/app/main"));
    assert_eq!(words, "/lib/libx.so: version `X_2' not found (required by /app/main)");
}

#[test]
fn rule_7_a_version_of_what_nobody_asks_for_ends_the_loader() {
    let version_needs = vec![(b"libx.so".to_vec(), vec![(b"X_1".to_vec(), false)])];
    let main = Elf { version_needs, ..Elf::program(&["/lib/other.so"]) };
    // A soname counts from when it is asked for.
    let vfs = tree(&main).file("/lib/other.so", Elf::default().soname("libx.so").bytes());
    let resolution = run(&vfs, settings());
    assert!(!resolution.loads());
    assert_eq!(resolution.refused[0].message, "Assertion `needed != NULL' failed!");
}

/// Opens `/p/plugin.so` in a program; what the loader has against it.
fn opening(main: &Elf, plugin: &Elf, settings: Settings) -> Option<String> {
    let vfs = tree(main).file("/p/plugin.so", plugin.bytes());
    let loader = loader(&vfs, settings);
    let program = loader.program(Path::new("/app/main"));
    let opened = loader.dlopen(&[&program], Path::new("/p/plugin.so"));
    let said = opened.root.fatal.as_deref().into_iter().chain(&opened.refused).next().cloned();
    assert_eq!(opened.loads(), said.is_none());
    if let Some(said) = &said {
        assert_eq!(said.path, PathBuf::from("/p/plugin.so"));
    }
    said.map(|said| said.message)
}

#[test]
fn rule_8_an_executable_stack_cannot_come_later_since_2_41() {
    const WHY: &str = "cannot enable executable stack as shared object requires";
    let main = |stack| Elf { executable_stack: Some(stack), ..Elf::program(&[]) };
    let plugin = |stack| Elf { executable_stack: stack, ..Elf::default() };
    let open = |main, plugin, version| opening(&main, &plugin, of_glibc(version));
    for stack in [Some(true), None] {
        assert_eq!(open(main(false), plugin(stack), (2, 41)).as_deref(), Some(WHY));
        assert_eq!(open(main(false), plugin(stack), (2, 40)), None);
        assert_eq!(open(main(true), plugin(stack), (2, 41)), None);
    }
    assert_eq!(open(main(false), plugin(Some(false)), (2, 41)), None);
}

#[test]
fn rule_8_static_tls_needs_room() {
    let plugin = |static_tls| Elf { static_tls, ..Elf::default() };
    let main = Elf::program(&[]);
    assert_eq!(opening(&main, &plugin(1000), settings()), None);
    let said = opening(&main, &plugin(3000), settings());
    assert_eq!(said.as_deref(), Some("cannot allocate memory in static TLS block"));
    let vfs = tree(&Elf::program(&["libx.so"])).file("/lib/libx.so", plugin(3000).bytes());
    assert!(run(&vfs, settings()).loads());
}

#[test]
fn rule_8_nodlopen_is_refused() {
    const DF_1_NOOPEN: u64 = 0x40;
    let plugin = Elf { flags_1: DF_1_NOOPEN, ..Elf::default() };
    let said = opening(&Elf::program(&[]), &plugin, settings());
    assert_eq!(said.as_deref(), Some("shared object cannot be dlopen()ed"));
}

#[test]
fn a_level_that_the_processor_lacks_is_refused() {
    const V3: u32 = 1 << 2;
    let vfs = tree(&Elf::program(&["libx.so"]))
        .file("/lib/libx.so", Elf { isa_needed: V3, ..Elf::default() }.bytes());
    let with = |level: &str, version| {
        let hwcaps = tfpatch::loader::glibc::hwcaps::levels_up_to(level).unwrap();
        run(&vfs, Settings { hwcaps, ..of_glibc(version) })
    };
    assert!(with("x86-64-v3", (2, 36)).loads());
    assert!(with("x86-64-v2", (2, 32)).loads());
    let refused = with("x86-64-v2", (2, 36)).refused;
    assert_eq!(refused[0].path, Path::new("/lib/libx.so"));
    assert_eq!(refused[0].message, "CPU ISA level is lower than required");
}

#[test]
fn the_version_is_that_of_the_targets_files() {
    let silent = || Elf::default().soname("ld-linux-x86-64.so.2").bytes();
    let mut told = silent();
    told.extend(b"\0/lib/\0/usr/lib/\0");
    let libc = |versions: &[&str]| Elf {
        version_definitions: versions.iter().map(|name| name.as_bytes().to_vec()).collect(),
        ..Elf::default()
    };
    let newest = libc(&["GLIBC_2.2.5", "GLIBC_2.31", "GLIBC_2.9", "GLIBC_PRIVATE"]);
    let vfs = tree(&Elf::program(&[])).file(LD_SO, told).file("/lib/libc.so.6", newest.bytes());
    assert_eq!(loader(&vfs, settings()).system().version, Some((2, 31)));
    assert_eq!(loader(&vfs, of_glibc((2, 41))).system().version, Some((2, 41)));
}
