//! A resolution as a tree, for people.

use super::findings::{Detail, rule_in_words, write_tried};
use super::style::{DIM, ERROR, GOOD, paint};
use crate::bytes::printable;
use crate::loader::{Closure, Dependency, Rule};
use crate::repair::target::shown;
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
        closure.objects.iter().try_for_each(|(_, needed)| view.flat(needed))?;
    } else {
        view.branch(needed, "")?;
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    closure.words.iter().try_for_each(|said| writeln!(out, "{}", paint(DIM, &said.words)))
}

struct View<'a> {
    out: &'a mut dyn Write,
    objects: HashMap<&'a Path, &'a [Dependency]>,
    detail: Detail,
    seen: HashSet<&'a Path>,
}

impl<'a> View<'a> {
    fn flat(&mut self, needed: &'a [Dependency]) -> io::Result<()> {
        for dependency in needed {
            if let Some(path) = &dependency.found
                && !self.seen.insert(path)
            {
                continue;
            }
            self.line("  ", "    ", dependency)?;
        }
        Ok(())
    }

    fn branch(&mut self, needed: &'a [Dependency], indent: &str) -> io::Result<()> {
        let count = needed.len();
        for (index, dependency) in needed.iter().enumerate() {
            let is_last = index + 1 == count;
            let (fork, deeper) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let below = format!("{indent}{deeper}");
            self.line(&format!("{indent}{fork}"), &below, dependency)?;
            let Some(path) = dependency.found.as_deref() else {
                continue;
            };
            let next = self.objects.get(path).copied();
            if let Some(next) = next
                && self.seen.insert(path)
            {
                self.branch(next, &below)?;
            }
        }
        Ok(())
    }

    /// One dependency behind `lead`, and behind `below` where it was searched in vain.
    fn line(&mut self, lead: &str, below: &str, dependency: &Dependency) -> io::Result<()> {
        let name = printable(&dependency.name);
        match &dependency.found {
            Some(path) => {
                let rule = paint(DIM, rule_in_words(dependency.rule));
                writeln!(self.out, "{lead}{name} {} {}  {rule}", paint(GOOD, "→"), shown(path))
            }
            None if dependency.rule == Rule::WeakAbsent => {
                writeln!(self.out, "{lead}{name} {}", paint(DIM, rule_in_words(dependency.rule)))
            }
            None => {
                writeln!(self.out, "{lead}{name} {}", paint(ERROR, rule_in_words(Rule::NotFound)))?;
                if let Some(fatal) = &dependency.fatal {
                    writeln!(self.out, "{below}{}: {}", shown(&fatal.path), fatal.message)?;
                }
                self.places(below, dependency)
            }
        }
    }

    /// Every place that was tried for what is missing, and why not.
    fn places(&mut self, lead: &str, dependency: &Dependency) -> io::Result<()> {
        let steps: Vec<_> = dependency.tried.steps().collect();
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        write_tried(self.out, lead, &steps)
    }
}
