//! Wheels as targets: diagnosed, repaired and put back without being installed. What a wheel is, and
//! whether it is right, is judged by Python's zipfile, csv and hashlib, by uv and by pip.

use crate::support::command::{Ran, command, has_store, run, snapshot, words};
use crate::support::wheels::{self, LinkMode, fixture};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfpatch::vfs::{FileKind, OsVfs, Vfs as _};

/// The wheel of `broken` with its library where no search path leads: `moved` says whether.
fn wheel(dir: &Path, moved: bool) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    let sound = wheels::broken_wheel(dir);
    if !moved {
        return sound;
    }
    let tree = dir.join("broken-tree");
    std::fs::create_dir_all(tree.join("broken_libs")).unwrap();
    let library = "libinner.so.1";
    std::fs::rename(tree.join("broken/libs").join(library), tree.join("broken_libs").join(library))
        .unwrap();
    std::fs::remove_file(sound).unwrap();
    wheels::wheel(dir, "broken", "1.0", &tree, &["Requires-Dist: inner-runtime"])
}

/// One of `fixtures/odd_wheel.py`, in a directory of its own under the same name.
fn odd(dir: &Path, wheel: &Path, kind: &str) -> PathBuf {
    let directory = dir.join(kind.replace(' ', "-"));
    std::fs::create_dir_all(&directory).unwrap();
    let out = directory.join(wheel.file_name().unwrap());
    let mut python = wheels::python3();
    wheels::run(python.arg(fixture("odd_wheel.py")).arg(wheel).arg(&out).arg(kind));
    out
}

/// Checks a wheel, and that only `changed` members differ from another.
#[track_caller]
fn check(old: &Path, new: &Path, changed: &[&str]) {
    wheels::run(wheels::python3().args(["-m", "zipfile", "-t"]).arg(new));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/try/check_wheel.py");
    let said = wheels::run(wheels::python3().arg(script).args([old, new]));
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines.last().unwrap().ends_with(", 0 wrong"), "{said}");
    let names: Vec<&str> = lines[..lines.len() - 1].to_vec();
    assert_eq!(names.len(), changed.len(), "{said}");
    for (name, wanted) in names.iter().zip(changed) {
        assert!(name.contains(wanted), "{said}");
    }
}

fn digest(path: &Path) -> Vec<u8> {
    Sha256::digest(std::fs::read(path).unwrap()).to_vec()
}

fn fix(dir: &Path, wheel: &Path) -> Ran {
    run(dir, &words(&[&"fix", &wheel]))
}

/// Installs a wheel into a fresh environment; what `import broken` says there.
fn imported(dir: &Path, wheel: &Path, mode: LinkMode) -> Result<String, String> {
    let env = wheels::environment(dir, mode);
    // The environment has the sound package; the wheel takes its place.
    match mode {
        LinkMode::Pip => {
            let mut pip = wheels::python3();
            pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check", "--python"]);
            pip.arg(&env.python).args(["install", "--quiet", "--no-index", "--no-deps"]);
            wheels::run(pip.arg("--force-reinstall").arg(wheel));
        }
        _ => {
            let mut uv = Command::new("uv");
            uv.args(["--no-config", "--offline", "pip", "install", "--quiet", "--no-index"]);
            uv.args(["--no-deps", "--reinstall", "--python"]).arg(&env.python).arg(wheel);
            wheels::run(uv.env("UV_CACHE_DIR", &env.cache));
        }
    }
    let libs = std::fs::symlink_metadata(env.site_packages.join("broken/libs"));
    assert!(libs.is_err(), "it is the other wheel");
    wheels::imports(&env)
}

#[test]
fn a_sound_wheel_is_sound_whatever_it_needs_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let sound = wheel(dir.path(), false);
    let said = run(dir.path(), &words(&[&"doctor", &sound]));
    let text = said.text(0);
    assert!(text.starts_with("Wheel  broken-1.0-"), "{text}");
    assert!(text.contains("ok  2 objects checked; "), "{text}");
    assert!(!text.contains("not_installed"), "{text}");
    let before = snapshot(dir.path());
    let said = fix(dir.path(), &sound);
    assert!(said.text(0).contains("nothing to do"), "{said:#?}");
    assert_eq!(snapshot(dir.path()), before);
    assert!(!has_store(dir.path()));
}

#[test]
fn a_library_out_of_reach_is_found_inside_the_wheel_alone() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let doctor = words(&[&"doctor", &"--format", &"json", &broken]);
    let found = run(dir.path(), &doctor).json(1);
    let findings = found["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0]["cause"], "path_missing");
    assert_eq!(findings[0]["library"], "libinner.so.1");
    assert_eq!(findings[0]["lies_in"][0], broken.join("broken_libs").to_str().unwrap());
    // A variable of this machine is none of the machine on which the wheel is installed.
    let library_path = dir.path().join("broken-tree/broken_libs");
    let mut with_variable = command(dir.path());
    with_variable.args(&doctor).env("LD_LIBRARY_PATH", library_path);
    let again = Ran::of(&with_variable.output().unwrap()).json(1);
    assert_eq!(again["findings"], found["findings"]);
}

#[test]
fn a_repaired_wheel_is_right_and_installs_and_the_old_one_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let original = dir.path().join("original.whl");
    std::fs::copy(&broken, &original).unwrap();
    let before = snapshot(dir.path());

    let dry = run(dir.path(), &words(&[&"fix", &"--dry-run", &"--diff", &broken]));
    assert!(dry.text(0).contains("+$ORIGIN/../broken_libs"), "{dry:#?}");
    assert_eq!(snapshot(dir.path()), before);
    assert!(!has_store(dir.path()));

    let said = fix(dir.path(), &broken);
    assert!(
        said.text(0).contains("1 member and 1 RECORD repaired; no errors or warnings remain"),
        "{said:#?}"
    );
    check(&original, &broken, &["broken/_core.", "broken-1.0.dist-info/RECORD"]);
    for mode in [LinkMode::Copy, LinkMode::Pip] {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(imported(place.path(), &broken, mode), Ok("42".to_owned()), "{mode:?}");
    }
    let stat = |snapshot: &BTreeMap<PathBuf, (u32, String, i64, i64)>| {
        let name = Path::new(broken.file_name().unwrap());
        let (mode, _, seconds, nanoseconds) = snapshot[name].clone();
        (mode, seconds, nanoseconds)
    };
    assert_eq!(stat(&snapshot(dir.path())), stat(&before), "mode and time stay");

    let fixed = digest(&broken);
    assert!(fix(dir.path(), &broken).text(0).contains("nothing to do"));
    assert_eq!(digest(&broken), fixed);
    let verified = run(dir.path(), &words(&[&"verify", &broken]));
    assert!(verified.text(0).contains("1 patched file unchanged"), "{verified:#?}");
    let log = run(dir.path(), &words(&[&"log", &"--format", &"json", &broken])).json(0);
    assert_eq!(log["operations"][0]["steps"][0]["kind"], "wheel");
    let diff = run(dir.path(), &words(&[&"diff", &broken]));
    assert!(diff.text(0).contains("$ORIGIN/../broken_libs"), "{diff:#?}");

    let reverted = run(dir.path(), &words(&[&"revert", &broken]));
    assert!(reverted.text(0).contains("1 file restored"), "{reverted:#?}");
    assert_eq!(snapshot(dir.path()), before);
    // A revert is an operation, and is taken back like any other.
    let log = run(dir.path(), &words(&[&"log", &"--format", &"json", &broken])).json(0);
    let id = log["operations"][0]["id"].as_str().unwrap().to_owned();
    let again = run(dir.path(), &words(&[&"revert", &"--operation", &id, &broken]));
    assert!(again.text(0).contains("1 file restored"), "{again:#?}");
    assert_eq!(digest(&broken), fixed);
    run(dir.path(), &words(&[&"revert", &broken])).text(0);
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn two_operations_on_a_wheel_are_taken_back_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let before = digest(&broken);
    fix(dir.path(), &broken).text(0);
    // Somebody moves the library further, by hand, and back is one step more.
    let log = run(dir.path(), &words(&[&"log", &"--format", &"json", &broken])).json(0);
    let first = log["operations"][0]["id"].as_str().unwrap().to_owned();
    run(dir.path(), &words(&[&"revert", &broken])).text(0);
    fix(dir.path(), &broken).text(0);
    let log = run(dir.path(), &words(&[&"log", &"--format", &"json", &broken])).json(0);
    assert_ne!(log["operations"][0]["id"].as_str().unwrap(), first);
    run(dir.path(), &words(&[&"revert", &broken])).text(0);
    assert_eq!(digest(&broken), before);
}

#[test]
fn the_undo_record_holds_old_bytes_of_edited_members_alone() {
    let dir = tempfile::tempdir().unwrap();
    // Ballast that does not compress and is not edited.
    let sound = wheels::broken_wheel(dir.path());
    std::fs::remove_file(sound).unwrap();
    let tree = dir.path().join("broken-tree");
    std::fs::create_dir(tree.join("broken_libs")).unwrap();
    let library = "libinner.so.1";
    let moved = tree.join("broken_libs").join(library);
    std::fs::rename(tree.join("broken/libs").join(library), moved).unwrap();
    let mut noise = Vec::new();
    while noise.len() < 4 << 20 {
        noise.extend(Sha256::digest(noise.len().to_le_bytes()));
    }
    std::fs::write(tree.join("broken/ballast.bin"), noise).unwrap();
    let heavy = wheels::wheel(dir.path(), "broken", "1.0", &tree, &[]);
    fix(dir.path(), &heavy).text(0);
    let store: u64 = walkdir::WalkDir::new(dir.path().join(".tfpatch"))
        .into_iter()
        .map(|entry| entry.unwrap().metadata().unwrap())
        .filter(|stat| stat.is_file())
        .map(|stat| stat.len())
        .sum();
    assert!(store < 100_000, "{store} bytes");
}

#[test]
fn odd_archives_are_repaired_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let kinds = [
        "plain",
        "stored",
        "zip64",
        "piped",
        "piped zip64",
        "platlib",
        "commented",
        "with directories",
    ];
    for kind in kinds {
        let odd = odd(dir.path(), &broken, kind);
        let place = odd.parent().unwrap();
        let original = place.join("original");
        std::fs::copy(&odd, &original).unwrap();
        let said = fix(place, &odd);
        assert!(said.text(0).contains("1 member and 1 RECORD repaired"), "{kind}: {said:#?}");
        let edited = wheels::run(wheels::python3().args(["-m", "zipfile", "-t"]).arg(&odd));
        assert!(edited.contains("Done testing"), "{kind}: {edited}");
        check(&original, &odd, &["broken/_core.", "broken-1.0.dist-info/RECORD"]);
        run(place, &words(&[&"revert", &odd])).text(0);
        assert_eq!(digest(&odd), digest(&original), "{kind}");
        fix(place, &odd).text(0);
        let fresh = tempfile::tempdir().unwrap();
        assert_eq!(imported(fresh.path(), &odd, LinkMode::Copy), Ok("42".to_owned()), "{kind}");
        let fresh = tempfile::tempdir().unwrap();
        assert_eq!(imported(fresh.path(), &odd, LinkMode::Pip), Ok("42".to_owned()), "{kind}");
    }
}

#[test]
fn what_is_no_wheel_to_be_trusted_is_refused_by_member_and_cause() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let cases = [
        ("encrypted", "_core.", "is encrypted"),
        ("link", "broken/link.so", "is a symlink"),
        ("outside", "broken/../../evil.so", "points outside the wheel"),
        ("absolute", "/evil.so", "points outside the wheel"),
        ("backslash", "..\\evil.so", "points outside the wheel"),
        ("twice", "broken/__init__.py", "is contained twice"),
        ("file and directory", "broken/__init__.py", "uses it as a directory"),
        ("bomb", "broken/bomb.so", "expand to 104857600"),
        ("cut off", "", "it is truncated, or not a wheel"),
        ("text", "", "it is truncated, or not a wheel"),
        ("prefixed", "", "its central directory is not where it should be"),
        ("no RECORD", "", "has 0 NAME.dist-info directories with a RECORD"),
        ("other name", "_core.", "differ in name"),
        ("overlapping", "_core.", "overlaps broken/outer.bin"),
        ("longer", "_core.", "are more than the directory says"),
        ("too long", "_core.", "it is truncated: compressed bytes at offset"),
        ("damaged", "_core.", "its bytes are damaged"),
    ];
    for (kind, member, cause) in cases {
        let odd = odd(dir.path(), &broken, kind);
        let before = digest(&odd);
        for command in ["doctor", "fix", "verify", "show"] {
            let said = run(dir.path(), &words(&[&command, &odd]));
            let error = said.error();
            assert!(error.contains(odd.to_str().unwrap()), "{kind}, {command}: {error}");
            assert!(error.contains(member) && error.contains(cause), "{kind}, {command}: {error}");
        }
        assert_eq!(digest(&odd), before, "{kind}");
        assert!(!has_store(odd.parent().unwrap()), "{kind}");
    }
    // What only matters to who writes.
    let cases = [
        ("signed", "RECORD.jws", "invalidate the signature of RECORD"),
        ("wrong checksum", "_core.", "their checksum is another"),
    ];
    for (kind, member, cause) in cases {
        let odd = odd(dir.path(), &broken, kind);
        let before = digest(&odd);
        let said = run(dir.path(), &words(&[&"doctor", &odd]));
        assert!(
            said.text(1).contains("libinner.so.1 is not found by the loader"),
            "{kind}: {said:#?}"
        );
        let said = fix(dir.path(), &odd);
        let error = said.error();
        assert!(error.contains(member) && error.contains(cause), "{kind}: {error}");
        assert_eq!(digest(&odd), before, "{kind}");
        assert!(!has_store(odd.parent().unwrap()), "{kind}");
    }
    let odd = odd(dir.path(), &broken, "lzma");
    let said = run(dir.path(), &words(&[&"doctor", &"--format", &"json", &odd]));
    let found = said.json(1);
    let message = found["findings"][0]["message"].as_str().unwrap();
    assert!(message.contains("compressed with method 14"), "{found:#?}");
}

#[test]
fn a_repaired_wheel_can_be_written_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(&dir.path().join("in"), true);
    let name = broken.file_name().unwrap();
    let before = snapshot(&dir.path().join("in"));
    let out = dir.path().join("out");
    std::fs::create_dir(&out).unwrap();

    let said = run(dir.path(), &words(&[&"fix", &broken, &"--output", &out]));
    assert!(said.text(0).contains("written to "), "{said:#?}");
    let file = dir.path().join("other.whl");
    run(dir.path(), &words(&[&"fix", &broken, &"--output", &file])).text(0);
    check(&broken, &file, &["broken/_core.", "RECORD"]);
    assert_eq!(digest(&out.join(name)), digest(&file), "the same input, the same output");
    assert_eq!(snapshot(&dir.path().join("in")), before);
    assert!(!has_store(&dir.path().join("in")) && !has_store(&out) && !has_store(dir.path()));

    // Twice is once, and what somebody else put there stays.
    run(dir.path(), &words(&[&"fix", &broken, &"--output", &out])).text(0);
    std::fs::write(&file, "something else").unwrap();
    let said = run(dir.path(), &words(&[&"fix", &broken, &"--output", &file]));
    assert!(said.error().contains("already exists with different content"), "{said:#?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"something else");

    let said = run(dir.path(), &words(&[&"fix", &broken, &"--output", &broken]));
    assert!(said.error().contains("this is the wheel itself"), "{said:#?}");
    let second = wheel(&dir.path().join("second"), false);
    let said = run(dir.path(), &words(&[&"fix", &broken, &second, &"--output", &file]));
    assert!(said.error().contains("several wheels need one"), "{said:#?}");
    let said = run(dir.path(), &words(&[&"fix", &dir.path(), &"--output", &file]));
    assert!(said.error().contains("--output works with wheels only"), "{said:#?}");

    // A wheel that nothing is wrong with is written too, so that whoever comes next has one.
    let same = dir.path().join("same.whl");
    let said = run(dir.path(), &words(&[&"fix", &second, &"--output", &same]));
    assert!(said.text(0).contains("is identical to the wheel"), "{said:#?}");
    assert_eq!(digest(&same), digest(&second));
    let elsewhere = dir.path().join("none/x.whl");
    let said = run(dir.path(), &words(&[&"fix", &broken, &"--output", &elsewhere]));
    assert!(said.error().contains("No such file or directory"), "{said:#?}");
    // A wheel of another name would not be installed.
    for absent in ["absent", "absent/", "absent.whl/"] {
        let said = run(dir.path(), &words(&[&"fix", &broken, &"--output", &absent]));
        assert!(said.error().contains(&format!("mkdir -p {absent}, or name a file")), "{said:#?}");
        let path = dir.path().join(absent.trim_end_matches('/'));
        assert!(std::fs::symlink_metadata(path).is_err(), "{absent}");
    }
}

#[test]
fn the_repair_in_place_has_the_bytes_of_the_one_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let other = dir.path().join("other.whl");
    run(dir.path(), &words(&[&"fix", &"--jobs", &"1", &broken, &"--output", &other])).text(0);
    run(dir.path(), &words(&[&"fix", &"--jobs", &"4", &broken])).text(0);
    assert_eq!(digest(&broken), digest(&other));
}

#[test]
fn a_wheel_that_is_not_what_it_says_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let sound = wheel(dir.path(), false);
    let renamed = |from: &str, to: &str| {
        let name = sound.file_name().unwrap().to_str().unwrap().replace(from, to);
        let out = dir.path().join("renamed");
        std::fs::create_dir_all(&out).unwrap();
        let out = out.join(name);
        let code = "
import sys, zipfile
source, out, old, new = sys.argv[1:]
with zipfile.ZipFile(source) as a, zipfile.ZipFile(out, 'w') as b:
    for m in a.infolist():
        content = a.read(m)
        if m.filename.endswith(('/WHEEL', '/RECORD')):
            content = content.replace(old.encode(), new.encode())
        b.writestr(m, content)
";
        let mut python = wheels::python3();
        wheels::run(python.args(["-c", code]).arg(&sound).arg(&out).args([from, to]));
        out
    };
    let causes = |wheel: &Path| -> Vec<(String, String)> {
        let found = run(dir.path(), &words(&[&"doctor", &"--format", &"json", &wheel])).json(1);
        let findings = found["findings"].as_array().unwrap().clone();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        findings.iter().map(|it| (text(&it["cause"]), text(&it["message"]))).collect()
    };
    let other = renamed("x86_64", "aarch64");
    let found = causes(&other);
    assert!(found.iter().any(|(cause, message)| cause == "wrong_arch"
        && message.contains("is an ELF file for x86_64, but the tag of the wheel is cp")
        && message.contains("_aarch64")));
    let lying = dir.path().join("lying");
    std::fs::create_dir(&lying).unwrap();
    let lying = lying.join("broken-1.0-py3-none-any.whl");
    std::fs::copy(renamed("broken/__init__.py", "broken/__gone__.py"), &lying).unwrap();
    let found = causes(&lying);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].0, "partial_install");
    assert!(found[0].1.contains("lists broken/__gone__.py, which is not in the wheel"));
}

#[test]
fn the_objects_of_a_wheel_are_shown_by_their_paths_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let sound = wheel(dir.path(), false);
    let shown = run(dir.path(), &words(&[&"show", &"--format", &"json", &sound])).json(0);
    let files = shown["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{shown:#?}");
    let core = files[0]["path"].as_str().unwrap();
    assert!(core.starts_with(sound.join("broken/_core.").to_str().unwrap()), "{core}");
    assert_eq!(files[0]["slices"][0]["rpath"][0], "$ORIGIN/libs");
    let one = run(dir.path(), &words(&[&"show", &"--format", &"json", &core])).json(0);
    assert_eq!(one["files"][0], files[0]);
    let tree = run(dir.path(), &words(&[&"tree", &core]));
    assert!(tree.text(0).contains("broken/libs/libinner.so.1"), "{tree:#?}");
    let whole = run(dir.path(), &words(&[&"tree", &sound]));
    assert!(whole.error().contains("name a file in it"), "{whole:#?}");
}

/// A library in what the installer puts elsewhere lies nowhere that a search path can name.
#[test]
fn what_the_installer_puts_elsewhere_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let broken = wheel(dir.path(), true);
    let tree = dir.path().join("broken-tree");
    let data = tree.join("broken-1.0.data/data/lib");
    std::fs::create_dir_all(&data).unwrap();
    let library = "libinner.so.1";
    std::fs::rename(tree.join("broken_libs").join(library), data.join(library)).unwrap();
    std::fs::remove_file(broken).unwrap();
    let elsewhere = wheels::wheel(dir.path(), "broken", "1.0", &tree, &[]);
    let said = run(dir.path(), &words(&[&"doctor", &elsewhere]));
    assert!(said.text(0).contains("must come from other packages"), "{said:#?}");
}

#[test]
fn any_part_of_a_deflated_member_is_what_zipfile_reads() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("pkg")).unwrap();
    // Neither all noise nor all zeros; longer than the decoder's notes are apart, and once a whole
    // number of its pieces.
    let mut content = Vec::new();
    let mut state = 1_u32;
    while content.len() < 9 << 20 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let byte = (state >> 24) as u8;
        content.extend(std::iter::repeat_n(byte, usize::from(byte & 7) + 1));
    }
    content.truncate(9 << 20);
    let files = [("even", 9 << 20), ("odd", (9 << 20) - 12_345), ("piece", 65_536), ("one", 1)];
    for (name, len) in files {
        std::fs::write(tree.join("pkg").join(name), &content[..len]).unwrap();
    }
    let wheel = wheels::wheel(dir.path(), "pkg", "1.0", &tree, &[]);
    let files_of_machine = OsVfs::new();
    let opened = tfpatch::python::wheel::Wheel::open(&files_of_machine, &wheel).unwrap();
    for (name, len) in files {
        let path = wheel.join("pkg").join(name);
        let source = opened.open(&path).unwrap();
        assert_eq!(source.len(), len as u64);
        assert_eq!(opened.metadata(&path).unwrap().kind, FileKind::File);
        let mut at = 7_u64;
        for round in 0..200 {
            // To and fro, short and long.
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let start = (at >> 20) as usize % len;
            let longest = if round % 10 == 0 { 1 << 20 } else { 300 };
            let end = len.min(start + (at >> 40) as usize % longest);
            let got = source.get(start as u64..end as u64).unwrap();
            assert!(*got == content[start..end], "{name}: {start}..{end}");
        }
        assert!(*source.get(0..len as u64).unwrap() == content[..len], "{name}");
        assert!(source.get(0..len as u64 + 1).is_none());
    }
    assert!(opened.fault().is_ok());
    let outside = wheel.join("pkg/../../secret");
    assert!(opened.open(&outside).is_err() && opened.open(Path::new("/etc/passwd")).is_err());
    assert!(opened.open(&wheel.join("pkg/../pkg/one")).is_ok());
    assert!(opened.open(&wheel.join("pkg/one/../one")).is_err());
}
