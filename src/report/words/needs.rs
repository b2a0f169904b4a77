//! The texts of findings about an object that needs a library.

use super::variables::{blamed, not_there};
use crate::bytes::{printable, shown};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Copies, Guard, Lacking, Need, Supply};
use crate::world::Place;

/// The finding, in a sentence.
pub(super) fn of(need: &Need) -> String {
    let guard = need.guard.as_ref().map_or_else(String::new, |guard| {
        let Guard { file, line, is_called } = guard;
        match is_called {
            false => format!("; {file}:{line} continues without it"),
            true => format!("; {file}:{line} opens it when a function is called"),
        }
    });
    match &need.program {
        None => said(need, &need.object.to_string()) + &guard,
        Some(program) => {
            let program = program.to_string();
            let object = need.object.to_string();
            let object = if object == program { "it" } else { &object };
            format!("{program} cannot start: {}{guard}", said(need, object))
        }
    }
}

fn said(need: &Need, object: &str) -> String {
    let library = printable(&need.library);
    let needs = format!("{object} needs {library}");
    match &need.supply {
        Supply::OutOfReach { directory, is_required } => {
            let why = if *is_required { "" } else { "; no installed package requires it" };
            format!("{needs}; it is in {directory}, which is not searched{why}")
        }
        Supply::NotWhereItIsNamed { directory } => format!(
            "{needs}; it is in {directory}, but the name itself is a path, and search paths are not used"
        ),
        Supply::SeveralOutOfReach { copies } => {
            format!("{needs}; {copies} copies fit, and none is in a searched directory")
        }
        Supply::Ambiguous { copies } => {
            format!("{copies} copies of {library} fit, and none is preferred")
        }
        Supply::LoadedBefore { is_proved } => {
            let doubt = if *is_proved { "" } else { ", as far as metadata show" };
            format!("{object} finds {library} only after something else loaded it{doubt}")
        }
        Supply::OfTheDriver => format!("{needs}, which is part of the graphics driver"),
        Supply::ThroughVariables { variables, directory } => {
            let (through, lies) = (blamed(variables), lies(directory.as_ref()));
            format!("{object} finds {library} only through {through}; it is {lies}")
        }
        Supply::Shadowed { loaded, own, variables, lost, lacks } => {
            let through = blamed(variables);
            let lacks = lacking(lost, lacks);
            format!(
                "{object} loads {library} from {loaded} because of {through}, instead of {own}{lacks}"
            )
        }
        Supply::NotInEnvironment => format!("{needs}, which is not in the environment"),
        Supply::AskedInVain(copies) => {
            format!("{library} failed to load for {object}{}", in_vain(copies))
        }
        Supply::Lacking(lacking) => format!("{needs}{}", there(lacking)),
    }
}

/// The symbols and libraries that the copy lacks which a variable selects, to be appended.
fn lacking(symbols: &[Vec<u8>], libraries: &[Vec<u8>]) -> String {
    let symbols = match symbols {
        [] => String::new(),
        [symbol] => format!(", and that copy lacks {}", printable(symbol)),
        [symbol, others @ ..] => {
            let symbol = printable(symbol);
            format!(", and that copy lacks {symbol} and {} more symbols", others.len())
        }
    };
    let libraries = match libraries {
        [] => String::new(),
        [library] => format!(", and that copy needs {}, which is not found", printable(library)),
        [library, others @ ..] => {
            let (library, more) = (printable(library), others.len());
            format!(", and that copy needs {library} and {more} more, which are not found")
        }
    };
    symbols + &libraries
}

/// What exists of a library, to be appended to the object that needs it.
fn there(lacking: &Lacking) -> String {
    match lacking {
        Lacking::FlattenedLink { file, named } => {
            let named = shown(named);
            format!("; the symlink {file} to {named} was replaced by a text file")
        }
        Lacking::Refused { file, said } => format!("; the loader stops at {file}: {said}"),
        Lacking::NoDefaults { file } => format!(
            "; {file} exists, but the object was linked with -z nodefaultlib, so the default directories are not searched"
        ),
        Lacking::Forbidden { file } => format!("; {file} is not readable for this user"),
        Lacking::ForElsewhere { file } => format!("; {file} is built for another architecture"),
        Lacking::LinkGone { file } => {
            format!("; {file} is that library, and the symlink with that name is missing")
        }
        Lacking::NotInCache { file } => {
            format!("; {file} exists, but ld.so.cache is older and does not list it")
        }
        Lacking::OnlyVersioned { file } => format!(
            ", a name without a version; only {file} exists, and no symlink connects the two"
        ),
        Lacking::Nowhere { absent } => {
            format!(", which is not found on this system{}", not_there(absent))
        }
        Lacking::OtherVersion { is_own, name, directory, absent } => {
            let (whose, name) = (if *is_own { "environment" } else { "system" }, printable(name));
            format!("; the {whose} has {name} in {directory}{}", not_there(absent))
        }
    }
}

/// What exists of a library that several objects need, or what they load instead, as a separate line; nothing if
/// that is unknown, or it is not found.
pub(crate) fn found_instead(evidence: &Evidence) -> Option<String> {
    let Evidence::Need(Need { supply, .. }) = evidence else { return None };
    match supply {
        Supply::Lacking(Lacking::Nowhere { .. }) => None,
        Supply::Lacking(other) => Some(there(other).trim_start_matches([';', ',', ' ']).to_owned()),
        Supply::Shadowed { loaded, own, variables, lost, lacks } => {
            let (through, lacks) = (blamed(variables), lacking(lost, lacks));
            Some(format!(
                "it is loaded from {loaded} because of {through}, instead of {own}{lacks}"
            ))
        }
        Supply::ThroughVariables { variables, directory } => {
            let (through, lies) = (blamed(variables), lies(directory.as_ref()));
            Some(format!("it is {lies}, and is found only through {through}"))
        }
        _ => None,
    }
}

/// Where a library is that a variable leads to.
fn lies(directory: Option<&Place>) -> String {
    directory.map_or_else(|| "outside the target".to_owned(), |it| format!("in {it}"))
}

/// What exists of a library, to be appended after its failure to load.
fn in_vain(copies: &Copies) -> String {
    match copies {
        Copies::One { directory } => format!("; it is in {directory}"),
        Copies::Several { copies } => format!("; {copies} copies in the environment fit"),
        Copies::OfTheDriver => ", which is part of the driver".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Place;
    use std::path::Path;

    #[test]
    fn a_program_is_named_once() {
        let place = |path: &str| Place::on_disk(Path::new(path));
        let need = |object: &str, supply| Need {
            program: Some(place("/e/bin/python")),
            ..Need::new(place(object), b"libx.so.1", supply)
        };
        let lies = || Supply::OutOfReach { directory: place("/e/lib"), is_required: true };
        assert_eq!(
            of(&need("/e/bin/python", lies())),
            "/e/bin/python cannot start: it needs libx.so.1; it is in /e/lib, which is not searched"
        );
        assert_eq!(
            of(&need("/e/lib/libp.so", Supply::OfTheDriver)),
            "/e/bin/python cannot start: /e/lib/libp.so needs libx.so.1, which is part of the graphics driver"
        );
    }
}
