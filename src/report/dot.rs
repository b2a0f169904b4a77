//! Resolutions as a graph, for Graphviz to draw.
//!
//! Missing libraries are red, with every searched location in their tooltips. Libraries of the system, and
//! those that the program has loaded earlier, share one grey box. Other files are grouped by the distribution
//! that installed them.

use super::findings::{Detail, outcome_in_words, rule_in_words};
use crate::bytes::{printable, shown};
use crate::loader::{Closure, Dependency, Rule};
use crate::world::origins::Home;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

/// The attributes of the whole drawing.
const DRAWING: &str = r##"  graph [rankdir=LR, newrank=true, ranksep=0.6, nodesep=0.14, bgcolor=white,
    fontname="Helvetica,Arial,sans-serif", fontsize=12, fontcolor="#57606a"];
  node [shape=box, style="rounded,filled", height=0.3, margin="0.12,0.04", fillcolor=white,
    color="#8c959f", fontname="Helvetica,Arial,sans-serif", fontsize=11, fontcolor="#1f2328"];
  edge [arrowsize=0.6, color="#8c959f",
    fontname="Helvetica,Arial,sans-serif", fontsize=9, fontcolor="#57606a"];
"##;

/// Files of one distribution.
const CLUSTER: &str =
    r##"labeljust=l, margin=10, style="rounded,filled", color="#d0d7de", fillcolor="#f6f8fa""##;

/// An object that was requested.
const ASKED: &str = r##", penwidth=1.6, color="#0969da", fillcolor="#ddf4ff""##;

/// A library of the system, and the edge to it.
const SYSTEM: &str = r##", color="#eaeef2", fillcolor="#fbfcfd", fontcolor="#8c959f", fontsize=9"##;
const TO_SYSTEM: &str = r##", color="#e1e5ea", penwidth=0.7, arrowsize=0.4"##;

/// A library that is missing, but optional.
const OPTIONAL: &str = r##", style="rounded,dashed", color="#d0d7de", fontcolor="#8c959f""##;
const TO_OPTIONAL: &str = r##", style=dashed, color="#d0d7de""##;

/// A missing library, and the edge to it.
const MISSING: &str = r##", penwidth=2, color="#cf222e", fillcolor="#ffebe9", fontcolor="#cf222e",
    fontname="Helvetica-Bold,Arial Bold,sans-serif""##;
const TO_MISSING: &str = r##", style=bold, penwidth=2, arrowsize=0.8, color="#cf222e""##;

/// A library that is found only through a variable.
const BY_VARIABLE: &str = r##", penwidth=1.4, color="#bc4c00", fontcolor="#bc4c00""##;

/// The number of names in the box of the system. Its tooltip has all.
const MAX_NAMES: usize = 10;

/// The number of requested objects that have their own boxes although they are in the same place and have the
/// same edges. If there are more, they share one box.
const MAX_ALIKE: usize = 2;

/// Writes the closures as one graph. `homes` are the groups of all files in them. With more `detail`, each
/// library of the system has its own box.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    closures: &[Closure],
    homes: &HashMap<&Path, Home>,
    detail: Detail,
) -> io::Result<()> {
    let graph = Graph::of(closures, homes, detail);
    writeln!(out, "digraph tfpatch {{\n{DRAWING}")?;
    graph.write_clusters(out)?;
    graph.write_others(out)?;
    graph.edges.iter().try_for_each(|edge| graph.write_edge(out, edge))?;
    writeln!(out, "}}")
}

/// A box of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Node<'a> {
    /// A file.
    File(&'a Path),
    /// All libraries of the system without their own box.
    System,
    /// A name that is not found.
    Missing(&'a [u8]),
    /// An optional name that is not found.
    Optional(&'a [u8]),
}

/// A need of an object; one represents all with the same edge.
struct Edge<'a> {
    from: Node<'a>,
    to: Node<'a>,
    need: &'a Dependency,
}

struct Graph<'a> {
    distributions: HashMap<&'a Path, &'a str>,
    asked: HashSet<&'a Path>,
    /// Files of the system, or of the program that runs first. Nothing that is drawn needs them.
    system: HashSet<&'a Path>,
    /// The names in the box of the system.
    collapsed: BTreeSet<&'a [u8]>,
    /// The boxes, in the order of their first occurrence.
    nodes: Vec<Node<'a>>,
    numbers: HashMap<Node<'a>, usize>,
    edges: Vec<Edge<'a>>,
    /// Objects that share a box, by the one that represents them.
    alike: BTreeMap<&'a Path, Vec<&'a Path>>,
    /// Objects without a box.
    hidden: HashSet<Node<'a>>,
}

/// A need of an object, with the groups of both files.
struct Need<'a> {
    asker: &'a Path,
    need: &'a Dependency,
    found: Option<&'a Path>,
}

/// The files of the closures, by their group.
struct Parties<'a> {
    /// All files; requested ones come first.
    files: Vec<&'a Path>,
    asked: HashSet<&'a Path>,
    /// Files of the system, or of the program that runs first. Nothing that is drawn needs them.
    system: HashSet<&'a Path>,
    /// Files of the system with their own boxes.
    apart: HashSet<&'a Path>,
    needs: Vec<Need<'a>>,
}

impl<'a> Parties<'a> {
    fn of(closures: &'a [Closure], homes: &'a HashMap<&'a Path, Home>, detail: Detail) -> Self {
        let place = |path: &'a Path| homes.get(path).map_or(path, |home| home.path.as_path());
        let objects = || closures.iter().flat_map(|closure| &closure.objects);
        let needs = objects().flat_map(|(path, needed)| needed.iter().map(move |n| (path, n)));
        let at_home = |(path, need): (&'a Arc<Path>, &'a Dependency)| Need {
            asker: place(path),
            need,
            found: need.found.as_deref().map(place),
        };
        let needs: Vec<Need<'_>> = needs.map(at_home).collect();
        let roots = closures.iter().filter_map(|closure| closure.objects.first());
        let asked: HashSet<&Path> = roots.clone().map(|(path, _)| place(path)).collect();
        let led: HashSet<&Path> = needs
            .iter()
            .filter(|need| !is_of_system(need.need.rule))
            .filter_map(|need| need.found)
            .collect();
        let files = roots.chain(objects()).map(|(path, _)| place(path));
        let files: Vec<&Path> = files.chain(needs.iter().filter_map(|need| need.found)).collect();
        let is_system = |path: &&Path| !asked.contains(path) && !led.contains(path);
        let system: HashSet<&Path> = files.iter().copied().filter(is_system).collect();
        let lacking = needs.iter().filter(|need| is_missing(need.need)).map(|need| need.asker);
        let apart: HashSet<&Path> = match detail {
            Detail::Verbose => system.clone(),
            _ => lacking.filter(|asker| system.contains(asker)).collect(),
        };
        Self { files, asked, system, apart, needs }
    }

    /// The box of a file.
    fn node(&self, path: &'a Path) -> Node<'a> {
        match self.system.contains(path) && !self.apart.contains(path) {
            true => Node::System,
            false => Node::File(path),
        }
    }

    /// The box for the result of a need.
    fn answer(&self, need: &Need<'a>) -> Node<'a> {
        match need.found {
            Some(path) => self.node(path),
            None if is_missing(need.need) => Node::Missing(&need.need.name),
            None if need.need.rule == Rule::WeakAbsent => Node::Optional(&need.need.name),
            // Libraries in the shared cache of macOS have no files.
            None => Node::System,
        }
    }
}

impl<'a> Graph<'a> {
    fn of(closures: &'a [Closure], homes: &'a HashMap<&'a Path, Home>, detail: Detail) -> Self {
        let parties = Parties::of(closures, homes, detail);
        let distributions = homes
            .values()
            .filter_map(|home| Some((home.path.as_path(), home.distribution.as_deref()?)))
            .collect();
        let mut graph = Self {
            distributions,
            asked: HashSet::new(),
            system: HashSet::new(),
            collapsed: BTreeSet::new(),
            nodes: Vec::new(),
            numbers: HashMap::new(),
            edges: Vec::new(),
            alike: BTreeMap::new(),
            hidden: HashSet::new(),
        };
        let boxes = parties.files.iter().map(|path| parties.node(path));
        boxes.filter(|node| *node != Node::System).for_each(|node| graph.add_node(node));
        let mut known = HashMap::new();
        for need in &parties.needs {
            graph.add_need(&mut known, parties.node(need.asker), parties.answer(need), need.need);
        }
        graph.asked = parties.asked;
        graph.system = parties.system;
        if detail != Detail::Verbose {
            graph.put_together();
        }
        graph
    }

    /// Adds an edge for a need; `known` are the existing edges.
    fn add_need(
        &mut self,
        known: &mut HashMap<(Node<'a>, Node<'a>), usize>,
        from: Node<'a>,
        to: Node<'a>,
        need: &'a Dependency,
    ) {
        if to == Node::System {
            self.collapsed.insert(last_component(&need.name));
        }
        if from == to {
            return;
        }
        self.add_node(from);
        self.add_node(to);
        match known.get(&(from, to)).and_then(|&index| self.edges.get_mut(index)) {
            // Of several edges, the one that explains how the library was found is drawn.
            Some(edge) if edge.need.rule == Rule::Loaded => edge.need = need,
            Some(_) => {}
            None => {
                known.insert((from, to), self.edges.len());
                self.edges.push(Edge { from, to, need });
            }
        }
    }

    /// Gives one box to objects that differ only in their names.
    fn put_together(&mut self) {
        let mut ways: HashMap<Node<'_>, BTreeSet<Option<usize>>> = HashMap::new();
        for edge in &self.edges {
            let to = self.numbers.get(&edge.to).copied();
            ways.entry(edge.from).or_default().insert(to);
            // An object that others need is different.
            ways.entry(edge.to).or_default().insert(None);
        }
        let mut groups: BTreeMap<_, Vec<&'a Path>> = BTreeMap::new();
        for node in &self.nodes {
            let ways = ways.remove(node).unwrap_or_default();
            match node {
                Node::File(path) if self.asked.contains(path) && !ways.contains(&None) => {
                    groups.entry((self.cluster(path), ways)).or_default().push(path);
                }
                _ => {}
            }
        }
        for group in groups.into_values().filter(|group| group.len() > MAX_ALIKE) {
            let Some((first, others)) = group.split_first() else { continue };
            self.hidden.extend(others.iter().map(|path| Node::File(path)));
            self.alike.insert(first, group);
        }
    }

    /// The cluster of a file: its distribution, or else its directory.
    fn cluster(&self, file: &Path) -> (bool, String) {
        match self.distributions.get(file) {
            Some(name) => (false, (*name).to_owned()),
            None => (true, shown(file.parent().unwrap_or(file))),
        }
    }

    fn add_node(&mut self, node: Node<'a>) {
        if !self.numbers.contains_key(&node) {
            self.numbers.insert(node, self.nodes.len());
            self.nodes.push(node);
        }
    }

    fn id(&self, node: Node<'_>) -> String {
        format!("n{}", self.numbers.get(&node).copied().unwrap_or_default())
    }

    /// The files that are not of the system, by distribution.
    fn write_clusters(&self, out: &mut dyn Write) -> io::Result<()> {
        let drawn = self.nodes.iter().filter(|node| !self.hidden.contains(node));
        let files = drawn.filter_map(|node| match node {
            Node::File(path) if !self.system.contains(path) => Some(*path),
            _ => None,
        });
        let labels = labels(files.clone());
        let mut clusters: BTreeMap<(bool, String), Vec<&Path>> = BTreeMap::new();
        for file in files {
            clusters.entry(self.cluster(file)).or_default().push(file);
        }
        for (number, ((_, title), files)) in clusters.iter().enumerate() {
            writeln!(out, "  subgraph cluster_{number} {{")?;
            writeln!(out, "    graph [label={}, {CLUSTER}];", quoted(title))?;
            for file in files {
                let style = if self.asked.contains(file) { ASKED } else { "" };
                let mut label = labels.get(file).cloned().unwrap_or_default();
                let mut tooltip = shown(file);
                if let Some(alike) = self.alike.get(file) {
                    label += &format!("\nand {} more", alike.len() - 1);
                    tooltip = alike.iter().map(|path| shown(path)).collect::<Vec<_>>().join("\n");
                }
                self.write_node(out, "    ", Node::File(file), &label, &tooltip, style)?;
            }
            writeln!(out, "  }}")?;
        }
        Ok(())
    }

    /// Boxes without a cluster: the system, and missing libraries.
    fn write_others(&self, out: &mut dyn Write) -> io::Result<()> {
        for node in self.nodes.iter().copied() {
            let (label, tooltip, style) = match node {
                Node::File(path) if self.system.contains(path) => {
                    (name_of(path), shown(path), SYSTEM)
                }
                Node::File(_) => continue,
                Node::System => {
                    let names: Vec<String> = self.collapsed.iter().map(|n| printable(n)).collect();
                    let more = match names.len().saturating_sub(MAX_NAMES) {
                        0 => String::new(),
                        more => format!("\nand {more} more"),
                    };
                    let some = names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>();
                    let label = format!("system libraries\n{}{more}", some.join("\n"));
                    (label, names.join("\n"), SYSTEM)
                }
                Node::Missing(name) => {
                    let (why, places) = self.why_missing(node);
                    (format!("{}\n{why}", printable(name)), places, MISSING)
                }
                Node::Optional(name) => {
                    let why = rule_in_words(Rule::WeakAbsent);
                    (format!("{}\n{why}", printable(name)), String::new(), OPTIONAL)
                }
            };
            self.write_node(out, "  ", node, &label, &tooltip, style)?;
        }
        Ok(())
    }

    /// The reason why a name is not found, in one line, and every location that was searched for the first
    /// object that needs it.
    fn why_missing(&self, node: Node<'_>) -> (String, String) {
        let needs: Vec<&Dependency> =
            self.edges.iter().filter(|edge| edge.to == node).map(|edge| edge.need).collect();
        let tried = needs.iter().map(|need| need.tried.steps().count());
        let fatal = needs.iter().find_map(|need| need.fatal.as_ref());
        let why = match (fatal, tried.clone().min(), tried.max()) {
            (Some(fatal), ..) => {
                format!("{}: {}", name_of(&fatal.path), printable(fatal.message.as_bytes()))
            }
            (None, Some(least), Some(most)) if least != most => {
                format!("not found in {least} to {most} places")
            }
            (None, Some(1), _) => "not found in 1 place".to_owned(),
            (None, Some(places), _) => format!("not found in {places} places"),
            (None, None, _) => rule_in_words(Rule::NotFound).to_owned(),
        };
        (why, needs.first().map(|need| places(need)).unwrap_or_default())
    }

    fn write_edge(&self, out: &mut dyn Write, edge: &Edge<'_>) -> io::Result<()> {
        if self.hidden.contains(&edge.from) {
            return Ok(());
        }
        let (rule, style) = match edge.to {
            Node::Missing(_) => (places(edge.need), TO_MISSING.to_owned()),
            Node::Optional(_) => (String::new(), TO_OPTIONAL.to_owned()),
            Node::System => (rule_in_words(edge.need.rule).to_owned(), TO_SYSTEM.to_owned()),
            Node::File(path) if self.system.contains(path) => {
                (rule_in_words(edge.need.rule).to_owned(), TO_SYSTEM.to_owned())
            }
            Node::File(_) => {
                let rule = rule_in_words(edge.need.rule);
                let style = match edge.need.rule {
                    Rule::LdLibraryPath | Rule::DyldLibraryPath | Rule::DyldFrameworkPath => {
                        format!(", label={}{BY_VARIABLE}", quoted(rule))
                    }
                    _ => String::new(),
                };
                (rule.to_owned(), style)
            }
        };
        let (from, to, rule) = (self.id(edge.from), self.id(edge.to), quoted(&rule));
        writeln!(out, "  {from} -> {to} [tooltip={rule}{style}];")
    }

    fn write_node(
        &self,
        out: &mut dyn Write,
        lead: &str,
        node: Node<'_>,
        label: &str,
        tooltip: &str,
        style: &str,
    ) -> io::Result<()> {
        let (id, label, tooltip) = (self.id(node), quoted(label), quoted(tooltip));
        writeln!(out, "{lead}{id} [label={label}, tooltip={tooltip}{style}];")
    }
}

/// Does a rule find libraries of the system, or those that are already loaded?
fn is_of_system(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::Loaded
            | Rule::LdSoCache
            | Rule::DefaultDirs
            | Rule::DyldFallback
            | Rule::Cryptex
            | Rule::SharedCache
    )
}

fn is_missing(need: &Dependency) -> bool {
    need.found.is_none() && need.rule == Rule::NotFound
}

/// Every searched location, one per line.
fn places(need: &Dependency) -> String {
    let line = |path: &Path, outcome, rule| format!("{}  {outcome}  {rule}", shown(path));
    let lines = need
        .tried
        .steps()
        .map(|step| line(&step.path, outcome_in_words(step.outcome), rule_in_words(step.rule)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Short names of files. If several have the same name, the directory is added.
fn labels<'p>(files: impl Iterator<Item = &'p Path> + Clone) -> HashMap<&'p Path, String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for file in files.clone() {
        *times.entry(name_of(file)).or_default() += 1;
    }
    files
        .map(|file| {
            let name = name_of(file);
            let directory = file.parent().and_then(Path::file_name);
            match directory {
                Some(directory) if times.get(&name).is_some_and(|&times| times > 1) => {
                    (file, format!("{}/{name}", printable(directory.as_bytes())))
                }
                _ => (file, name),
            }
        })
        .collect()
}

/// The name of a file, without the machine in the name of an extension module (PEP 3149).
fn name_of(file: &Path) -> String {
    let name = printable(last_component(file.as_os_str().as_bytes()));
    let Some((module, tag)) = name.split_once(".cpython-") else { return name };
    match tag.split_once('-') {
        Some((version, machine)) if machine.ends_with(".so") => {
            format!("{module}.cpython-{version}….so")
        }
        _ => name,
    }
}

fn last_component(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// A string of the DOT language, with escaped backslashes, and with escaped ampersands, because Graphviz
/// interprets HTML entities in every string.
fn quoted(text: &str) -> String {
    let escaped =
        text.replace('&', "&amp;").replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{escaped}\"")
}
