//! Which errors a `try` keeps to itself, and what a file demands later all the same.

use super::constants::{Names, last_name};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{ExceptHandler, Expr, Stmt};

/// Which errors do not leave the statements around.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caught {
    pub(super) import_error: bool,
    pub(super) os_error: bool,
    /// May an `ImportError` be among them, as far as can be seen?
    pub(super) perhaps: bool,
}

/// Functions that come back, by the last parts of their names: of `logging`, `warnings`, and what makes a value.
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
    /// With what a handler for that expression catches.
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
            Some("Exception" | "BaseException") => {
                Self { import_error: true, os_error: true, perhaps: true }
            }
            Some("ImportError") => Self { import_error: true, perhaps: true, ..self },
            Some("ModuleNotFoundError") => Self { perhaps: true, ..self },
            Some("OSError" | "IOError" | "EnvironmentError") => Self { os_error: true, ..self },
            _ => self,
        }
    }
}

/// Which errors the handlers of a `try` keep: the first that fits has them, and may raise another.
pub(super) fn caught_by(handlers: &[ExceptHandler], names: &Names<'_>) -> Caught {
    let (mut seen, mut kept) = (Caught::default(), Caught::default());
    let all = Caught { import_error: true, os_error: true, perhaps: true };
    for ExceptHandler::ExceptHandler(handler) in handlers {
        let fits = handler.type_.as_ref().map_or(all, |error| Caught::default().and(error, names));
        let goes_on = !ends_in_an_error(&handler.body);
        kept.import_error |= fits.import_error && !seen.import_error && goes_on;
        kept.os_error |= fits.os_error && !seen.os_error && goes_on;
        kept.perhaps |= fits.perhaps && !matches!(handler.body.last(), Some(Stmt::Raise(_)));
        seen.import_error |= fits.import_error;
        seen.os_error |= fits.os_error;
    }
    kept
}

/// May a handler raise an error, or end the program? What a function does that is not known may be that.
fn ends_in_an_error(body: &[Stmt]) -> bool {
    struct Ends(bool);
    impl<'a> Visitor<'a> for Ends {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            match statement {
                Stmt::Raise(_) | Stmt::Assert(_) => self.0 = true,
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
                // Who sets no variable does not want to be told.
                Stmt::If(branch) if asks_the_environment(&branch.test) => {
                    let clauses = branch.elif_else_clauses.iter();
                    clauses.for_each(|clause| self.visit_body(&clause.body));
                }
                _ => visitor::walk_stmt(self, statement),
            }
        }

        fn visit_expr(&mut self, expression: &'a Expr) {
            if let Expr::Call(call) = expression {
                // What begins with a capital is a class, of which an object is made.
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

/// Is it a question about a variable of the environment?
fn asks_the_environment(test: &Expr) -> bool {
    struct Asks(bool);
    impl<'a> Visitor<'a> for Asks {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.0 |= matches!(last_name(expression), Some("environ" | "getenv"));
            visitor::walk_expr(self, expression);
        }
    }
    let mut asks = Asks(false);
    asks.visit_expr(test);
    asks.0
}

/// The names that a condition is about, where an error is raised if it holds: what a `try` has left without
/// a value is demanded there.
pub(super) fn demanded<'a>(test: &'a Expr, body: &[Stmt]) -> Vec<&'a str> {
    struct Names<'a>(Vec<&'a str>);
    impl<'a> Visitor<'a> for Names<'a> {
        fn visit_expr(&mut self, expression: &'a Expr) {
            if let Expr::Name(name) = expression {
                self.0.push(name.id.as_str());
            }
            visitor::walk_expr(self, expression);
        }
    }
    let mut names = Names(Vec::new());
    if matches!(body.last(), Some(Stmt::Raise(_))) && !asks_the_environment(test) {
        names.visit_expr(test);
    }
    names.0
}
