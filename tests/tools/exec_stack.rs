//! Executable stacks: `fix` clears the flag where the loader refuses it and the code does not write to its stack.
//! `scripts/try/exec_stack` asks the loader of glibc 2.41 itself.

use crate::support::command::run;
use crate::support::elf_builder::Workshop;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tfpatch::elf::Image;
use tfpatch::elf::trampolines::are_written;

const NESTED: &str = "int apply(int (*f)(int), int x) { return f(x); }\n\
    int answer(void) { volatile int y = 41; int add(int x) { return x + y; } return apply(add, 1); }\n";

fn module(dir: &Path, name: &str, text: &str, flags: &[&str]) -> Vec<u8> {
    let source = dir.join(format!("{name}.c"));
    std::fs::write(&source, text).unwrap();
    let object = dir.join(format!("{name}.so"));
    let mut gcc = Command::new("gcc");
    let built =
        gcc.args(["-shared", "-fPIC"]).args(flags).arg(&source).arg("-o").arg(&object).output();
    assert!(built.unwrap().status.success());
    std::fs::remove_file(source).unwrap();
    std::fs::read(object).unwrap()
}

fn wants(file: &Path) -> bool {
    let bytes = std::fs::read(file).unwrap();
    Image::parse(&bytes).unwrap().summary().unwrap().wants_executable_stack()
}

#[test]
fn a_stack_is_cleared_where_it_is_refused_and_not_needed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let plain = module(dir, "plain", "int answer(void) { return 42; }\n", &["-Wl,-z,execstack"]);
    let nested = module(dir, "nested", NESTED, &[]);
    let (plain_file, nested_file) = (dir.join("plain.so"), dir.join("nested.so"));
    let old_glibc = ["--loader", "glibc@2.36", "--format", "json", "."];
    let new_glibc = ["--loader", "glibc@2.41", "--format", "json", "."];

    let report = run(dir, &[&["fix"][..], &old_glibc].concat()).json(0);
    assert_eq!(report["steps"], json!([]), "it works there today");
    let report = run(dir, &[&["fix"][..], &new_glibc].concat()).json(0);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!((&steps[0]["path"], &steps[0]["method"]), (&json!("plain.so"), &json!("fields")));
    assert_eq!((&steps[0]["before"], &steps[0]["after"]), (&json!([]), &json!([])));
    let change = json!([{"field": "executable_stack", "before": ["yes"], "after": ["no"]}]);
    assert_eq!(steps[0]["fields"], change);
    assert_eq!(report["unfixable"].as_array().unwrap().len(), 1);
    let cure = report["unfixable"][0]["cure"].as_str().unwrap();
    assert!(cure.contains("GLIBC_TUNABLES=glibc.rtld.execstack=2"), "{cure}");
    assert!(!wants(&plain_file) && std::fs::read(&nested_file).unwrap() == nested);

    let diff = run(dir, &["diff", "."]);
    assert!(diff.text(0).contains("-executable_stack: yes\n+executable_stack: no\n"), "{diff:?}");
    assert_eq!(run(dir, &["diff", ".", "--json"]).json(0)["files"][0]["fields"], change);
    assert_eq!(run(dir, &["verify", "."]).status, 0);

    let forced = run(dir, &[&["fix", "--exec-stack"][..], &old_glibc].concat()).json(0);
    assert_eq!(forced["steps"][0]["path"], "nested.so");
    assert!(!wants(&nested_file));

    run(dir, &["revert", "."]).text(0);
    assert!(std::fs::read(plain_file).unwrap() == plain);
    assert!(std::fs::read(nested_file).unwrap() == nested);
}

#[test]
fn a_plan_that_clears_a_stack_is_made_again_where_it_is_applied() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one"), dir.path().join("other"));
    for place in [&one, &other] {
        std::fs::create_dir(place).unwrap();
        module(place, "plain", "int answer(void) { return 42; }\n", &["-Wl,-z,execstack"]);
    }
    std::fs::copy(one.join("plain.so"), other.join("plain.so")).unwrap();
    let loader = ["--loader", "glibc@2.41"];
    let made = [&["fix", "--dry-run", "-o", "plan.json", "one"][..], &loader].concat();
    assert_eq!(run(dir.path(), &made).status, 0);
    let plan = std::fs::read_to_string(dir.path().join("plan.json")).unwrap();
    let mut doctored: Value = serde_json::from_str(&plan).unwrap();
    doctored["steps"][0]["fields"] = json!([]);
    std::fs::write(dir.path().join("doctored.json"), doctored.to_string()).unwrap();
    let refused = run(dir.path(), &[&["apply", "doctored.json", "other"][..], &loader].concat());
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(wants(&other.join("plain.so")));
    let applied = run(dir.path(), &[&["apply", "plan.json", "other"][..], &loader].concat());
    assert_eq!(applied.status, 0, "{applied:?}");
    assert!(!wants(&other.join("plain.so")));
}

#[test]
fn the_constants_of_trampolines_are_seen_whatever_options_the_compiler_has() {
    let shop = Workshop::new();
    shop.write("nested.c", NESTED);
    shop.write("plain.c", "int answer(void) { return 42; }\n");
    let options = ["-O0", "-O1", "-O2", "-O3", "-Os", "-fcf-protection=full", "-mcmodel=large"];
    for option in options {
        for (source, is_nested) in [("nested.c", true), ("plain.c", false)] {
            // Inlined, a nested function needs no trampoline.
            let flags =
                ["-shared", "-fPIC", "-fno-inline", "-fno-ipa-cp", option, source, "-o", "x.so"];
            shop.gcc(&flags);
            let bytes = std::fs::read(shop.path("x.so")).unwrap();
            assert_eq!(
                are_written(&Image::parse(&bytes).unwrap()),
                Ok(is_nested),
                "{option} {source}"
            );
        }
    }
    shop.gcc(&[
        "-no-pie",
        "-fno-pie",
        "-fno-inline",
        "-O1",
        "nested.c",
        "program.c",
        "-Ld",
        "-ldep",
        "-o",
        "x",
    ]);
    let bytes = std::fs::read(shop.path("x")).unwrap();
    assert_eq!(are_written(&Image::parse(&bytes).unwrap()), Ok(true));
}
