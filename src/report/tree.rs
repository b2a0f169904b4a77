//! A resolution as a tree, for people.

use super::findings::{Detail, rule_in_words, write_tried};
use super::path_text::without_dots;
use super::style::{DIM, ERROR, GOOD, counted, paint};
use crate::bytes::{printable, shown};
use crate::hashing::{QuickMap, QuickSet};
use crate::loader::{Closure, Dependency, Rule, SearchStep};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How to show a tree.
#[derive(Clone, Copy)]
pub struct Manner<'a> {
    /// Show a list in which each library occurs once.
    pub flat: bool,
    /// The level of detail.
    pub detail: Detail,
    /// A path as it is shown to people.
    pub place: &'a dyn Fn(&Path) -> PathBuf,
}

/// Writes what is loaded.
///
/// # Errors
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, closure: &Closure, manner: Manner<'_>) -> io::Result<()> {
    let Some((root, needed)) = closure.objects.first() else { return Ok(()) };
    let Manner { flat, detail, .. } = manner;
    let objects =
        closure.objects.iter().map(|(path, needed)| (path.as_path(), &**needed)).collect();
    let mut view = View {
        out,
        objects,
        manner,
        seen: std::iter::once(root.as_path()).collect(),
        of_system: of_system(closure),
        has_repeats: false,
        hidden: QuickSet::default(),
        whole: QuickMap::default(),
        shown: QuickMap::default(),
    };
    writeln!(view.out, "{}", view.shown(root))?;
    if flat {
        view.flat(closure)?;
    } else {
        view.branch(root, needed, "")?;
        view.legend()?;
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    // The names in the text are already escaped, and messages of dyld have several lines.
    let mut lines = closure.words.iter().flat_map(|said| said.words.lines());
    lines.try_for_each(|line| writeln!(out, "{}", paint(DIM, printable(line.as_bytes()))))
}

struct View<'a> {
    out: &'a mut dyn Write,
    objects: QuickMap<&'a Path, &'a [Dependency]>,
    manner: Manner<'a>,
    seen: QuickSet<&'a Path>,
    /// Libraries that are found by the rules of the system, whichever object needs them first.
    of_system: QuickSet<&'a Path>,
    /// Was a library marked because its dependencies are shown elsewhere?
    has_repeats: bool,
    /// The number of libraries of the system whose dependencies are hidden.
    hidden: QuickSet<&'a Path>,
    /// Are all dependencies of a library found, including indirect ones?
    whole: QuickMap<&'a Path, bool>,
    /// Displayed paths by their bytes, because many objects need the same library.
    shown: QuickMap<&'a OsStr, String>,
}

/// The libraries of a closure that are found by the rules of the system for some object.
fn of_system(closure: &Closure) -> QuickSet<&Path> {
    let needed = closure.objects.iter().flat_map(|(_, needed)| needed.iter());
    let by_system = needed.filter(|dependency| {
        matches!(dependency.rule, Rule::LdSoCache | Rule::DefaultDirs | Rule::SharedCache)
    });
    by_system.filter_map(|dependency| dependency.found.as_deref()).collect()
}

impl<'a> View<'a> {
    /// Each library once, in the loader's order, as in `ldd`. For a missing library, every object that needs
    /// it is listed, because each searches different locations.
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
            self.line("  ", asker, dependency, "")?;
            if dependency.found.is_some() || dependency.rule == Rule::WeakAbsent {
                continue;
            }
            for (asker, same) in needs().filter(|(_, other)| other.name == dependency.name) {
                if self.manner.detail > Detail::Quiet {
                    writeln!(self.out, "    needed by {}", self.shown(asker))?;
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
            let next = dependency.found.as_deref().and_then(|path| {
                let next = self.objects.get(path).copied()?;
                (!next.is_empty()).then_some((path, next))
            });
            let is_seen = next.is_some_and(|(path, _)| self.seen.contains(path));
            let is_hidden = !is_seen && next.is_some_and(|_| self.hides(dependency));
            let mark = if is_seen { " (*)" } else { "" };
            self.line(&format!("{indent}{fork}"), asker, dependency, mark)?;
            self.has_repeats |= is_seen;
            self.hidden.extend(next.filter(|_| is_hidden).map(|(path, _)| path));
            if dependency.is_missing() {
                self.places(&below, dependency)?;
            }
            if let Some((path, next)) = next
                && !is_hidden
                && self.seen.insert(path)
            {
                self.branch(path, next, &below)?;
            }
        }
        Ok(())
    }

    /// Are the dependencies of a library of the system hidden? Not if one of them is missing.
    fn hides(&mut self, dependency: &'a Dependency) -> bool {
        let Some(path) = dependency.found.as_deref() else { return false };
        if !self.of_system.contains(path) || self.manner.detail == Detail::Verbose {
            return false;
        }
        if let Some(&known) = self.whole.get(path) {
            return known;
        }
        let is_whole = self.is_whole(path);
        self.whole.insert(path, is_whole);
        is_whole
    }

    fn is_whole(&self, path: &'a Path) -> bool {
        let mut known = QuickSet::default();
        let mut open = vec![path];
        while let Some(path) = open.pop() {
            if !known.insert(path) {
                continue;
            }
            let needed = self.objects.get(path).copied().unwrap_or_default();
            if needed.iter().any(Dependency::is_missing) {
                return false;
            }
            open.extend(needed.iter().filter_map(|needed| needed.found.as_deref()));
        }
        true
    }

    /// The legend of the marks in a tree, if it has any.
    fn legend(&mut self) -> io::Result<()> {
        if self.manner.detail == Detail::Quiet {
            return Ok(());
        }
        if self.has_repeats {
            writeln!(self.out, "{}", paint(DIM, "(*) dependencies are shown above"))?;
        }
        if !self.hidden.is_empty() {
            let libraries = counted(self.hidden.len(), "system library");
            let hidden = format!("dependencies of {libraries} are hidden (-v shows them)");
            writeln!(self.out, "{}", paint(DIM, hidden))?;
        }
        Ok(())
    }

    /// A path, as shown to people.
    fn shown(&self, path: &Path) -> String {
        shown(&without_dots(&(self.manner.place)(path)))
    }

    /// One dependency after `lead`, with the rule that found it, and the object whose search path was used if
    /// it is not the one that needs it.
    fn line(
        &mut self,
        lead: &str,
        asker: &Path,
        dependency: &'a Dependency,
        mark: &str,
    ) -> io::Result<()> {
        let name = printable(&dependency.name);
        match &dependency.found {
            Some(path) => {
                let mut rule = rule_in_words(dependency.rule).to_owned();
                if let Some(via) = dependency.via.as_deref().filter(|via| *via != asker) {
                    rule += &format!(" of {}", self.shown(via));
                }
                // It is not worth reporting that a library of the system is already loaded.
                if dependency.rule == Rule::Loaded && self.of_system.contains(path.as_path()) {
                    rule.clear();
                }
                let said = rule + mark;
                let arrow = paint(GOOD, "→");
                let rule = match said.trim_start() {
                    "" => String::new(),
                    said => format!("  {}", paint(DIM, said)),
                };
                if !self.shown.contains_key(path.as_os_str()) {
                    self.shown.insert(path.as_os_str(), self.shown(path));
                }
                let path = self.shown.get(path.as_os_str()).map_or("", String::as_str);
                let line = format!("{lead}{name} {arrow} {path}{rule}\n");
                self.out.write_all(line.as_bytes())
            }
            None if dependency.rule == Rule::WeakAbsent => {
                writeln!(self.out, "{lead}{name} {}", paint(DIM, rule_in_words(dependency.rule)))
            }
            None => {
                writeln!(self.out, "{lead}{name} {}", paint(ERROR, rule_in_words(Rule::NotFound)))
            }
        }
    }

    /// Every location that was searched for a missing library, with the result.
    fn places(&mut self, lead: &str, dependency: &Dependency) -> io::Result<()> {
        if let Some(fatal) = &dependency.fatal {
            let why = printable(fatal.message.as_bytes());
            writeln!(self.out, "{lead}{}: {why}", shown(&fatal.path))?;
        }
        let place = |path: &Path| without_dots(&(self.manner.place)(path));
        let steps = dependency.tried.steps();
        let steps: Vec<_> =
            steps.map(|step| SearchStep { path: place(&step.path), ..step }).collect();
        if self.manner.detail == Detail::Quiet {
            return Ok(());
        }
        write_tried(self.out, lead, &steps)
    }
}
