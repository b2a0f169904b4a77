//! Conditions that ask whether a file exists, so that the code continues without it.

use super::constants::{last_name, receiver};
use super::guards::ends_in_an_error;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, StmtIf};

/// The functions of `os`, `os.path` and `pathlib` that return whether a path is there.
const ASK: &[&str] = &["exists", "lexists", "isfile", "is_file", "access"];

/// The strings in a condition that holds only if a file exists, where no other clause raises an error.
pub(super) fn optional(branch: &StmtIf) -> Vec<&str> {
    if branch.elif_else_clauses.iter().any(|clause| ends_in_an_error(&clause.body)) {
        return Vec::new();
    }
    let mut found = Strings(Vec::new());
    collect(&branch.test, &mut found);
    found.0
}

/// A negated condition is not entered: its body is for the case that the file is missing.
fn collect<'a>(test: &'a Expr, found: &mut Strings<'a>) {
    match test {
        Expr::BoolOp(both) => both.values.iter().for_each(|one| collect(one, found)),
        Expr::Call(call) if last_name(&call.func).is_some_and(|name| ASK.contains(&name)) => {
            receiver(call).into_iter().for_each(|path| found.visit_expr(path));
            call.arguments.args.iter().for_each(|path| found.visit_expr(path));
        }
        _ => {}
    }
}

struct Strings<'a>(Vec<&'a str>);

impl<'a> Visitor<'a> for Strings<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::StringLiteral(literal) = expression {
            self.0.push(literal.value.to_str());
        }
        visitor::walk_expr(self, expression);
    }
}
