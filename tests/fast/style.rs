//! Holds everything that users read to the list of phrases in `STYLE.md`.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The phrases in the left column of the table, each between backquotes.
fn phrases() -> Vec<String> {
    let text = fs::read_to_string(root().join("STYLE.md")).unwrap();
    let rows = text.split("| not | but |").nth(1).unwrap().lines().skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The texts of a source's string literals, without those of its tests and its comments, joined where
/// a line ends in a backslash; and with `help` the comments that clap shows.
fn literals(source: &str, help: bool) -> Vec<String> {
    let code = source.split("\n#[cfg(test)]").next().unwrap();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let here = &rest[at..];
        if here.starts_with("//") {
            let end = here.find('\n').unwrap_or(here.len());
            if help && here.starts_with("///") {
                found.push(here[3..end].to_owned());
            }
            rest = &here[end..];
        } else if let Some(after) = here.strip_prefix("'\"'") {
            rest = after;
        } else if let Some(inside) = here.strip_prefix('"') {
            let (mut text, mut is_escaped, mut len) = (String::new(), false, 1);
            for character in inside.chars() {
                len += character.len_utf8();
                match (is_escaped, character) {
                    (false, '"') => break,
                    (false, '\\') => is_escaped = true,
                    (_, character) => {
                        let is_blank = is_escaped && matches!(character, 'n' | 't');
                        text.push(if is_blank { ' ' } else { character });
                        is_escaped = false;
                    }
                }
            }
            found.push(text);
            rest = &here[len.min(here.len())..];
        } else {
            rest = &here[1..];
        }
    }
    found
}

/// A text in one line, with one blank between its words.
fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    format!(" {} ", words.join(" ").to_lowercase())
}

/// The phrases of the list that are in a text, as whole words.
fn wrong_in<'p>(text: &str, phrases: &'p [String]) -> Vec<&'p str> {
    let text = in_one_line(text)
        .replace("there is no ", "there is not ")
        .replace("there are no ", "there are not ")
        .replace(" no longer ", " not longer ")
        .replace("no action", "");
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let has = |phrase: &&String| {
        text.match_indices(phrase.as_str()).any(|(at, found)| {
            !text[..at].ends_with(is_letter) && !text[at + found.len()..].starts_with(is_letter)
        })
    };
    phrases.iter().filter(has).map(String::as_str).collect()
}

fn files(directory: &str, suffix: &str) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(root().join(directory)).sort_by_file_name();
    let files = all.into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    let paths = files.map(walkdir::DirEntry::into_path);
    paths.filter(|path| path.to_str().unwrap().ends_with(suffix)).collect()
}

#[test]
fn what_users_read_has_none_of_the_phrases() {
    let phrases = phrases();
    assert!(phrases.len() > 20, "{phrases:?}");
    let mut wrong = Vec::new();
    let mut seen = 0;
    let mut check = |path: &Path, text: &str| {
        seen += 1;
        for phrase in wrong_in(text, &phrases) {
            wrong.push(format!("{}: {phrase:?} in {:?}", path.display(), in_one_line(text).trim()));
        }
    };
    for path in files("src", ".rs") {
        let shown = path.strip_prefix(root()).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_help = matches!(name, "args.rs" | "edit_args.rs" | "run_args.rs" | "simulation.rs");
        for text in literals(&fs::read_to_string(&path).unwrap(), is_help) {
            check(shown, &text);
        }
    }
    for path in files("src/findings/causes", ".md") {
        for paragraph in fs::read_to_string(&path).unwrap().split("\n\n") {
            check(path.strip_prefix(root()).unwrap(), paragraph);
        }
    }
    for name in ["README.md", "CHANGELOG.md"] {
        for paragraph in fs::read_to_string(root().join(name)).unwrap().split("\n\n") {
            check(Path::new(name), paragraph);
        }
    }
    assert!(seen > 2000, "{seen} texts were read");
    assert!(wrong.is_empty(), "{} phrases of STYLE.md:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_test_sees_phrases_where_they_are() {
    let source = "/// It lies in X.\nfn f() -> &'static str {\n    // in vain\n    \"is \\\n     nowhere, \\\"anew\\\"\"\n}\n";
    let (plain, help) = (literals(source, false), literals(source, true));
    assert_eq!(plain.len(), 1, "{plain:?}");
    assert_eq!(help.len(), 2, "{help:?}");
    let phrases = ["is nowhere", "anew", "lies in", "in vain", "is no"].map(str::to_owned);
    assert_eq!(wrong_in(&plain[0], &phrases), ["is nowhere", "anew"]);
    assert_eq!(wrong_in(&help[0], &phrases), ["lies in"]);
    assert_eq!(wrong_in("there is no file, it is no longer there", &phrases), [""; 0]);
    assert_eq!(wrong_in("it is no file", &phrases), ["is no"]);
}
