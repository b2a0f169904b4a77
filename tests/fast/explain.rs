//! The loaders' own words, as people posted them: taken apart, and explained.

use crate::support::command::open_directory;
use crate::support::explain::explain;
use crate::support::macho_writer::Macho;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tfpatch::diagnosis::diagnose::diagnose;
use tfpatch::findings::finding::Cause;
use tfpatch::loader::Settings;
use tfpatch::messages::in_environment::look;
use tfpatch::messages::verdict::Outcome;
use tfpatch::messages::{Kind, Log, Message, read};
use tfpatch::report::words::verdicts;
use tfpatch::vfs::MemVfs;
use tfpatch::world::World;

/// A row of `expected.csv`: kind, causes, library, object, names.
type Row = [String; 5];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/messages")
}

/// What each message is expected to say, what blocks first at the front.
fn expected() -> BTreeMap<String, Vec<Row>> {
    let text = fs::read_to_string(fixtures().join("expected.csv")).unwrap();
    let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [file, kind, causes, library, object, names, _origin] = fields[..] else {
            panic!("seven fields without commas: {line}");
        };
        let row = [kind, causes, library, object, names].map(str::to_owned);
        rows.entry(file.to_owned()).or_default().push(row);
    }
    rows
}

fn read_text(text: &[u8]) -> Log {
    read(&mut BufReader::with_capacity(7, text)).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn row(message: &Message) -> Row {
    let kind = serde_json::to_value(message.kind).unwrap();
    let causes: Vec<&str> = message.causes().iter().map(|cause| cause.name()).collect();
    let names: Vec<String> = message.names().map(text).collect();
    let field = |field: &Option<Vec<u8>>| field.as_deref().map(text).unwrap_or_default();
    [
        kind.as_str().unwrap().to_owned(),
        causes.join(" "),
        field(&message.library),
        field(&message.object),
        names.join(" "),
    ]
}

#[test]
fn every_message_says_what_is_written_down_for_it() {
    let expected = expected();
    assert!(expected.len() >= 40, "{} messages", expected.len());
    let mut wrong = Vec::new();
    for (file, rows) in &expected {
        let log = read_text(&fs::read(fixtures().join(file)).unwrap());
        let found: Vec<Row> = log.messages.iter().map(row).collect();
        if &found != rows {
            wrong.push(format!("{file}:\n  expected {rows:#?}\n  found {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}: {}", wrong.len(), expected.len(), wrong.join("\n"));
    let kept = fs::read_dir(fixtures()).unwrap().map(Result::unwrap);
    let texts = kept.filter(|entry| entry.path().extension().is_some_and(|end| end == "txt"));
    assert_eq!(texts.count(), expected.len(), "a message without a row");
}

#[test]
fn other_texts_are_no_messages() {
    let mut declined = 0;
    for entry in fs::read_dir(fixtures().join("other")).unwrap().map(Result::unwrap) {
        let log = read_text(&fs::read(entry.path()).unwrap());
        assert_eq!(log.messages, [], "{}", entry.path().display());
        declined += 1;
    }
    assert!(declined >= 15, "{declined} texts");
}

/// The places of dyld's own lists, each with its outcome, as `fixtures/dyld` keeps them.
#[test]
fn every_place_that_dyld_tried_is_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dyld/tried.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut lists = 0;
    for case in golden["cases"].as_array().unwrap() {
        let Some(tried) = case["tried"].as_array() else { continue };
        let places: Vec<(String, String)> = tried
            .iter()
            .map(|place| {
                let part = |name: &str| place[name].as_str().unwrap().to_owned();
                (part("path"), part("outcome"))
            })
            .collect();
        let list: Vec<String> =
            places.iter().map(|(path, outcome)| format!("'{path}' ({outcome})")).collect();
        let name = case["library"].as_str().unwrap_or("@rpath/libx.dylib");
        let asker = case["referenced_from"].as_str().unwrap_or("/bin/x");
        let words = format!(
            "dyld[1]: Library not loaded: {name}\n  Referenced from: <UUID> {asker}\n  Reason: tried: {}\n",
            list.join(", ")
        );
        let log = read_text(words.as_bytes());
        let [message] = &log.messages[..] else { panic!("{}: {log:#?}", case["id"]) };
        let read: Vec<(String, String)> =
            message.tried.iter().map(|tried| (text(&tried.path), text(&tried.note))).collect();
        assert_eq!(read, places, "{}", case["id"]);
        assert_eq!(message.library.as_deref(), Some(name.as_bytes()), "{}", case["id"]);
        lists += 1;
    }
    assert!(lists >= 8, "{lists} lists");
}

#[test]
fn a_message_is_found_wherever_it_stands_in_a_log() {
    let message =
        "ImportError: libx.so.1: cannot open shared object file: No such file or directory";
    let quiet = "2026-01-05 10:00:00: I some/file.cc:12] nothing of interest\n".repeat(2000);
    for log in [
        format!("{quiet}{message}\n{quiet}"),
        format!("\x1b[31mE   {message}\x1b[0m\n"),
        format!("app-1  | {message}\r\n"),
        format!("{{\"log\": \"Traceback:\\n  {message}\\n\"}}"),
        format!("> > {message}"),
        format!("{}\n{message}", "x".repeat(3 << 20)),
    ] {
        let found = read_text(log.as_bytes());
        let [found] = &found.messages[..] else { panic!("{:#?}", found.messages) };
        assert_eq!(found.library.as_deref(), Some(&b"libx.so.1"[..]));
    }
}

/// Of a reason that is wrapped or cut nothing is known, least of all that the file is there.
#[test]
fn a_reason_that_is_cut_says_nothing_of_the_file() {
    let kind = |line: &str| read_text(line.as_bytes()).messages.first().unwrap().kind;
    let start = "ImportError: libGL.so.1: cannot open shared object file";
    for rest in ["", ": No such file or directory", ": No such", ": No su\nch file", "\" was fixed"]
    {
        assert_eq!(kind(&format!("{start}{rest}\n")), Kind::LibraryNotFound, "{rest:?}");
    }
    for rest in [": Permission denied", ": Too many open files", ": Error 24"] {
        assert_eq!(kind(&format!("{start}{rest}\n")), Kind::ObjectUnreadable, "{rest:?}");
    }
}

/// What a shell cannot start may be a script or a program: an environment is not what has to be made again.
#[test]
fn a_program_without_its_loader_is_no_environment() {
    let dir = open_directory();
    let said = b"bash: ./a.out: cannot execute: required file not found\n";
    let ran = explain(dir.path(), &["-"], said);
    assert!(ran.text(0).contains("its dynamic loader"), "{ran:#?}");
    assert!(!ran.out.contains("--clear"), "{ran:#?}");
}

#[test]
fn what_is_said_often_is_kept_once_and_what_is_said_without_end_is_cut() {
    let log = read_text("TF-TRT Warning: Could not find TensorRT\n".repeat(500).as_bytes());
    let [message] = &log.messages[..] else { panic!("{log:#?}") };
    assert_eq!((message.times, message.line, log.lines), (500, 1, 500));
    let many: String = (0..5000)
        .map(|n| format!("libx{n}.so: cannot open shared object file: No such file or directory\n"))
        .collect();
    let log = read_text(many.as_bytes());
    assert!(log.is_cut && log.messages.len() < 1000, "{}", log.messages.len());
    // A list of dyld that never ends, and one that breaks off everywhere.
    let endless = format!("tried: {}", "'/a' (no such file),\n".repeat(50_000));
    assert!(read_text(endless.as_bytes()).messages.len() < 1000);
}

#[test]
fn what_blocks_first_comes_first() {
    let log = read_text(
        b"W py_utils.cc:38] TF-TRT Warning: Could not find TensorRT\n\
          I cudart_stub.cc:32] Could not find cuda drivers on your machine, GPU will not be used.\n\
          W dso_loader.cc:64] Could not load dynamic library 'libcudnn.so.9'; dlerror: libcudnn.so.9: \
          cannot open shared object file: No such file or directory\n\
          ImportError: /s/a.so: undefined symbol: f\n\
          ImportError: /s/b.so: file too short\n",
    );
    let order: Vec<Option<&str>> =
        log.messages.iter().map(|message| message.cause().map(Cause::name)).collect();
    let expected = [
        Some("unreadable"),
        Some("version_mismatch"),
        Some("dlopen_path_missing"),
        Some("driver_missing"),
        None,
    ];
    assert_eq!(order, expected);
}

#[test]
fn every_message_is_explained_and_everything_else_declined() {
    let dir = open_directory();
    for (file, rows) in expected() {
        let ran = explain(
            dir.path(),
            &["--format", "json", "-"],
            &fs::read(fixtures().join(&file)).unwrap(),
        );
        let report = ran.json(0);
        assert_eq!(report["schema"], "tfpatch/explain/v1");
        assert_eq!(report["messages"].as_array().unwrap().len(), rows.len(), "{file}");
        for message in report["messages"].as_array().unwrap() {
            assert!(!message["meaning"].as_str().unwrap().is_empty(), "{file}");
            assert!(!message["cure"].as_str().unwrap().is_empty(), "{file}");
        }
    }
    let garbage: Vec<u8> =
        (0..20_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for input in [&b""[..], &garbage, b"\x7fELF\x02\x01\x01", &[0xff; 5000]] {
        let ran = explain(dir.path(), &["-"], input);
        assert!(ran.error().contains("hint: "), "{ran:#?}");
        assert_eq!(ran.out, "");
    }
    for entry in fs::read_dir(fixtures().join("other")).unwrap().map(Result::unwrap) {
        let ran = explain(dir.path(), &[], &fs::read(entry.path()).unwrap());
        assert!(ran.error().starts_with("error: "), "{}", entry.path().display());
    }
    assert_eq!(explain(dir.path(), &["no_such_cause"], b"").status, 2);
}

#[test]
fn the_page_of_every_cause_is_printed() {
    let dir = open_directory();
    for cause in Cause::ALL {
        let ran = explain(dir.path(), &[cause.name()], b"");
        assert_eq!(ran.text(0), cause.page());
        assert!(cause.page().starts_with(&format!("# {cause}\n")));
    }
    let report = explain(dir.path(), &["--format", "json", "dead_rpath"], b"").json(0);
    assert_eq!((&report["cause"], &report["severity"]), (&json!("dead_rpath"), &json!("info")));
}

#[test]
fn a_plugin_that_cannot_work_is_named_by_dyld_s_words() {
    let site = Path::new("/e/lib/python3.11/site-packages");
    let plugin = site.join("tensorflow-plugins/libmetal_plugin.dylib");
    let internal = site.join("tensorflow/python/_pywrap_tensorflow_internal.so");
    let metal = Macho::dylib("@rpath/libmetal_plugin.dylib")
        .arch("x86_64")
        .needs("@rpath/_pywrap_tensorflow_internal.so")
        .binds(1, "_TF_Dim");
    let host = Macho::dylib("@rpath/other.so").arch("x86_64").exports("_PyInit_x");
    let vfs = MemVfs::new().file(&internal, host.bytes()).file(&plugin, metal.bytes());
    let distribution = |vfs: MemVfs, name: &str, version: &str, file: &Path| {
        let info = site.join(format!("{}-{version}.dist-info", name.replace('-', "_")));
        let row = format!("{},,\n", file.strip_prefix(site).unwrap().display());
        vfs.file(info.join("METADATA"), format!("Name: {name}\nVersion: {version}\n").into_bytes())
            .file(info.join("RECORD"), row.into_bytes())
    };
    let vfs = distribution(vfs, "tensorflow", "2.20.0", &internal);
    let vfs = distribution(vfs, "tensorflow-metal", "1.2.0", &plugin);
    let settings = Settings { working_directory: "/".into(), ..Settings::default() };
    let world = World::of_directory(&vfs, site, None, settings);
    let diagnosis = diagnose(&vfs, &world);
    let words = format!(
        "NotFoundError: dlopen({path}, 0x0006): Library not loaded: @rpath/_pywrap_tensorflow_internal.so\n  \
         Referenced from: <8B62586B-B082-3113-93AB-FD766A9960AE> {path}\n  Reason: tried: '/x' (no such file)\n",
        path = plugin.display()
    );
    let log = read_text(words.as_bytes());
    let message = &log.messages[0];
    let verdict = look(&vfs, &world, &diagnosis, message);
    assert_eq!((verdict.outcome, verdict.cause), (Outcome::Found, Some(Cause::VersionMismatch)));
    let (sentence, cure) = (verdicts::sentence(&verdict), verdicts::cure(message, &verdict));
    assert!(
        sentence.starts_with("tensorflow-metal 1.2.0 does not work with tensorflow 2.20.0"),
        "{sentence}"
    );
    assert!(cure.contains("pip install 'tensorflow==2.19.*'"), "{cure}");
}
