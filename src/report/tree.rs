//! A resolution as a tree, for people.

use super::findings::{Detail, rule_in_words, write_tried};
use super::inert::INDENT;
use super::path_text::without_dots;
use super::style::{DIM, ERROR, GOOD, counted, paint};
use crate::bytes::{printable, printed, shown};
use crate::hashing::{QuickMap, QuickSet};
use crate::loader::{Closure, Dependency, Rule, SearchStep};
use anstyle::Style;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// How to show trees.
pub struct Manner<'p> {
    /// Show a list in which each library occurs once.
    pub flat: bool,
    /// The level of detail.
    pub detail: Detail,
    /// Are styles written at all? Otherwise they need not be made and left out again, for each of many lines.
    pub is_styled: bool,
    /// Paths as they are shown to people.
    pub shown: Shown<'p>,
}

/// Writes what is loaded for one file.
///
/// # Errors
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, closure: &Closure, manner: &Manner<'_>) -> io::Result<()> {
    let Some((root, needed)) = closure.objects.first() else { return Ok(()) };
    let Manner { flat, detail, .. } = *manner;
    let mut view = View::new(out, closure, manner);
    let is_root = view.at(root);
    view.node(is_root).is_seen = true;
    writeln!(view.out, "{}", manner.shown.text(root))?;
    if flat {
        view.flat(closure)?;
    } else {
        view.branch(root, needed)?;
        view.legend()?;
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    // The names in the text are already escaped, and messages of dyld have several lines.
    let mut lines = closure.words.iter().flat_map(|said| said.words.lines());
    lines.try_for_each(|line| writeln!(out, "{}", paint(DIM, printable(line.as_bytes()))))
}

/// Paths as they are shown to people, byte for byte: many objects of many files need one library.
pub struct Shown<'p> {
    place: &'p (dyn Fn(&Path) -> PathBuf + Sync),
    known: RwLock<QuickMap<OsString, Arc<str>>>,
}

impl<'p> Shown<'p> {
    /// Paths as `place` shows them.
    #[must_use]
    pub fn new(place: &'p (dyn Fn(&Path) -> PathBuf + Sync)) -> Self {
        Self { place, known: RwLock::default() }
    }

    fn text(&self, path: &Path) -> Arc<str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(path.as_os_str()) {
            return Arc::clone(text);
        }
        drop(known);
        let text: Arc<str> = shown(&without_dots(&(self.place)(path))).into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(path.into()).or_insert(text))
    }
}

/// What is known of one library of a closure.
#[derive(Default)]
struct Node<'a> {
    needed: &'a [Dependency],
    /// Was it shown already?
    is_seen: bool,
    /// Do the rules of the system find it, whichever object asks first?
    is_of_system: bool,
    /// Are its own dependencies left out?
    is_hidden: bool,
    /// Is nothing missing of what it needs, and what that needs?
    is_whole: Option<bool>,
    /// Its path as it is shown.
    shown: Option<Arc<str>>,
}

struct View<'a, 'v> {
    out: &'v mut dyn Write,
    manner: &'v Manner<'v>,
    /// By paths, byte for byte, as indices of `nodes`.
    indices: QuickMap<&'a OsStr, usize>,
    /// The same by the addresses of paths: one is looked up for each line, and nearly all are shared.
    addresses: QuickMap<usize, usize>,
    nodes: Vec<Node<'a>>,
    /// Is something missing, of whatever object?
    lacks: bool,
    /// Was a library marked whose own dependencies stand further up?
    has_repeats: bool,
    /// How far the current line is indented.
    indent: String,
    /// The current line, in memory that the next one uses again.
    line: Vec<u8>,
    /// The parts of a line that are always the same.
    arrow: String,
    dim: [String; 2],
}

impl<'a, 'v> View<'a, 'v> {
    fn new(out: &'v mut dyn Write, closure: &'a Closure, manner: &'v Manner<'v>) -> Self {
        let count = closure.objects.len();
        let styled = |style| if manner.is_styled { style } else { Style::new() };
        let dim = styled(DIM);
        let mut view = Self {
            out,
            manner,
            indices: QuickMap::with_capacity_and_hasher(count, <_>::default()),
            addresses: QuickMap::with_capacity_and_hasher(count, <_>::default()),
            nodes: Vec::with_capacity(count),
            lacks: false,
            has_repeats: false,
            indent: String::new(),
            line: Vec::new(),
            arrow: format!(" {} ", paint(styled(GOOD), "→")),
            dim: [dim.render().to_string(), dim.render_reset().to_string()],
        };
        for (path, needed) in &closure.objects {
            let at = view.at(path);
            view.node(at).needed = needed;
        }
        for dependency in closure.objects.iter().flat_map(|(_, needed)| needed) {
            view.lacks |= dependency.is_missing();
            if let Rule::LdSoCache | Rule::DefaultDirs | Rule::SharedCache = dependency.rule
                && let Some(path) = &dependency.found
            {
                let at = view.at(path);
                view.node(at).is_of_system = true;
            }
        }
        view
    }

    /// The index of the node for a path.
    fn at(&mut self, path: &'a Path) -> usize {
        let address = path.as_os_str().as_bytes().as_ptr().addr();
        if let Some(at) = self.addresses.get(&address) {
            return *at;
        }
        let next = self.nodes.len();
        let at = *self.indices.entry(path.as_os_str()).or_insert(next);
        if at == next {
            self.nodes.push(Node::default());
        }
        self.addresses.insert(address, at);
        at
    }

    /// The node at an index, which [`Self::at`] made.
    #[allow(
        clippy::indexing_slicing,
        reason = "an index is the place of a node, and none is removed"
    )]
    fn node(&mut self, at: usize) -> &mut Node<'a> {
        &mut self.nodes[at]
    }

    /// Each library once, in the loader's order, as `ldd` has them; of what is missing all who
    /// ask, for each looks elsewhere.
    fn flat(&mut self, closure: &'a Closure) -> io::Result<()> {
        let needs = || {
            closure.objects.iter().flat_map(|(path, needed)| needed.iter().map(move |n| (path, n)))
        };
        let mut missing: HashSet<&[u8]> = HashSet::new();
        for (asker, dependency) in needs() {
            let found = dependency.found.as_deref().map(|path| self.at(path));
            let is_new = match found {
                Some(at) => !std::mem::replace(&mut self.node(at).is_seen, true),
                None => missing.insert(&dependency.name),
            };
            if !is_new {
                continue;
            }
            self.line("  ", asker, dependency, found, "")?;
            if dependency.found.is_some() || dependency.rule == Rule::WeakAbsent {
                continue;
            }
            for (asker, same) in needs().filter(|(_, other)| other.name == dependency.name) {
                if self.manner.detail > Detail::Quiet {
                    writeln!(self.out, "    needed by {}", self.manner.shown.text(asker))?;
                }
                self.places("      ", same)?;
            }
        }
        Ok(())
    }

    fn branch(&mut self, asker: &'a Path, needed: &'a [Dependency]) -> io::Result<()> {
        let count = needed.len();
        let depth = self.indent.len();
        for (index, dependency) in needed.iter().enumerate() {
            let is_last = index + 1 == count;
            let (fork, deeper) =
                if is_last { ("└── ", "    ") } else { ("├── ", INDENT) };
            let found = dependency.found.as_deref().map(|path| (path, self.at(path)));
            let at = found.map(|(_, at)| at);
            let next = found.filter(|(_, at)| !self.node(*at).needed.is_empty());
            let is_seen = next.is_some_and(|(_, at)| self.node(at).is_seen);
            let is_hidden = !is_seen && next.is_some_and(|(_, at)| self.hides(at));
            let mark = if is_seen { " (*)" } else { "" };
            self.line(fork, asker, dependency, at, mark)?;
            self.has_repeats |= is_seen;
            self.indent += deeper;
            if dependency.is_missing() {
                let below = self.indent.clone();
                self.places(&below, dependency)?;
            }
            if let Some((path, at)) = next {
                self.node(at).is_hidden |= is_hidden;
                if !is_hidden && !std::mem::replace(&mut self.node(at).is_seen, true) {
                    let needed = self.node(at).needed;
                    self.branch(path, needed)?;
                }
            }
            self.indent.truncate(depth);
        }
        Ok(())
    }

    /// Is what a library of the system needs left out? Not where something of it is missing.
    fn hides(&mut self, at: usize) -> bool {
        if !self.node(at).is_of_system || self.manner.detail == Detail::Verbose {
            return false;
        }
        if let Some(known) = self.node(at).is_whole {
            return known;
        }
        let is_whole = !self.lacks || self.is_whole(at);
        self.node(at).is_whole = Some(is_whole);
        is_whole
    }

    fn is_whole(&mut self, at: usize) -> bool {
        let mut known = QuickSet::default();
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            if !known.insert(at) {
                continue;
            }
            let needed = self.node(at).needed;
            if needed.iter().any(Dependency::is_missing) {
                return false;
            }
            let found = needed.iter().filter_map(|needed| needed.found.as_deref());
            open.extend(found.map(|path| self.at(path)));
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
        let hidden = self.nodes.iter().filter(|node| node.is_hidden).count();
        if hidden > 0 {
            let libraries = counted(hidden, "system library");
            let hidden = format!("dependencies of {libraries} are hidden (-v shows them)");
            writeln!(self.out, "{}", paint(DIM, hidden))?;
        }
        Ok(())
    }

    /// One dependency behind `lead`, with the rule that found it: whose search path it was, where
    /// it was not that of the object that asks.
    fn line(
        &mut self,
        lead: &str,
        asker: &Path,
        dependency: &'a Dependency,
        found: Option<usize>,
        mark: &str,
    ) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.extend_from_slice(self.indent.as_bytes());
        line.extend_from_slice(lead.as_bytes());
        line.extend_from_slice(printed(&dependency.name).as_bytes());
        match (&dependency.found, found) {
            (Some(path), Some(at)) => {
                line.extend_from_slice(self.arrow.as_bytes());
                if let Some(node) = self.nodes.get_mut(at) {
                    let shown = node.shown.get_or_insert_with(|| self.manner.shown.text(path));
                    line.extend_from_slice(shown.as_bytes());
                }
                self.rule(&mut line, asker, dependency, at, mark);
            }
            _ if dependency.rule == Rule::WeakAbsent => {
                line.push(b' ');
                line.extend_from_slice(paint(DIM, rule_in_words(dependency.rule)).as_bytes());
            }
            _ => {
                line.push(b' ');
                line.extend_from_slice(paint(ERROR, rule_in_words(Rule::NotFound)).as_bytes());
            }
        }
        line.push(b'\n');
        let written = self.out.write_all(&line);
        self.line = line;
        written
    }

    /// The end of a line: the rule that found a library, and whose search path it was.
    fn rule(
        &mut self,
        line: &mut Vec<u8>,
        asker: &Path,
        dependency: &'a Dependency,
        at: usize,
        mark: &str,
    ) {
        // That a library of the system is loaded already is not news.
        let is_news = dependency.rule != Rule::Loaded || !self.node(at).is_of_system;
        let rule = if is_news { rule_in_words(dependency.rule) } else { "" };
        let mark = if is_news { mark } else { mark.trim_start() };
        if rule.is_empty() && mark.is_empty() {
            return;
        }
        let [dim, end] = &self.dim;
        let mut add = |text: &str| line.extend_from_slice(text.as_bytes());
        add("  ");
        add(dim);
        add(rule);
        if is_news && let Some(via) = dependency.via.as_deref().filter(|via| *via != asker) {
            add(" of ");
            add(&self.manner.shown.text(via));
        }
        add(mark);
        add(end);
    }

    /// Every location that was searched for a missing library, with the result.
    fn places(&mut self, lead: &str, dependency: &Dependency) -> io::Result<()> {
        if let Some(fatal) = &dependency.fatal {
            let why = printable(fatal.message.as_bytes());
            writeln!(self.out, "{lead}{}: {why}", shown(&fatal.path))?;
        }
        let place = |path: &Path| without_dots(&(self.manner.shown.place)(path));
        let steps = dependency.tried.steps();
        let steps: Vec<_> =
            steps.map(|step| SearchStep { path: place(&step.path), ..step }).collect();
        if self.manner.detail == Detail::Quiet {
            return Ok(());
        }
        write_tried(self.out, lead, &steps)
    }
}
