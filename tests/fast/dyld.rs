//! The rules of dyld, one test each, on file systems in memory; and the `tried:` lists of real
//! messages (`fixtures/dyld`), entry by entry.

use crate::support::macho_writer::{Macho, cpu, universal};
use serde_json::Value;
use std::path::Path;
use tfpatch::loader::dyld::{self, Dyld, Need, Opened, Process, Settings, System, Version};
use tfpatch::loader::{Closure, Rule, StepOutcome};
use tfpatch::macho::Arch;
use tfpatch::vfs::MemVfs;

fn system(version: &str, arch: &str) -> System {
    let (cpu_type, cpu_subtype) = cpu(arch);
    System { version: version.parse().unwrap(), arch: Arch::new(cpu_type, cpu_subtype) }
}

fn plain() -> Settings {
    Settings { working_directory: "/cwd".into(), ..Settings::default() }
}

fn with_library_path(path: &str) -> Settings {
    Settings { library_path: Some(path.into()), ..plain() }
}

/// The cases of real messages.
fn cases() -> Vec<Value> {
    let text = include_str!("../../fixtures/dyld/tried.json");
    serde_json::from_str::<Value>(text).unwrap()["cases"].as_array().unwrap().clone()
}

fn case(id: &str) -> Value {
    cases().into_iter().find(|case| case["id"] == id).unwrap()
}

/// Holds what a need was searched at against the list of a real message.
fn assert_tried(id: &str, need: &Need) {
    let wanted: Vec<(String, String)> = case(id)["tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            (text("path"), text("outcome"))
        })
        .collect();
    let tried: Vec<(String, String)> = need
        .attempts
        .iter()
        .map(|attempt| (attempt.step.path.to_str().unwrap().to_owned(), attempt.note.clone()))
        .collect();
    assert_eq!(tried, wanted, "{id}");
    let list: Vec<String> =
        wanted.iter().map(|(path, outcome)| format!("'{path}' ({outcome})")).collect();
    assert_eq!(need.reason.as_deref(), Some(format!("tried: {}", list.join(", ")).as_str()));
}

/// The need that is missing in what was opened.
fn missing(opened: &Opened) -> &Need {
    let mut missing = opened.missing();
    let (_, need) = missing.next().unwrap();
    assert!(missing.next().is_none(), "more than one is missing");
    need
}

/// What dyld says where it gives up.
fn message(version: Version, opened: &Opened) -> String {
    dyld::words(version, opened).unwrap()
}

/// What stands in a case under a key.
fn text(id: &str, key: &str) -> String {
    case(id)[key].as_str().unwrap().to_owned()
}

#[test]
fn every_case_of_the_fixtures_has_a_test() {
    let ids: Vec<String> =
        cases().iter().map(|case| case["id"].as_str().unwrap().to_owned()).collect();
    let tested = ["G2", "G4", "G5", "G6", "G9", "G10", "G13", "G13.2", "G13.3", "G16", "G20"];
    assert_eq!(ids, tested);
}

#[test]
fn g2_a_plugin_that_tensorflow_opens() {
    const ENV: &str = "/Users/me/miniconda3/envs/sharedhands-env";
    const DEAD: &str = "@loader_path/../_solib_darwin_arm64/_U@local_Uconfig_Utf_S_S_C_Upywrap_Utensorflow_Uinternal___Uexternal_Slocal_Uconfig_Utf";
    let plugin = text("G2", "dlopen");
    let framework =
        format!("{ENV}/lib/python3.11/site-packages/tensorflow/libtensorflow_framework.2.dylib");
    let vfs = MemVfs::new()
        .file(
            format!("{ENV}/bin/python3.11"),
            Macho::program().rpath("@loader_path/../lib").bytes(),
        )
        .file(&framework, Macho::dylib("@rpath/libtensorflow_framework.2.dylib").bytes())
        .file(
            &plugin,
            Macho::dylib("@rpath/libmetal_plugin.dylib")
                .sdk(15, 2)
                .uuid(&text("G2", "uuid"))
                .needs(&text("G2", "library"))
                .rpath(DEAD)
                .bytes(),
        );
    let dyld = Dyld::new(&vfs, system("15.0", "arm64"), plain());
    let python = dyld.program(Path::new(&format!("{ENV}/bin/python3.11")));
    let with_framework = dyld.dlopen(&python.process, None, framework.as_bytes());
    assert!(with_framework.is_complete());
    let opened =
        dyld.dlopen(&with_framework.process, Some(Path::new(&framework)), plugin.as_bytes());
    assert_tried("G2", missing(&opened));
    assert!(message(Version::new(15, 0), &opened).starts_with(&format!(
        "Library not loaded: @rpath/_pywrap_tensorflow_internal.so\n  Referenced from: \
             <8B62586B-B082-3113-93AB-FD766A9960AE> {plugin}\n  Reason: tried: '{ENV}/lib/"
    )));
}

#[test]
fn g4_the_cryptex_between_two_rounds_of_rpaths() {
    let library = text("G4", "referenced_from");
    let main = "/Users/me/Documents/LinkerFailures/reproducerarm/main";
    let vfs = MemVfs::new().file(main, Macho::program().bytes()).file(
        &library,
        Macho::dylib("@rpath/libarmadillo.11.dylib")
            .needs(&text("G4", "library"))
            .rpath("@loader_path/.")
            .bytes(),
    );
    let dyld = Dyld::new(&vfs, system("13.0", "arm64"), plain());
    let main = dyld.program(Path::new(main));
    let opened = dyld.dlopen(&main.process, None, text("G4", "dlopen").as_bytes());
    assert_tried("G4", missing(&opened));

    // On 12.4 the default fallback found what 13.0 does not find.
    let dyld = Dyld::new(&vfs, system("12.4", "arm64"), plain());
    let main = dyld.program(Path::new("/Users/me/Documents/LinkerFailures/reproducerarm/main"));
    let opened = dyld.dlopen(&main.process, None, text("G4", "dlopen").as_bytes());
    let libcxx = &opened.process.images.last().unwrap().needed[0].dependency;
    assert_eq!(libcxx.found.as_deref(), Some(Path::new("/usr/lib/libc++.1.dylib")));
    assert_eq!(libcxx.rule, Rule::SharedCache);
}

/// Starts a program that needs the library of a case.
fn program_of(id: &str, program: &Macho, version: &str, arch: &'static str, settings: Settings) {
    let path = text(id, "referenced_from");
    let mut program = program.clone().arch(arch).needs(&text(id, "library"));
    if let Some(uuid) = case(id)["uuid"].as_str() {
        program = program.uuid(uuid);
    }
    let vfs = MemVfs::new().file(&path, program.bytes());
    let opened = Dyld::new(&vfs, system(version, arch), settings).program(Path::new(&path));
    assert_tried(id, missing(&opened));
}

#[test]
fn g5_the_library_path_of_xcode_then_the_old_fallback() {
    const BIN: &str =
        "/Applications/of_v20220530_osx_release/addons/ofxTensorFlow2/example_yolo_v4/bin";
    let settings = with_library_path(&format!("{BIN}:/usr/lib/system/introspection"));
    program_of("G5", &Macho::program().sdk(12, 3), "12.6", "x86_64", settings.clone());

    let path = text("G5", "referenced_from");
    let program = Macho::program().arch("x86_64").needs(&text("G5", "library"));
    let vfs = MemVfs::new().file(&path, program.bytes());
    let opened = Dyld::new(&vfs, system("12.6", "x86_64"), settings).program(Path::new(&path));
    let words = message(Version::new(12, 6), &opened);
    assert!(words.starts_with(&format!(
        "Library not loaded: '@rpath/libtensorflow_framework.2.dylib'\n  Referenced from: '{path}'\n"
    )));
}

#[test]
fn g6_no_search_path_and_an_old_sdk() {
    program_of("G6", &Macho::program().sdk(13, 1), "13.1", "arm64", plain());
}

#[test]
fn g9_an_empty_element_is_the_root() {
    let (a, b) =
        ("/Users/me/py38/lib/python3.8/site-packages", "/usr/local/Cellar/ghostscript/9.55.0/lib");
    let settings = with_library_path(&format!("{a}:{b}:{a}:{b}:"));
    program_of("G9", &Macho::program().sdk(12, 3), "13.2", "x86_64", settings);
}

#[test]
fn g10_a_fallback_path_of_the_user_replaces_the_default() {
    let fallback: Vec<String> = case("G10")["tried"].as_array().unwrap()[2..]
        .iter()
        .map(|entry| entry["path"].as_str().unwrap().rsplit_once('/').unwrap().0.to_owned())
        .collect();
    let settings = Settings {
        library_path: Some(b"/Users/me/.wasmedge/lib".to_vec()),
        fallback_library_path: Some(fallback.join(":").into_bytes()),
        ..plain()
    };
    for sdk in [13, 15] {
        program_of("G10", &Macho::program().sdk(sdk, 0), "13.1", "arm64", settings.clone());
    }
}

#[test]
fn g13_an_absolute_name_on_disk_below_the_cryptex_and_again() {
    program_of("G13", &Macho::program(), "13.0", "arm64", plain());
    program_of("G13", &Macho::program(), "15.0", "arm64", plain());
}

#[test]
fn g13_2_an_absolute_name_and_an_old_sdk() {
    let (module, video) = (text("G13.2", "dlopen"), text("G13.2", "referenced_from"));
    let vfs = MemVfs::new()
        .file("/opt/homebrew/bin/python3.10", Macho::program().bytes())
        .file(&module, Macho::bundle().needs(&video).bytes())
        .file(&video, Macho::dylib(&video).sdk(13, 0).needs(&text("G13.2", "library")).bytes());
    let dyld = Dyld::new(&vfs, system("13.4", "arm64"), plain());
    let python = dyld.program(Path::new("/opt/homebrew/bin/python3.10"));
    let opened = dyld.dlopen(&python.process, None, module.as_bytes());
    assert_tried("G13.2", missing(&opened));
}

#[test]
fn g13_3_a_second_round_by_the_real_path() {
    let node = text("G13.3", "referenced_from");
    let program = Macho::program().needs(&text("G13.3", "library"));
    let vfs = MemVfs::new()
        .file(&node, program.bytes())
        .dir("/opt/homebrew/Cellar/llhttp/9.4.1/lib")
        .symlink("/opt/homebrew/opt/llhttp", "../Cellar/llhttp/9.4.1");
    let opened = Dyld::new(&vfs, system("15.0", "arm64"), plain()).program(Path::new(&node));
    assert_tried("G13.3", missing(&opened));
}

#[test]
fn g16_another_architecture_and_fallbacks_for_a_path() {
    let bundle = text("G16", "dlopen");
    let vfs = MemVfs::new().file(&bundle, Macho::bundle().arch("x86_64").bytes());
    let empty = Process::default();
    let opened =
        Dyld::new(&vfs, system("12.2", "arm64e"), plain()).dlopen(&empty, None, bundle.as_bytes());
    assert_tried("G16", &opened.root);
    assert_eq!(opened.root.attempts[0].step.outcome, StepOutcome::WrongMachine);
    let words = |version| {
        let opened = Dyld::new(&vfs, system(version, "arm64e"), plain()).dlopen(
            &empty,
            None,
            bundle.as_bytes(),
        );
        opened.root.attempts.iter().map(|attempt| attempt.note.clone()).collect::<Vec<_>>()
    };
    let quoted = "mach-o file, but is an incompatible architecture (have 'x86_64', need 'arm64e')";
    let plain = "mach-o file, but is an incompatible architecture (have (x86_64), need (arm64e))";
    assert_eq!(words("12.4"), [quoted]);
    assert_eq!(words("12.5"), [plain]);
    assert_eq!(words("13.0"), [quoted, "no such file", quoted]);
}

#[test]
fn g20_a_hardened_program_has_no_relative_paths() {
    let settings = Settings { hardened: true, ..plain() };
    let vfs = MemVfs::new().file("/cwd/foo", Macho::bundle().bytes());
    let process = Process::default();
    for version in ["13.0", "15.0"] {
        let opened = Dyld::new(&vfs, system(version, "arm64"), settings.clone())
            .dlopen(&process, None, b"./foo");
        assert_tried("G20", &opened.root);
    }
    let free = Dyld::new(&vfs, system("15.0", "arm64"), plain()).dlopen(&process, None, b"./foo");
    assert_eq!(free.root.dependency.found.as_deref(), Some(Path::new("/cwd/foo")));
}

/// A program at `/app/main` with what it needs.
fn app(main: &Macho) -> MemVfs {
    MemVfs::new().file("/app/main", main.bytes())
}

fn start(vfs: &MemVfs, version: &str) -> Opened {
    Dyld::new(vfs, system(version, "arm64"), plain()).program(Path::new("/app/main"))
}

fn paths(opened: &Opened) -> Vec<&str> {
    opened.process.images.iter().map(|image| image.path.to_str().unwrap()).collect()
}

fn need<'o>(opened: &'o Opened, image: &str, name: &str) -> &'o Need {
    let mut images = opened.process.images.iter();
    let image = images.find(|found| found.path == Path::new(image)).unwrap();
    image.needed.iter().find(|need| *need.dependency.name == *name.as_bytes()).unwrap()
}

#[test]
fn rule_1_all_direct_needs_first_then_each_in_depth() {
    let lib = |name: &str| Macho::dylib(&format!("/l/{name}"));
    let vfs = app(&Macho::program().needs("/l/a").needs("/l/c"))
        .file("/l/a", lib("a").needs("/l/b").needs("/l/c").bytes())
        .file("/l/b", lib("b").needs("/l/d").bytes())
        .file("/l/c", lib("c").needs("/l/e").bytes())
        .file("/l/d", lib("d").bytes())
        .file("/l/e", lib("e").bytes());
    let opened = start(&vfs, "15.0");
    assert_eq!(paths(&opened), ["/app/main", "/l/a", "/l/c", "/l/b", "/l/d", "/l/e"]);
}

#[test]
fn rule_1_the_chain_of_an_image_is_that_of_the_first_recursion_into_it() {
    // C is asked for by the program first, but entered through A.
    let vfs = app(&Macho::program().needs("/l/a").needs("/l/c"))
        .file("/l/a", Macho::dylib("/l/a").needs("/l/c").rpath("/of/a").bytes())
        .file("/l/c", Macho::dylib("/l/c").needs("@rpath/x").bytes())
        .file("/of/a/x", Macho::dylib("@rpath/x").bytes());
    let opened = start(&vfs, "15.0");
    let x = need(&opened, "/l/c", "@rpath/x");
    assert_eq!(x.dependency.found.as_deref(), Some(Path::new("/of/a/x")));
    assert_eq!(x.dependency.rule, Rule::Rpath);
    assert_eq!(x.dependency.via.as_deref(), Some(Path::new("/l/a")));
}

#[test]
fn rule_1_dyld_gives_up_at_the_first_that_is_missing_in_depth() {
    let vfs = app(&Macho::program().needs("/l/a").needs("/l/c"))
        .file("/l/a", Macho::dylib("/l/a").needs("/l/b").bytes())
        .file("/l/b", Macho::dylib("/l/b").needs("/gone/first").bytes())
        .file("/l/c", Macho::dylib("/l/c").needs("/gone/second").bytes());
    let opened = start(&vfs, "15.0");
    assert_eq!(opened.missing().count(), 2);
    let words = message(Version::new(15, 0), &opened);
    assert!(
        words.starts_with("Library not loaded: /gone/first\n  Referenced from: /l/b\n"),
        "{words}"
    );
}

#[test]
fn rule_1_what_is_weak_may_be_absent() {
    let vfs = app(&Macho::program().weak("/gone").weak("@rpath/gone"));
    let opened = start(&vfs, "15.0");
    assert!(opened.is_complete());
    assert_eq!(need(&opened, "/app/main", "/gone").dependency.rule, Rule::WeakAbsent);
}

#[test]
fn rule_2_an_image_serves_by_its_install_name_whatever_its_path() {
    let vfs = app(&Macho::program().needs("/l/other.dylib").needs("@rpath/x.dylib"))
        .file("/l/other.dylib", Macho::dylib("@rpath/x.dylib").bytes());
    let opened = start(&vfs, "15.0");
    let x = &need(&opened, "/app/main", "@rpath/x.dylib").dependency;
    assert_eq!(x.found.as_deref(), Some(Path::new("/l/other.dylib")));
    assert_eq!(x.rule, Rule::InstallName);
}

#[test]
fn rule_2_a_link_leads_to_the_same_image() {
    let vfs = app(&Macho::program().needs("/l/a.dylib").needs("/l/b.dylib"))
        .file("/l/a.dylib", Macho::dylib("/elsewhere").bytes())
        .symlink("/l/b.dylib", "a.dylib");
    let opened = start(&vfs, "15.0");
    assert_eq!(paths(&opened), ["/app/main", "/l/a.dylib"]);
    assert!(opened.is_complete());
}

#[test]
fn rule_3_the_library_path_comes_before_rpath_and_absolute_names() {
    let vfs = app(&Macho::program().needs("@rpath/x.dylib").needs("/l/y.dylib").rpath("/r"))
        .file("/r/x.dylib", Macho::dylib("/r/x.dylib").bytes())
        .file("/l/y.dylib", Macho::dylib("/l/y.dylib").bytes())
        .file("/v/x.dylib", Macho::dylib("/v/x.dylib").bytes())
        .file("/v/y.dylib", Macho::dylib("/v/y.dylib").bytes());
    let run = |settings| {
        let dyld = Dyld::new(&vfs, system("15.0", "arm64"), settings);
        let opened = dyld.program(Path::new("/app/main"));
        paths(&opened).into_iter().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(run(with_library_path("/v")), ["/v/x.dylib", "/v/y.dylib"]);
    assert_eq!(run(plain()), ["/r/x.dylib", "/l/y.dylib"]);
    let hardened = Settings { hardened: true, ..with_library_path("/v") };
    assert_eq!(run(hardened), ["/r/x.dylib", "/l/y.dylib"]);
}

#[test]
fn rule_3_frameworks_have_a_path_of_their_own() {
    let vfs = app(&Macho::program().needs("/F/foo.framework/Versions/A/foo"))
        .file("/v/foo.framework/Versions/A/foo", Macho::dylib("/x").bytes())
        .file("/l/foo", Macho::dylib("/y").bytes());
    let settings = Settings { framework_path: Some(b"/v".to_vec()), ..with_library_path("/l") };
    let opened = Dyld::new(&vfs, system("15.0", "arm64"), settings).program(Path::new("/app/main"));
    let foo = need(&opened, "/app/main", "/F/foo.framework/Versions/A/foo");
    assert_eq!(foo.dependency.rule, Rule::DyldFrameworkPath);
}

#[test]
fn rule_4_executable_path_climbs_by_text_from_13_on() {
    let main = Macho::program().needs("@executable_path/../lib/x.dylib");
    let tried = |version| {
        let opened = start(&app(&main), version);
        let need = missing(&opened);
        need.attempts[0].step.path.to_str().unwrap().to_owned()
    };
    assert_eq!(tried("12.4"), "/app/../lib/x.dylib");
    // A directory of the root is not climbed out of.
    assert_eq!(tried("13.0"), "/app/../lib/x.dylib");
    let vfs = MemVfs::new().file("/opt/app/main", main.bytes());
    let dyld = Dyld::new(&vfs, system("13.0", "arm64"), plain());
    let opened = dyld.program(Path::new("/opt/app/main"));
    assert_eq!(missing(&opened).attempts[0].step.path, Path::new("/opt/lib/x.dylib"));
}

#[test]
fn rule_4_an_absolute_rpath_is_followed_by_its_cryptex_form() {
    let opened = start(&app(&Macho::program().needs("@rpath/x").rpath("/r/")), "15.0");
    let need = missing(&opened);
    let tried: Vec<_> = need.attempts.iter().map(|a| a.step.path.to_str().unwrap()).collect();
    let cryptex = "/System/Volumes/Preboot/Cryptexes/OS/r/x";
    assert_eq!(tried, ["/r/x", cryptex, "/r/x", cryptex]);
    assert_eq!(need.attempts[1].step.rule, Rule::Cryptex);
}

#[test]
fn rule_4_a_leaf_that_is_opened() {
    let vfs = app(&Macho::program().rpath("/r"))
        .file("/r/x.dylib", Macho::dylib("/r/x.dylib").bytes())
        .file("/cwd/y.dylib", Macho::dylib("/cwd/y.dylib").bytes())
        .file("/l/z", Macho::dylib("@rpath/z.dylib").bytes());
    let dyld = Dyld::new(&vfs, system("15.0", "arm64"), plain());
    let main = dyld.program(Path::new("/app/main")).process;
    let with_z = dyld.dlopen(&main, None, b"/l/z").process;
    let open = |name: &str| {
        let root = dyld.dlopen(&with_z, None, name.as_bytes()).root.dependency;
        (root.found.map(|path| path.to_str().unwrap().to_owned()), root.rule)
    };
    assert_eq!(open("x.dylib"), (Some("/r/x.dylib".into()), Rule::Rpath));
    assert_eq!(open("y.dylib"), (Some("/cwd/y.dylib".into()), Rule::Direct));
    assert_eq!(open("z.dylib"), (Some("/l/z".into()), Rule::InstallName));
    assert_eq!(open("libz.1.dylib"), (Some("/usr/lib/libz.1.dylib".into()), Rule::SharedCache));
}

#[test]
fn what_is_opened_again_comes_with_what_it_needs() {
    let lib = |name: &str| Macho::dylib(&format!("/l/{name}"));
    let vfs = app(&Macho::program().needs("/l/c").needs("/l/a"))
        .file("/l/a", lib("a").needs("/l/b").needs("/gone").bytes())
        .file("/l/b", lib("b").needs("/l/a").bytes())
        .file("/l/c", lib("c").bytes());
    let dyld = Dyld::new(&vfs, system("15.0", "arm64"), plain());
    let main = dyld.program(Path::new("/app/main")).process;
    let tree = |path: &str| {
        let opened = dyld.dlopen(&main, None, path.as_bytes());
        let tree = Closure::of_opened(&opened, "15.0".parse().unwrap());
        let paths = tree.objects.iter().map(|(path, _)| path.to_str().unwrap().to_owned());
        (paths.collect::<Vec<_>>(), tree.loads)
    };
    assert_eq!(tree("/l/a"), (vec!["/l/a".into(), "/l/b".into()], false));
    assert_eq!(tree("/l/c"), (vec!["/l/c".into()], true));
}

#[test]
fn rule_5_loader_path_is_that_of_the_file_behind_a_link() {
    let vfs = app(&Macho::program().needs("/l/x.dylib"))
        .symlink("/l/x.dylib", "../real/x.dylib")
        .file("/real/x.dylib", Macho::dylib("/x").needs("@loader_path/y.dylib").bytes())
        .file("/real/y.dylib", Macho::dylib("/y").bytes());
    assert!(start(&vfs, "15.0").is_complete());
}

#[test]
fn rule_6_the_search_goes_on_behind_what_does_not_fit() {
    let main = Macho::program().needs("@rpath/x").rpath("/a").rpath("/b").rpath("/c").rpath("/d");
    let vfs = app(&main)
        .file("/a/x", Macho::dylib("/x").arch("x86_64").bytes())
        .file("/b/x", b"text".to_vec())
        .file("/c/x", Macho::dylib("/x").unsigned().bytes())
        .file("/d/x", universal(&[Macho::dylib("/x").arch("x86_64"), Macho::dylib("/x")]));
    let opened = start(&vfs, "12.4");
    let x = need(&opened, "/app/main", "@rpath/x");
    assert_eq!(x.dependency.found.as_deref(), Some(Path::new("/d/x")));
    let outcomes: Vec<StepOutcome> = x.attempts.iter().map(|a| a.step.outcome).collect();
    assert_eq!(
        outcomes,
        [
            StepOutcome::WrongMachine,
            StepOutcome::NotALibrary,
            StepOutcome::BadSignature,
            StepOutcome::Found
        ]
    );
    let fat = universal(&[Macho::dylib("/x").arch("x86_64"), Macho::dylib("/x").arch("arm64e")]);
    let opened = start(&app(&main).file("/a/x", fat), "15.0");
    assert_eq!(
        missing(&opened).attempts[0].note,
        "fat file, but missing compatible architecture (have 'x86_64,arm64e', need 'arm64')"
    );
}

#[test]
fn rule_7_libraries_of_the_system_have_no_files() {
    let main = Macho::program()
        .needs("/usr/lib/libSystem.B.dylib")
        .needs("/System/Library/Frameworks/Metal.framework/Versions/A/Metal");
    let opened = start(&app(&main), "15.0");
    assert!(opened.is_complete());
    let found = need(&opened, "/app/main", "/usr/lib/libSystem.B.dylib");
    assert_eq!(found.dependency.rule, Rule::SharedCache);
}

#[test]
fn rule_8_the_words_where_nothing_was_tried() {
    let bare = app(&Macho::program().needs("@rpath/x"));
    let useless = app(&Macho::program().needs("@rpath/x").rpath("@rpath/deeper"));
    let reason = |vfs: &MemVfs, version| {
        let opened = start(vfs, version);
        missing(&opened).reason.clone().unwrap()
    };
    assert_eq!(reason(&bare, "11.7"), "image not found");
    assert_eq!(reason(&bare, "13.4"), "image not found");
    assert_eq!(reason(&bare, "14.0"), "no LC_RPATH's found");
    assert!(reason(&useless, "14.0").starts_with("no LC_RPATH's used."));
}

#[test]
fn rule_9_an_image_that_names_a_directory_twice() {
    let twice = |major, minor| Macho::dylib("/x").sdk(major, minor).rpath("/r").rpath("/r").bytes();
    let loads = |version, sdk: (u16, u8)| {
        let vfs = app(&Macho::program().needs("/l/x")).file("/l/x", twice(sdk.0, sdk.1));
        let opened = start(&vfs, version);
        let refused = opened.missing().next().map(|(_, need)| need.attempts[0].note.clone());
        assert!(refused.as_deref().is_none_or(|note| note == "duplicate LC_RPATH '/r'"));
        refused.is_none()
    };
    assert!(loads("15.3", (15, 4)));
    assert!(loads("15.4", (15, 3)));
    assert!(!loads("15.4", (15, 4)));
    assert!(loads("26.0", (15, 4)));
    assert!(!loads("26.0", (26, 0)));
    assert!(loads("26.0", (14, 0)));
}

#[test]
fn versions_are_those_that_exist() {
    let parse = |text: &str| text.parse::<Version>().map(|version| version.to_string());
    assert_eq!(parse("13"), Ok("13.0".to_owned()));
    assert_eq!(parse("12.6.3"), Ok("12.6".to_owned()));
    for wrong in ["10.15", "16.0", "27", "x", ""] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
