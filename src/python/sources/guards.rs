//! Which errors a `try` catches, and which names a file still requires later.

use super::constants::{Names, last_name, receiver};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{CmpOp, ExceptHandler, Expr, Stmt, StmtFunctionDef};

/// Which errors do not leave the enclosing statements.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caught {
    pub(super) import_error: bool,
    pub(super) os_error: bool,
    /// May an `ImportError` be among them, as far as the code shows?
    pub(super) perhaps: bool,
    /// Is every error among them?
    pub(super) everything: bool,
}

/// Functions that return, by the last parts of their names: those of `logging` and `warnings`, and functions
/// that create a value.
const GOES_ON: &[&str] = &[
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "log",
    "critical",
    "print",
    "write",
    "getLogger",
    "str",
    "repr",
    "format",
    "join",
    "bool",
    "int",
    "dict",
    "list",
    "set",
    "tuple",
    "frozenset",
    "object",
    "type",
    "append",
    "add",
    "update",
    "getattr",
    "setattr",
    "len",
    "isinstance",
    "format_exc",
    "import_module",
    "simplefilter",
    "filterwarnings",
];

impl Caught {
    const ALL: Self = Self { import_error: true, os_error: true, perhaps: true, everything: true };

    /// Is any error among them?
    pub(super) fn is_any(self) -> bool {
        self.import_error || self.os_error || self.perhaps
    }

    /// What is caught by either.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            import_error: self.import_error || other.import_error,
            os_error: self.os_error || other.os_error,
            perhaps: self.perhaps || other.perhaps,
            everything: self.everything || other.everything,
        }
    }

    /// Adds what a handler for that expression catches.
    pub(super) fn and(self, error: &Expr, names: &Names<'_>) -> Self {
        let value = match error {
            Expr::Name(name) => names.get(&name.id).unwrap_or(error),
            other => other,
        };
        if let Expr::Tuple(errors) = value {
            // A name in it is that of a class.
            return errors.elts.iter().fold(self, Self::and_class);
        }
        self.and_class(value)
    }

    fn and_class(self, class: &Expr) -> Self {
        match last_name(class) {
            Some("Exception" | "BaseException") => Self::ALL,
            Some("ImportError") => Self { import_error: true, perhaps: true, ..self },
            Some("ModuleNotFoundError") => Self { perhaps: true, ..self },
            Some("OSError" | "IOError" | "EnvironmentError") => Self { os_error: true, ..self },
            _ => self,
        }
    }
}

/// How many statements at the beginning of a function each call reaches: those before the first that may return.
/// `None` for a function that a call does not run, such as a generator or a coroutine.
pub(super) fn sure(function: &StmtFunctionDef) -> Option<usize> {
    struct Leaves {
        returns: bool,
        yields: bool,
    }
    impl<'a> Visitor<'a> for Leaves {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Return(_) => self.returns = true,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                _ => visitor::walk_stmt(self, statement),
            }
        }

        fn visit_expr(&mut self, expression: &'a Expr) {
            match expression {
                Expr::Yield(_) | Expr::YieldFrom(_) => self.yields = true,
                Expr::Lambda(_) => {}
                _ => visitor::walk_expr(self, expression),
            }
        }
    }
    let mut leaves = Leaves { returns: false, yields: false };
    let mut sure = function.body.len();
    for (at, statement) in function.body.iter().enumerate() {
        leaves.visit_stmt(statement);
        // An import inside of such a statement may come after its `return`.
        if leaves.returns && sure == function.body.len() {
            sure = at;
        }
    }
    (!leaves.yields && !function.is_async).then_some(sure)
}

/// Which errors the handlers of a `try` catch, inside of what the enclosing ones catch: the first matching
/// handler catches them, and may raise another error of any kind.
pub(super) fn caught_by(handlers: &[ExceptHandler], names: &Names<'_>, around: Caught) -> Caught {
    let (mut seen, mut kept) = (Caught::default(), Caught::default());
    for ExceptHandler::ExceptHandler(handler) in handlers {
        let fits = handler.type_.as_ref();
        let fits = fits.map_or(Caught::ALL, |error| Caught::default().and(error, names));
        let goes_on = !ends_in_an_error(&handler.body);
        kept.import_error |= fits.import_error && !seen.import_error && goes_on;
        kept.os_error |= fits.os_error && !seen.os_error && goes_on;
        kept.everything |= fits.everything && goes_on;
        kept.perhaps |= fits.perhaps && !matches!(handler.body.last(), Some(Stmt::Raise(_)));
        seen.import_error |= fits.import_error;
        seen.os_error |= fits.os_error;
    }
    let behind = |seen: bool, around_too: bool| if seen { around.everything } else { around_too };
    Caught {
        import_error: kept.import_error || behind(seen.import_error, around.import_error),
        os_error: kept.os_error || behind(seen.os_error, around.os_error),
        perhaps: kept.perhaps || around.perhaps,
        everything: kept.everything || around.everything,
    }
}

/// May a handler raise an error, or end the program? An unknown function may do so.
pub(super) fn ends_in_an_error(body: &[Stmt]) -> bool {
    struct Ends(bool);
    impl<'a> Visitor<'a> for Ends {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Raise(_) | Stmt::Assert(_) => self.0 = true,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                // Users who set no variable do not request the error.
                Stmt::If(branch) if asks_the_environment(&branch.test) => {
                    let clauses = branch.elif_else_clauses.iter();
                    clauses.for_each(|clause| self.visit_body(&clause.body));
                }
                _ => visitor::walk_stmt(self, statement),
            }
        }

        fn visit_expr(&mut self, expression: &'a Expr) {
            if let Expr::Call(call) = expression {
                // A name that begins with a capital is a class that is instantiated.
                let goes_on = |name: &str| {
                    GOES_ON.contains(&name) || name.starts_with(|first: char| first.is_uppercase())
                };
                self.0 |= !last_name(&call.func).is_some_and(goes_on);
            }
            visitor::walk_expr(self, expression);
        }
    }
    let mut ends = Ends(false);
    ends.visit_body(body);
    ends.0
}

/// Does the condition ask whether an environment variable is set, or has a value that is not set by
/// accident? A condition that holds if it is not set means something else.
fn asks_the_environment(test: &Expr) -> bool {
    let is_variable = |expression: &Expr| match expression {
        Expr::Call(call) => {
            let arguments = call.arguments.args.len() + call.arguments.keywords.len();
            let of = receiver(call).and_then(last_name);
            let function = last_name(&call.func);
            arguments == 1
                && (function == Some("getenv") || function == Some("get") && of == Some("environ"))
        }
        _ => false,
    };
    match test {
        Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([CmpOp::In], [of]) => last_name(of) == Some("environ"),
            ([CmpOp::Eq], [Expr::StringLiteral(_)]) => is_variable(&compare.left),
            _ => false,
        },
        other => is_variable(other),
    }
}

/// The names in a condition or a loop that raises an error: it requires a name that a `try` has left
/// without a value.
pub(super) fn demanded<'a>(about: &'a Expr, body: &[Stmt]) -> Vec<&'a str> {
    match body.last() {
        Some(Stmt::Raise(_)) if !asks_the_environment(about) => names(about),
        _ => Vec::new(),
    }
}

/// The names in an expression.
pub(super) fn names(expression: &Expr) -> Vec<&str> {
    let mut picked = Picked { pick: name, found: Vec::new() };
    picked.visit_expr(expression);
    picked.found
}

/// The names of the lists and sets that statements add something to.
pub(super) fn added_to(body: &[Stmt]) -> Vec<&str> {
    let mut picked = Picked { pick: receiver_of_added, found: Vec::new() };
    picked.visit_body(body);
    picked.found
}

fn receiver_of_added(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Call(call)
            if matches!(last_name(&call.func), Some("append" | "add" | "extend" | "update")) =>
        {
            receiver(call).and_then(name)
        }
        _ => None,
    }
}

fn name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        _ => None,
    }
}

/// What is selected from each expression.
struct Picked<'a> {
    pick: fn(&'a Expr) -> Option<&'a str>,
    found: Vec<&'a str>,
}

impl<'a> Visitor<'a> for Picked<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        self.found.extend((self.pick)(expression));
        visitor::walk_expr(self, expression);
    }
}

/// The names that the imports among statements bind, except those in functions.
pub(super) fn imported(body: &[Stmt]) -> Vec<&str> {
    struct Imported<'a>(Vec<&'a str>);
    impl<'a> Visitor<'a> for Imported<'a> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            let aliases = match statement {
                Stmt::Import(import) => &import.names,
                Stmt::ImportFrom(import) => &import.names,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
                _ => return visitor::walk_stmt(self, statement),
            };
            for alias in aliases {
                let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                self.0.push(name.split('.').next().unwrap_or(name));
            }
        }
    }
    let mut imported = Imported(Vec::new());
    imported.visit_body(body);
    imported.0
}

/// How a name is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// It is mentioned.
    OfName,
    /// An attribute of its value is used, or it is called: `None` does not work.
    OfValue,
}
