//! Which conditions hold wherever a file is imported on Linux or macOS.

use super::constants::{last_name, receiver};
use ruff_python_ast::{BoolOp, CmpOp, Expr, ExprCompare, Number, UnaryOp};

/// Does a condition hold on the system in question?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It holds, as on Linux and macOS; or is about the ending of a shared object's name there.
    Here,
    /// It does not hold, like conditions for Windows, for type checkers, or for a file that is started as a program.
    Never,
    /// That is not known.
    Perhaps,
}

impl Holds {
    /// Do conditions hold that are joined with `and` or `or`?
    pub(super) fn joined(op: BoolOp, each: impl Iterator<Item = Self>) -> Self {
        let decides = if op == BoolOp::And { Self::Never } else { Self::Here };
        let each: Vec<Self> = each.collect();
        match () {
            () if each.contains(&decides) => decides,
            () if each.iter().all(|one| *one == decides.not()) => decides.not(),
            () => Self::Perhaps,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Here => Self::Never,
            Self::Never => Self::Here,
            Self::Perhaps => Self::Perhaps,
        }
    }
}

/// Does a condition hold where a file is imported on Linux or macOS?
pub(super) fn holds(test: &Expr) -> Holds {
    const WINDOWS: &[&str] = &["win32", "nt", "windows", "cygwin", "win", "msys"];
    match test {
        Expr::UnaryOp(not) if not.op == UnaryOp::Not => holds(&not.operand).not(),
        Expr::BoolOp(both) => Holds::joined(both.op, both.values.iter().map(holds)),
        _ if last_name(test) == Some("TYPE_CHECKING") => Holds::Never,
        Expr::Compare(compare) if last_name(&compare.left) == Some("__name__") => {
            // An imported file has its own name.
            let is_main = compare.comparators.iter().filter_map(text).any(|it| it == "__main__");
            let is_equal = *compare.ops == [CmpOp::Eq];
            if is_main == is_equal { Holds::Never } else { Holds::Here }
        }
        Expr::Compare(compare) if last_name(&compare.left) == Some("version_info") => {
            is_of_python(compare)
        }
        Expr::Compare(compare) => {
            let about_system = match compare.left.as_ref() {
                Expr::Call(call) => last_name(&call.func) == Some("system"),
                left => matches!(last_name(left), Some("platform" | "name")),
            };
            let texts = compare.comparators.iter().filter_map(text).collect::<Vec<_>>();
            let (Some(system), true) = (texts.first(), about_system) else { return Holds::Perhaps };
            let system = system.to_lowercase();
            let is_windows = WINDOWS.contains(&system.as_str());
            let is_here = system == "linux" || system == "posix";
            match (&*compare.ops, is_windows, is_here) {
                ([CmpOp::Eq], true, _) | ([CmpOp::NotEq], _, true) => Holds::Never,
                ([CmpOp::NotEq], true, _) | ([CmpOp::Eq], _, true) => Holds::Here,
                _ => Holds::Perhaps,
            }
        }
        Expr::Call(call) => {
            let first = call.arguments.args.first().and_then(text).unwrap_or_default();
            let of = receiver(call).and_then(last_name);
            match (last_name(&call.func), of) {
                (Some("startswith"), Some("platform")) if WINDOWS.contains(&first) => Holds::Never,
                (Some("startswith"), Some("platform")) if first == "linux" => Holds::Here,
                (Some("endswith"), _) if first.starts_with(".so") => Holds::Here,
                (Some("endswith"), _) if matches!(first, ".dll" | ".pyd") => Holds::Never,
                _ => Holds::Perhaps,
            }
        }
        _ => Holds::Perhaps,
    }
}

/// Does a condition on the version hold for every Python that is in use? Those before 3.8 are not.
fn is_of_python(compare: &ExprCompare) -> Holds {
    const OLDEST: [i64; 2] = [3, 8];
    let Some(Expr::Tuple(version)) = compare.comparators.first() else { return Holds::Perhaps };
    let number = |part: &Expr| match part {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(whole) => whole.as_i64(),
            _ => None,
        },
        _ => None,
    };
    let parts: Option<Vec<i64>> = version.elts.iter().map(number).collect();
    match (&*compare.ops, parts) {
        ([CmpOp::GtE], Some(parts)) if *parts <= OLDEST[..] => Holds::Here,
        ([CmpOp::Lt], Some(parts)) if *parts <= OLDEST[..] => Holds::Never,
        _ => Holds::Perhaps,
    }
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(literal) => Some(literal.value.to_str()),
        _ => None,
    }
}
