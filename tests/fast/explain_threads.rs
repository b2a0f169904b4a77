//! Messages that people posted in public threads, held against what an answer has to say and what it must
//! not say (`fixtures/messages/threads.json`, `more_threads.json` and `programs_threads.json`).

use crate::support::command::open_directory;
use crate::support::elf_writer::Elf;
use crate::support::explain::explain;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tfpatch::diagnosis::diagnose::diagnose;
use tfpatch::loader::Settings;
use tfpatch::messages::in_environment::look;
use tfpatch::messages::verdict::Outcome;
use tfpatch::messages::{Kind, Log, Weight, read};
use tfpatch::report::words::{helps, meanings, verdicts};
use tfpatch::vfs::MemVfs;
use tfpatch::world::World;

fn threads() -> Vec<Value> {
    let messages = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages");
    let read = |name| -> Vec<Value> {
        serde_json::from_slice(&fs::read(messages.join(name)).unwrap()).unwrap()
    };
    ["threads.json", "more_threads.json", "programs_threads.json", "later_threads.json"]
        .into_iter()
        .flat_map(read)
        .collect()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

fn read_text(text: &str) -> Log {
    read(&mut text.as_bytes()).unwrap()
}

/// What is said of a text by its words alone.
fn answer(log: &Log) -> String {
    let lines =
        log.messages.iter().map(|one| format!("{}\n→ {}\n", meanings::of(one), helps::of(one)));
    lines.collect()
}

/// The advice of NumPy follows from the error that it quotes, unless nothing is known of that.
#[test]
fn an_advice_is_no_message_where_its_original_error_is_one() {
    let advice = "ImportError: \n\nIMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!\n\n\
                  Importing the numpy C-extensions failed. This error can happen for\nmany reasons.\n\n";
    let gone = "libscipy_openblas64_-32a4b2a6.so: cannot open shared object file: No such file or directory";
    let log = read_text(&format!("ImportError: {gone}\n\n{advice}Original error was: {gone}\n"));
    let [only] = log.messages.as_slice() else { panic!("{:#?}", log.messages) };
    assert_eq!(only.kind, Kind::LibraryNotFound);
    let log = read_text(&format!("{advice}Original error was: no such thing\n"));
    let [only] = log.messages.as_slice() else { panic!("{:#?}", log.messages) };
    assert!(only.saying.is_some(), "{only:#?}");
}

#[test]
fn every_thread_is_answered_as_it_should_be() {
    let threads = threads();
    assert!(threads.len() >= 140, "{} threads", threads.len());
    let mut wrong = Vec::new();
    for thread in &threads {
        let log = read_text(&strings(&thread["text"]).join("\n"));
        let said = answer(&log);
        let needed = strings(&thread["must_have_one_of"]);
        let is_right = match thread["verdict"].as_str().unwrap() {
            "declined" => {
                log.messages.is_empty() && log.is_of_windows == needed.contains(&"Windows")
            }
            "harmless" => {
                !log.messages.is_empty()
                    && log.messages.iter().all(|one| one.weight() == Weight::Harmless)
            }
            _ => {
                !log.messages.is_empty()
                    && (needed.is_empty() || needed.iter().any(|part| said.contains(part)))
                    && log
                        .messages
                        .iter()
                        .all(|one| one.cause().is_some() || log.messages.len() > 1)
            }
        };
        let is_bad = strings(&thread["must_not_have"]).iter().any(|part| said.contains(part));
        if !is_right || is_bad {
            wrong.push(format!("{} ({}): {needed:?}\n{said}", thread["name"], thread["about"]));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {}", wrong.len(), threads.len(), wrong.join("\n"));
}

#[test]
fn a_text_of_windows_is_declined_by_its_name() {
    let dir = open_directory();
    for text in [
        "ImportError: DLL load failed while importing x: The specified module could not be found.",
        "W dso_loader.cc:64] Could not load dynamic library 'cudart64_110.dll'; dlerror: cudart64_110.dll not found",
        "  File \"C:\\Users\\me\\x.py\", line 1\nModuleNotFoundError: No module named 'x._x'",
    ] {
        let ran = explain(dir.path(), &["-"], text.as_bytes());
        assert_eq!((ran.status, ran.out.as_str()), (2, ""), "{text}");
        assert!(ran.error().contains("Windows"), "{}", ran.error());
    }
    // What a loader of Linux says is explained wherever the rest comes from.
    let mixed = "cd C:\\Users\\me\\x\nImportError: libx.so.1: cannot open shared object file: No such file or directory";
    assert_eq!(read_text(mixed).messages.len(), 1);
}

/// A message that names nothing of a machine is checked against the target that the user names.
#[test]
fn a_target_that_is_named_is_the_one_that_counts() {
    let dir = open_directory();
    let (libraries, objects) = (dir.path().join("t/lib"), dir.path().join("t/bin"));
    fs::create_dir_all(&libraries).unwrap();
    fs::create_dir_all(&objects).unwrap();
    let lonely = Elf::needing(&["libodd.so.1"]).bytes();
    fs::write(objects.join("lonely.so"), lonely).unwrap();
    fs::write(libraries.join("libodd.so.1"), Elf::needing(&[]).soname("libodd.so.1").bytes())
        .unwrap();
    let said =
        b"ImportError: libodd.so.1: cannot open shared object file: No such file or directory";
    let here = explain(dir.path(), &["-"], said);
    assert!(!here.out.contains("lonely.so"), "{}", here.out);
    for arguments in [["--target", "t", "-"], ["-t", "t/bin/lonely.so", "-"]] {
        let there = explain(dir.path(), &arguments, said);
        assert_eq!(there.status, 0, "{}", there.error());
        assert!(there.out.contains("lonely.so"), "{}", there.out);
    }
    let gone = explain(dir.path(), &["-t", "nowhere", "-"], said);
    assert_eq!((gone.status, gone.out.as_str()), (2, ""));
    assert!(gone.error().contains("nowhere"), "{}", gone.error());
}

/// A message without a path may be of another machine than the one on which the library is there.
#[test]
fn what_is_found_here_may_be_missing_elsewhere() {
    let site = Path::new("/e/lib/python3.11/site-packages");
    let outer = Elf::needing(&["libGL.so.1"]).runpath("$ORIGIN").bytes();
    let inner = Elf::needing(&[]).soname("libGL.so.1").bytes();
    let vfs = MemVfs::new()
        .file(site.join("a/outer.so"), outer)
        .file(site.join("a/libGL.so.1"), inner)
        .file("/e/bin/x", *b"#!/bin/sh\n");
    let settings = Settings { working_directory: "/".into(), ..Settings::default() };
    let world = World::of_directory(&vfs, site, None, settings);
    let diagnosis = diagnose(&vfs, &world);
    let missing = "libGL.so.1: cannot open shared object file: No such file or directory";
    let cure = |text: &str| {
        let log = read_text(text);
        let verdict = look(&vfs, &world, &diagnosis, &log.messages[0]);
        assert_eq!(verdict.outcome, Outcome::Resolves, "{text}: {verdict:?}");
        verdicts::cure(&log.messages[0], &verdict)
    };
    assert!(
        cure(missing).contains("if the message is from another machine, apt install libgl1 "),
        "{}",
        cure(missing)
    );
    // The object is sound, so that a symbol which a process lacks is of another copy.
    let symbol = format!("ImportError: {}: undefined symbol: f", site.join("a/outer.so").display());
    assert!(cure(&symbol).contains("LD_LIBRARY_PATH"), "{}", cure(&symbol));
    let named = format!("/e/bin/x: error while loading shared libraries: {missing}");
    assert!(!cure(&named).contains("another machine"), "{}", cure(&named));
    // What is found here says nothing about the machine whose files the message names.
    for text in [
        format!("/elsewhere/bin/x: error while loading shared libraries: {missing}"),
        "/elsewhere/site-packages/a/outer.so: undefined symbol: f".to_owned(),
    ] {
        let log = read_text(&text);
        let verdict = look(&vfs, &world, &diagnosis, &log.messages[0]);
        assert_eq!(verdict.outcome, Outcome::NotHere, "{text}: {verdict:?}");
    }
}

/// The cure of a single message.
fn cure(text: &str) -> String {
    let log = read_text(text);
    let [message] = &log.messages[..] else { panic!("{text}: {:#?}", log.messages) };
    helps::of(message)
}

#[test]
fn a_cure_names_the_package_that_ships_the_library() {
    let missing = ": cannot open shared object file: No such file or directory";
    for (text, expected) in [
        (format!("ImportError: libGL.so.1{missing}"), "apt install libgl1 "),
        (format!("(libxcb-icccm.so.4{missing})"), "apt install libxcb-icccm4 "),
        (format!("OSError: pango-1.0-0{missing}"), "apt install libpango-1.0-0 "),
        (format!("ImportError: libcublasLt.so.11{missing}"), "pip install nvidia-cublas-cu11 "),
        (format!("x: libunknown.so.3{missing}"), "apt-file search libunknown.so.3 "),
        (format!("x: libunknown.so.3{missing}"), "usually called libunknown3"),
        (format!("x: libffi.so.7{missing}"), "apt install libffi7 (Debian 11, Ubuntu 20.04)"),
        (format!("x: libicuuc.so.67{missing}"), "apt install libicu67 (Debian 11)"),
        (format!("x: libsndfile.so{missing}"), "apt install libsndfile1-dev "),
        (format!("x: libimf.so{missing}"), "pip install intel-cmplr-lib-rt "),
        (format!("x: libjvm.so{missing}"), "JAVA_HOME"),
        (format!("x: libarrow.so.1400{missing}"), "pip install 'pyarrow==14.*' "),
        (format!("x: libc.musl-x86_64.so.1{missing}"), "without musl"),
        ("Error loading shared library libgomp.so.1: No such file or directory".to_owned(), "apk add so:libgomp.so.1"),
        ("dyld: Library not loaded: /opt/homebrew/opt/made-up/lib/libq.dylib".to_owned(), "brew install made-up"),
        ("dyld: Library not loaded: @rpath/libhdf5.310.dylib".to_owned(), "brew install hdf5"),
        (
            "dyld: Library not loaded: /usr/local/opt/openssl@1.1/lib/libssl.1.1.dylib\n  Referenced from: \
             /v/lib/python3.9/site-packages/cv2/cv2.abi3.so\n  Reason: image not found"
                .to_owned(),
            "pip install -U opencv-python: Homebrew no longer installs openssl@1.1",
        ),
        ("Failed to load library libx.so with error: liby.so.1: cannot open shared object file".to_owned(), "liby.so.1"),
    ] {
        assert!(cure(&text).contains(expected), "{text}: {}", cure(&text));
    }
}

#[test]
fn a_cure_fits_what_failed() {
    for (text, expected, wrong) in [
        // A program that failed is not told that nothing has to be done.
        (
            "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
            "driver",
            "nothing",
        ),
        // Another kind of packages is not mended by pip.
        ("/app/node_modules/x/build/x.node: file too short", "npm rebuild", "pip"),
        ("ImportError: /usr/lib/x86_64-linux-gnu/libfoo.so.1: file too short", "dpkg -S", "pip"),
        (
            "x: /opt/a/lib/libjvm.so: cannot open shared object file: Not a directory",
            "directory",
            "pip",
        ),
        // The newer of the two NumPys is told by the numbers.
        (
            "numpy.ndarray size changed, may indicate binary incompatibility. Expected 96 from C header, got 88",
            "-U",
            "<2",
        ),
        (
            "numpy.ndarray size changed, may indicate binary incompatibility. Expected 88 from C header, got 96",
            "<2",
            "-U",
        ),
        (
            "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xf .",
            "-U",
            "<2",
        ),
        // What depends on who signed is not mended by a signature of nobody.
        (
            "dlopen(/a/x.so, 2): tried: '/a/x.so' (code signature in <U> '/a/x.so' not valid for use in process: mapping \
          process and mapped file (non-platform) have different Team IDs)",
            "library-validation",
            "--sign -",
        ),
        (
            "Could not load library libcudnn_ops.so.9. Error: libcudnn_ops.so.9: cannot open shared object file",
            "cudnn",
            "tensorflow",
        ),
        ("ModuleNotFoundError: No module named '_ctypes'", "libffi-dev", "pip install"),
        (
            "symbol lookup error: /snap/x/libpthread.so.0: undefined symbol: f, version GLIBC_PRIVATE",
            "LD_LIBRARY_PATH",
            "pip",
        ),
        (
            "ImportError: /v/site-packages/a_b.cpython-311.so: undefined symbol: _ZN3c104cuda9SetDeviceEi",
            "--no-binary a-b a-b",
            "numpy",
        ),
        (
            "ImportError: cannot import name 'a' from 'b' (/v/site-packages/b/__init__.py)",
            "pip install -U b ",
            "nothing",
        ),
        (
            "ImportError: cannot import name '_a' from 'b' (/v/site-packages/b/__init__.py)",
            "--force-reinstall b",
            "nothing",
        ),
        ("Failed to initialize NVML: Driver/library version mismatch", "reboot", "pip"),
        // What another package manager brought is mended by that one.
        (
            "x: symbol lookup error: /snap/x/1/usr/lib/libGL.so.1: undefined symbol: f",
            "snap refresh x",
            "pip",
        ),
        ("/nix/store/a-x/lib/b.so: undefined symbol: f", "nix develop", "pip"),
        (
            "/usr/lib/R/library/rJava/libs/rJava.so: undefined symbol: f",
            "install.packages(\"rJava\")",
            "pip",
        ),
        (
            "x: /opt/ros/humble/lib/x: error while loading shared libraries: librcl.so: cannot open shared object file",
            "source /opt/ros/humble/setup.bash",
            "apt-file",
        ),
        (
            "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /a/node_modules/x.node)",
            "npm rebuild",
            "musl",
        ),
        // A directory in which nothing may be executed is not mended by another copy.
        (
            "/tmp/x1/libx.so: failed to map segment from shared object: Operation not permitted",
            "noexec",
            "reinstall",
        ),
        // A wheel's own copy of a library is in no package of the system.
        (
            "ImportError: libgfortran-040039e1.so.5.0.0: cannot open shared object file: No such file or directory",
            "--force-reinstall",
            "apt-file",
        ),
        // The distribution is called otherwise than its module.
        (
            "ImportError: /v/site-packages/icu/_icu_.so: undefined symbol: _ZN6icu_72f",
            "PyICU",
            "install icu",
        ),
        // What a distribution requires in one release comes with it.
        (
            "ImportError: /v/site-packages/torch/lib/libtorch_cuda.so: undefined symbol: ncclCommRegister",
            "--force-reinstall torch",
            "--no-binary",
        ),
        // Two releases are named where nothing else is known of them.
        (
            "x: relocation error: /a/liba.so: symbol f, version libb.so.1 not defined in file libb.so.1 with link time reference",
            "use liba.so and libb.so.1 of one release",
            "pip",
        ),
    ] {
        let cure = cure(text);
        assert!(cure.contains(expected) && !cure.contains(wrong), "{text}: {cure}");
    }
}
