//! `tfpatch tree` in its several forms; graphs are judged by Graphviz.

use crate::commands::broken_environment;
use crate::support::command::{broken_tree, inner, outer, run, words};
use crate::support::wheels;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// What Graphviz makes of a graph.
struct Drawn(Value);

impl Drawn {
    #[track_caller]
    fn of(text: &str) -> Self {
        let mut dot = Command::new("dot");
        dot.arg("-Tjson").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = dot.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
        Self(serde_json::from_slice(&output.stdout).unwrap())
    }

    fn objects(&self) -> &[Value] {
        self.0["objects"].as_array().unwrap()
    }

    /// The box whose label begins with that line.
    #[track_caller]
    fn node(&self, label: &str) -> &Value {
        let begins = |object: &&Value| {
            let text = object["label"].as_str().unwrap();
            let rest = text.strip_prefix(label);
            object["nodes"].is_null()
                && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(r"\n"))
        };
        let found: Vec<&Value> = self.objects().iter().filter(begins).collect();
        let [node] = found[..] else { panic!("{label}: {:#}", self.0) };
        node
    }

    /// The cluster that a box stands in.
    fn cluster(&self, label: &str) -> Option<&str> {
        let id = &self.node(label)["_gvid"];
        let holds =
            |object: &&Value| object["nodes"].as_array().is_some_and(|nodes| nodes.contains(id));
        self.objects().iter().find(holds).map(|cluster| cluster["label"].as_str().unwrap())
    }

    fn edges(&self) -> Vec<&Value> {
        self.0["edges"].as_array().map_or(Vec::new(), |edges| edges.iter().collect())
    }

    #[track_caller]
    fn edge(&self, from: &str, to: &str) -> &Value {
        let (from, to) = (&self.node(from)["_gvid"], &self.node(to)["_gvid"]);
        let all = self.edges();
        let edge = all.iter().find(|edge| edge["tail"] == *from && edge["head"] == *to);
        edge.unwrap_or_else(|| panic!("{:#}", self.0))
    }
}

const RED: &str = "#cf222e";

#[test]
fn what_is_missing_stands_out_and_the_system_recedes() {
    let dir = tempfile::tempdir().unwrap();
    let env = broken_environment(dir.path());
    let module = env.site_packages.join(env.extension());
    let arguments = words(&[&"tree", &"--format", &"dot", &"--main", &env.python, &module]);
    let ran = run(dir.path(), &arguments);
    let drawn = Drawn::of(ran.text(1));
    let name = module.file_name().unwrap().to_str().unwrap();
    let (stem, version) = name.split_once(".cpython-").unwrap();
    let asked = format!("{stem}.cpython-{}….so", version.split('-').next().unwrap());
    assert_eq!(drawn.cluster(&asked), Some("broken 1.0"));
    assert_eq!(drawn.node(&asked)["tooltip"], module.to_str().unwrap());

    let missing = drawn.node("libinner.so.1");
    assert_eq!((&missing["color"], drawn.cluster("libinner.so.1")), (&RED.into(), None));
    let places = missing["tooltip"].as_str().unwrap();
    let count = places.split(r"\n").count();
    assert_eq!(missing["label"], format!(r"libinner.so.1\nnot found in {count} places"));
    assert!(places.contains("/libinner.so.1  not found  default directory"), "{places}");
    let edge = drawn.edge(&asked, "libinner.so.1");
    assert_eq!((&edge["color"], &edge["style"]), (&RED.into(), &"bold".into()));

    assert_eq!(drawn.edges().iter().filter(|edge| edge["color"] == RED).count(), 1);

    assert_eq!(run(dir.path(), &arguments).out, ran.out);

    let ran = run(dir.path(), &words(&[&"tree", &"--format", &"dot", &env.python]));
    let program = Drawn::of(ran.text(0));
    let system = program.node("system libraries");
    assert!(system["label"].as_str().unwrap().contains("libc.so.6"), "{system:#}");
    assert_eq!(system["fontcolor"], "#8c959f");
    assert!(program.edges().iter().any(|edge| edge["head"] == system["_gvid"]), "{system:#}");

    wheels::run(Command::new(env!("CARGO_BIN_EXE_tfpatch")).arg("fix").arg(&env.prefix));
    let fixed = run(dir.path(), &arguments);
    let drawn = Drawn::of(fixed.text(0));
    assert!(!fixed.out.contains(RED));
    assert_eq!(drawn.edge(&asked, "libinner.so.1")["tooltip"], "RUNPATH");
    assert_eq!(drawn.cluster("libinner.so.1"), drawn.cluster(&asked));
}

#[test]
fn objects_that_nothing_tells_apart_share_a_box() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    inner(&dir.join("libs/libinner.so.1"));
    let names = ["a.so", "b.so", "c.so", "d.so"];
    names.iter().for_each(|name| outer(&dir.join("pkg").join(name), "$ORIGIN/../libs"));
    outer(&dir.join("pkg/lost.so"), "$ORIGIN");
    let files = names.iter().chain(&["lost.so"]).map(|name| format!("pkg/{name}"));
    let mut arguments = vec!["tree".to_owned(), "--format".to_owned(), "dot".to_owned()];
    arguments.extend(files);
    let drawn = Drawn::of(run(dir, &arguments).text(1));
    let shared = drawn.node("a.so");
    assert_eq!(shared["label"], r"a.so\nand 3 more");
    let tooltip = shared["tooltip"].as_str().unwrap();
    assert!(names.iter().all(|name| tooltip.contains(&format!("/pkg/{name}"))), "{tooltip}");
    assert_eq!(drawn.cluster("a.so"), dir.join("pkg").to_str());
    assert_eq!(drawn.edges().len(), 2, "{:#}", drawn.0);

    arguments.push("--verbose".to_owned());
    let drawn = Drawn::of(run(dir, &arguments).text(1));
    names.iter().for_each(|name| _ = drawn.node(name));
    assert_eq!(drawn.edges().len(), 5, "{:#}", drawn.0);
}

#[test]
fn any_name_is_drawn_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let name = "a \"b\" \\N {c|d} \n.so";
    outer(&dir.path().join("pkg").join(name), "$ORIGIN");
    let arguments = words(&[&"tree", &"--format", &"dot", &Path::new("pkg").join(name)]);
    let drawn = Drawn::of(run(dir.path(), &arguments).text(1));
    // Backslashes are doubled, for Graphviz has escapes of its own.
    drawn.node(r#"a "b" \\N {c|d} \\n.so"#);
}

#[test]
fn only_tree_is_drawn() {
    let dir = tempfile::tempdir().unwrap();
    broken_tree(dir.path());
    for command in ["doctor", "fix", "show", "log"] {
        let ran = run(dir.path(), &[command, ".", "--format", "dot"]);
        assert!(ran.error().contains("--format dot"), "{ran:?}");
        assert_eq!(ran.out, "");
    }
}

#[test]
fn a_list_has_each_name_once_and_all_who_miss_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Both need the library; the one is needed by the other.
    outer(&dir.join("libfirst.so"), "$ORIGIN/gone");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-nostdlib", "-Wl,--disable-new-dtags,-rpath,$ORIGIN", "-o"]);
    gcc.arg(dir.join("second.so")).args(["-Wl,--no-as-needed,--allow-shlib-undefined", "-x", "c"]);
    gcc.args(["/dev/null", "-x", "none", "-L"]).arg(dir).arg("-lfirst");
    let library = dir.join("elsewhere/libinner.so.1");
    inner(&library);
    wheels::run(gcc.arg(&library));
    let ran = run(dir, &["tree", "--flat", "second.so"]);
    let text = ran.text(1);
    assert_eq!(text.matches("libinner.so.1 not found\n").count(), 1, "{text}");
    for asker in ["second.so", "libfirst.so"] {
        assert!(text.contains(&format!("    needed by {asker}\n")), "{text}");
    }
    assert!(text.contains("gone/libinner.so.1  not found  RUNPATH\n"), "{text}");
}

/// The search path may be that of an object further up.
#[test]
fn the_owner_of_an_inherited_search_path_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    inner(&dir.join("deep/libinner.so.1"));
    outer(&dir.join("deep/libfirst.so"), "$ORIGIN");
    run(dir, &["rpath", "remove", "deep/libfirst.so", "--entry", "$ORIGIN"]).text(0);
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-nostdlib", "-Wl,--disable-new-dtags,-rpath,$ORIGIN/deep", "-o"]);
    gcc.arg(dir.join("top.so")).args(["-Wl,--no-as-needed,--allow-shlib-undefined", "-x", "c"]);
    wheels::run(gcc.args(["/dev/null", "-x", "none", "-L"]).arg(dir.join("deep")).arg("-lfirst"));
    let ran = run(dir, &["tree", "top.so"]);
    let line = |name: &str, rule: &str| format!("└── {name} → deep/{name}  {rule}\n");
    let text = ran.text(0);
    assert!(text.contains(&line("libfirst.so", "RPATH")), "{text}");
    assert!(text.contains(&line("libinner.so.1", "RPATH of top.so")), "{text}");
}
