//! Where code changes the sources of Python's modules: the directories, the finders, and the table of loaded
//! modules.

use super::constants::{last_name, receiver};
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, ExprCall, Stmt};

/// A statement that does so.
pub(super) struct Found<'a> {
    /// Its place: an offset in bytes.
    pub(super) offset: usize,
    /// The outermost function or class that contains it, if a function is among them.
    pub(super) by: Option<&'a str>,
    /// The module that it puts in the table, if a constant shows it; `None` if any module may come from elsewhere.
    pub(super) module: Option<&'a str>,
}

/// All of a file.
pub(super) fn of(body: &[Stmt]) -> Vec<Found<'_>> {
    let mut search = Search { around: Vec::new(), functions: 0, found: Vec::new() };
    search.visit_body(body);
    search.found
}

struct Search<'a> {
    /// The names of the enclosing classes and functions.
    around: Vec<&'a str>,
    /// How many of these are functions.
    functions: usize,
    found: Vec<Found<'a>>,
}

impl<'a> Visitor<'a> for Search<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                self.around.push(function.name.as_str());
                self.functions += 1;
                visitor::walk_stmt(self, statement);
                self.functions -= 1;
                self.around.pop();
            }
            Stmt::ClassDef(class) => {
                self.around.push(class.name.as_str());
                visitor::walk_stmt(self, statement);
                self.around.pop();
            }
            Stmt::Assign(assign) => {
                assign.targets.iter().for_each(|target| self.assigned(target));
                visitor::walk_stmt(self, statement);
            }
            Stmt::AugAssign(assign) => {
                self.assigned(&assign.target);
                visitor::walk_stmt(self, statement);
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Call(call) => self.called(call),
            Expr::Attribute(attribute)
                if matches!(attribute.attr.as_str(), "meta_path" | "path_hooks") =>
            {
                self.add(attribute.range.start().to_usize(), None);
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

impl<'a> Search<'a> {
    fn add(&mut self, offset: usize, module: Option<&'a str>) {
        let by = self.around.first().copied().filter(|_| self.functions > 0);
        self.found.push(Found { offset, by, module });
    }

    fn assigned(&mut self, target: &'a Expr) {
        match target {
            Expr::Subscript(item) if is_of_sys(&item.value, "path") => {
                self.add(item.range.start().to_usize(), None);
            }
            Expr::Subscript(item) if is_of_sys(&item.value, "modules") => {
                self.put(item.range.start().to_usize(), &item.slice);
            }
            Expr::Attribute(attribute)
                if is_of_sys(target, "path") || attribute.attr.as_str() == "__import__" =>
            {
                self.add(attribute.range.start().to_usize(), None);
            }
            _ => {}
        }
    }

    fn called(&mut self, call: &'a ExprCall) {
        let offset = call.range.start().to_usize();
        let on = |what: &str| receiver(call).is_some_and(|of| is_of_sys(of, what));
        match last_name(&call.func) {
            Some("addsitedir") => self.add(offset, None),
            Some("insert" | "append" | "extend") if on("path") => self.add(offset, None),
            Some("setdefault") if on("modules") => match call.arguments.args.first() {
                Some(name) => self.put(offset, name),
                None => self.add(offset, None),
            },
            Some("update") if on("modules") => match call.arguments.args.first() {
                Some(Expr::Dict(table)) => {
                    for item in &table.items {
                        match &item.key {
                            Some(name) => self.put(offset, name),
                            None => self.add(offset, None),
                        }
                    }
                }
                _ => self.add(offset, None),
            },
            _ => {}
        }
    }

    /// A module is put in the table by a name. A name that begins with that of the file itself is
    /// its own.
    fn put(&mut self, offset: usize, name: &'a Expr) {
        match name {
            Expr::StringLiteral(literal) => self.add(offset, Some(literal.value.to_str())),
            Expr::Name(own) if own.id.as_str() == "__name__" => {}
            Expr::BinOp(sum) if last_name(&sum.left) == Some("__name__") => {}
            _ => self.add(offset, None),
        }
    }
}

/// Is an expression `sys.path` or `sys.modules`, by any name under which `sys` was imported?
fn is_of_sys(expression: &Expr, what: &str) -> bool {
    let Expr::Attribute(attribute) = expression else { return false };
    let of = last_name(&attribute.value).unwrap_or_default();
    attribute.attr.as_str() == what && of.trim_start_matches('_') == "sys"
}
