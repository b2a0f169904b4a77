//! A resolution as a tree, for people.

use super::findings::{Detail, rule_in_words, write_tried};
use super::style::{DIM, ERROR, GOOD, paint};
use crate::bytes::{printable, shown};
use crate::loader::{Closure, Dependency, Rule};
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;

/// Writes what is loaded; `flat` as a list, each library once.
///
/// # Errors
/// Where the output cannot be written.
pub fn write(out: &mut dyn Write, closure: &Closure, flat: bool, detail: Detail) -> io::Result<()> {
    let Some((root, needed)) = closure.objects.first() else { return Ok(()) };
    writeln!(out, "{}", shown(root))?;
    let objects =
        closure.objects.iter().map(|(path, needed)| (path.as_path(), &**needed)).collect();
    let mut view = View { out, objects, detail, seen: HashSet::from([root.as_path()]) };
    if flat {
        view.flat(closure)?;
    } else {
        view.branch(root, needed, "")?;
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    // Names in the words are escaped already; dyld's have several lines.
    let mut lines = closure.words.iter().flat_map(|said| said.words.lines());
    lines.try_for_each(|line| writeln!(out, "{}", paint(DIM, printable(line.as_bytes()))))
}

struct View<'a> {
    out: &'a mut dyn Write,
    objects: HashMap<&'a Path, &'a [Dependency]>,
    detail: Detail,
    seen: HashSet<&'a Path>,
}

impl<'a> View<'a> {
    /// Each library once, in the loader's order, as `ldd` has them; of what is missing all who
    /// ask, for each looks elsewhere.
    fn flat(&mut self, closure: &'a Closure) -> io::Result<()> {
        let needs = || {
            closure.objects.iter().flat_map(|(path, needed)| needed.iter().map(move |n| (path, n)))
        };
        let mut missing: HashSet<&[u8]> = HashSet::new();
        for (asker, dependency) in needs() {
            let is_new = match &dependency.found {
                Some(path) => self.seen.insert(path),
                None => missing.insert(&dependency.name),
            };
            if !is_new {
                continue;
            }
            self.line("  ", asker, dependency)?;
            if dependency.found.is_some() || dependency.rule == Rule::WeakAbsent {
                continue;
            }
            for (asker, same) in needs().filter(|(_, other)| other.name == dependency.name) {
                if self.detail > Detail::Quiet {
                    writeln!(self.out, "    needed by {}", shown(asker))?;
                }
                self.places("      ", same)?;
            }
        }
        Ok(())
    }

    fn branch(&mut self, asker: &Path, needed: &'a [Dependency], indent: &str) -> io::Result<()> {
        let count = needed.len();
        for (index, dependency) in needed.iter().enumerate() {
            let is_last = index + 1 == count;
            let (fork, deeper) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let below = format!("{indent}{deeper}");
            self.line(&format!("{indent}{fork}"), asker, dependency)?;
            let Some(path) = dependency.found.as_deref() else {
                if dependency.rule != Rule::WeakAbsent {
                    self.places(&below, dependency)?;
                }
                continue;
            };
            let next = self.objects.get(path).copied();
            if let Some(next) = next
                && self.seen.insert(path)
            {
                self.branch(path, next, &below)?;
            }
        }
        Ok(())
    }

    /// One dependency behind `lead`, with the rule that found it: whose search path it was, where
    /// it was not that of the object that asks.
    fn line(&mut self, lead: &str, asker: &Path, dependency: &Dependency) -> io::Result<()> {
        let name = printable(&dependency.name);
        match &dependency.found {
            Some(path) => {
                let mut rule = rule_in_words(dependency.rule).to_owned();
                if let Some(via) = dependency.via.as_deref().filter(|via| *via != asker) {
                    rule += &format!(" of {}", shown(via));
                }
                let (arrow, rule) = (paint(GOOD, "→"), paint(DIM, rule));
                writeln!(self.out, "{lead}{name} {arrow} {}  {rule}", shown(path))
            }
            None if dependency.rule == Rule::WeakAbsent => {
                writeln!(self.out, "{lead}{name} {}", paint(DIM, rule_in_words(dependency.rule)))
            }
            None => {
                writeln!(self.out, "{lead}{name} {}", paint(ERROR, rule_in_words(Rule::NotFound)))
            }
        }
    }

    /// Every place that was tried for what is missing, and why not.
    fn places(&mut self, lead: &str, dependency: &Dependency) -> io::Result<()> {
        if let Some(fatal) = &dependency.fatal {
            let why = printable(fatal.message.as_bytes());
            writeln!(self.out, "{lead}{}: {why}", shown(&fatal.path))?;
        }
        let steps: Vec<_> = dependency.tried.steps().collect();
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        write_tried(self.out, lead, &steps)
    }
}
