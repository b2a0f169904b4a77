//! Every command of tfpatch that the documentation shows is one that it understands.

use std::fs;
use std::path::Path;
use tfpatch::cli::usage;

/// The words of a command as a shell splits them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut is_open) = (String::new(), None, false);
    for character in line.chars() {
        match (quote, character) {
            (Some(mark), character) if mark == character => quote = None,
            (Some(_), character) => word.push(character),
            (None, '\'' | '"') => (quote, is_open) = (Some(character), true),
            (None, ' ') => {
                if is_open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            (None, character) => word.push(character),
        }
    }
    if is_open || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The commands in a text: in backquotes, or in a line of their own, indented or behind a `$`.
fn commands(text: &str) -> Vec<String> {
    let in_line = text.split('\n').filter_map(|line| {
        let line = line.strip_prefix("$ ").or_else(|| line.strip_prefix("    "))?;
        let line = line.split(" | ").find(|part| part.starts_with("tfpatch "))?;
        // A remark stands behind several blanks.
        Some(line.split("   ").next().unwrap_or_default().to_owned())
    });
    let joined = text.replace('\n', " ");
    let in_quotes = joined.split('`').skip(1).step_by(2).filter(|it| it.starts_with("tfpatch "));
    let all: Vec<String> = in_line.chain(in_quotes.map(str::to_owned)).collect();
    all.into_iter().filter(|command| !command.contains(['…', '|', '['])).collect()
}

#[test]
fn every_command_in_the_documentation_is_understood() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("ARCHITECTURE.md")];
    let pages = fs::read_dir(root.join("src/findings/causes")).unwrap();
    files.extend(pages.map(|entry| entry.unwrap().path()));
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files {
        for command in commands(&fs::read_to_string(&file).unwrap()) {
            seen += 1;
            let matches = usage::command(None).try_get_matches_from(words(&command));
            if let Err(error) = matches
                && error.use_stderr()
            {
                wrong.push(format!("{}: {command}\n{error}", file.display()));
            }
        }
    }
    assert!(seen > 60, "{seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_are_found_where_they_are() {
    let text = "See `tfpatch doctor\n.venv` or:\n\n    tfpatch show FILE           what it needs\n$ cat x | tfpatch explain -\n";
    let found = commands(text);
    assert_eq!(found, ["tfpatch show FILE", "tfpatch explain -", "tfpatch doctor .venv"]);
    assert_eq!(words("a 'b c' \"\" d"), ["a", "b c", "", "d"]);
    assert!(usage::command(None).try_get_matches_from(["tfpatch", "repair"]).is_err());
}
