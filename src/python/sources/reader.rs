//! The walk over a parsed file, with the context of each statement.

use super::calls::{OPENERS, is_like_a_library, is_like_a_loader};
use super::conditions::{self, Holds};
use super::constants::{self, Names, assigned, last_name};
use super::existence;
use super::guards::{self, Caught, Use};
use super::reroutes;
use super::{Import, Opened, Opening, Reroute, Source, Standing, When};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Alias, ExceptHandler, Expr, ExprCall, Stmt, StmtFor, StmtIf, StmtImportFrom, StmtTry, StmtWith,
};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The most rounds of loops over constants in a file that are evaluated: loops may be nested.
const MAX_ROUNDS: usize = 256;

/// Reads what a file imports and opens.
pub(super) fn read(text: &str, body: &[Stmt]) -> Source {
    let mut reader = Reader {
        around_names: Vec::new(),
        calls: Vec::new(),
        called: Vec::new(),
        rounds_left: MAX_ROUNDS,
        listed: None,
        attempts: Vec::new(),
        demanded: Vec::new(),
        uses: Vec::new(),
        lines: memchr::memchr_iter(b'\n', text.as_bytes()).collect(),
        names: Names { scopes: vec![assigned(None, body)] },
        around: Around {
            when: When::Always,
            conditional: false,
            caught: Caught::default(),
            skipped: false,
            in_loop: false,
        },
        found: Source::default(),
    };
    reader.visit_body(body);
    let reached = reader.reached();
    reader.correct_what_is_demanded(&reached);
    reader.correct_what_is_called(&reached);
    reader.found.reroutes = reader.reroutes(body, &reached);
    reader.found
}

/// The context of a statement.
#[derive(Debug, Clone, Copy)]
struct Around {
    when: When,
    /// Is there an enclosing condition that may not hold?
    conditional: bool,
    caught: Caught,
    /// Can a call of the enclosing function end before it?
    skipped: bool,
    /// Is it in a loop over what is not known?
    in_loop: bool,
}

impl Around {
    /// The context of the body of what is called: the caller may catch what it raises.
    fn called(self, when: When) -> Self {
        Self { when, caught: Caught::default(), in_loop: false, ..self }
    }
}

struct Reader<'a> {
    /// Where lines end: offsets in bytes.
    lines: Vec<usize>,
    names: Names<'a>,
    around: Around,
    found: Source,
    /// The names of the enclosing classes and functions.
    around_names: Vec<&'a str>,
    /// Which name is called or used as a decorator.
    calls: Vec<Call<'a>>,
    /// The outermost function or class of each import and opening inside a function.
    called: Vec<(Found, &'a str)>,
    rounds_left: usize,
    /// The files of a directory that an enclosing loop iterates over.
    listed: Option<Opened>,
    attempts: Vec<Attempt<'a>>,
    /// The names whose missing value raises an error, with the outermost function or class.
    demanded: Vec<(Option<&'a str>, &'a str)>,
    /// The names that the file itself uses unconditionally, and on which line.
    uses: Vec<(&'a str, Use, u32)>,
}

/// A call of a name.
struct Call<'a> {
    /// The outermost function or class that contains it; none if the file itself calls.
    caller: Option<&'a str>,
    name: &'a str,
    way: Way,
}

/// How a function is reached when the file is imported.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// From which line.
    line: u32,
    /// Under a condition?
    is_conditional: bool,
    caught: Caught,
    may_be_skipped: bool,
}

impl Way {
    /// The way of a call in a function that is reached by this one.
    fn to(self, call: Self) -> Self {
        Self {
            line: self.line,
            is_conditional: self.is_conditional || call.is_conditional,
            caught: self.caught.or(call.caught),
            may_be_skipped: self.may_be_skipped || call.may_be_skipped,
        }
    }
}

type Reached<'a> = HashMap<&'a str, Way>;

/// A `try`: the names that it and its handlers bind, and what it imports and opens, by the places in the
/// lists.
struct Attempt<'a> {
    names: HashSet<&'a str>,
    /// The names that are None after a handler was executed, and how they must not be used then.
    without_value: Vec<(&'a str, Use)>,
    /// The line where it begins.
    line: u32,
    imports: Range<usize>,
    openings: Range<usize>,
}

/// An import or an opening, by its place in the list.
#[derive(Debug, Clone, Copy)]
enum Found {
    Import(usize),
    Opening(usize),
}

impl<'a> Visitor<'a> for Reader<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Import(import) => {
                let standing = self.standing(import.range.start().to_usize());
                for Alias { name, .. } in &import.names {
                    self.import(0, name.as_str(), Vec::new(), standing);
                }
            }
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Try(attempt) => self.attempt(attempt),
            Stmt::If(branch) => self.branch(branch),
            Stmt::With(block) => self.block(block),
            Stmt::ClassDef(class) => {
                self.around_names.push(class.name.as_str());
                visitor::walk_stmt(self, statement);
                self.around_names.pop();
            }
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.note_call(&decorator.expression);
                    self.visit_decorator(decorator);
                }
                self.visit_parameters(&function.parameters);
                let called = self.around.called(self.later(When::Called));
                self.names.scopes.push(assigned(Some(&function.parameters), &function.body));
                self.around_names.push(function.name.as_str());
                // Which methods of a class, and which functions of another one, are called is not known.
                let is_outermost = self.around_names.len() == 1;
                let sure = guards::sure(function).filter(|_| is_outermost).unwrap_or_default();
                let (sure, rest) = function.body.split_at(sure);
                self.inside(called, sure);
                self.inside(Around { skipped: true, ..called }, rest);
                self.around_names.pop();
                self.names.scopes.pop();
            }
            Stmt::For(each) => self.each(each),
            Stmt::Assert(assert) if self.around.when != When::Never => {
                let by = self.outermost();
                let names = guards::names(&assert.test).into_iter();
                self.demanded.extend(names.map(|name| (by, name)));
                visitor::walk_stmt(self, statement);
            }
            Stmt::While(each) => {
                self.visit_expr(&each.test);
                self.sometimes(&each.body);
                self.sometimes(&each.orelse);
            }
            Stmt::Match(matched) => {
                self.visit_expr(&matched.subject);
                matched.cases.iter().for_each(|case| self.sometimes(&case.body));
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        self.note_use(expression);
        if let Expr::Call(call) = expression {
            self.note_call(&call.func);
            self.call(call);
        }
        if let Expr::If(_) | Expr::BoolOp(_) | Expr::Generator(_) = expression {
            let outside = self.around;
            self.around.conditional = true;
            visitor::walk_expr(self, expression);
            self.around = outside;
        } else if let Expr::ListComp(each) = expression {
            let outside = self.listed.clone();
            let lists = each.generators.first();
            let listed = lists.and_then(|it| constants::listed(&it.iter, &self.names));
            self.listed = listed.or(outside.clone());
            visitor::walk_expr(self, expression);
            self.listed = outside;
        } else if let Expr::Lambda(_) = expression {
            let outside = self.around;
            self.around = self.around.called(self.later(When::Called));
            visitor::walk_expr(self, expression);
            self.around = outside;
        } else {
            visitor::walk_expr(self, expression);
        }
    }
}

impl<'a> Reader<'a> {
    /// The outermost enclosing function or class, if a function is among them.
    fn outermost(&self) -> Option<&'a str> {
        let is_called = self.around.when == When::Called;
        self.around_names.first().copied().filter(|_| is_called)
    }

    fn note_call(&mut self, function: &'a Expr) {
        if self.around.when != When::Never
            && let Expr::Name(name) = function
        {
            let line = self.line(name.range.start().to_usize());
            let (caller, name) = (self.outermost(), name.id.as_str());
            let Around { conditional: is_conditional, caught, skipped: may_be_skipped, .. } =
                self.around;
            let way = Way { line, is_conditional, caught, may_be_skipped };
            self.calls.push(Call { caller, name, way });
        }
    }

    fn add_import(&mut self, import: Import) {
        let place = Found::Import(self.found.imports.len());
        self.called.extend(self.outermost().map(|outermost| (place, outermost)));
        self.found.imports.push(import);
    }

    fn add_opening(&mut self, opening: Opening) {
        let place = Found::Opening(self.found.openings.len());
        self.called.extend(self.outermost().map(|outermost| (place, outermost)));
        self.found.openings.push(opening);
    }

    /// The functions and classes that the file itself calls, directly or through others.
    fn reached(&self) -> Reached<'a> {
        let mut by_caller: HashMap<Option<&str>, Vec<&Call<'a>>> = HashMap::new();
        for call in &self.calls {
            by_caller.entry(call.caller).or_default().push(call);
        }
        let mut reached = Reached::new();
        let mut next: Vec<Option<&str>> = vec![None];
        while let Some(caller) = next.pop() {
            let from = caller.and_then(|caller| reached.get(caller)).copied();
            for call in by_caller.remove(&caller).unwrap_or_default() {
                let how = from.map_or(call.way, |from| from.to(call.way));
                let known = reached.entry(call.name).or_insert_with(|| {
                    next.push(Some(call.name));
                    how
                });
                // The first call that is sure counts.
                if known.is_conditional && !how.is_conditional {
                    *known = how;
                }
            }
        }
        reached
    }

    /// What is required or used after a `try` is not guarded by it.
    fn correct_what_is_demanded(&mut self, reached: &Reached<'a>) {
        let is_come_to = |by: &Option<&str>| by.is_none_or(|by| reached.contains_key(by));
        let demanded: HashSet<&str> =
            self.demanded.iter().filter(|(by, _)| is_come_to(by)).map(|(_, name)| *name).collect();
        let uses = &self.uses;
        let is_demanded = |it: &&Attempt<'_>| {
            it.names.iter().any(|name| demanded.contains(name))
                || it.without_value.iter().any(|(name, least)| {
                    uses.iter()
                        .any(|(used, how, line)| used == name && how >= least && *line > it.line)
                })
        };
        let found = &mut self.found;
        for attempt in self.attempts.iter().filter(is_demanded) {
            let imports = found.imports.get_mut(attempt.imports.clone()).unwrap_or_default();
            for import in imports {
                import.standing.catches_import_error = false;
                import.standing.may_be_caught = false;
            }
            let openings = found.openings.get_mut(attempt.openings.clone()).unwrap_or_default();
            openings.iter_mut().for_each(|it| it.standing.catches_os_error = false);
        }
    }

    /// What the file itself calls is reached when it is imported.
    fn correct_what_is_called(&mut self, reached: &Reached<'a>) {
        for (found, outermost) in &self.called {
            let standing = match *found {
                Found::Import(at) => self.found.imports.get_mut(at).map(|it| &mut it.standing),
                Found::Opening(at) => self.found.openings.get_mut(at).map(|it| &mut it.standing),
            };
            if let (Some(standing), Some(way)) = (standing, reached.get(outermost)) {
                standing.when = When::Conditionally;
                standing.reached = way.line;
                standing.is_conditional |= way.is_conditional;
                standing.may_be_skipped |= way.may_be_skipped;
                standing.catches_import_error |= way.caught.import_error;
                standing.may_be_caught |= way.caught.perhaps;
                standing.catches_os_error |= way.caught.os_error;
            }
        }
    }

    /// What changes where modules come from, as far as it is reached when the file is imported.
    fn reroutes(&self, body: &[Stmt], reached: &Reached<'_>) -> Vec<Reroute> {
        let all = reroutes::of(body).into_iter();
        let reached = all.filter_map(|found| {
            let line = match found.by {
                None => self.line(found.offset),
                Some(function) => reached.get(function)?.line,
            };
            Some(Reroute { line, module: found.module.map(str::to_owned) })
        });
        reached.collect()
    }

    fn line(&self, offset: usize) -> u32 {
        let before = self.lines.partition_point(|&end| end < offset);
        u32::try_from(before + 1).unwrap_or(u32::MAX)
    }

    fn standing(&self, offset: usize) -> Standing {
        let Around { when, conditional, caught, skipped, .. } = self.around;
        let line = self.line(offset);
        Standing {
            line,
            when,
            reached: line,
            is_conditional: conditional,
            may_be_skipped: skipped,
            catches_import_error: caught.import_error,
            may_be_caught: caught.perhaps,
            catches_os_error: caught.os_error,
        }
    }

    /// When something inside the enclosing statements is reached: no sooner than these.
    fn later(&self, when: When) -> When {
        match (self.around.when, when) {
            (When::Never, _) | (_, When::Never) => When::Never,
            (When::Called, _) | (_, When::Called) => When::Called,
            (When::Conditionally, _) | (_, When::Conditionally) => When::Conditionally,
            (When::Always, When::Always) => When::Always,
        }
    }

    fn inside(&mut self, around: Around, body: &'a [Stmt]) {
        let outside = std::mem::replace(&mut self.around, around);
        self.visit_body(body);
        self.around = outside;
    }

    fn sometimes(&mut self, body: &'a [Stmt]) {
        let when = self.later(When::Conditionally);
        // A condition in a loop chooses among what is gone through.
        let in_loop = self.around.in_loop;
        let (conditional, skipped) =
            (self.around.conditional || !in_loop, self.around.skipped || in_loop);
        self.inside(Around { when, conditional, skipped, ..self.around }, body);
    }

    fn import(&mut self, level: u32, module: &str, names: Vec<String>, standing: Standing) {
        let module = module.to_owned();
        self.add_import(Import { level, module, is_start: false, names, standing });
    }

    fn import_from(&mut self, import: &StmtImportFrom) {
        let standing = self.standing(import.range.start().to_usize());
        let module = import.module.as_ref().map_or("", |module| module.as_str());
        let names = import.names.iter().map(|alias| alias.name.as_str().to_owned()).collect();
        self.import(import.level, module, names, standing);
    }

    /// A loop over constants is evaluated in rounds; any other loop may have none.
    fn each(&mut self, each: &'a StmtFor) {
        self.visit_expr(&each.iter);
        self.demand(&each.iter, &each.body);
        match self.names.rounds(&each.target, &each.iter) {
            Some(rounds) if rounds.len() <= self.rounds_left => {
                self.rounds_left -= rounds.len();
                for round in rounds {
                    self.names.scopes.push(round);
                    self.visit_body(&each.body);
                    self.names.scopes.pop();
                }
            }
            _ => {
                let listed = constants::listed(&each.iter, &self.names);
                let in_loop = self.around.in_loop || listed.is_none();
                let skipped = self.around.skipped || listed.is_none();
                let outside = self.listed.clone();
                self.listed = listed.or(outside.clone());
                let when = self.later(When::Conditionally);
                self.inside(Around { when, skipped, in_loop, ..self.around }, &each.body);
                self.listed = outside;
            }
        }
        self.sometimes(&each.orelse);
    }

    fn attempt(&mut self, attempt: &'a StmtTry) {
        let caught = guards::caught_by(&attempt.handlers, &self.names, self.around.caught);
        let (imports, openings) = (self.found.imports.len(), self.found.openings.len());
        self.inside(Around { caught, ..self.around }, &attempt.body);
        let (imports, openings) =
            (imports..self.found.imports.len(), openings..self.found.openings.len());
        let of_body = assigned(None, &attempt.body);
        let mut names: HashSet<&'a str> = of_body.keys().map(|name| name.as_str()).collect();
        let mut without_value = Vec::new();
        let mut of_handlers: HashSet<&'a str> = HashSet::new();
        for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
            for (name, value) in assigned(None, &handler.body) {
                of_handlers.insert(name.as_str());
                if matches!(value, Some(Expr::NoneLiteral(_))) {
                    without_value.push((name.as_str(), Use::OfValue));
                }
            }
            names.extend(guards::added_to(&handler.body));
            if openings.is_empty() {
                self.sometimes(&handler.body);
            } else {
                // What is opened where a library was not found, is opened if that is so.
                let when = self.later(When::Conditionally);
                self.inside(Around { when, skipped: true, ..self.around }, &handler.body);
            }
        }
        names.extend(&of_handlers);
        let file = self.names.scopes.first();
        let is_set = |name: &str| {
            of_handlers.contains(name)
                || file.is_some_and(|scope| scope.keys().any(|known| known.as_str() == name))
        };
        let imported = guards::imported(&attempt.body).into_iter();
        without_value.extend(imported.filter(|it| !is_set(it)).map(|it| (it, Use::OfName)));
        let line = self.line(attempt.range.start().to_usize());
        self.attempts.push(Attempt { names, without_value, line, imports, openings });
        self.visit_body(&attempt.orelse);
        self.visit_body(&attempt.finalbody);
    }

    fn branch(&mut self, branch: &'a StmtIf) {
        self.visit_expr(&branch.test);
        self.demand(&branch.test, &branch.body);
        self.found.optional.extend(existence::optional(branch).into_iter().map(str::to_owned));
        let holds = conditions::holds(&branch.test);
        match holds {
            Holds::Never => self.inside(Around { when: When::Never, ..self.around }, &branch.body),
            Holds::Here => self.inside(self.around, &branch.body),
            Holds::Perhaps => self.sometimes(&branch.body),
        }
        for clause in &branch.elif_else_clauses {
            clause.test.iter().for_each(|test| self.visit_expr(test));
            match (holds, &clause.test) {
                (Holds::Never, None) => self.inside(self.around, &clause.body),
                _ => self.sometimes(&clause.body),
            }
        }
    }

    /// Records the names in a condition or a loop that raises an error.
    fn demand(&mut self, about: &'a Expr, body: &'a [Stmt]) {
        if self.around.when != When::Never {
            let by = self.outermost();
            self.demanded.extend(guards::demanded(about, body).into_iter().map(|name| (by, name)));
        }
    }

    /// Records which name the file itself uses, and how, outside of every `try` and condition.
    fn note_use(&mut self, expression: &'a Expr) {
        let Around { when, conditional, caught, .. } = self.around;
        if when != When::Always || conditional || caught.is_any() {
            return;
        }
        let (of, how) = match expression {
            Expr::Attribute(attribute) => (attribute.value.as_ref(), Use::OfValue),
            Expr::Call(call) => (call.func.as_ref(), Use::OfValue),
            other => (other, Use::OfName),
        };
        if let Expr::Name(name) = of
            && name.ctx.is_load()
        {
            let line = self.line(name.range.start().to_usize());
            self.uses.push((name.id.as_str(), how, line));
        }
    }

    fn block(&mut self, block: &'a StmtWith) {
        // It is not known what a context manager does with errors.
        let mut caught = Caught { perhaps: true, ..self.around.caught };
        for item in &block.items {
            self.visit_expr(&item.context_expr);
            // contextlib.suppress(ImportError)
            if let Expr::Call(call) = &item.context_expr
                && last_name(&call.func) == Some("suppress")
            {
                let names = call.arguments.args.iter();
                names.for_each(|error| caught = caught.and(error, &self.names));
            }
        }
        self.inside(Around { caught, ..self.around }, &block.body);
    }

    fn call(&mut self, call: &'a ExprCall) {
        let Some(function) = last_name(&call.func) else { return };
        for argument in &call.arguments.args {
            if let Expr::StringLiteral(literal) = argument
                && is_like_a_library(literal.value.to_str())
                && is_like_a_loader(function)
            {
                self.found.handed.push(literal.value.to_str().to_owned());
            }
        }
        let first = call.arguments.args.first();
        let named = |name: &str| call.arguments.find_keyword(name).map(|it| &it.value);
        let standing = self.standing(call.range.start().to_usize());
        match function {
            _ if function.trim_matches('_') == "find_library" => {
                let name = first.and_then(|name| constants::start(name, &self.names));
                let whole = name.filter(|(_, is_start)| !is_start).map(|(name, _)| name);
                self.found.searched.extend(whole.map(|name| (name, standing)));
            }
            "load_library" => {
                let Some(argument) = first.or_else(|| named("libname")) else { return };
                let mut what = constants::opened(argument, &self.names);
                // NumPy's function takes a name, to which it adds an ending, and a directory.
                if call.arguments.args.len() > 1 || named("loader_path").is_some() {
                    what = match what {
                        Opened::Name(name) if !name.contains('.') => {
                            Opened::Somewhere(format!("{name}.so"))
                        }
                        Opened::Name(name) => Opened::Somewhere(name),
                        other => other,
                    };
                }
                self.add_opening(Opening { what, standing });
            }
            "load_nvidia_dynamic_lib" => {
                self.add_opening(Opening { what: Opened::Installed, standing });
            }
            opener if OPENERS.contains(&opener) => {
                let Some(argument) = first.or_else(|| named("name")) else { return };
                // The program itself, which is loaded.
                if argument.is_none_literal_expr() {
                    return;
                }
                let what = match constants::opened(argument, &self.names) {
                    Opened::Unknown => self.listed.clone().unwrap_or(Opened::Unknown),
                    known => known,
                };
                self.add_opening(Opening { what, standing });
            }
            "import_module" | "__import__" => {
                let module = first.and_then(|name| constants::start(name, &self.names));
                let Some((text, is_start)) = module else { return };
                let module = text.trim_start_matches('.').to_owned();
                let level = u32::try_from(text.len() - module.len()).unwrap_or(u32::MAX);
                let names = Vec::new();
                self.add_import(Import { level, module, is_start, names, standing });
            }
            _ => {}
        }
    }
}
