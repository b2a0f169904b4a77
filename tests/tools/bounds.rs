//! What lies in a target may be as large as somebody likes: it takes time in proportion, or is not read,
//! and memory has an end.

use crate::support::command::{command, run, words};
use crate::support::wheels;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A virtual environment with the distribution `foo`, whose RECORD has these rows.
fn environment(dir: &Path, rows: &str) -> PathBuf {
    wheels::run(wheels::python3().args(["-m", "venv", "--without-pip"]).arg(dir));
    let mut versions = fs::read_dir(dir.join("lib")).unwrap().map(|entry| entry.unwrap().path());
    let site = versions.find(|path| fs::metadata(path.join("site-packages")).is_ok()).unwrap();
    let site = site.join("site-packages");
    let info = site.join("foo-1.0.dist-info");
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("METADATA"), "Name: foo\nVersion: 1.0\n").unwrap();
    fs::write(info.join("RECORD"), rows).unwrap();
    site
}

/// Runs a command on `dir`; the status, and how long it took.
fn timed(dir: &Path, arguments: &[&str]) -> (i32, Duration) {
    let start = Instant::now();
    let ran = run(
        dir,
        &words(&[&arguments[0], &dir])
            .into_iter()
            .chain(arguments[1..].iter().map(Into::into))
            .collect::<Vec<_>>(),
    );
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    (ran.status, start.elapsed())
}

/// Each pair of rows took time: 60,000 rows took a minute in a binary for debugging.
#[test]
fn a_record_takes_time_by_its_length() {
    const ROWS: usize = 60_000;
    const LIMIT: Duration = Duration::from_secs(10);
    let mut distinct = String::new();
    for number in 0..ROWS {
        writeln!(distinct, "foo/f{number}.so,sha256=x,12").unwrap();
    }
    let cases = [
        ("one file", "foo/a.so,,\n".repeat(ROWS)),
        ("one file with hash and size", "foo/a.so,sha256=x,12\n".repeat(ROWS)),
        ("files that are gone", distinct),
    ];
    for (what, rows) in cases {
        let dir = tempfile::tempdir().unwrap();
        let site = environment(dir.path(), &rows);
        fs::create_dir(site.join("foo")).unwrap();
        crate::support::command::outer(&site.join("foo/a.so"), "$ORIGIN/gone/with/the/wind");
        crate::support::command::inner(&site.join("foo.libs/libinner.so.1"));
        for arguments in
            [&["doctor"][..], &["doctor", "--deep"], &["fix", "--dry-run"], &["fix"], &["verify"]]
        {
            let (_, took) = timed(dir.path(), arguments);
            assert!(took < LIMIT, "{what}, {arguments:?}: {took:?}");
        }
    }
}

/// No installer writes the row of a file twice, and the text of each is kept.
#[test]
fn a_file_with_thousands_of_rows_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let site = environment(dir.path(), &"foo/a.so,sha256=x,12\n".repeat(1001));
    crate::support::command::outer(&site.join("foo/a.so"), "$ORIGIN/gone/with/the/wind");
    crate::support::command::inner(&site.join("foo.libs/libinner.so.1"));
    let ran = run(dir.path(), &words(&[&"fix", &dir.path()]));
    let why = "RECORD has 1001 rows for foo/a.so; tfpatch updates at most 1000";
    assert!(ran.error().contains(why), "{ran:#?}");
    assert!(ran.err.contains("--record keep leaves it unchanged"), "{ran:#?}");
    assert_eq!(run(dir.path(), &words(&[&"fix", &"--record", &"keep", &dir.path()])).err, "");
}

/// A file of `length` bytes that takes no room, behind `start`.
fn sparse(path: &Path, start: &str, length: u64) {
    fs::write(path, start).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// What is too long to be what it is called is named, with the limit, and takes no memory.
#[test]
fn what_is_too_long_is_named_and_not_read() {
    const GIGABYTE: u64 = 1 << 30;
    let info = "lib/python3.11/site-packages/foo-1.0.dist-info";
    for (file, start, limit) in [
        (format!("{info}/RECORD"), "foo/a.so,,\n", "64 MiB"),
        (format!("{info}/METADATA"), "Name: foo\n", "1 MiB"),
        ("lib/python3.11/site-packages/x.pth".to_owned(), "/usr\n", "1 MiB"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        environment(dir.path(), "");
        let path = dir.path().join(&file);
        sparse(&path, start, GIGABYTE);
        for name in ["doctor", "verify", "fix"] {
            let (said, memory) = peak(dir.path(), &[name, "."]);
            let shown = Path::new(&file).strip_prefix("lib/python3.11/site-packages").unwrap();
            let wanted = format!("{}: it exceeds the limit of {limit}", shown.display());
            assert!(said.contains(&wanted), "{name}: {said}");
            assert!(memory < 100 << 10, "{name} {file}: {memory} kB");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    environment(dir.path(), "");
    sparse(&dir.path().join("PLAN.json"), "{", GIGABYTE);
    let ran = run(dir.path(), &["apply", "PLAN.json", "."]);
    let why = "PLAN.json is not a plan: it has more than 268435456 bytes";
    assert!(ran.error().contains(why), "{ran:#?}");
}

/// What a run says, and the most memory that it had, in kilobytes.
fn peak(dir: &Path, arguments: &[&str]) -> (String, u64) {
    let mut command = command(dir);
    let out = fs::File::create(dir.join("out")).unwrap();
    let mut child = command.args(arguments).stdout(out).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    (fs::read_to_string(dir.join("out")).unwrap(), most)
}

/// Every file had a finding of its own, with a sentence and a path, three times over.
#[test]
fn a_hundred_thousand_objects_take_little_memory() {
    const FILES: usize = 100_000;
    let dir = tempfile::tempdir().unwrap();
    let many = environment(dir.path(), "").join("many");
    fs::create_dir(&many).unwrap();
    for number in 0..FILES {
        fs::File::create(many.join(format!("f{number:06}.so"))).unwrap();
    }
    for arguments in [&["doctor", "."][..], &["doctor", ".", "--format", "json"], &["fix", "."]] {
        let (said, memory) = peak(dir.path(), arguments);
        assert!(memory < 90 << 10, "{arguments:?}: {memory} kB");
        assert!(said.contains("many/f000000.so: it is empty"));
    }
    let (said, _) = peak(dir.path(), &["doctor", ".", "-v"]);
    let rest = "cannot read 99000 more files, such as many/f001000.so";
    assert!(said.contains(rest), "{}", &said[said.len().saturating_sub(600)..]);
}

/// Three sets of many parts stand for their product.
#[test]
fn the_tags_of_a_distribution_have_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let site = environment(dir.path(), "foo/a.so,,\n");
    let set = ["a"; 5000].join(".");
    let wheel = format!("Tag: {set}-{set}-{set}\n");
    fs::write(site.join("foo-1.0.dist-info/WHEEL"), wheel).unwrap();
    crate::support::command::inner(&site.join("foo/a.so"));
    let (_, memory) = peak(dir.path(), &["doctor", "."]);
    assert!(memory < 100 << 10, "{memory} kB");
}
