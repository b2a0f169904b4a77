//! The rules of glibc's loader, one test each, on file systems in memory.

use crate::ld_so_cache::cache;
use crate::support::elf_writer::Elf;
use std::path::{Path, PathBuf};
use tfpatch::elf::Image;
use tfpatch::loader::{Dependency, Loader, Resolution, Rule, Settings, StepOutcome, System};
use tfpatch::vfs::{MemVfs, OsVfs, Vfs as _};

pub(crate) const LD_SO: &str = "/lib64/ld-linux-x86-64.so.2";

/// A loader with `/lib/` and `/usr/lib/` built in.
pub(crate) fn ld_so() -> Vec<u8> {
    let mut file = Elf::default().soname("ld-linux-x86-64.so.2").bytes();
    file.extend(b"\0/lib/\0/usr/lib/\0lib\0stable release version 2.36.\n\0");
    file
}

/// A tree with the loader and the program `/app/main` that needs `names`.
pub(crate) fn tree(main: &Elf) -> MemVfs {
    MemVfs::new().file(LD_SO, ld_so()).file("/app/main", main.bytes())
}

pub(crate) fn lib() -> Vec<u8> {
    Elf::default().bytes()
}

pub(crate) fn settings() -> Settings {
    Settings { working_directory: "/cwd".into(), ..Settings::default() }
}

pub(crate) fn loader(vfs: &MemVfs, settings: Settings) -> Loader<'_> {
    let source = vfs.open(Path::new("/app/main")).unwrap();
    let summary = Image::parse(&source).unwrap().summary().unwrap();
    Loader::new(vfs, System::read(vfs, &summary), settings)
}

pub(crate) fn run(vfs: &MemVfs, settings: Settings) -> Resolution {
    loader(vfs, settings).program(Path::new("/app/main"))
}

pub(crate) fn need<'r>(resolution: &'r Resolution, object: &str, name: &str) -> &'r Dependency {
    let object = resolution.objects.iter().find(|found| *found.path == *Path::new(object));
    let object = object.unwrap_or_else(|| panic!("not loaded: {resolution:#?}"));
    object.needed.iter().find(|need| *need.name == *name.as_bytes()).unwrap()
}

/// Where the program's need of `libx.so` leads, and by which rule.
pub(crate) fn libx(vfs: &MemVfs, settings: Settings) -> (Option<PathBuf>, Rule) {
    answer(&run(vfs, settings))
}

pub(crate) fn answer(resolution: &Resolution) -> (Option<PathBuf>, Rule) {
    let found = need(resolution, "/app/main", "libx.so");
    (found.found.as_deref().map(Path::to_owned), found.rule)
}

pub(crate) fn at(path: &str, rule: Rule) -> (Option<PathBuf>, Rule) {
    (Some(path.into()), rule)
}

pub(crate) const NOWHERE: (Option<PathBuf>, Rule) = (None, Rule::NotFound);

pub(crate) fn paths(resolution: &Resolution) -> Vec<&str> {
    resolution.objects.iter().map(|object| object.path.to_str().unwrap()).collect()
}

pub(crate) fn with_library_path(path: &str) -> Settings {
    Settings { library_path: Some(path.into()), ..settings() }
}

#[test]
fn rule_names_are_those_of_the_reports() {
    let json = |value| serde_json::to_string(&value).unwrap();
    assert_eq!(json(Rule::LdSoCache), "\"ld_so_cache\"");
    assert_eq!(json(Rule::DefaultDirs), "\"default_dirs\"");
    assert_eq!(serde_json::to_string(&StepOutcome::NotALibrary).unwrap(), "\"not_a_library\"");
}

#[test]
fn rule_1_breadth_first_with_preload_before() {
    let vfs = tree(&Elf::program(&["liba.so", "libb.so"]))
        .file("/lib/liba.so", Elf::needing(&["libc1.so"]).bytes())
        .file("/lib/libb.so", Elf::needing(&["ld-linux-x86-64.so.2", "libc2.so"]).bytes())
        .file("/lib/libc1.so", lib())
        .file("/lib/libc2.so", lib())
        .file("/lib/pre.so", lib());
    let preload = Some(b"pre.so:/none.so gone.so".to_vec());
    let resolution = run(&vfs, Settings { preload, ..settings() });
    assert_eq!(
        paths(&resolution),
        [
            "/app/main",
            "/lib/pre.so",
            "/lib/liba.so",
            "/lib/libb.so",
            "/lib/libc1.so",
            LD_SO,
            "/lib/libc2.so"
        ]
    );
    let preloaded: Vec<bool> = resolution.preload.iter().map(|need| need.found.is_some()).collect();
    assert_eq!(preloaded, [true, false, false]);
    assert_eq!(resolution.objects[4].requested_by, Some(2));
}

#[test]
fn rule_1_a_loaded_object_serves_by_soname_by_name_and_by_path_but_not_by_file_name() {
    let vfs = tree(&Elf::program(&["/opt/liba.so.1", "liba.so", "liba.so.1", "/opt/liba.so.1"]))
        .file("/opt/liba.so.1", Elf::default().soname("liba.so").bytes());
    let resolution = run(&vfs, settings());
    let rules: Vec<Rule> = resolution.objects[0].needed.iter().map(|need| need.rule).collect();
    assert_eq!(rules, [Rule::Direct, Rule::Loaded, Rule::NotFound, Rule::Loaded]);
}

#[test]
fn rule_1_links_are_one_object_and_the_first_path_keeps_origin() {
    let asks = Elf::needing(&["libdep.so"]).runpath("$ORIGIN").bytes();
    let vfs = tree(&Elf::program(&["liba.so", "libb.so", "libc.so"]).runpath("/one:/two"))
        .file("/one/liba.so", asks)
        .link("/one/liba.so", "/two/libb.so")
        .symlink("/two/libc.so", "../one/liba.so")
        .file("/two/libdep.so", lib())
        .file("/one/libdep.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(paths(&resolution), ["/app/main", "/one/liba.so", "/one/libdep.so", LD_SO]);
    for name in ["liba.so", "libb.so", "libc.so"] {
        let found = need(&resolution, "/app/main", name);
        assert_eq!(found.found.as_deref(), Some(Path::new("/one/liba.so")));
        assert_eq!(found.rule, Rule::Runpath);
    }
}

#[test]
fn rule_2_a_name_with_a_slash_is_opened_from_the_working_directory() {
    let vfs = tree(&Elf::program(&["sub/libx.so", "./liby.so", "$ORIGIN/libz.so"]).runpath("/r"))
        .file("/cwd/sub/libx.so", lib())
        .file("/r/liby.so", lib())
        .file("/app/libz.so", lib());
    let resolution = run(&vfs, settings());
    let found: Vec<Option<&Path>> =
        resolution.objects[0].needed.iter().map(|need| need.found.as_deref()).collect();
    assert_eq!(found, [Some(Path::new("/cwd/sub/libx.so")), None, Some(Path::new("/app/libz.so"))]);
}

#[test]
fn rule_2_tokens_of_needed_are_expanded_without_a_slash() {
    let platform = Some("haswell".to_owned());
    let vfs = tree(&Elf::program(&["lib$PLATFORM.so", "lib$OTHER.so"]))
        .file("/lib/libhaswell.so", lib())
        .file("/lib/lib$OTHER.so", lib());
    let resolution = run(&vfs, Settings { platform, ..settings() });
    assert_eq!(paths(&resolution), ["/app/main", "/lib/libhaswell.so", "/lib/lib$OTHER.so", LD_SO]);
    // Where a token has no value, the loader passes over the name.
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/app/main", "lib$PLATFORM.so").rule, Rule::WeakAbsent);
    assert!(resolution.loads());
}

#[test]
fn rule_3_the_lists_in_their_order() {
    let everywhere = ["/rpath", "/env", "/lib"];
    let with = |main: Elf| {
        everywhere.iter().fold(tree(&main), |tree, dir| tree.file(format!("{dir}/libx.so"), lib()))
    };
    let needs = Elf::program(&["libx.so"]);
    let rpath = with(needs.clone().rpath("/rpath"));
    assert_eq!(libx(&rpath, with_library_path("/env")), at("/rpath/libx.so", Rule::Rpath));
    let runpath = with(needs.clone().runpath("/rpath"));
    assert_eq!(libx(&runpath, with_library_path("/env")), at("/env/libx.so", Rule::LdLibraryPath));
    assert_eq!(libx(&runpath, settings()), at("/rpath/libx.so", Rule::Runpath));
    assert_eq!(libx(&with(needs), settings()), at("/lib/libx.so", Rule::DefaultDirs));
}

#[test]
fn rule_3a_rpath_of_the_asker_of_its_loaders_and_of_the_program() {
    let vfs = tree(&Elf::program(&["liba.so"]).rpath("/main"))
        .file("/main/liba.so", Elf::needing(&["libb.so"]).rpath("/a").bytes())
        .file("/a/libb.so", Elf::needing(&["libx.so"]).rpath("/b").bytes());
    for dir in ["/b", "/a", "/main"] {
        let vfs = vfs.clone().file(format!("{dir}/libx.so"), lib());
        let resolution = run(&vfs, settings());
        let found = need(&resolution, "/a/libb.so", "libx.so");
        assert_eq!(found.found, Some(PathBuf::from(format!("{dir}/libx.so")).into()));
        let via = ["/a/libb.so", "/main/liba.so", "/app/main"];
        let number = ["/b", "/a", "/main"].iter().position(|other| other == &dir).unwrap();
        assert_eq!(found.via.as_deref(), Some(Path::new(via[number])));
        let tried: Vec<PathBuf> = found.tried.steps().map(|step| step.path).collect();
        let places = ["/b/libx.so", "/a/libx.so", "/main/libx.so"].map(PathBuf::from);
        assert_eq!(tried, places[..=number]);
    }
}

#[test]
fn rule_3a_a_runpath_of_zero_length_counts() {
    let chain = |middle: Elf| {
        tree(&Elf::program(&["liba.so"]).rpath("/main"))
            .file("/main/liba.so", middle.bytes())
            .file("/main/libx.so", lib())
    };
    let plain = run(&chain(Elf::needing(&["libx.so"])), settings());
    assert_eq!(need(&plain, "/main/liba.so", "libx.so").rule, Rule::Rpath);
    let empty = run(&chain(Elf::needing(&["libx.so"]).runpath("")), settings());
    assert_eq!(need(&empty, "/main/liba.so", "libx.so").rule, Rule::NotFound);
}

#[test]
fn rule_3a_loaders_with_a_runpath_are_passed_over_in_the_chain() {
    let vfs = tree(&Elf::program(&["liba.so"]).rpath("/main"))
        .file("/main/liba.so", Elf::needing(&["libb.so"]).rpath("/a").runpath("/other").bytes())
        .file("/other/libb.so", Elf::needing(&["libx.so", "liby.so"]).bytes())
        .file("/a/libx.so", lib())
        .file("/other/libx.so", lib())
        .file("/main/liby.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/other/libb.so", "libx.so").rule, Rule::NotFound);
    assert_eq!(need(&resolution, "/other/libb.so", "liby.so").rule, Rule::Rpath);
}

#[test]
fn rule_3a_the_chain_ends_at_an_object_that_was_opened() {
    let vfs = tree(&Elf::program(&["libcaller.so"]).rpath("/main"))
        .file("/main/libcaller.so", Elf::default().rpath("/caller").bytes())
        .file("/caller/libplugin.so", Elf::needing(&["libx.so", "liby.so"]).bytes())
        .file("/caller/libx.so", lib())
        .file("/main/liby.so", lib());
    let loader = loader(&vfs, settings());
    let program = loader.program(Path::new("/app/main"));
    // The name is found by the caller's search path; what comes with it is not.
    let opened =
        loader.find(&[&program], Path::new("/main/libcaller.so"), b"libplugin.so").unwrap();
    assert_eq!((opened.root.rule, opened.root.found.is_some()), (Rule::Rpath, true));
    assert_eq!(need(&opened, "/caller/libplugin.so", "libx.so").rule, Rule::NotFound);
    assert_eq!(need(&opened, "/caller/libplugin.so", "liby.so").rule, Rule::Rpath);
    let direct = loader.dlopen(&[&program], Path::new("/caller/libplugin.so"));
    assert_eq!(paths(&direct), ["/caller/libplugin.so", "/main/liby.so"]);
    assert!(loader.find(&[&program], Path::new("/not/loaded.so"), b"libx.so").is_none());
}

#[test]
fn what_was_opened_before_serves_what_is_opened_later() {
    let vfs = tree(&Elf::program(&[]))
        .file("/p/one.so", Elf::needing(&["libshared.so.1"]).runpath("$ORIGIN/deps").bytes())
        .file("/p/deps/libshared.so.1", lib())
        .file("/p/two.so", Elf::needing(&["libshared.so.1"]).bytes());
    let loader = loader(&vfs, settings());
    let program = loader.program(Path::new("/app/main"));
    let two = Path::new("/p/two.so");
    assert!(!loader.dlopen(&[&program], two).loads());
    let one = loader.dlopen(&[&program], Path::new("/p/one.so"));
    let later = loader.dlopen(&[&program, &one], two);
    assert_eq!(paths(&later), ["/p/two.so"]);
    assert_eq!(need(&later, "/p/two.so", "libshared.so.1").rule, Rule::Loaded);
    let again = loader.dlopen(&[&program, &one, &later], two);
    assert_eq!((again.root.rule, again.objects.len()), (Rule::Loaded, 0));
}

#[test]
fn rule_3b_library_path_separators_tokens_and_secure_mode() {
    let vfs = tree(&Elf::program(&["libx.so"]))
        .file("/env/libx.so", lib())
        .file("/cwd/libx.so", lib())
        .file("/app/sub/libx.so", lib());
    for (path, found) in [
        ("/none:/env", "/env/libx.so"),
        ("/none;/env///", "/env/libx.so"),
        (":/env", "/cwd/libx.so"),
        ("/none:", "/cwd/libx.so"),
        ("$ORIGIN/sub", "/app/sub/libx.so"),
        ("${ORIGIN}/sub:/env", "/app/sub/libx.so"),
    ] {
        assert_eq!(libx(&vfs, with_library_path(path)), at(found, Rule::LdLibraryPath), "{path}");
    }
    assert_eq!(libx(&vfs, with_library_path("")), NOWHERE);
    assert_eq!(libx(&vfs, Settings { secure: true, ..with_library_path("/env") }), NOWHERE);
}

#[test]
fn rule_3c_runpath_serves_the_object_itself_and_no_other() {
    let vfs = tree(&Elf::program(&["liba.so"]).runpath("/r"))
        .file("/r/liba.so", Elf::needing(&["libx.so"]).bytes())
        .file("/r/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/app/main", "liba.so").rule, Rule::Runpath);
    let missing = need(&resolution, "/r/liba.so", "libx.so");
    assert_eq!(missing.rule, Rule::NotFound);
    let tried: Vec<_> = missing.tried.steps().map(|step| (step.path, step.rule)).collect();
    let places = ["/lib/libx.so", "/usr/lib/libx.so"];
    assert_eq!(tried, places.map(|path| (PathBuf::from(path), Rule::DefaultDirs)));
}

#[test]
fn rule_3d_the_cache_gives_one_answer() {
    let elf = Elf::program(&["libx.so"]).runpath("/none");
    let listed = cache(
        &[
            (0x303, "libx.so", "/opt/first/libx.so", 0),
            (0x303, "libx.so", "/opt/second/libx.so", 0),
        ],
        &[],
    );
    let vfs = tree(&elf).file("/etc/ld.so.cache", listed).file("/opt/second/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), NOWHERE);
    let vfs = vfs.file("/opt/first/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/opt/first/libx.so", Rule::LdSoCache));
}

#[test]
fn rule_3d_a_malformed_cache_counts_as_absent_and_is_told() {
    let good = cache(&[(0x303, "libx.so", "/opt/libx.so", 0)], &[]);
    let mut big_endian = good.clone();
    big_endian[28] = 3;
    for bad in [b"nonsense".to_vec(), good[..60].to_vec(), big_endian] {
        let vfs = tree(&Elf::program(&["libx.so"]))
            .file("/etc/ld.so.cache", bad)
            .file("/opt/libx.so", lib());
        assert_eq!(libx(&vfs, settings()), NOWHERE);
        let assumptions = &loader(&vfs, settings()).system().assumptions.clone();
        assert!(
            assumptions.len() == 1 && assumptions[0].contains("ld.so.cache"),
            "{assumptions:?}"
        );
    }
}

#[test]
fn rule_3d_and_3e_nodeflib_keeps_the_default_directories_out() {
    const DF_1_NODEFLIB: u64 = 0x800;
    let mut elf = Elf::program(&["libx.so", "liby.so"]);
    elf.flags_1 |= DF_1_NODEFLIB;
    let listed = cache(
        &[(0x303, "liby.so", "/opt/liby.so", 0), (0x303, "libx.so", "/usr/lib/libx.so", 0)],
        &[],
    );
    let vfs = tree(&elf)
        .file("/etc/ld.so.cache", listed)
        .file("/usr/lib/libx.so", lib())
        .file("/opt/liby.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/app/main", "libx.so").rule, Rule::NotFound);
    assert_eq!(need(&resolution, "/app/main", "liby.so").rule, Rule::LdSoCache);
}

#[test]
fn rule_3e_default_directories_are_those_of_the_loader() {
    let mut debian = Elf::default().bytes();
    debian.extend(b"\0/proc/self/\0x\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0");
    debian.extend(b"ORIGIN\0lib/x86_64-linux-gnu\0");
    let elf = Elf::program(&["libx.so"]).runpath("/opt/$LIB");
    let vfs = tree(&elf).file(LD_SO, debian).file("/lib/x86_64-linux-gnu/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/lib/x86_64-linux-gnu/libx.so", Rule::DefaultDirs));
    let vfs = vfs.file("/opt/lib/x86_64-linux-gnu/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/opt/lib/x86_64-linux-gnu/libx.so", Rule::Runpath));
    let unread = MemVfs::new()
        .file("/app/main", Elf::program(&["libx.so"]).bytes())
        .file("/usr/lib64/libx.so", lib());
    assert_eq!(libx(&unread, settings()), at("/usr/lib64/libx.so", Rule::DefaultDirs));
    assert_eq!(loader(&unread, settings()).system().assumptions.len(), 2);
}

#[test]
fn rule_3_glibc_hwcaps_come_first_and_are_origin() {
    let hwcaps = vec!["x86-64-v3".to_owned(), "x86-64-v2".to_owned()];
    let v2 = "/r/glibc-hwcaps/x86-64-v2";
    let asks = Elf::needing(&["libdep.so"]).runpath("$ORIGIN").bytes();
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("/r"))
        .file("/r/libx.so", lib())
        .file(format!("{v2}/libx.so"), asks)
        .file(format!("{v2}/libdep.so"), lib());
    let resolution = run(&vfs, Settings { hwcaps: hwcaps.clone(), ..settings() });
    let found = format!("{v2}/libx.so");
    assert_eq!(
        need(&resolution, &found, "libdep.so").found,
        Some(PathBuf::from(format!("{v2}/libdep.so")).into())
    );
    assert_eq!(libx(&vfs, settings()), at("/r/libx.so", Rule::Runpath));
    let mut older = Elf::default().bytes();
    older.extend(b"\0/lib/\0/usr/lib/\0stable release version 2.31.\n\0");
    let older = vfs.file(LD_SO, older);
    assert_eq!(libx(&older, Settings { hwcaps, ..settings() }), at("/r/libx.so", Rule::Runpath));
}

#[test]
fn rule_4_which_tag_counts_and_what_its_entries_mean() {
    let needs = Elf::program(&["libx.so"]);
    let with = |main: &Elf, path: &str| tree(main).file(path, lib());
    let both = needs.clone().rpath("/rpath").runpath("/runpath");
    assert_eq!(libx(&with(&both, "/rpath/libx.so"), settings()), NOWHERE);
    let twice = needs.clone().runpath("/first").runpath("/last");
    assert_eq!(libx(&with(&twice, "/first/libx.so"), settings()), NOWHERE);
    assert_eq!(
        libx(&with(&twice, "/last/libx.so"), settings()),
        at("/last/libx.so", Rule::Runpath)
    );
    for empty in [":/none", "/none:", "/none::/other"] {
        let vfs = with(&needs.clone().runpath(empty), "/cwd/libx.so");
        assert_eq!(libx(&vfs, settings()), at("/cwd/libx.so", Rule::Runpath), "{empty}");
    }
    assert_eq!(libx(&with(&needs.clone().runpath(""), "/cwd/libx.so"), settings()), NOWHERE);
    let unknown = with(&needs.clone().runpath("/opt/$FOO"), "/opt/$FOO/libx.so");
    assert_eq!(libx(&unknown, settings()), at("/opt/$FOO/libx.so", Rule::Runpath));
    let semicolon = with(&needs.clone().runpath("/a;/b"), "/b/libx.so");
    assert_eq!(libx(&semicolon, settings()), NOWHERE);
    let valueless = tree(&needs.runpath("/$PLATFORM/r:/s")).file("/s/libx.so", lib());
    let resolution = run(&valueless, settings());
    let tried = need(&resolution, "/app/main", "libx.so").tried.steps().count();
    assert_eq!(tried, 1, "the entry without a value is dropped");
}

#[test]
fn rule_4_entries_that_come_twice_are_tried_once() {
    let vfs =
        tree(&Elf::program(&["libx.so"]).runpath("/a:/b/:/a//:$ORIGIN/../app:/b:/app/../app"));
    let resolution = run(&vfs, settings());
    let tried = &need(&resolution, "/app/main", "libx.so").tried;
    let places: Vec<PathBuf> =
        tried.steps().filter(|step| step.rule == Rule::Runpath).map(|step| step.path).collect();
    let expected = ["/a/libx.so", "/b/libx.so", "/app/../app/libx.so"];
    assert_eq!(places, expected.map(PathBuf::from));
}

#[test]
fn rule_5_origin_of_the_program_is_real_and_of_a_library_as_found() {
    let vfs = MemVfs::new()
        .file(LD_SO, ld_so())
        .file("/real/program", Elf::program(&["liba.so"]).runpath("$ORIGIN/libs").bytes())
        .symlink("/app/main", "../real/program")
        .symlink("/real/libs/liba.so", "/store/liba.so")
        .file("/store/liba.so", Elf::needing(&["libx.so"]).runpath("$ORIGIN").bytes())
        .file("/store/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/real/libs/liba.so", "libx.so").rule, Rule::NotFound);
    assert_eq!(*resolution.objects[1].real, *Path::new("/store/liba.so"));
    let vfs = vfs.file("/real/libs/libx.so", lib());
    let resolution = run(&vfs, settings());
    assert_eq!(need(&resolution, "/real/libs/liba.so", "libx.so").rule, Rule::Runpath);
}

#[test]
fn rule_6_what_is_passed_over() {
    let wrong_class = Elf { is_64: false, machine: 3, ..Elf::default() }.bytes();
    let wrong_machine = Elf { machine: 183, ..Elf::default() }.bytes();
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("/a:/b:/c:/d:/e"))
        .file("/a/libx.so", wrong_class)
        .file("/b/libx.so", wrong_machine)
        .file("/c/libx.so", lib())
        .unreadable("/c/libx.so")
        .symlink("/d/libx.so", "gone")
        .file("/e/libx.so", lib());
    let resolution = run(&vfs, settings());
    let outcomes: Vec<StepOutcome> =
        need(&resolution, "/app/main", "libx.so").tried.steps().map(|step| step.outcome).collect();
    use StepOutcome::{Absent, Found, Unreadable, WrongClass, WrongMachine};
    assert_eq!(outcomes, [WrongClass, WrongMachine, Unreadable, Absent, Found]);
}

#[test]
fn rule_6_what_ends_the_whole_search() {
    let whole = tree(&Elf::program(&["libx.so"]).runpath("/a:/b")).file("/b/libx.so", lib());
    let cases: [(&str, Vec<u8>); 8] = [
        ("file too short", Vec::new()),
        ("file too short", b"GROUP".to_vec()),
        ("invalid ELF header", b"INPUT ( libx.so.1 )".repeat(9)),
        (
            "ELF file data encoding not little-endian",
            Elf { little: false, ..Elf::default() }.bytes(),
        ),
        ("ELF file OS ABI invalid", Elf { osabi: 9, ..Elf::default() }.bytes()),
        ("cannot dynamically load position-independent executable", Elf::program(&[]).bytes()),
        ("cannot dynamically load executable", Elf { e_type: 2, ..Elf::default() }.bytes()),
        ("only ET_DYN and ET_EXEC can be loaded", Elf { e_type: 1, ..Elf::default() }.bytes()),
    ];
    for (message, bytes) in cases {
        let resolution = run(&whole.clone().file("/a/libx.so", bytes), settings());
        let found = need(&resolution, "/app/main", "libx.so");
        assert_eq!(found.rule, Rule::NotFound, "{message}");
        let fatal = found.fatal.clone().unwrap();
        assert_eq!((fatal.message.as_str(), fatal.path.to_str()), (message, Some("/a/libx.so")));
        let steps: Vec<_> = found.tried.steps().map(|step| step.outcome).collect();
        assert_eq!(steps, [StepOutcome::NotALibrary]);
    }
    let resolution = run(&whole.dir("/a/libx.so"), settings());
    let fatal = need(&resolution, "/app/main", "libx.so").fatal.clone().unwrap();
    assert_eq!(fatal.message, "cannot read file data");
}

#[test]
fn rule_6_a_link_loop_ends_its_list_alone() {
    let vfs = tree(&Elf::program(&["libx.so"]).runpath("/a:/b"))
        .symlink("/a/libx.so", "libx.so")
        .file("/b/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), NOWHERE);
    let vfs = vfs.file("/lib/libx.so", lib());
    assert_eq!(libx(&vfs, settings()), at("/lib/libx.so", Rule::DefaultDirs));
}

#[test]
fn rule_7_versions_are_checked_after_loading() {
    let needs = |version: &str, weak: bool| {
        vec![(b"libx.so".to_vec(), vec![(version.as_bytes().to_vec(), weak)])]
    };
    let problems = |version: &str, weak: bool, defined: &[&str]| {
        let main = Elf { version_needs: needs(version, weak), ..Elf::program(&["libx.so"]) };
        let defined = defined.iter().map(|name| name.as_bytes().to_vec()).collect();
        let library = Elf { version_definitions: defined, ..Elf::default() };
        let vfs = tree(&main).file("/lib/libx.so", library.bytes());
        let resolution = run(&vfs, settings());
        assert_eq!(resolution.loads(), resolution.objects[0].version_problems.is_empty());
        resolution.objects[0].version_problems.clone()
    };
    assert_eq!(problems("X_2", false, &["X_1", "X_2"]), []);
    assert_eq!(problems("X_2", true, &["X_1"]), []);
    assert_eq!(problems("X_2", false, &[]), []);
    let found = problems("X_2", false, &["X_1"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version, b"X_2");
    assert_eq!(found[0].provider, Path::new("/lib/libx.so"));
}

#[test]
fn the_walk_goes_on_after_what_is_missing() {
    let vfs = tree(&Elf::program(&["gone1.so", "liba.so", "gone2.so"]))
        .file("/lib/liba.so", Elf::needing(&["gone1.so", "gone3.so"]).bytes());
    let resolution = run(&vfs, settings());
    let missing: Vec<_> = resolution
        .missing()
        .map(|(object, need)| (object.unwrap().path.to_str().unwrap(), &*need.name))
        .collect();
    assert_eq!(
        missing,
        [
            ("/app/main", &b"gone1.so"[..]),
            ("/app/main", b"gone2.so"),
            ("/lib/liba.so", b"gone1.so"),
            ("/lib/liba.so", b"gone3.so"),
        ]
    );
}

#[test]
fn a_program_that_is_not_there_or_none_is_its_own_finding() {
    let vfs = tree(&Elf::program(&[])).file("/app/text", "#!/bin/sh\n".repeat(9)).dir("/app/dir");
    let loader = loader(&vfs, settings());
    for (path, fatal) in [
        ("/app/gone", None),
        ("/app/text", Some("invalid ELF header")),
        ("/app/dir", Some("cannot read file data")),
    ] {
        let resolution = loader.program(Path::new(path));
        assert!(!resolution.loads() && resolution.objects.is_empty());
        let message = resolution.root.fatal.map(|fatal| fatal.message);
        assert_eq!(message.as_deref(), fatal);
    }
}

#[test]
fn one_loader_serves_many_threads_alike() {
    let vfs = OsVfs::new();
    let program = Path::new("/usr/bin/env");
    let source = vfs.open(program).unwrap();
    let summary = Image::parse(&source).unwrap().summary().unwrap();
    let loader = Loader::new(&vfs, System::read(&vfs, &summary), settings());
    let alone = format!("{:?}", paths(&loader.program(program)));
    std::thread::scope(|scope| {
        let ask = || format!("{:?}", paths(&loader.program(program)));
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), alone);
        }
    });
}
