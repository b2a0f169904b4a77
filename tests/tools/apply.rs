//! Plans that are written down in one place and carried out in another.

use crate::macho::built;
use crate::support::command::{
    Ran, broken_tree, checked_rows, has_store, inner, outer, run, snapshot, words,
};
use crate::support::wheels::{self, Env, LinkMode};
use serde_json::{Value, json};
use std::path::Path;

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn write(path: &Path, plan: &Value) {
    std::fs::write(path, serde_json::to_vec_pretty(plan).unwrap()).unwrap();
}

/// The plan for `target`, written to `plan.json` in `dir`.
#[track_caller]
fn plan(dir: &Path, target: &str) -> Value {
    let ran = run(dir, &["fix", "--dry-run", "-o", "plan.json", target]);
    assert!(ran.text(0).ends_with(&format!("→ tfpatch apply plan.json {target}\n")), "{ran:#?}");
    assert!(!has_store(&dir.join(target)));
    read(&dir.join("plan.json"))
}

/// Applies `plan` to `target`: it does not fit, and nothing is written.
#[track_caller]
fn refused(dir: &Path, plan: &Value, target: &str) -> String {
    write(&dir.join("refused.json"), plan);
    let before = (snapshot(&dir.join(target)), has_store(&dir.join(target)));
    let ran = run(dir, &["apply", "refused.json", target]);
    let after = (snapshot(&dir.join(target)), has_store(&dir.join(target)));
    assert_eq!(before, after, "{ran:#?}");
    ran.error().to_owned()
}

/// Two environments with the same wheel, of different installers, at paths of different length. A
/// console script names its interpreter, so that RECORD is not the same.
fn environments(dir: &Path) -> (Env, Env) {
    let info = dir.join("one/broken-tree/broken-1.0.dist-info");
    std::fs::create_dir_all(&info).unwrap();
    let script = "[console_scripts]\nbroken-value = broken:value\n";
    std::fs::write(info.join("entry_points.txt"), script).unwrap();
    let one = wheels::environment(&dir.join("one"), LinkMode::Copy);
    let files = std::fs::read_dir(dir.join("one")).unwrap().map(|entry| entry.unwrap().path());
    let wheel = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
    let prefix = dir.join("another/place/with/a/longer/path/venv");
    let cache = dir.join("another/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let two = wheels::environment_with(prefix, cache, LinkMode::Pip, &wheel.unwrap());
    (one, two)
}

/// A tree with several objects that do not find one library.
fn several(tree: &Path, names: &[&str]) {
    for name in names {
        outer(&tree.join(name).join("pkg/outer.so"), "$ORIGIN/gone/with/the/wind");
    }
    inner(&tree.join("inner/libinner.so.1"));
}

fn record(env: &Env) -> String {
    std::fs::read_to_string(env.site_packages.join("broken-1.0.dist-info/RECORD")).unwrap()
}

#[test]
fn a_plan_fits_an_environment_at_another_path() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (one, two) = environments(dir);
    for env in [&one, &two] {
        wheels::break_it(env);
    }
    assert_ne!(record(&one), record(&two), "the paths in console scripts differ");
    let planned = plan(dir, "one/.venv");
    let text = std::fs::read_to_string(dir.join("plan.json")).unwrap();
    assert!(!text.contains(dir.to_str().unwrap()), "it names a path of this machine: {text}");

    let target = two.prefix.to_str().unwrap();
    let before = snapshot(&two.prefix);
    let ran = run(dir, &["apply", "plan.json", target, "--dry-run", "--diff"]);
    assert!(ran.text(0).contains("+$ORIGIN/../broken_libs\n"), "{ran:#?}");
    let again = format!("→ tfpatch apply plan.json {target}\n");
    assert!(ran.out.ends_with(&again), "{ran:#?}");
    assert_eq!((snapshot(&two.prefix), has_store(&two.prefix)), (before.clone(), false));

    let ran = run(dir, &["apply", "plan.json", target]);
    assert!(
        ran.text(0).contains("1 file and 1 RECORD repaired; no errors or warnings remain"),
        "{ran:#?}"
    );
    assert_eq!(wheels::imports(&two), Ok("42".to_owned()));
    assert!(checked_rows(&two) > 5, "each of them is right");
    let applied = snapshot(&two.prefix);
    assert_eq!(
        run(dir, &["verify", target]).text(0),
        "1 patched file unchanged; all dependencies resolve\n"
    );
    let log = run(dir, &["log", target, "--format", "json"]).json(0);
    assert_eq!((&log["operations"][0]["kind"]), &json!("apply"));

    // Twice is once, by the plan and by a fix.
    for again in [&["apply", "plan.json", target][..], &["fix", target]] {
        assert!(run(dir, again).text(0).ends_with("nothing to do\n"));
        assert_eq!(snapshot(&two.prefix), applied);
    }

    // It is the same operation wherever it takes place.
    let report = run(dir, &["apply", "plan.json", "one/.venv", "--format", "json"]).json(0);
    assert_eq!(report["operation"], log["operations"][0]["id"]);
    assert_eq!(report["steps"], planned["steps"]);
    assert_eq!(wheels::imports(&one), Ok("42".to_owned()));

    run(dir, &["revert", target]).text(0);
    assert_eq!(snapshot(&two.prefix), before);
}

#[test]
fn all_files_that_differ_are_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    several(&dir.join("made"), &["a", "b", "c"]);
    let planned = plan(dir, "made");
    assert_eq!(planned["steps"].as_array().unwrap().len(), 3);
    wheels::run(std::process::Command::new("cp").current_dir(dir).args(["-a", "made", "other"]));
    std::fs::remove_file(dir.join("other/a/pkg/outer.so")).unwrap();
    let changed = dir.join("other/c/pkg/outer.so");
    outer(&changed, "$ORIGIN/another/entry/of/another/build");
    let said = refused(dir, &planned, "other");
    assert!(said.contains("does not fit"), "{said}");
    assert!(
        said.contains("2 differences; nothing was written\n  a/pkg/outer.so: not found\n"),
        "{said}"
    );
    assert!(said.contains("\n  c/pkg/outer.so: is another build: its build ID is "), "{said}");
    assert!(!said.contains("b/pkg/outer.so"), "{said}");

    // One byte where the plan relies on it, under the same build ID.
    let mut bytes = std::fs::read(dir.join("made/c/pkg/outer.so")).unwrap();
    let at = bytes.windows(4).position(|part| part == b"gone").unwrap();
    bytes[at] = b'G';
    std::fs::write(&changed, bytes).unwrap();
    let said = refused(dir, &planned, "other");
    let line = "c/pkg/outer.so: has different bytes where the plan depends on them\n";
    assert!(said.contains(line), "{said}");
}

/// What is done already is left alone, and the rest is done.
#[test]
fn a_plan_may_be_done_in_part_already() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    several(&dir.join("tree"), &["a", "b"]);
    let planned = plan(dir, "tree");
    let one = dir.join("tree/a/pkg/outer.so");
    run(dir, &["apply", "plan.json", "tree"]).text(0);
    let all = snapshot(&dir.join("tree"));
    run(dir, &words(&[&"revert", &one])).text(0);
    let ran = run(dir, &["apply", "plan.json", "tree"]);
    assert!(ran.text(0).contains("1 file repaired"), "{ran:#?}");
    let contents =
        |tree: &std::collections::BTreeMap<std::path::PathBuf, (u32, String, i64, i64)>| {
            tree.iter()
                .map(|(path, (_, content, ..))| (path.clone(), content.clone()))
                .collect::<Vec<_>>()
        };
    assert_eq!(contents(&snapshot(&dir.join("tree"))), contents(&all));
    assert!(run(dir, &["apply", "plan.json", "tree"]).text(0).ends_with("nothing to do\n"));

    // The plan on standard input, and on standard output.
    run(dir, &["revert", "tree"]).text(0);
    let ran = run(dir, &["fix", "--dry-run", "-o", "-", "tree"]);
    assert_eq!(ran.json(0), planned);
    let mut apply = crate::support::command::command(dir);
    apply.args(["apply", "-", "tree"]).stdin(std::fs::File::open(dir.join("plan.json")).unwrap());
    assert!(Ran::of(&apply.output().unwrap()).text(0).contains("2 files repaired"));
}

/// A place in a plan, what is to stand there, and what is said then.
type Alteration = (&'static str, Value, &'static str);

#[test]
fn a_doctored_plan_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(&dir.join("tree"));
    broken_tree(&dir.join("outside"));
    std::os::unix::fs::symlink("../outside", dir.join("tree/link")).unwrap();
    let planned = plan(dir, "tree");
    let size = planned["steps"][0]["lock"]["size"].as_u64().unwrap();
    let (start, end) = (json!(size - 8), json!(size));
    let code = json!({"range": {"start": 4096, "end": 4100}, "new": {"bytes": "zMzMzA=="}});
    let nothing = blake3::hash(&size.to_le_bytes()).to_hex().to_string();
    let unlocked = json!({"size": size, "digest": nothing, "ranges": []});
    let huge = json!({"start": 0, "end": u64::MAX});
    let alterations: Vec<Alteration> = vec![
        ("/steps/0/edits/-", code, "\"edits\" of its step differs from the plan"),
        ("/steps/0/before/0", json!("$ORIGIN/nice"), "\"before\" of its step differs from"),
        ("/steps/0/after/0", json!("$ORIGIN/nice"), "\"after\" of its step differs from"),
        ("/steps/0/method", json!("slot!"), "\"method\" of its step differs from"),
        ("/steps/0/lock", unlocked.clone(), "\"lock\" of its step differs from"),
        ("/steps/0/left", unlocked, "\"left\" of its step differs from"),
        ("/steps/0/kind", json!("macho"), "\"kind\" of its step differs from"),
        ("/steps/0/kind", json!("record"), "outer.so: has no row for the edited files"),
        (
            "/steps/0/path",
            json!("link/pkg/outer.so"),
            "link/pkg/outer.so: is not a shared library of the target",
        ),
        (
            "/steps/0/aliases",
            json!([{"path": "link/pkg/outer.so"}]),
            "has different names in this target",
        ),
        ("/steps/-", planned["steps"][0].clone(), "pkg/outer.so: two steps of the plan edit it"),
        (
            "/steps/0/path",
            json!("../outside/pkg/outer.so"),
            "it must be relative and must not contain `..` at line ",
        ),
        (
            "/steps/0/path",
            json!("/etc/passwd"),
            "it must be relative and must not contain `..` at line ",
        ),
        ("/steps/0/path_bytes", json!("L2V0Yw=="), "path_bytes do not match the path"),
        ("/steps/0/edits/0/range/end", json!(size + 1), "is outside a file of"),
        ("/steps/0/edits/0/range", json!({"start": end, "end": start}), "is outside a file of"),
        (
            "/steps/0/edits/0/new",
            json!({"copy_of": {"start": 0, "end": size + 1}}),
            "is outside a file of",
        ),
        (
            "/steps/0/edits/-",
            planned["steps"][0]["edits"].as_array().unwrap().last().unwrap().clone(),
            "two edits overlap at offset 0x",
        ),
        ("/steps/0/lock/size", json!(u64::MAX), "the edited file would be too long"),
        ("/steps/0/lock/ranges/0", huge, "outer.so: has different bytes"),
        ("/steps/0/lock/size", json!(-1), "invalid value"),
        ("/schema", json!("tfpatch/plan/v2"), "its schema is \"tfpatch/plan/v2\""),
        ("/steps", json!({}), "at line "),
    ];
    for (place, value, said) in alterations {
        let mut doctored = planned.clone();
        let (above, last) = place.rsplit_once('/').unwrap();
        match doctored.pointer_mut(above).unwrap() {
            Value::Array(items) if last == "-" => items.push(value),
            Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
            Value::Object(object) => _ = object.insert(last.to_owned(), value),
            other => panic!("{place}: {other}"),
        }
        let error = refused(dir, &doctored, "tree");
        assert!(error.contains(said), "{place}: {error}");
    }
    // The plan itself is one that fits.
    run(dir, &["apply", "plan.json", "tree"]).text(0);
}

#[test]
fn what_is_no_plan_is_an_error_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(&dir.join("tree"));
    plan(dir, "tree");
    let whole = std::fs::read(dir.join("plan.json")).unwrap();
    let file = dir.join("bad.json");
    // Cut off anywhere, it is no plan. The last byte is the end of a line.
    for len in (0..whole.len() - 1).step_by(whole.len() / 60) {
        std::fs::write(&file, &whole[..len]).unwrap();
        let said = run(dir, &["apply", "bad.json", "tree"]).error().to_owned();
        assert!(
            said.contains("bad.json is not a plan: ") && said.contains(" at line "),
            "{len}: {said}"
        );
    }
    let deep = "[".repeat(100_000);
    for (text, said) in [
        ("{}", "it has no schema; expected \"tfpatch/plan/v1\""),
        (
            "{\"schema\": \"tfpatch/plan/v1\",\n \"steps\": [{}]}",
            "missing field `kind` at line 2 column 13",
        ),
        (deep.as_str(), "at line 1 column "),
        ("\u{0}", "expected value at line 1 column 1"),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = run(dir, &["apply", "bad.json", "tree"]).error().to_owned();
        assert!(error.contains(said), "{text:.40}: {error}");
    }
    assert!(
        run(dir, &["apply", "none.json", "tree"])
            .error()
            .contains("cannot read the plan none.json")
    );
    let two = run(dir, &["fix", "--dry-run", "-o", "p.json", "tree", "."]);
    assert!(two.error().contains("name one TARGET"), "{two:#?}");
    assert!(run(dir, &["fix", "-o", "p.json", "tree"]).err.contains("--dry-run"));
    let closed = run(dir, &["fix", "--dry-run", "-o", "no/such/p.json", "tree"]);
    assert!(closed.error().contains("cannot write the plan no/such/p.json"), "{closed:#?}");
    assert!(!has_store(&dir.join("tree")));
}

/// The plan of a direct edit, with its paths from `tree` on.
fn direct(dir: &Path, arguments: &[&str]) -> Value {
    let common = ["tree/pkg/outer.so", "--dry-run", "--format", "json"];
    let mut plan = run(dir, &[&["rpath"], arguments, &common].concat()).json(0);
    plan["steps"][0]["path"] = json!("pkg/outer.so");
    plan
}

/// A plan may be all that it says, and still lead libraries astray.
#[test]
fn a_plan_that_does_not_pass_the_proof_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let tree = dir.join("tree");
    outer(&tree.join("pkg/outer.so"), "$ORIGIN/../inner");
    inner(&tree.join("inner/libinner.so.1"));
    inner(&tree.join("evil/libinner.so.1"));
    inner(&dir.join("evil/libinner.so.1"));

    let hijack = direct(dir, &["add", "--first", "--entry", "$ORIGIN/../evil"]);
    let said = refused(dir, &hijack, "tree");
    let line = "pkg/outer.so: would load libinner.so.1 from evil/libinner.so.1 instead of \
                inner/libinner.so.1\n";
    assert!(said.contains(line), "{said}");
    let taken = direct(dir, &["remove", "--entry", "$ORIGIN/../inner"]);
    let said = refused(dir, &taken, "tree");
    let line = "pkg/outer.so: would not find libinner.so.1, which is now loaded from inner/libinner.so.1\n";
    assert!(said.contains(line), "{said}");

    let evil = dir.join("evil");
    for entry in ["$ORIGIN/../../evil", evil.to_str().unwrap(), "$LIB", "relative", "$ORIGIN/none"]
    {
        let leaving = direct(dir, &["add", "--entry", entry]);
        let said = refused(dir, &leaving, "tree");
        let line = format!("pkg/outer.so: would get the entry {entry}, which is not a directory");
        assert!(said.contains(&line), "{said}");
    }
    let leaving = direct(dir, &["add", "--entry", evil.to_str().unwrap()]);
    write(&dir.join("allowed.json"), &leaving);
    run(dir, &["apply", "--allow-absolute", "allowed.json", "tree"]).text(0);
}

#[test]
fn a_plan_for_mach_o_travels_too() {
    // An unsigned library for Apple's processors is signed; the hashes of a signed one follow.
    let files = [
        ("arm64/signed", "arm64/libb.dylib", "load_commands"),
        ("arm64/unsigned", "arm64/libb.dylib", "signed_ad_hoc"),
        ("x86_64/unsigned", "x86_64/libb.dylib", "load_commands"),
    ];
    for (name, needed, method) in files {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        for tree in ["one", "two/longer"] {
            let package = dir.join(tree).join("pkg");
            std::fs::create_dir_all(package.join("libs")).unwrap();
            std::fs::copy(built().join(name), package.join("liba.dylib")).unwrap();
            std::fs::copy(built().join(needed), package.join("libs/libb.dylib")).unwrap();
        }
        let mut planned = plan(dir, "one");
        let steps = planned["steps"].as_array().unwrap();
        let at = steps.iter().position(|step| step["path"] == "pkg/liba.dylib").unwrap();
        assert_eq!((&steps[at]["kind"], &steps[at]["method"]), (&json!("macho"), &json!(method)));
        run(dir, &["apply", "plan.json", "two/longer"]).text(0);
        run(dir, &["fix", "one"]).text(0);
        let patched = |tree: &str| std::fs::read(dir.join(tree).join("pkg/liba.dylib")).unwrap();
        assert_eq!(patched("one"), patched("two/longer"), "{name}");
        assert_ne!(patched("one"), std::fs::read(built().join(name)).unwrap(), "{name}");
        let again = run(dir, &["apply", "plan.json", "one"]);
        assert!(again.text(0).ends_with("nothing to do\n"), "{name}: {again:#?}");

        // Bytes of a load command or of a hash, altered.
        run(dir, &["revert", "one"]).text(0);
        let edits = planned["steps"][at]["edits"].as_array_mut().unwrap();
        let new = &mut edits.last_mut().unwrap()["new"]["bytes"];
        let text = new.as_str().unwrap().to_owned();
        let other = if text.starts_with('A') { "B" } else { "A" };
        *new = json!(format!("{other}{}", &text[1..]));
        assert!(refused(dir, &planned, "one").contains("does not fit"), "{name}");
    }
}
