//! Environment markers of requirements, which are written as comparisons that Python would read ([PEP 508]).
//!
//! [PEP 508]: https://peps.python.org/pep-0508/#environment-markers

use super::conditions::Holds;
use super::{nesting, on_parser_thread};
use crate::python::interpreter::Version;
use ruff_python_ast::{CmpOp, Expr};

/// The longest marker that is parsed, in bytes.
const MAX_BYTES: usize = 4096;

/// The system that a requirement is evaluated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkerEnvironment {
    /// Is it macOS, and not Linux?
    pub is_macos: bool,
    /// The version of Python, where it is known.
    pub python: Option<Version>,
}

/// Does a marker hold? This is not known if it is about an extra, or about something that no file shows.
#[must_use]
pub fn holds(marker: &str, environment: MarkerEnvironment) -> Holds {
    if marker.len() > MAX_BYTES || !nesting::is_bounded(marker) {
        return Holds::Perhaps;
    }
    let parsed = || {
        let parsed = ruff_python_parser::parse_expression(marker);
        parsed.map_or(Holds::Perhaps, |marker| value(marker.expr(), environment))
    };
    on_parser_thread(parsed).unwrap_or(Holds::Perhaps)
}

fn value(marker: &Expr, environment: MarkerEnvironment) -> Holds {
    match marker {
        Expr::BoolOp(both) => {
            Holds::joined(both.op, both.values.iter().map(|part| value(part, environment)))
        }
        Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
            ([op], [right]) => match compared(&compare.left, *op, right, environment) {
                Some(true) => Holds::Here,
                Some(false) => Holds::Never,
                None => Holds::Perhaps,
            },
            _ => Holds::Perhaps,
        },
        _ => Holds::Perhaps,
    }
}

/// The value of one comparison, in which either side may be the variable.
fn compared(left: &Expr, op: CmpOp, right: &Expr, environment: MarkerEnvironment) -> Option<bool> {
    match (left, right) {
        (Expr::Name(name), Expr::StringLiteral(text)) if name.id == "python_version" => {
            is_version(environment.python?, op, text.value.to_str())
        }
        (Expr::Name(name), Expr::StringLiteral(text)) => {
            is_text(variable(&name.id, environment)?, op, text.value.to_str())
        }
        (Expr::StringLiteral(text), Expr::Name(name)) => {
            is_text(text.value.to_str(), op, variable(&name.id, environment)?)
        }
        _ => None,
    }
}

fn variable(name: &str, environment: MarkerEnvironment) -> Option<&'static str> {
    Some(match (name, environment.is_macos) {
        ("os_name", _) => "posix",
        ("sys_platform", false) => "linux",
        ("sys_platform", true) => "darwin",
        ("platform_system", false) => "Linux",
        ("platform_system", true) => "Darwin",
        _ => return None,
    })
}

fn is_text(left: &str, op: CmpOp, right: &str) -> Option<bool> {
    Some(match op {
        CmpOp::Eq => left == right,
        CmpOp::NotEq => left != right,
        CmpOp::In => right.contains(left),
        CmpOp::NotIn => !right.contains(left),
        _ => return None,
    })
}

fn is_version(python: Version, op: CmpOp, text: &str) -> Option<bool> {
    let (major, minor) = text.split_once('.')?;
    let wanted: (u8, u8) = (major.parse().ok()?, minor.parse().ok()?);
    let own = (python.major, python.minor);
    Some(match op {
        CmpOp::Eq => own == wanted,
        CmpOp::NotEq => own != wanted,
        CmpOp::Lt => own < wanted,
        CmpOp::LtE => own <= wanted,
        CmpOp::Gt => own > wanted,
        CmpOp::GtE => own >= wanted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Holds, MarkerEnvironment, holds};
    use crate::python::interpreter::Version;

    #[test]
    fn markers_are_read_as_far_as_files_tell() {
        let environment = MarkerEnvironment { is_macos: false, python: Version::parse("3.11") };
        for (marker, value) in [
            ("sys_platform == 'win32'", Holds::Never),
            (
                "platform_python_implementation == \"CPython\" and sys_platform == \"win32\"",
                Holds::Never,
            ),
            ("platform_python_implementation == \"CPython\"", Holds::Perhaps),
            (
                "(platform_system == 'Linux' or extra == 'gpu') and python_version >= \"3.9\"",
                Holds::Here,
            ),
            ("python_version < '3.11'", Holds::Never),
            ("'linux' in sys_platform", Holds::Here),
            ("os_name != 'nt' and extra == 'test'", Holds::Perhaps),
            ("python_version == '3.*'", Holds::Perhaps),
            ("((((", Holds::Perhaps),
        ] {
            assert_eq!(holds(marker, environment), value, "{marker}");
        }
        let deep = format!("{}os_name == 'nt'{}", "(".repeat(1500), ")".repeat(1500));
        assert_eq!(holds(&deep, environment), Holds::Perhaps);
        assert_eq!(
            holds("sys_platform == 'darwin'", MarkerEnvironment { is_macos: true, ..environment }),
            Holds::Here
        );
    }
}
