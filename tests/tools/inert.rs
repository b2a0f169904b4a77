//! Names come from strangers: whatever bytes they hold, a report is text that commands no terminal,
//! breaks out of no line and no fence, and shows what is there.

use crate::support::command::{command, inner, outer, run, words};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// What names are made of.
const PIECES: &[&[u8]] = &[
    b"\x1b[31mred",
    b"\x1b[2J",
    b"\x1b]0;title\x07",
    b"\nINJECTED",
    b"\rINJECTED",
    b"\t",
    b"\x7f",
    b"\x01",
    b"\xc2\x9b31m",
    b"\x9b31m",
    b"\xff\xfe",
    b"\xe2\x80",
    "\u{202e}gnp.so\u{202c}".as_bytes(),
    "\u{2066}\u{2069}\u{200f}\u{61c}".as_bytes(),
    "\u{2028}INJECTED\u{2029}INJECTED".as_bytes(),
    "\u{200b}\u{200d}\u{feff}\u{2060}\u{ad}".as_bytes(),
    "\u{e0041}\u{e007f}\u{fe0f}".as_bytes(),
    "\u{85}INJECTED".as_bytes(),
    b"```",
    b"``````",
    b"\n```\n# INJECTED\n",
    b"</details><img src=x>|[l](x:evil)",
    b"&#8238;",
    b"\"];evil[label=\"x",
    b"'; touch INJECTED; '",
    b"$(touch INJECTED)",
    b"\\",
    "plain \u{e9}\u{301}\u{6f22}".as_bytes(),
];

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(select(PIECES), 1..4).prop_map(|pieces| pieces.concat())
}

/// What our own styles write.
const STYLES: &[&str] =
    &["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[36m"];

/// Characters that do something other than to stand there: as Unicode's tables have them, and not as
/// the program does.
fn is_active(c: char) -> bool {
    let code = u32::from(c);
    (code < 0x20 && c != '\n')
        || (0x7f..0xa0).contains(&code)
        || [0xad, 0x34f, 0x61c, 0x3164, 0xfeff, 0xffa0].contains(&code)
        || (0x200b..=0x200f).contains(&code)
        || (0x2028..=0x202e).contains(&code)
        || (0x2060..=0x206f).contains(&code)
        || (0xfe00..=0xfe0f).contains(&code)
        || (0xe0000..=0xe0fff).contains(&code)
}

#[track_caller]
fn must_be_inert(what: &str, bytes: &[u8], may_be_styled: bool) {
    let text = str::from_utf8(bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut plain = text.to_owned();
    for style in STYLES.iter().filter(|_| may_be_styled) {
        plain = plain.replace(style, "");
    }
    let active: Vec<char> = plain.chars().filter(|&c| is_active(c)).collect();
    assert!(active.is_empty(), "{what}: {active:?} in {plain:?}");
    for line in plain.lines() {
        let line = line.trim_start();
        assert!(
            !line.starts_with("INJECTED") && !line.starts_with("# INJECTED"),
            "{what}: {plain:?}"
        );
    }
}

/// Every fence ends where the text ends that it is around.
#[track_caller]
fn must_be_fenced(what: &str, text: &str) {
    let row = |line: &str| line.len() - line.trim_start_matches('`').len();
    let mut open = 0;
    for line in text.lines() {
        match (open, row(line)) {
            (0, 3..) => {
                assert_eq!(line.trim_start_matches('`'), "text", "{what}: {text}");
                open = row(line);
            }
            (length, ticks) if length > 0 && ticks >= length => {
                assert_eq!(line, "`".repeat(length), "{what}: {text}");
                open = 0;
            }
            (0, _) => {
                let markup = without_code(line).replace(r"\<img", "");
                assert!(!markup.contains("<img"), "{what}: {text}");
            }
            _ => {}
        }
    }
    assert_eq!(open, 0, "{what}: {text}");
}

/// A line of Markdown without its code spans, in which nothing is markup.
fn without_code(line: &str) -> String {
    let (mut kept, mut rest) = (String::new(), line);
    while let Some(at) = rest.find('`') {
        let (before, from) = rest.split_at(at);
        kept += before;
        let length = from.len() - from.trim_start_matches('`').len();
        let (fence, inside) = from.split_at(length);
        let is_escaped = before.ends_with('\\');
        // A span ends with a row of backticks that is just as long.
        let mut ends = inside.match_indices(fence).map(|(end, _)| end).filter(|&end| {
            !inside[..end].ends_with('`') && !inside[end + length..].starts_with('`')
        });
        rest = match ends.next().filter(|_| !is_escaped) {
            Some(end) => &inside[end + length..],
            None => inside,
        };
    }
    kept + rest
}

/// Where in [`outer`] an entry is to be put.
const ENTRY: &str = "$ORIGIN/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|part| part == old).unwrap();
    let mut bytes = bytes.to_vec();
    for (place, byte) in bytes[at..].iter_mut().zip(new.iter().take(old.len())) {
        *place = *byte;
    }
    bytes
}

/// A name of a file: no slash, no NUL, and not too long.
fn file_name(bytes: &[u8], end: &str) -> OsString {
    let mut bytes: Vec<u8> =
        bytes.iter().copied().map(|b| if b == b'/' { b'_' } else { b }).take(120).collect();
    bytes.extend(end.as_bytes());
    OsString::from_vec(bytes)
}

/// A tree in which everything that has a name has a bad one.
struct Tree {
    root: PathBuf,
    objects: Vec<PathBuf>,
}

fn tree(dir: &Path, compiled: &[Vec<u8>; 2], names: &[Vec<u8>]) -> Tree {
    let name = |index: usize, end: &str| file_name(&names[index], end);
    let [outer, inner] = compiled;
    let root = dir.join(name(0, "")).join("site-packages");
    let package = root.join(name(1, ""));
    fs::create_dir_all(&package).unwrap();
    let libraries = root.join(name(2, ".libs"));
    fs::create_dir_all(&libraries).unwrap();
    fs::write(libraries.join("libinner.so.1"), inner).unwrap();
    let entry: Vec<u8> = [b"$ORIGIN/", names[3].as_slice()].concat();
    let objects = vec![package.join(name(4, ".so")), package.join(name(5, ".abi3.so"))];
    fs::write(&objects[0], replaced(outer, ENTRY.as_bytes(), &entry)).unwrap();
    fs::write(&objects[1], replaced(outer, b"libinner.so.1", &names[6])).unwrap();
    fs::write(package.join(name(7, ".so")), b"no object").unwrap();
    std::os::unix::fs::symlink(OsStr::from_bytes(&names[8]), package.join("dangling.so")).unwrap();
    let info = root.join("bad-1.dist-info");
    fs::create_dir(&info).unwrap();
    let joined = |start: &[u8], rest: &[u8]| [start, rest, b"\n"].concat();
    let metadata = [joined(b"Name: ", &names[9]), joined(b"Version: ", &names[10])].concat();
    fs::write(info.join("METADATA"), metadata).unwrap();
    let row = |path: &Path, rest: &[u8]| {
        let path = path.strip_prefix(&root).unwrap().as_os_str().as_bytes();
        let doubled: Vec<u8> =
            path.iter().flat_map(|&b| if b == b'"' { vec![b, b] } else { vec![b] }).collect();
        [b"\"", doubled.as_slice(), b"\",", rest, b"\n"].concat()
    };
    let rows = [row(&objects[0], b"sha256=x,9"), row(&package.join("gone.so"), b"sha256=x,1")];
    fs::write(info.join("RECORD"), rows.concat()).unwrap();
    Tree { root, objects }
}

fn ran(dir: &Path, arguments: &[OsString], input: &[u8]) -> Output {
    let mut command = command(dir);
    command.env_clear().args(arguments).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Not every command reads it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Runs a command in every format, and judges what it says.
fn judge(dir: &Path, arguments: &[OsString], input: &[u8]) {
    for format in ["human", "json", "markdown", "dot"] {
        if format == "dot" && arguments[0] != "tree" {
            continue;
        }
        let all: Vec<OsString> =
            [arguments, &words(&[&"--color", &"always", &"--format", &format])].concat();
        let output = ran(dir, &all, input);
        let what = format!("{all:?}");
        must_be_inert(&what, &output.stdout, format == "human");
        must_be_inert(&what, &output.stderr, false);
        assert!(!output.stderr.starts_with(b"thread"), "{what}: a panic");
        let text = String::from_utf8(output.stdout).unwrap();
        match format {
            "json" if !text.is_empty() => {
                let report: Value =
                    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(report.is_object());
            }
            "markdown" => must_be_fenced(&what, &text),
            _ => {}
        }
    }
}

#[test]
fn no_name_does_anything_in_any_report() {
    let dir = tempfile::tempdir().unwrap();
    outer(&dir.path().join("outer.so"), ENTRY);
    inner(&dir.path().join("inner.so"));
    let compiled = ["outer.so", "inner.so"].map(|name| fs::read(dir.path().join(name)).unwrap());
    let config = Config { cases: 6, failure_persistence: None, ..Config::default() };
    let names = prop::collection::vec(name(), 12);
    TestRunner::new(config)
        .run(&names, |names| {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            let Tree { root, objects } = tree(dir, &compiled, &names);
            let odd = OsStr::from_bytes(&names[11]);
            // A line's end in a log ends a line.
            let said: Vec<u8> =
                names[11].iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }).collect();
            let loader = [
                b"ImportError: lib",
                said.as_slice(),
                b".so: cannot open shared object file: No such file or directory\n",
            ]
            .concat();
            let module =
                [b"ModuleNotFoundError: No module named '", said.as_slice(), b"'\n"].concat();
            for arguments in [
                words(&[&"doctor", &root]),
                words(&[&"doctor", &"-v", &root]),
                words(&[&"doctor", &"-v", &root, &"--search", &root]),
                words(&[&"fix", &"--dry-run", &root]),
                words(&[&"fix", &"--dry-run", &"--diff", &"-v", &root]),
                words(&[&"verify", &root]),
                words(&[&"log", &root]),
                words(&[&"show", &objects[0], &objects[1], &root]),
                words(&[&"tree", &objects[0], &objects[1]]),
                words(&[&"tree", &"--flat", &objects[0], &objects[1]]),
                words(&[&"doctor", &odd]),
                words(&[&"doctor", &"--root", &odd, &root]),
                words(&[&"fix", &"--store", &odd, &root]),
                words(&[&"apply", &odd, &root]),
                words(&[&"explain", &odd]),
                words(&[&"show", &odd]),
                words(&[&odd]),
                words(&[&"doctor", &OsString::from_vec([b"--", names[11].as_slice()].concat())]),
                words(&[&"doctor", &"--color", &odd]),
                words(&[&"doctor", &"--env", &odd, &root]),
                words(&[&"tree", &"--cpu", &odd, &objects[0]]),
                words(&[&"tree", &"--loader", &odd, &objects[0]]),
                words(&[&"man", &odd]),
                words(&[&"revert", &"--operation", &odd, &root]),
                words(&[&"rpath", &"add", &objects[1], &"--entry", &odd]),
                words(&[&"fix", &root]),
                words(&[&"diff", &root]),
                words(&[&"verify", &root]),
                words(&[&"log", &root]),
                words(&[&"revert", &"--dry-run", &root]),
            ] {
                judge(dir, &arguments, b"");
            }
            judge(dir, &words(&[&"explain", &"-"]), &loader);
            judge(dir, &words(&[&"explain", &"-v", &"-"]), &module);
            Ok(())
        })
        .unwrap();
}

/// A program that reads entries gets the bytes; a person never does.
#[test]
fn entries_are_raw_in_a_pipe_and_escaped_on_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let object = dir.join("outer.so");
    outer(&object, ENTRY);
    let entry = b"$ORIGIN/\x1b]0;t\x07\n```\xff\xe2\x80\xae/";
    let bytes = replaced(&fs::read(&object).unwrap(), ENTRY.as_bytes(), entry);
    fs::write(&object, &bytes).unwrap();
    let rest = &ENTRY.as_bytes()[entry.len()..];
    let raw = [entry, rest].concat();
    let print = words(&[&"rpath", &"print", &"--color", &"always", &"outer.so"]);
    assert_eq!(ran(dir, &print, b"").stdout, [raw.as_slice(), b"\n"].concat());
    for null in ["-0", "--null"] {
        let print = words(&[&"rpath", &"print", &null, &"outer.so", &"outer.so"]);
        let line = [b"outer.so: ", raw.as_slice(), b"\0"].concat();
        assert_eq!(ran(dir, &print, b"").stdout, [line.as_slice(), &line].concat());
    }
    let quoted =
        ran(dir, &words(&[&"rpath", &"print", &"outer.so", &"--format", &"markdown"]), b"");
    must_be_inert("rpath print", &quoted.stdout, false);
    must_be_fenced("rpath print", str::from_utf8(&quoted.stdout).unwrap());

    // A terminal, as script(1) makes one.
    let mut script = std::process::Command::new("script");
    let program = assert_cmd::cargo::cargo_bin!("tfpatch");
    let typed = format!("{} rpath print outer.so", program.display());
    script.args(["-qec", &typed, "/dev/null"]).current_dir(dir).stdin(Stdio::null());
    let said = String::from_utf8(script.output().unwrap().stdout).unwrap();
    let shown = format!(
        "$ORIGIN/\\u{{1b}}]0;t\\u{{7}}\\n```\u{fffd}\\u{{202e}}/{}",
        str::from_utf8(rest).unwrap()
    );
    assert_eq!(said.trim_end(), shown);
    assert!(!said.contains('\x1b'), "{said:?}");
}

/// A string of JSON is the name, byte for byte, however it is written down.
#[test]
fn json_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a\u{202e}\u{7f}\u{9b}\u{e0041}\u{2028}\n\x1b[31m.so";
    inner(&dir.path().join(name));
    let output = ran(dir.path(), &words(&[&"show", &name, &"--format", &"json"]), b"");
    must_be_inert("show", &output.stdout, false);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["files"][0]["path"], dir.path().join(name).to_str().unwrap());
}

/// What is proposed to be pasted into a shell does what it says.
#[test]
fn a_command_to_paste_is_one_command() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let site = dir.join("site-packages");
    let info = site.join("x.dist-info");
    fs::create_dir_all(&info).unwrap();
    let metadata = "Name: x'; touch INJECTED; '\nVersion: 1'; touch INJECTED; '\n";
    fs::write(info.join("METADATA"), metadata).unwrap();
    fs::write(info.join("RECORD"), "x/gone.so,sha256=x,9\n").unwrap();
    let ran = run(dir, &words(&[&"doctor", &site]));
    assert!(ran.text(1).contains("--no-deps 'x-touch-injected==1-touch-INJECTED-'"), "{ran:#?}");
}
