//! The value of an expression, as far as constants show: texts, and paths beside the file.

use super::Opened;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    Expr, ExprBinOp, ExprCall, ExprFString, FStringPart, InterpolatedStringElement, Operator,
    Parameters, Stmt,
};
use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The most expressions that are evaluated for one value: names may refer to names, and double each
/// time.
const MAX_STEPS: usize = 256;

/// The values of the names of a scope that are assigned once; `None` for the others.
pub(super) type Scope<'a> = HashMap<&'a Name, Option<&'a Expr>>;

/// The names that are known at a place: those of the file, and those of each function around.
pub(super) struct Names<'a> {
    /// The innermost last.
    pub(super) scopes: Vec<Scope<'a>>,
}

/// The names that a scope assigns to: one that is assigned once has that value wherever it is requested.
pub(super) fn assigned<'a>(parameters: Option<&'a Parameters>, body: &'a [Stmt]) -> Scope<'a> {
    let mut assigned = Assigned { names: Scope::new() };
    let parameters = parameters.into_iter().flatten();
    assigned.names.extend(parameters.map(|parameter| (&parameter.name().id, None)));
    assigned.visit_body(body);
    assigned.names
}

struct Assigned<'a> {
    names: Scope<'a>,
}

impl<'a> Visitor<'a> for Assigned<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                if let [Expr::Name(name)] = assign.targets.as_slice() {
                    let value = Some(assign.value.as_ref());
                    self.names.entry(&name.id).and_modify(|known| *known = None).or_insert(value);
                }
            }
            Stmt::AugAssign(assign) => {
                if let Expr::Name(name) = assign.target.as_ref() {
                    self.names.insert(&name.id, None);
                }
            }
            Stmt::For(each) => {
                if let Expr::Name(name) = each.target.as_ref() {
                    self.names.insert(&name.id, None);
                }
            }
            // A scope of its own.
            Stmt::FunctionDef(_) => return,
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    // Nothing inside of an expression is needed.
    fn visit_expr(&mut self, _: &'a Expr) {}
}

impl<'a> Names<'a> {
    /// The value of a name that is assigned once.
    pub(super) fn get(&self, name: &Name) -> Option<&'a Expr> {
        *self.scopes.iter().rev().find_map(|scope| scope.get(name))?
    }

    /// The elements of a list or a tuple, which may be the value of a name.
    fn items(&self, expression: &'a Expr) -> Option<&'a [Expr]> {
        let value = match expression {
            Expr::Name(name) => self.get(&name.id)?,
            other => other,
        };
        match value {
            Expr::List(list) => Some(&list.elts),
            Expr::Tuple(tuple) => Some(&tuple.elts),
            _ => None,
        }
    }

    /// The elements of a list or a tuple of texts, which is not empty.
    fn texts(&self, expression: &'a Expr) -> Option<&'a [Expr]> {
        let is_text = |element: &Expr| matches!(element, Expr::StringLiteral(_));
        self.items(expression).filter(|items| !items.is_empty() && items.iter().all(is_text))
    }

    /// What a loop over constants gives its target in each round: a text, or several where the elements are tuples.
    pub(super) fn rounds(&self, target: &'a Expr, over: &'a Expr) -> Option<Vec<Scope<'a>>> {
        let targets = match target {
            Expr::Name(name) => {
                let one = |element| HashMap::from([(&name.id, Some(element))]);
                return Some(self.texts(over)?.iter().map(one).collect());
            }
            Expr::Tuple(tuple) => &tuple.elts,
            _ => return None,
        };
        let round = |row: &'a Expr| match row {
            Expr::Tuple(row) if row.elts.len() == targets.len() => {
                let pairs = targets.iter().zip(&row.elts).filter_map(|(target, value)| {
                    let Expr::Name(name) = target else { return None };
                    Some((&name.id, Some(value)))
                });
                Some(pairs.collect())
            }
            _ => None,
        };
        self.items(over)?.iter().map(round).collect()
    }
}

/// What is known of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    /// The file itself.
    File,
    /// A path from the file's directory.
    Beside(PathBuf),
    /// A path of which only the end is known.
    Ending(PathBuf),
    /// What `find_library` finds.
    Found(String),
}

/// The value of an argument of a call that opens something.
pub(super) fn opened(argument: &Expr, names: &Names<'_>) -> Opened {
    match value(argument, names, &Cell::new(MAX_STEPS)) {
        Some(Value::Text(text)) if !text.contains('/') => Opened::Name(text),
        Some(Value::Text(text)) if text.starts_with('/') => Opened::Path(text.into()),
        // One from the working directory.
        Some(Value::Text(text)) => somewhere(Path::new(&text)),
        Some(Value::Beside(path)) => Opened::Beside(path),
        Some(Value::Ending(path)) => somewhere(&path),
        Some(Value::Found(name)) => Opened::Found(name),
        Some(Value::File) | None => Opened::Unknown,
    }
}

/// The text of an expression, or its beginning: then true.
pub(super) fn start(expression: &Expr, names: &Names<'_>) -> Option<(String, bool)> {
    let steps = Cell::new(MAX_STEPS);
    if let Some(value) = value(expression, names, &steps) {
        return if let Value::Text(text) = value { Some((text, false)) } else { None };
    }
    let known = match expression {
        Expr::Name(name) => names.get(&name.id)?,
        other => other,
    };
    let first = match known {
        Expr::FString(parts) => elements(parts, names, &steps).into_iter().next()??,
        Expr::BinOp(ExprBinOp { left, op: Operator::Add, .. }) => value(left, names, &steps)?,
        _ => return None,
    };
    if let Value::Text(text) = first { Some((text, true)) } else { None }
}

/// The pattern by which a call lists the files of a directory, as far as constants show; `None` if an
/// expression has no such call.
pub(super) fn listed(expression: &Expr, names: &Names<'_>) -> Option<Opened> {
    struct Lists<'n, 'a> {
        names: &'n Names<'a>,
        found: Option<Opened>,
    }
    impl<'v> Visitor<'v> for Lists<'_, '_> {
        fn visit_expr(&mut self, expression: &'v Expr) {
            if let Expr::Call(call) = expression
                && let Some(name) = last_name(&call.func)
                && self.found.is_none()
            {
                let steps = Cell::new(MAX_STEPS);
                let first = call.arguments.args.first();
                let first = first.and_then(|first| value(first, self.names, &steps));
                let of = receiver(call).and_then(|of| value(of, self.names, &steps));
                let pattern = match (name, of, first) {
                    // A method of a path.
                    ("glob" | "rglob", Some(directory), Some(pattern)) => {
                        joined(Some(directory), &pattern)
                    }
                    ("glob" | "iglob", _, pattern) => pattern,
                    ("listdir" | "scandir", _, directory) => {
                        joined(directory, &Value::Text("*".to_owned()))
                    }
                    ("iterdir", directory, _) => joined(directory, &Value::Text("*".to_owned())),
                    ("rglob" | "walk", ..) => None,
                    _ => return visitor::walk_expr(self, expression),
                };
                self.found = Some(Opened::Listed(match pattern {
                    Some(Value::Beside(path)) => Some((path, true)),
                    Some(Value::Ending(path)) => Some((path, false)),
                    Some(Value::Text(text)) => Some((text.into(), false)),
                    _ => None,
                }));
            }
            visitor::walk_expr(self, expression);
        }
    }
    let mut lists = Lists { names, found: None };
    lists.visit_expr(expression);
    lists.found
}

/// The object whose method is called: `glob` of `glob.glob(…)`.
pub(super) fn receiver(call: &ExprCall) -> Option<&Expr> {
    match call.func.as_ref() {
        Expr::Attribute(attribute) => Some(&attribute.value),
        _ => None,
    }
}

/// The last part of a name with dots: `CDLL` of `ctypes.CDLL`.
pub(super) fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

fn somewhere(path: &Path) -> Opened {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map_or(Opened::Unknown, |name| Opened::Somewhere(name.to_owned()))
}

fn value(expression: &Expr, names: &Names<'_>, steps: &Cell<usize>) -> Option<Value> {
    steps.set(steps.get().checked_sub(1)?);
    match expression {
        Expr::StringLiteral(literal) => Some(Value::Text(literal.value.to_str().to_owned())),
        Expr::FString(parts) => formatted(parts, names, steps),
        Expr::Name(name) if name.id.as_str() == "__file__" => Some(Value::File),
        Expr::Name(name) => value(names.get(&name.id)?, names, steps),
        Expr::Attribute(attribute) if attribute.attr.as_str() == "parent" => {
            directory(value(&attribute.value, names, steps)?)
        }
        Expr::BinOp(ExprBinOp { left, op: Operator::Div, right, .. }) => {
            joined(value(left, names, steps), &value(right, names, steps)?)
        }
        Expr::BinOp(ExprBinOp { left, op: Operator::Add, right, .. }) => {
            appended(value(left, names, steps), &value(right, names, steps)?)
        }
        Expr::Call(call) => of_call(call, names, steps),
        _ => None,
    }
}

fn of_call(call: &ExprCall, names: &Names<'_>, steps: &Cell<usize>) -> Option<Value> {
    let arguments = &call.arguments.args;
    let first = || value(arguments.first()?, names, steps);
    let itself = || match call.func.as_ref() {
        Expr::Attribute(attribute) => value(&attribute.value, names, steps),
        _ => None,
    };
    match last_name(&call.func)? {
        "dirname" => directory(first()?),
        "join" => {
            let mut parts = arguments.iter().map(|part| value(part, names, steps));
            let start = parts.next()?;
            parts.try_fold(start, |path, part| Some(joined(path, &part?))).flatten()
        }
        "joinpath" => {
            let mut parts = arguments.iter().map(|part| value(part, names, steps));
            parts.try_fold(itself(), |path, part| Some(joined(path, &part?))).flatten()
        }
        "Path" | "PurePath" | "PosixPath" | "str" | "fspath" | "abspath" | "realpath"
        | "normpath" => first(),
        "resolve" | "absolute" | "as_posix" => itself(),
        "with_name" => {
            let Value::Text(name) = first()? else { return None };
            joined(directory(itself()?), &Value::Text(name))
        }
        "find_library" => match first()? {
            Value::Text(name) => Some(Value::Found(name)),
            _ => None,
        },
        _ => None,
    }
}

/// The directory of a path.
fn directory(value: Value) -> Option<Value> {
    match value {
        Value::File => Some(Value::Beside(PathBuf::new())),
        Value::Beside(mut path) => {
            let is_above = path.components().next_back().is_none() || path.ends_with("..");
            if is_above {
                path.push("..");
            } else {
                path.pop();
            }
            Some(Value::Beside(path))
        }
        Value::Text(text) => Some(Value::Text(Path::new(&text).parent()?.to_str()?.to_owned())),
        Value::Ending(_) | Value::Found(_) => None,
    }
}

/// A path joined with another; of an unknown path only the end is known.
fn joined(path: Option<Value>, behind: &Value) -> Option<Value> {
    let Value::Text(behind) = behind else { return None };
    if behind.starts_with('/') {
        return Some(Value::Text(behind.clone()));
    }
    Some(match path {
        Some(Value::Beside(path)) => Value::Beside(path.join(behind)),
        Some(Value::Text(text)) => Value::Text(Path::new(&text).join(behind).to_str()?.to_owned()),
        Some(Value::Ending(path)) => Value::Ending(path.join(behind)),
        Some(Value::File | Value::Found(_)) => return None,
        None => Value::Ending(behind.into()),
    })
}

/// A text or a path with more text at its end.
fn appended(start: Option<Value>, end: &Value) -> Option<Value> {
    let Value::Text(end) = end else { return None };
    let grown = |path: &Path| Some(PathBuf::from(format!("{}{end}", path.to_str()?)));
    match start {
        Some(Value::Text(text)) => Some(Value::Text(text + end)),
        Some(Value::Beside(path)) if path.as_os_str().is_empty() => {
            Some(Value::Beside(end.strip_prefix('/')?.into()))
        }
        Some(Value::Beside(path)) => Some(Value::Beside(grown(&path)?)),
        Some(Value::Ending(path)) => Some(Value::Ending(grown(&path)?)),
        Some(Value::File | Value::Found(_)) => None,
        None => end.rsplit_once('/').map(|(_, name)| Value::Ending(name.into())),
    }
}

/// The values of the parts of an f-string.
fn elements(parts: &ExprFString, names: &Names<'_>, steps: &Cell<usize>) -> Vec<Option<Value>> {
    let mut all: Vec<Option<Value>> = Vec::new();
    for part in &parts.value {
        match part {
            FStringPart::Literal(literal) => all.push(Some(Value::Text(literal.value.to_string()))),
            FStringPart::FString(string) => {
                let elements = string.elements.iter();
                all.extend(elements.map(|element| match element {
                    InterpolatedStringElement::Literal(literal) => {
                        Some(Value::Text(literal.value.to_string()))
                    }
                    InterpolatedStringElement::Interpolation(inner) => {
                        value(&inner.expression, names, steps)
                    }
                }));
            }
        }
    }
    all
}

/// The value of an f-string.
fn formatted(parts: &ExprFString, names: &Names<'_>, steps: &Cell<usize>) -> Option<Value> {
    let mut all = elements(parts, names, steps);
    // Texts in a row are one: a path and `/` and a name.
    let is_text = |part: &Option<Value>| matches!(part, Some(Value::Text(_)));
    let texts = all.iter().rev().take_while(|part| is_text(part)).count();
    let end = all.split_off(all.len() - texts).into_iter().flatten();
    let end: String =
        end.map(|part| if let Value::Text(text) = part { text } else { String::new() }).collect();
    match all.as_slice() {
        [] => Some(Value::Text(end)),
        [start] => appended(start.clone(), &Value::Text(end)),
        _ => appended(None, &Value::Text(end)),
    }
}
