//! Diagnosis and repair of trees of Mach-O objects, on file systems in memory.

use crate::support::macho_writer::Macho;
use std::path::{Path, PathBuf};
use tfpatch::diagnosis::diagnose::{Diagnosis, diagnose};
use tfpatch::findings::finding::{Cause, Finding, Severity};
use tfpatch::loader::Settings;
use tfpatch::loader::dyld::Version;
use tfpatch::repair::planner::{Options, propose};
use tfpatch::repair::proposal::Proposal;
use tfpatch::report::words::findings as words;
use tfpatch::vfs::MemVfs;
use tfpatch::world::{Question, World};

const INTERNAL: &str = "/s/tensorflow/python/_pywrap_tensorflow_internal.so";
const PLUGIN: &str = "/s/tensorflow-plugins/libmetal_plugin.dylib";

/// An Intel object: it needs no signature.
fn dylib(install_name: &str) -> Macho {
    Macho::dylib(install_name).arch("x86_64")
}

fn bundle() -> Macho {
    Macho::bundle().arch("x86_64")
}

/// A distribution in `/s` that has these files.
fn distribution(vfs: MemVfs, name: &str, version: &str, files: &[&str]) -> MemVfs {
    let info = format!("/s/{}-{version}.dist-info", name.replace('-', "_"));
    let rows: String = files.iter().map(|file| format!("{},,\n", &file[3..])).collect();
    vfs.file(format!("{info}/METADATA"), format!("Name: {name}\nVersion: {version}\n").into_bytes())
        .file(format!("{info}/RECORD"), rows.into_bytes())
}

fn settings() -> Settings {
    Settings { working_directory: "/".into(), ..Settings::default() }
}

fn look(vfs: &MemVfs, settings: Settings) -> Diagnosis {
    diagnose(vfs, &World::of_directory(vfs, Path::new("/s"), None, settings))
}

fn causes(diagnosis: &Diagnosis) -> Vec<Cause> {
    diagnosis.findings.iter().map(|finding| finding.cause).collect()
}

fn only(diagnosis: &Diagnosis) -> &Finding {
    assert_eq!(diagnosis.findings.len(), 1, "{:#?}", diagnosis.findings);
    &diagnosis.findings[0]
}

/// What `fix` would do, for everything or for an object that is named.
fn plan(vfs: &MemVfs, named: Option<&str>) -> Proposal {
    let world = match named {
        Some(object) => World::of_object(vfs, Path::new(object), None, settings()),
        None => World::of_directory(vfs, Path::new("/s"), None, settings()),
    };
    propose(vfs, &world, &diagnose(vfs, &world), &Options::default())
}

/// TensorFlow with the plugin of another distribution. The plugin's own search path leads nowhere.
fn plugin(install_name: &str, exported: &[&str]) -> MemVfs {
    let internal = exported.iter().fold(dylib(install_name), |dylib, symbol| dylib.exports(symbol));
    // TensorFlow's own module begins with its init function.
    let internal = internal.exports("_PyInit__pywrap_tensorflow_internal");
    let metal = dylib("@rpath/libmetal_plugin.dylib")
        .needs("@rpath/_pywrap_tensorflow_internal.so")
        .rpath("/opt/homebrew/lib")
        .binds(1, "_TF_Dim")
        .binds(1, "_TF_NumDims")
        .binds_weakly(1, "_TF_Optional");
    let vfs = MemVfs::new().file(INTERNAL, internal.bytes()).file(PLUGIN, metal.bytes());
    let vfs = distribution(vfs, "tensorflow", "2.18.0", &[INTERNAL]);
    distribution(vfs, "tensorflow-metal", "1.2.0", &[PLUGIN])
}

#[test]
fn a_plugin_that_works_once_tensorflow_is_loaded() {
    let vfs = plugin("@rpath/_pywrap_tensorflow_internal.so", &["_TF_Dim", "_TF_NumDims"]);
    let diagnosis = look(&vfs, settings());
    let finding = only(&diagnosis);
    assert_eq!((finding.cause, finding.severity()), (Cause::LoadOrder, Severity::Info));
    assert!(finding.fixable);
    assert_eq!(finding.lies_in, [PathBuf::from("/s/tensorflow/python")]);
    // Nothing is wrong, so nothing is repaired unless it is asked for.
    assert!(plan(&vfs, None).rewrites.is_empty());
    let named = plan(&vfs, Some(PLUGIN));
    let after = &named.rewrites[Path::new(PLUGIN)].after;
    assert_eq!(
        after,
        &[b"/opt/homebrew/lib".to_vec(), b"@loader_path/../tensorflow/python".to_vec()]
    );
    assert!(named.remaining.is_empty(), "{:#?}", named.remaining);
}

#[test]
fn a_plugin_for_another_install_name_is_repaired() {
    let vfs = plugin("@rpath/other.so", &["_TF_Dim", "_TF_NumDims"]);
    let diagnosis = look(&vfs, settings());
    let finding = only(&diagnosis);
    assert_eq!((finding.cause, finding.severity()), (Cause::PathMissing, Severity::Error));
    let proposal = plan(&vfs, None);
    assert_eq!(proposal.rewrites.len(), 1);
    assert!(proposal.remaining.is_empty(), "{:#?}", proposal.remaining);
}

#[test]
fn a_plugin_for_another_release_is_no_matter_of_search_paths() {
    for install_name in ["@rpath/_pywrap_tensorflow_internal.so", "@rpath/other.so"] {
        let vfs = plugin(install_name, &["_TF_NumDims"]);
        let diagnosis = look(&vfs, settings());
        let finding = only(&diagnosis);
        assert_eq!((finding.cause, finding.severity()), (Cause::VersionMismatch, Severity::Error));
        assert_eq!(finding.symbols, [b"_TF_Dim".to_vec()]);
        assert!(
            words::message(finding)
                .contains("tensorflow-metal 1.2.0 does not work with tensorflow 2.18.0")
        );
        assert!(words::cure(finding).contains("2.12 to 2.19"), "{finding:?}");
        for named in [None, Some(PLUGIN)] {
            let proposal = plan(&vfs, named);
            assert!(proposal.rewrites.is_empty());
            let errors = proposal.remaining.iter().filter(|f| f.severity() == Severity::Error);
            assert_eq!(errors.count(), 1);
        }
    }
}

const MODULE: &str = "/s/pkg/mod.cpython-311-darwin.so";

/// A module of a package that needs `libx.dylib`, which lies beside it in `libs`.
fn package(module: &Macho, library: &Macho) -> MemVfs {
    let vfs =
        MemVfs::new().file(MODULE, module.bytes()).file("/s/pkg/libs/libx.dylib", library.bytes());
    distribution(vfs, "pkg", "1", &[MODULE, "/s/pkg/libs/libx.dylib"])
}

#[test]
fn a_library_that_no_search_path_reaches() {
    let module = bundle().needs("@rpath/libx.dylib").binds(1, "_x");
    let vfs = package(&module, &dylib("@rpath/libx.dylib").exports("_x").exports("_xy"));
    assert_eq!(causes(&look(&vfs, settings())), [Cause::PathMissing]);
    let proposal = plan(&vfs, None);
    assert_eq!(proposal.rewrites[Path::new(MODULE)].after, [b"@loader_path/libs".to_vec()]);
    assert!(proposal.remaining.is_empty());
}

#[test]
fn a_name_that_no_search_path_serves_is_not_repaired() {
    let module = bundle().needs("@loader_path/libx.dylib");
    let vfs = package(&module, &dylib("@rpath/libx.dylib"));
    let diagnosis = look(&vfs, settings());
    assert_eq!((only(&diagnosis).cause, only(&diagnosis).fixable), (Cause::PathMissing, false));
    assert!(plan(&vfs, None).rewrites.is_empty());
}

#[test]
fn a_library_without_a_symbol_is_no_cure() {
    let module = bundle().needs("@rpath/libx.dylib").binds(1, "_x");
    let vfs = package(&module, &dylib("@rpath/libx.dylib").exports("_xy"));
    let diagnosis = look(&vfs, settings());
    assert_eq!(only(&diagnosis).cause, Cause::MissingSymbol);
    assert!(plan(&vfs, None).rewrites.is_empty());
    // Nor where the library is found.
    let module = module.rpath("@loader_path/libs");
    let vfs = package(&module, &dylib("@rpath/libx.dylib").exports("_xy"));
    assert_eq!(only(&look(&vfs, settings())).symbols, [b"_x".to_vec()]);
}

#[test]
fn a_symbol_may_come_from_a_library_of_the_library() {
    let module = bundle()
        .needs("@rpath/libx.dylib")
        .rpath("@loader_path/libs")
        .binds(1, "_x")
        .binds(1, "_xy");
    let library = dylib("@rpath/libx.dylib")
        .needs("@loader_path/liby.dylib")
        .reexports(1, "_x")
        .exports("_xy");
    let with =
        |below: &Macho| package(&module, &library).file("/s/pkg/libs/liby.dylib", below.bytes());
    assert_eq!(causes(&look(&with(&dylib("@rpath/y").exports("_x")), settings())), []);
    let without = with(&dylib("@rpath/y").exports("_xx"));
    assert_eq!(only(&look(&without, settings())).symbols, [b"_x".to_vec()]);
}

#[test]
fn a_module_for_another_processor() {
    let arm = Macho::bundle().bytes();
    let vfs = package(&bundle(), &dylib("@rpath/libx.dylib"))
        .file("/s/pkg/other.cpython-311-darwin.so", arm);
    let diagnosis = look(&vfs, settings());
    let finding = only(&diagnosis);
    assert_eq!(finding.cause, Cause::WrongArch);
    assert!(
        words::message(finding).contains("(have 'arm64', need 'x86_64')"),
        "{}",
        words::message(finding)
    );
}

#[test]
fn an_object_of_apple_s_processors_without_a_signature() {
    let vfs = MemVfs::new().file(MODULE, Macho::bundle().unsigned().bytes());
    let diagnosis = look(&vfs, settings());
    assert_eq!((only(&diagnosis).cause, only(&diagnosis).fixable), (Cause::BadSignature, true));
}

#[test]
fn entries_that_stand_there_twice() {
    let module = |sdk| bundle().sdk(sdk, 0).rpath("@loader_path/libs").rpath("@loader_path/libs");
    let judged = |sdk, macos| {
        let vfs = package(&module(sdk), &dylib("@rpath/libx.dylib"));
        let diagnosis = look(&vfs, Settings { macos, ..settings() });
        let finding = only(&diagnosis);
        assert_eq!(finding.cause, Cause::DuplicateRpath);
        finding.severity()
    };
    assert_eq!(judged(26, Version::new(15, 0)), Severity::Info);
    assert_eq!(judged(15, Version::new(26, 0)), Severity::Info);
    assert_eq!(judged(26, Version::new(26, 0)), Severity::Error);
    // Where dyld refuses the object it is repaired, without being asked.
    let vfs = package(&module(26), &dylib("@rpath/libx.dylib"));
    let proposal = plan(&vfs, None);
    assert_eq!(proposal.rewrites[Path::new(MODULE)].after, [b"@loader_path/libs".to_vec()]);
    assert!(proposal.remaining.is_empty(), "{:#?}", proposal.remaining);
}

#[test]
fn entries_that_lead_nowhere_stay_unless_they_are_to_go() {
    let module = bundle().rpath("@loader_path/../_solib_darwin_arm64/x");
    let vfs = package(&module, &dylib("@rpath/libx.dylib"));
    let diagnosis = look(&vfs, settings());
    assert_eq!(
        (only(&diagnosis).cause, only(&diagnosis).severity()),
        (Cause::DeadRpath, Severity::Info)
    );
    assert!(plan(&vfs, Some(MODULE)).rewrites.is_empty());
    let world = World::of_directory(&vfs, Path::new("/s"), None, settings());
    let question = Question { tidy: true, ..Question::default() };
    let options = Options { question, ..Options::default() };
    let proposal = propose(&vfs, &world, &diagnose(&vfs, &world), &options);
    assert_eq!(proposal.rewrites[Path::new(MODULE)].after, Vec::<Vec<u8>>::new());
}

#[test]
fn a_variable_that_is_all_that_leads_to_a_library() {
    let vfs = package(&bundle().needs("@rpath/libx.dylib"), &dylib("@rpath/libx.dylib"));
    let mut with = settings();
    with.dyld.library_path = Some(b"/s/pkg/libs".to_vec());
    let diagnosis = look(&vfs, with);
    let finding = only(&diagnosis);
    assert_eq!((finding.cause, finding.fixable), (Cause::EnvOverride, true));
    assert!(
        words::message(finding).contains("only through DYLD_LIBRARY_PATH"),
        "{}",
        words::message(finding)
    );
}

#[test]
fn what_is_nowhere_is_not_installed() {
    let vfs = package(&bundle().needs("/opt/x/liby.dylib"), &dylib("@rpath/libx.dylib"));
    assert_eq!(only(&look(&vfs, settings())).cause, Cause::NotInstalled);
}

/// A library that the Python code of its distribution opens itself, as with ctypes, is as good as
/// imported; one of several is a plugin that may never be opened.
#[test]
fn the_only_library_of_python_code_is_judged_and_a_plugin_is_not() {
    let library = dylib("@rpath/lib_boost.dylib").needs("@rpath/libomp.dylib");
    let (file, code) = ("/s/boost/lib/lib_boost.dylib", "/s/boost/__init__.py");
    let look_at = |size: u64, more: &[&str]| {
        let rows = format!("boost/lib/lib_boost.dylib,,\nboost/__init__.py,,{size}\n");
        let rows = more.iter().fold(rows, |rows, file| rows + &format!("{},,\n", &file[3..]));
        let vfs = MemVfs::new()
            .file(file, library.bytes())
            .file(code, "x")
            .file("/s/boost-1.dist-info/METADATA", "Name: boost\nVersion: 1\n")
            .file("/s/boost-1.dist-info/RECORD", rows);
        let other = dylib("@rpath/other.dylib").bytes();
        let vfs = more.iter().fold(vfs, |vfs, file| vfs.file(file, other.clone()));
        let found = look(&vfs, settings()).findings;
        let found: Vec<_> = found.into_iter().filter(|it| it.library.is_some()).collect();
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        (found.cause, found.severity())
    };
    assert_eq!(look_at(1, &[]), (Cause::NotInstalled, Severity::Error));
    // What a tool has copied beside it is no code of its own.
    assert_eq!(look_at(1, &["/s/boost/.dylibs/libz.dylib"]).1, Severity::Error);
    assert_eq!(look_at(1, &["/s/boost/lib/other.dylib"]).1, Severity::Info);
    assert_eq!(look_at(0, &[]).1, Severity::Info);
}

/// dyld loads no debugging information, whose headers are those of a Mach-O file.
#[test]
fn debugging_information_is_no_object() {
    let mut bytes = dylib("@rpath/libx.dylib").needs("@rpath/libgone.dylib").bytes();
    // MH_DSYM in place of MH_DYLIB.
    bytes[12] = 10;
    let vfs = MemVfs::new().file("/s/x.dSYM/Contents/Resources/DWARF/libx", bytes);
    assert_eq!(look(&vfs, settings()).findings, []);
}

/// What lies on a Mac is not known on another system; on a Mac it is.
#[test]
fn a_path_of_a_mac_is_dead_only_where_it_can_be_looked_at() {
    let file = || dylib("@rpath/libx.dylib").rpath("/Users/me/lib").rpath("@loader_path/gone");
    let vfs = || MemVfs::new().file("/s/libx.dylib", file().bytes());
    let dead = |vfs: &MemVfs| {
        let found = look(vfs, settings()).findings;
        found.iter().filter(|it| it.cause == Cause::DeadRpath).map(words::message).collect()
    };
    let here: Vec<String> = dead(&vfs());
    assert!(here.len() == 1 && here[0].contains('1'), "{here:?}");
    let plist = "/System/Library/CoreServices/SystemVersion.plist";
    let there: Vec<String> = dead(&vfs().file(plist, ""));
    assert!(there.len() == 1 && there[0] != here[0], "{there:?}");
}
