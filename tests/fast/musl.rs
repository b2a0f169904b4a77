//! The rules of musl's loader, one test each, on file systems in memory.

use crate::loader::{NOWHERE, answer, at, lib, need, paths, settings, with_library_path};
use crate::support::elf_writer::Elf;
use std::path::{Path, PathBuf};
use tfpatch::elf::{Image, Summary};
use tfpatch::loader::{Dependency, Libc, Loader, Resolution, Rule, Settings, StepOutcome, System};
use tfpatch::vfs::{MemVfs, Vfs as _};

const LD_SO: &str = "/lib/ld-musl-x86_64.so.1";
const PATH_FILE: &str = "/etc/ld-musl-x86_64.path";

/// The strings by which musl's loader is known, and its built-in directories.
fn ld_so() -> Vec<u8> {
    let mut file = Elf::default().bytes();
    file.extend(b"\0/usr/local/bin:/bin:/usr/bin\0/lib:/usr/local/lib:/usr/lib\0$ORIGIN\0");
    file.extend(b"%.*s/etc/ld-musl-x86_64.path\0");
    file
}

fn program(names: &[&str]) -> Elf {
    Elf { interpreter: Some(LD_SO.into()), ..Elf::program(names) }
}

/// A tree with the loader and the program `/app/main`.
fn tree(main: &Elf) -> MemVfs {
    MemVfs::new().file(LD_SO, ld_so()).file("/app/main", main.bytes())
}

fn summary(vfs: &MemVfs, path: &str) -> Summary {
    let source = vfs.open(Path::new(path)).unwrap();
    Image::parse(&source).unwrap().summary().unwrap()
}

fn loader(vfs: &MemVfs, settings: Settings) -> Loader<'_> {
    let system = System::read(vfs, &summary(vfs, "/app/main"));
    assert_eq!(system.libc, Libc::Musl);
    Loader::new(vfs, system, settings)
}

fn run(vfs: &MemVfs, settings: Settings) -> Resolution {
    loader(vfs, settings).program(Path::new("/app/main"))
}

/// Where the program's need of `libx.so` leads, and by which rule.
fn libx(vfs: &MemVfs, settings: Settings) -> (Option<PathBuf>, Rule) {
    answer(&run(vfs, settings))
}

fn tried(dependency: &Dependency) -> Vec<(String, StepOutcome)> {
    let steps = dependency.tried.steps();
    steps.map(|step| (step.path.to_str().unwrap().to_owned(), step.outcome)).collect()
}

#[test]
fn the_lists_in_their_order() {
    let main = program(&["libx.so"]).runpath("/runpath");
    let everywhere = ["/env", "/runpath", "/lib", "/usr/local/lib", "/usr/lib"];
    let rules = [
        Rule::LdLibraryPath,
        Rule::Runpath,
        Rule::DefaultDirs,
        Rule::DefaultDirs,
        Rule::DefaultDirs,
    ];
    for (first, rule) in rules.into_iter().enumerate() {
        let vfs = everywhere[first..]
            .iter()
            .fold(tree(&main), |tree, dir| tree.file(format!("{dir}/libx.so"), lib()));
        let found = format!("{}/libx.so", everywhere[first]);
        assert_eq!(libx(&vfs, with_library_path("/env")), at(&found, rule));
    }
    // DT_RPATH comes after the variable too.
    let rpath = tree(&program(&["libx.so"]).rpath("/r"))
        .file("/r/libx.so", lib())
        .file("/env/libx.so", lib());
    assert_eq!(libx(&rpath, with_library_path("/env")), at("/env/libx.so", Rule::LdLibraryPath));
    assert_eq!(libx(&rpath, settings()), at("/r/libx.so", Rule::Rpath));
}

#[test]
fn both_tags_are_inherited_and_runpath_is_preferred() {
    for inherited in [program(&["liba.so"]).rpath("/r"), program(&["liba.so"]).runpath("/r")] {
        let vfs = tree(&inherited)
            .file("/r/liba.so", Elf::needing(&["libb.so"]).runpath("/a").bytes())
            .file("/a/libb.so", Elf::needing(&["libx.so", "liby.so"]).runpath("").bytes())
            .file("/r/libx.so", lib())
            .file("/a/liby.so", lib());
        let resolution = run(&vfs, settings());
        let found = need(&resolution, "/a/libb.so", "libx.so");
        assert_eq!(found.found.as_deref(), Some(Path::new("/r/libx.so")));
        assert_eq!(found.via.as_deref(), Some(Path::new("/app/main")));
        let found = need(&resolution, "/a/libb.so", "liby.so");
        assert_eq!(found.via.as_deref(), Some(Path::new("/r/liba.so")));
    }
    let both = tree(&program(&["libx.so"]).rpath("/rpath").runpath("/runpath"));
    assert_eq!(libx(&both.clone().file("/rpath/libx.so", lib()), settings()), NOWHERE);
    let both = both.file("/runpath/libx.so", lib());
    assert_eq!(libx(&both, settings()), at("/runpath/libx.so", Rule::Runpath));
    let empty = tree(&program(&["libx.so"]).rpath("/rpath").runpath(""));
    assert_eq!(libx(&empty.file("/rpath/libx.so", lib()), settings()), NOWHERE);
}

#[test]
fn the_path_file_stands_in_for_the_built_in_directories() {
    let vfs = tree(&program(&["libx.so"])).file("/lib/libx.so", lib()).file("/two/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/lib/libx.so", Rule::DefaultDirs));
    let listed = vfs.clone().file(PATH_FILE, "/one\n\n/two:/lib\n");
    assert_eq!(libx(&listed, settings()), at("/two/libx.so", Rule::MuslPath));
    // One that is there counts even where it lists nothing.
    assert_eq!(libx(&vfs.clone().file(PATH_FILE, ""), settings()), NOWHERE);
    assert_eq!(libx(&vfs.clone().file(PATH_FILE, "\0/lib"), settings()), NOWHERE);
    let closed = vfs.clone().file(PATH_FILE, "/lib").unreadable(PATH_FILE);
    assert_eq!(libx(&closed, settings()), NOWHERE);
    assert_eq!(loader(&closed, settings()).system().assumptions.len(), 1);
    assert_eq!(libx(&vfs.dir(PATH_FILE), settings()), NOWHERE);
}

#[test]
fn the_path_file_lies_below_the_prefix_of_the_loader() {
    let elsewhere = "/opt/musl/lib/ld-musl-x86_64.so.1";
    let main = Elf { interpreter: Some(elsewhere.into()), ..program(&["libx.so"]) };
    let vfs = MemVfs::new()
        .file(elsewhere, ld_so())
        .file("/app/main", main.bytes())
        .file("/opt/musl/etc/ld-musl-x86_64.path", "/opt/musl/deps")
        .file(PATH_FILE, "/none")
        .file("/opt/musl/deps/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/opt/musl/deps/libx.so", Rule::MuslPath));
}

#[test]
fn colons_and_newlines_separate_and_empty_entries_do_not_count() {
    let vfs = tree(&program(&["libx.so"]))
        .file("/cwd/libx.so", lib())
        .file("/env/libx.so", lib())
        .file("/cwd/sub/libx.so", lib());
    for (path, expected) in [
        ("/none:/env", at("/env/libx.so", Rule::LdLibraryPath)),
        ("/none\n/env", at("/env/libx.so", Rule::LdLibraryPath)),
        (":\n:/env", at("/env/libx.so", Rule::LdLibraryPath)),
        ("sub", at("/cwd/sub/libx.so", Rule::LdLibraryPath)),
        (".", at("/cwd/./libx.so", Rule::LdLibraryPath)),
        (":", NOWHERE),
        ("/none:", NOWHERE),
        ("/none;/env", NOWHERE),
        ("$ORIGIN/../env", NOWHERE),
        ("", NOWHERE),
    ] {
        assert_eq!(libx(&vfs, with_library_path(path)), expected, "{path:?}");
    }
    let runpath = tree(&program(&["libx.so"]).runpath(":/a\n/b")).file("/b/libx.so", lib());
    assert_eq!(libx(&runpath, settings()), at("/b/libx.so", Rule::Runpath));
    let semicolon = tree(&program(&["libx.so"]).runpath("/a;/b")).file("/b/libx.so", lib());
    assert_eq!(libx(&semicolon, settings()), NOWHERE);
}

#[test]
fn origin_alone_is_expanded_and_another_token_ends_the_whole_path() {
    let with = |path: &str| tree(&program(&["libx.so"]).runpath(path));
    for (path, place) in [
        ("$ORIGIN/d", "/app/d/libx.so"),
        ("${ORIGIN}/d", "/app/d/libx.so"),
        ("$ORIGINd", "/appd/libx.so"),
        ("/none:$ORIGIN", "/app/libx.so"),
    ] {
        let vfs = with(path).file(place, lib());
        assert_eq!(libx(&vfs, settings()), at(place, Rule::Runpath), "{path}");
    }
    for path in ["/d:$LIB", "/d:${PLATFORM}/x", "/d:$", "/d:$ORIGI", "/d:${ORIGIN"] {
        assert_eq!(libx(&with(path).file("/d/libx.so", lib()), settings()), NOWHERE, "{path}");
    }
}

#[test]
fn origin_of_the_program_is_real_and_of_a_library_as_found() {
    let vfs = MemVfs::new()
        .file(LD_SO, ld_so())
        .file("/real/program", program(&["liba.so"]).runpath("$ORIGIN/libs").bytes())
        .symlink("/app/main", "../real/program")
        .symlink("/real/libs/liba.so", "/store/liba.so")
        .file("/store/liba.so", Elf::needing(&["libx.so"]).runpath("$ORIGIN").bytes())
        .file("/store/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/real/libs/liba.so", "libx.so").rule, Rule::NotFound);
    let vfs = vfs.file("/real/libs/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/real/libs/liba.so", "libx.so").rule, Rule::Runpath);
}

#[test]
fn in_secure_mode_no_variable_counts_and_no_origin_of_the_program() {
    let secure = |settings| Settings { secure: true, ..settings };
    let vfs = tree(&program(&["libx.so"]).runpath("/d:$ORIGIN"))
        .file("/env/libx.so", lib())
        .file("/d/libx.so", lib());
    assert_eq!(libx(&vfs, secure(with_library_path("/env"))), NOWHERE);
    let plain = tree(&program(&["liba.so"]).runpath("/d"))
        .file("/d/liba.so", Elf::needing(&["libx.so"]).runpath("$ORIGIN/e").bytes())
        .file("/d/e/libx.so", lib());
    let resolution = run(&plain, secure(settings()));
    assert_eq!(need(&resolution, "/d/liba.so", "libx.so").rule, Rule::Runpath);
}

#[test]
fn tokens_of_needed_are_not_expanded() {
    let main = program(&["$ORIGIN/libx.so", "lib$LIB.so"]);
    let vfs = tree(&main).file("/app/libx.so", lib()).file("/lib/lib$LIB.so", lib());
    let resolution = run(&vfs, settings());
    let rules: Vec<Rule> = resolution.objects[0].needed.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::NotFound, Rule::DefaultDirs]);
}

#[test]
fn a_name_with_a_slash_is_opened_from_the_working_directory() {
    let vfs = tree(&program(&["sub/libx.so", "./liby.so"]).runpath("/r"))
        .file("/cwd/sub/libx.so", lib())
        .file("/r/liby.so", lib());
    let resolution = run(&vfs, settings());
    let rules: Vec<Rule> = resolution.objects[0].needed.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::Direct, Rule::NotFound]);
}

#[test]
fn the_first_file_that_opens_ends_the_search() {
    use StepOutcome::{NotALibrary, Unreadable, WrongClass, WrongMachine};
    let whole = tree(&program(&["libx.so"]).runpath("/a:/b")).file("/b/libx.so", lib());
    let cases: [(&str, StepOutcome, Vec<u8>); 7] = [
        ("Exec format error", NotALibrary, Vec::new()),
        ("Exec format error", NotALibrary, b"GROUP".to_vec()),
        ("Exec format error", NotALibrary, b"INPUT ( libx.so.1 )".repeat(9)),
        ("Exec format error", NotALibrary, Elf { little: false, ..Elf::default() }.bytes()),
        ("Exec format error", NotALibrary, Elf { e_type: 1, ..Elf::default() }.bytes()),
        (
            "Exec format error",
            WrongClass,
            Elf { is_64: false, machine: 3, ..Elf::default() }.bytes(),
        ),
        (
            "unsupported relocation type",
            WrongMachine,
            Elf { machine: 183, ..Elf::default() }.bytes(),
        ),
    ];
    let ends = |vfs: &MemVfs, message: &str, outcome: StepOutcome| {
        let resolution = run(vfs, settings());
        let found = need(&resolution, "/app/main", "libx.so");
        assert_eq!(found.rule, Rule::NotFound, "{message}");
        let fatal = found.fatal.clone().unwrap();
        assert_eq!((fatal.message.as_str(), fatal.path.to_str()), (message, Some("/a/libx.so")));
        assert_eq!(tried(found), [("/a/libx.so".to_owned(), outcome)]);
    };
    for (message, outcome, bytes) in cases {
        ends(&whole.clone().file("/a/libx.so", bytes), message, outcome);
    }
    ends(&whole.clone().dir("/a/libx.so"), "Is a directory", NotALibrary);
    ends(&whole.symlink("/a/libx.so", "libx.so"), "Symbolic link loop", Unreadable);
}

#[test]
fn an_object_for_another_machine_is_loaded_under_its_name_and_fails_whoever_needs_it() {
    let foreign = Elf { machine: 183, ..Elf::default() };
    let main = program(&["libx.so", "liba.so"]).runpath("/r");
    let vfs = tree(&main)
        .file("/r/libx.so", foreign.bytes())
        .file("/r/liba.so", Elf::needing(&["libx.so"]).runpath("/a").bytes())
        .file("/a/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(paths(&resolution), ["/app/main", "/r/libx.so", "/r/liba.so", LD_SO]);
    for asker in ["/app/main", "/r/liba.so"] {
        let found = need(&resolution, asker, "libx.so");
        assert_eq!((found.rule, found.found.as_ref()), (Rule::NotFound, None));
        assert_eq!(found.fatal.clone().unwrap().path, Path::new("/r/libx.so"));
    }
}

#[test]
fn a_program_serves_as_a_library() {
    for e_type in [2, 3] {
        let elf = Elf { e_type, ..program(&[]) };
        let vfs = tree(&program(&["libx.so"]).runpath("/a")).file("/a/libx.so", elf.bytes());
        assert_eq!(libx(&vfs, settings()), at("/a/libx.so", Rule::Runpath));
    }
}

#[test]
fn what_is_absent_closed_or_dangling_is_passed_over() {
    let vfs = tree(&program(&["libx.so"]).runpath("/a:/b:/c:/d/none:/e"))
        .file("/a/libx.so", lib())
        .unreadable("/a/libx.so")
        .symlink("/b/libx.so", "gone")
        .file("/d", "a file")
        .file("/e/libx.so", lib());
    let resolution = run(&vfs, settings());
    let outcomes: Vec<StepOutcome> = tried(need(&resolution, "/app/main", "libx.so"))
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect();
    use StepOutcome::{Absent, Found, Unreadable};
    assert_eq!(outcomes, [Unreadable, Absent, Absent, Absent, Found]);
}

#[test]
fn a_path_that_does_not_fit_the_buffer_is_passed_over() {
    let deep = |len: usize| format!("/{}/{}", "a".repeat(200), "b".repeat(len - 202));
    // Directory, slash, name and NUL take 512 bytes.
    let longest = deep(512 - "/libx.so\0".len());
    let vfs =
        tree(&program(&["libx.so"]).runpath(&longest)).file(format!("{longest}/libx.so"), lib());
    assert_eq!(libx(&vfs, settings()), at(&format!("{longest}/libx.so"), Rule::Runpath));
    let longer = format!("{longest}b");
    let vfs = tree(&program(&["libx.so"]).runpath(&format!("{longer}:/e")))
        .file(format!("{longer}/libx.so"), lib())
        .file("/e/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/e/libx.so", Rule::Runpath));
    let name = format!("lib{}.so", "x".repeat(250));
    let vfs = tree(&program(&[&name])).file(format!("/lib/{name}"), lib());
    let resolution = run(&vfs, settings());
    assert!(need(&resolution, "/app/main", &name).tried.is_empty());
}

#[test]
fn names_of_the_c_library_are_musl_itself() {
    let reserved = [
        "libc.so",
        "libc.so.6",
        "libc.musl-x86_64.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "libutil.so.1",
        "libxnet.so",
        "libm.d/../libx.so",
        LD_SO,
    ];
    let vfs = reserved.iter().fold(tree(&program(&reserved).runpath("/r")), |vfs, name| {
        vfs.file(format!("/r/{}", name.trim_start_matches('/')), lib())
    });
    let resolution = run(&vfs, settings());
    for name in reserved {
        let found = need(&resolution, "/app/main", name);
        assert_eq!(found.rule, Rule::LibcItself, "{name}");
        assert_eq!(found.found.as_deref(), Some(Path::new(LD_SO)));
        assert!(found.tried.is_empty());
    }
    assert_eq!(paths(&resolution), ["/app/main", LD_SO]);
    let others = ["libcrypt.so.1", "libmvec.so.1", "ld-linux-x86-64.so.2", "libresolv.so.2"];
    let resolution = run(&tree(&program(&others)), settings());
    assert!(resolution.objects[0].needed.iter().all(|need| need.rule == Rule::NotFound));
    // It is there where its file cannot be read: a program could not have started without it.
    let gone = MemVfs::new().file("/app/main", program(&["libc.so"]).bytes());
    let resolution = run(&gone, settings());
    assert_eq!(need(&resolution, "/app/main", "libc.so").rule, Rule::LibcItself);
    assert!(resolution.loads());
}

#[test]
fn a_loaded_object_serves_by_the_name_that_it_was_found_by_and_not_by_its_soname() {
    let vfs =
        tree(&program(&["liba.so", "liba.so.1", "liba.so", "libmain.so"]).soname("libmain.so"))
            .file("/lib/liba.so", Elf::default().soname("liba.so.1").bytes());
    let resolution = run(&vfs, settings());
    let rules: Vec<Rule> = resolution.objects[0].needed.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::DefaultDirs, Rule::NotFound, Rule::Loaded, Rule::NotFound]);
}

#[test]
fn one_file_is_one_object_and_the_first_path_keeps_origin() {
    let asks = Elf::needing(&["libdep.so"]).runpath("$ORIGIN").bytes();
    let vfs = tree(&program(&["liba.so", "libb.so", "libc2.so"]).runpath("/one:/two"))
        .file("/one/liba.so", asks)
        .link("/one/liba.so", "/two/libb.so")
        .symlink("/two/libc2.so", "../one/liba.so")
        .file("/one/libdep.so", lib())
        .file("/two/libdep.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(paths(&resolution), ["/app/main", "/one/liba.so", "/one/libdep.so", LD_SO]);
    for name in ["liba.so", "libb.so", "libc2.so"] {
        let found = need(&resolution, "/app/main", name);
        assert_eq!(found.found.as_deref(), Some(Path::new("/one/liba.so")));
        assert_eq!(found.rule, Rule::Runpath);
    }
}

#[test]
fn an_object_that_was_loaded_by_its_path_has_no_name_until_a_search_comes_to_it() {
    let by_path = tree(&program(&["/opt/liba.so", "liba.so"])).file("/opt/liba.so", lib());
    let resolution = run(&by_path, settings());
    assert_eq!(need(&resolution, "/app/main", "liba.so").rule, Rule::NotFound);
    // The search comes to it by another name; from then on that of its own file serves.
    let main = program(&["/opt/liba.so", "libb.so", "liba.so"]).runpath("/r");
    let vfs = tree(&main).file("/opt/liba.so", lib()).symlink("/r/libb.so", "/opt/liba.so");
    let resolution = run(&vfs, settings());
    let rules: Vec<Rule> = resolution.objects[0].needed.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::Direct, Rule::Runpath, Rule::Loaded]);
}

#[test]
fn what_is_opened_is_asked_for_by_the_main_program_and_never_by_the_caller() {
    let vfs = tree(&program(&["libcaller.so"]).runpath("/main"))
        .file("/main/libcaller.so", Elf::default().rpath("/caller").bytes())
        .file("/caller/libplugin.so", lib())
        .file("/main/libother.so", Elf::needing(&["libx.so", "liby.so"]).runpath("/other").bytes())
        .file("/other/libx.so", lib())
        .file("/main/liby.so", lib());
    let loader = loader(&vfs, settings());
    let program = loader.program(Path::new("/app/main"));
    let caller = Path::new("/main/libcaller.so");
    let opened = loader.find(&[&program], caller, b"libplugin.so").unwrap();
    assert_eq!(opened.root.rule, Rule::NotFound);
    let opened = loader.find(&[&program], caller, b"libother.so").unwrap();
    assert_eq!(opened.root.via.as_deref(), Some(Path::new("/app/main")));
    // What comes with it sees its own path, then the main program's.
    let found = need(&opened, "/main/libother.so", "libx.so");
    assert_eq!(found.via.as_deref(), Some(Path::new("/main/libother.so")));
    let found = need(&opened, "/main/libother.so", "liby.so");
    assert_eq!(found.via.as_deref(), Some(Path::new("/app/main")));
    let module = loader.dlopen(&[&program], Path::new("/main/libother.so"));
    assert_eq!(paths(&module), ["/main/libother.so", "/other/libx.so", "/main/liby.so"]);
    let again = loader.dlopen(&[&program, &opened], Path::new("/main/libother.so"));
    assert!(again.objects.is_empty() && again.root.found.is_some());
}

#[test]
fn what_is_preloaded_is_asked_for_by_nobody() {
    let vfs = tree(&program(&[]).runpath("/main"))
        .file("/main/libpre.so", lib())
        .file("/env/libgood.so", Elf::needing(&["libx.so"]).bytes())
        .file("/main/libx.so", lib());
    let preload = Some(b"libpre.so:libgood.so\t/none.so".to_vec());
    let resolution = run(&vfs, Settings { preload, ..with_library_path("/env") });
    let rules: Vec<Rule> = resolution.preload.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::NotFound, Rule::LdLibraryPath, Rule::NotFound]);
    // Nor do its needs see the program's path.
    assert_eq!(need(&resolution, "/env/libgood.so", "libx.so").rule, Rule::NotFound);
}

#[test]
fn versions_are_not_looked_at() {
    let needs = vec![(b"libx.so".to_vec(), vec![(b"X_2".to_vec(), false)])];
    let main = Elf { version_needs: needs, ..program(&["libx.so"]) };
    let defines = Elf { version_definitions: vec![b"X_1".to_vec()], ..Elf::default() };
    let resolution = run(&tree(&main).file("/lib/libx.so", defines.bytes()), settings());
    assert!(resolution.loads());
}

#[test]
fn nodeflib_and_an_empty_name_mean_nothing_to_it() {
    const DF_1_NODEFLIB: u64 = 0x800;
    let mut main = program(&["libx.so", ""]);
    main.flags_1 |= DF_1_NODEFLIB;
    let resolution = run(&tree(&main).file("/lib/libx.so", lib()), settings());
    assert_eq!(need(&resolution, "/app/main", "libx.so").rule, Rule::DefaultDirs);
    let fatal = need(&resolution, "/app/main", "").fatal.clone().unwrap();
    assert_eq!(fatal.message, "Invalid argument");
}

#[test]
fn which_loader_applies_is_told_by_the_files() {
    let read = |vfs: &MemVfs, path: &str| System::read(vfs, &summary(vfs, path));
    let glibc = "/lib64/ld-linux-x86-64.so.2";
    let empty = MemVfs::new()
        .file("/app/main", program(&[]).bytes())
        .file("/app/gnu", Elf::program(&[]).bytes())
        .file("/w/alpine.so", Elf::needing(&["libstdc++.so.6", "libc.musl-x86_64.so.1"]).bytes())
        .file("/w/musl.so", Elf::needing(&["libc.so"]).bytes())
        .file("/w/gnu.so", Elf::needing(&["libm.so.6", "libc.so.6"]).bytes())
        .file("/w/untold.so", Elf::needing(&["libz.so.1"]).bytes());
    let libc = |vfs: &MemVfs, path: &str| read(vfs, path).libc;
    for (path, expected) in [
        ("/app/main", Libc::Musl),
        ("/app/gnu", Libc::Glibc),
        ("/w/alpine.so", Libc::Musl),
        ("/w/musl.so", Libc::Musl),
        ("/w/gnu.so", Libc::Glibc),
        ("/w/untold.so", Libc::Glibc),
    ] {
        assert_eq!(libc(&empty, path), expected, "{path}");
    }
    // What does not tell is loaded by what the root has.
    let alpine = empty.clone().file(LD_SO, ld_so());
    assert_eq!(libc(&alpine, "/w/untold.so"), Libc::Musl);
    let debian = alpine.clone().file(glibc, lib());
    assert_eq!(libc(&debian, "/w/untold.so"), Libc::Glibc);
    // A root's musl for another machine is not for this one.
    let arm = Elf { machine: 183, ..Elf::default() };
    let foreign = empty.file("/lib/ld-musl-aarch64.so.1", arm.bytes());
    assert_eq!(libc(&foreign, "/w/untold.so"), Libc::Glibc);
    // musl under the name of glibc's loader, as with gcompat.
    let compat = alpine.symlink(glibc, LD_SO);
    assert_eq!(libc(&compat, "/app/gnu"), Libc::Musl);
    assert_eq!(read(&compat, "/app/gnu").interpreter.as_deref(), Some(Path::new(glibc)));
}

#[test]
fn a_wish_overrides_what_the_files_tell() {
    let vfs = tree(&program(&["libx.so"]))
        .file("/app/gnu", Elf::program(&["libx.so"]).runpath("/r").bytes());
    let as_musl = System::read_as(&vfs, &summary(&vfs, "/app/gnu"), Some(Libc::Musl));
    assert_eq!((as_musl.libc, as_musl.interpreter), (Libc::Musl, Some(LD_SO.into())));
    let as_glibc = System::read_as(&vfs, &summary(&vfs, "/app/main"), Some(Libc::Glibc));
    assert_eq!(as_glibc.libc, Libc::Glibc);
    assert_eq!(as_glibc.interpreter, Some("/lib64/ld-linux-x86-64.so.2".into()));
}

#[test]
fn the_rules_have_the_names_of_the_reports() {
    let json = |value| serde_json::to_string(&value).unwrap();
    assert_eq!(json(Rule::MuslPath), "\"musl_path\"");
    assert_eq!(json(Rule::LibcItself), "\"libc_itself\"");
}
