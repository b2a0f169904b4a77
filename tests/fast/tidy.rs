//! Keeps the house as the map in `src/lib.rs` draws it: layers, the ban on reading the disk and
//! the environment below the rim, and files of one subject.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory of the project, with their text.
fn files(directory: &str, suffix: &str) -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(root().join(directory))
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(suffix))
        .map(|entry| {
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.path().strip_prefix(root()).unwrap().to_owned(), text)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "nothing found below {directory}");
    found
}

/// The layer that a file belongs to: its directory below `src`, or its own name.
fn layer(path: &Path) -> String {
    let first = path.strip_prefix("src").unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// A file of the house, by the names of its module: `["elf", "edit"]`, nothing for the root.
type Module = Vec<String>;

/// The modules of `src`, with their texts.
fn modules() -> BTreeMap<Module, String> {
    let of = |path: &Path| -> Module {
        let inside = path.strip_prefix("src").unwrap().with_extension("");
        let names = inside.iter().map(|name| name.to_str().unwrap().to_owned());
        names.filter(|name| name != "mod" && name != "lib").collect()
    };
    files("src", ".rs").into_iter().map(|(path, text)| (of(&path), text)).collect()
}

/// Every path that a text names after `crate::`, `super::` or `self::`, or as one of its own modules; of
/// a list in braces each.
fn paths(text: &str) -> Vec<Vec<String>> {
    let code: String =
        text.lines().map(|line| format!("{}\n", line.split("//").next().unwrap())).collect();
    let mut found = Vec::new();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = code.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begins = at == 0 || !(is_name(bytes[at - 1]) || bytes[at - 1] == b':');
        if begins && is_name(bytes[at]) {
            at += expand(&code[at..], &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a path at the start of `text`, or a list of them in braces, behind `before`; how many bytes
/// it took.
fn expand(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        let name: String =
            text[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        at += name.len();
        if !name.is_empty() {
            path.push(name);
        }
        if !text[at..].starts_with("::") {
            break;
        }
        at += 2;
        if text[at..].starts_with('{') {
            at += 1;
            while at < text.len() && !text[at..].starts_with('}') {
                let rest = &text[at..];
                let skipped = rest.len() - rest.trim_start_matches([' ', '\n', ',']).len();
                at += skipped;
                if text[at..].starts_with('}') {
                    break;
                }
                let taken = expand(&text[at..], &path, found);
                let rest = text[at + taken..].find([',', '}']).unwrap_or(0);
                at += taken + rest.max(usize::from(taken + rest == 0));
            }
            return (at + 1).min(text.len());
        }
    }
    if path.len() > 1 || before.is_empty() {
        found.push(path);
    }
    at
}

/// The modules that each module uses.
fn uses() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = modules();
    let resolve = |own: &Module, path: &[String]| -> Option<Module> {
        let mut rest = path;
        let mut here: Module = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" | "super" => own.clone(),
            first => {
                let child: Module = own.iter().cloned().chain([first.to_owned()]).collect();
                if path.len() < 2 || !modules.contains_key(&child) {
                    return None;
                }
                own.clone()
            }
        };
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    here.pop()?;
                }
                _ => break,
            }
            rest = others;
        }
        for name in rest {
            let next: Module = here.iter().cloned().chain([name.clone()]).collect();
            if !modules.contains_key(&next) {
                break;
            }
            here = next;
        }
        (here != *own && modules.contains_key(&here)).then_some(here)
    };
    modules
        .iter()
        .map(|(own, text)| {
            // Inside of a test, `super` is the file itself.
            let code = text.split("\n#[cfg(test)]").next().unwrap();
            (own.clone(), paths(code).iter().filter_map(|path| resolve(own, path)).collect())
        })
        .collect()
}

/// Which layers each may use, directly or through others, as `src/lib.rs` lists them.
fn layers() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let listed = text.split("# Layers").nth(1).unwrap().split("```").nth(1).unwrap();
    let mut layers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lines: Vec<&str> = listed.lines().filter(|line| line.contains("->")).collect();
    // From the bottom up, so that what a layer names is known already.
    for line in lines.iter().rev() {
        let (name, below) = line.trim_start_matches("//!").split_once("->").unwrap();
        let mut all = BTreeSet::new();
        for direct in below.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let under = layers.get(direct);
            all.extend(under.unwrap_or_else(|| panic!("{direct} stands below {name}")).clone());
            all.insert(direct.to_owned());
        }
        layers.insert(name.trim().to_owned(), all);
    }
    layers
}

#[test]
fn each_layer_uses_only_what_stands_below_it() {
    let layers = layers();
    let mut wrong = Vec::new();
    for (module, used) in uses() {
        let Some(own) = module.first().filter(|own| *own != "main") else { continue };
        let below = layers.get(own).unwrap_or_else(|| panic!("src/lib.rs does not list {own}"));
        for other in used {
            if let Some(layer) = other.first()
                && layer != own
                && !below.contains(layer)
            {
                wrong.push(format!("{} uses {}", module.join("::"), other.join("::")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut uses = uses();
    for (own, used) in &mut uses {
        // A module and what is inside of it are one thing.
        used.retain(|other| !other.starts_with(own) && !own.starts_with(other));
    }
    // What uses nothing that is left is in no circle, and neither is what only uses such.
    loop {
        let before = uses.len();
        let left: BTreeSet<Module> = uses.keys().cloned().collect();
        uses.retain(|_, used| used.iter().any(|other| left.contains(other)));
        if uses.len() == before {
            break;
        }
    }
    let names: Vec<String> = uses.keys().map(|module| module.join("::")).collect();
    assert_eq!(names, Vec::<String>::new(), "these are in a circle, or use one that is");
}

#[test]
fn the_layer_test_sees_what_it_must_see() {
    let text = "use crate::{elf::Image, macho as m, vfs::{Vfs, walk::{a, b}}};\n// crate::report\n\
                let x = super::y::f(); use self::z::Z;";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    for wanted in [
        "crate::elf::Image",
        "crate::macho",
        "crate::vfs::Vfs",
        "crate::vfs::walk::a",
        "crate::vfs::walk::b",
        "super::y::f",
        "self::z::Z",
    ] {
        assert!(found.iter().any(|path| path == wanted), "{wanted} in {found:?}");
    }
    assert!(!found.iter().any(|path| path.contains("report")), "{found:?}");
    let uses = uses();
    let of = |module: &[&str]| -> Module { module.iter().map(|&name| name.to_owned()).collect() };
    assert!(uses[&of(&["operation", "apply"])].contains(&of(&["operation", "disk"])));
    assert!(uses[&of(&["diagnosis", "diagnose"])].contains(&of(&["world"])));
}

#[test]
fn the_disk_and_the_environment_are_read_at_the_rim() {
    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let name = path.to_str().unwrap();
        let layer = layer(&path);
        let fs_allowed = matches!(layer.as_str(), "operation" | "cli") || name == "src/vfs/os.rs";
        let env_allowed = name == "src/cli/settings.rs";
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            let place = format!("{name}:{}", number + 1);
            if !fs_allowed && line.contains("std::fs") {
                wrong.push(format!("{place} reads the disk"));
            }
            if !env_allowed && line.contains("std::env") {
                wrong.push(format!("{place} reads the environment"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_use_cases_print_nothing() {
    let speaks = |line: &&str| {
        ["print!", "println!", "stdout", "stderr"].iter().any(|word| line.contains(word))
    };
    let spoken: Vec<String> = files("src/app", ".rs")
        .iter()
        .flat_map(|(path, text)| {
            text.lines().filter(speaks).map(|line| format!("{}: {line}", path.display()))
        })
        .collect();
    assert_eq!(spoken, Vec::<String>::new());
}

#[test]
fn a_file_has_one_subject() {
    let long: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 600)
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 60, "main.rs parses, runs and gives an exit code");
}

/// The names of types that a text takes from one of the crates whose types are nobody else's business.
fn foreign_types(text: &str) -> BTreeSet<String> {
    let uses = text.split("\nuse ").skip(1).filter_map(|rest| rest.split(';').next());
    let foreign = uses.filter(|path| path.starts_with("goblin::") || path.starts_with("scroll::"));
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = foreign.flat_map(|path| path.split(move |c| !is_word(c)));
    // Constants are all capitals, modules have none.
    let is_type = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().any(|c| c.is_ascii_lowercase())
    };
    words.filter(is_type).map(str::to_owned).collect()
}

#[test]
fn no_type_of_a_crate_for_formats_is_public() {
    let (mut shown, mut seen) = (Vec::new(), 0);
    for (path, text) in files("src", ".rs") {
        let types = foreign_types(&text);
        seen += types.len();
        // What tests alone see may have them.
        if path.ends_with("elf/structs.rs") {
            continue;
        }
        let code = text.split("\n#[cfg(test)]").next().unwrap();
        for item in code.split("\n").filter(|line| line.trim_start().starts_with("pub ")) {
            let names = |name: &&String| {
                item.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .any(|word| word == *name)
            };
            if types.iter().any(|name| names(&name)) || item.contains("goblin::") {
                shown.push(format!("{}: {}", path.display(), item.trim()));
            }
        }
    }
    // `Container` is a name of ours as well.
    shown.retain(|item| !item.contains("Container<'_>"));
    assert_eq!(shown, Vec::<String>::new());
    assert!(seen > 20, "{seen} types are taken from goblin and scroll");
}

/// The name and the number of lines of every function of a text as rustfmt leaves it: the brace that
/// closes one stands below its first word.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let name = code.strip_prefix("fn ").or_else(|| {
            let (before, name) = code.split_once(" fn ")?;
            let is_word = |word: &str| {
                matches!(word, "const" | "unsafe" | "async" | "extern" | "\"C\"")
                    || word.starts_with("pub")
                    || word.ends_with(')')
            };
            before.split(' ').all(is_word).then_some(name)
        });
        let Some(name) = name else { continue };
        let indent = &line[..line.len() - code.len()];
        let closes = |line: &&str| line.strip_prefix(indent) == Some("}");
        let ends_here = |line: &&str| {
            line.strip_prefix(indent).is_some_and(|rest| !rest.starts_with(' '))
                && line.ends_with([';', '}'])
        };
        let own = &lines[first..];
        let len = own.iter().position(|line| closes(line) || ends_here(line));
        let name = name.split(['(', '<']).next().unwrap().to_owned();
        found.push((name, len.map_or(own.len(), |last| last + 1)));
    }
    found
}

#[test]
fn a_function_does_one_thing() {
    let (mut all, mut long) = (0, Vec::new());
    for (path, text) in files("src", ".rs") {
        let functions = functions(&text);
        all += functions.len();
        let beyond = functions.into_iter().filter(|(_, lines)| *lines > 60);
        long.extend(beyond.map(|(name, _)| (path.to_str().unwrap().to_owned(), name)));
    }
    assert!(long.is_empty(), "these have more than 60 lines: {long:?}");
    assert!(all > 2000, "{all} functions were seen");
}

#[test]
fn the_test_of_functions_sees_their_ends() {
    let text = "fn a() {\n    b();\n}\n\nimpl X {\n    pub(in crate::x) const fn c<T>(\n        t: T,\n    ) -> T {\n        \
                t\n    }\n\n    fn d() {}\n    fn e(\n        &self,\n    );\n}\n";
    let found = functions(text);
    let found: Vec<(&str, usize)> = found.iter().map(|(name, len)| (&**name, *len)).collect();
    assert_eq!(found, [("a", 3), ("c", 5), ("d", 1), ("e", 3)]);
}

#[test]
fn every_cause_has_a_page_and_every_page_a_cause() {
    let pages: Vec<String> = files("src/findings/causes", ".md")
        .into_iter()
        .map(|(path, text)| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(text.starts_with(&format!("# {name}\n")), "{name}.md begins with its name");
            for section in ["Error messages", "How to check", "How to fix"] {
                assert!(text.contains(&format!("\n## {section}\n\n")), "{name}.md: {section}");
            }
            name
        })
        .collect();
    let mut causes: Vec<String> = tfpatch::findings::finding::Cause::ALL
        .iter()
        .map(|cause| cause.name().to_owned())
        .collect();
    causes.sort();
    assert_eq!(pages, causes);
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for cause in causes {
        assert!(
            page.contains(&format!("src/findings/causes/{cause}.md")),
            "ARCHITECTURE.md: {cause}"
        );
    }
}

#[test]
fn every_fixture_says_where_it_comes_from() {
    for entry in fs::read_dir(root().join("fixtures")).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            let origin = fs::read_to_string(entry.path().join("ORIGIN.md"));
            assert!(origin.is_ok(), "{} has no ORIGIN.md", entry.path().display());
        }
    }
}
