//! What is said of an object that needs a library.

use super::variables::{blamed, not_there};
use crate::bytes::{printable, shown};
use crate::findings::evidence::need::{Copies, Guard, Lacking, Need, Supply};

/// What is the case, in a sentence.
pub(super) fn of(need: &Need) -> String {
    let guard = need.guard.as_ref().map_or_else(String::new, |guard| {
        let Guard { file, line, is_called } = guard;
        match is_called {
            false => format!("; {file}:{line} goes on without it"),
            true => format!("; {file}:{line} asks for it once a function is called"),
        }
    });
    match &need.interpreter {
        None => said(need, &need.object.to_string()) + &guard,
        Some(interpreter) => {
            let python = interpreter.to_string();
            let object = need.object.to_string();
            let object = if object == python { "it" } else { &object };
            format!("{python} cannot start: {}{guard}", said(need, object))
        }
    }
}

fn said(need: &Need, object: &str) -> String {
    let library = printable(&need.library);
    let needs = format!("{object} needs {library}");
    match &need.supply {
        Supply::OutOfReach { directory, is_required } => {
            let why = if *is_required { "" } else { "; nothing that is installed requires it" };
            format!("{needs}; it lies in {directory}, and no search path leads there{why}")
        }
        Supply::NotWhereItIsNamed { directory } => format!(
            "{needs}; it lies in {directory}, and the name says where to look, and search paths do not count"
        ),
        Supply::SeveralOutOfReach { copies } => {
            format!("{needs}; {copies} copies fit, and no search path leads to any")
        }
        Supply::Ambiguous { copies } => {
            format!("nothing says which of {copies} copies of {library} is meant")
        }
        Supply::LoadedBefore { is_proved } => {
            let doubt = if *is_proved { "" } else { ", as it seems; no metadata prove it" };
            format!("{object} finds {library} only once something else has loaded it{doubt}")
        }
        Supply::OfTheDriver => format!("{needs}, which comes with the graphics driver"),
        Supply::ThroughVariables { variables, directory } => {
            let lies = match directory {
                Some(directory) => format!("in {directory}"),
                None => "outside the target".to_owned(),
            };
            let through = blamed(variables);
            format!("{object} finds {library} only through {through}; it lies {lies}")
        }
        Supply::Shadowed { loaded, own, variables, lost } => {
            let through = blamed(variables);
            let lacks = match lost.as_slice() {
                [] => String::new(),
                [symbol] => format!(", and that copy lacks {}", printable(symbol)),
                [symbol, others @ ..] => {
                    let symbol = printable(symbol);
                    format!(", and that copy lacks {symbol} and {} more symbols", others.len())
                }
            };
            format!("{object} gets {library} from {loaded} through {through}, and not {own}{lacks}")
        }
        Supply::NotInEnvironment => format!("{needs}, and it is not in the environment"),
        Supply::AskedInVain(copies) => {
            format!("{object} asked for {library} in vain{}", in_vain(copies))
        }
        Supply::Lacking(lacking) => format!("{needs}{}", there(lacking)),
    }
}

/// What there is of a library, to follow who needs it.
fn there(lacking: &Lacking) -> String {
    match lacking {
        Lacking::FlattenedLink { file, named } => {
            let named = shown(named);
            format!("; {file} was a link to {named}, and is now a text with that name")
        }
        Lacking::Refused { file, said } => format!("; the loader gives up at {file}: {said}"),
        Lacking::LinkGone { file } => {
            format!("; {file} is that library, and the link of that name is gone")
        }
        Lacking::NotInCache { file } => {
            format!("; {file} is there, and ld.so.cache is older and does not have it")
        }
        Lacking::OnlyVersioned { file } => format!(
            ", a name without a version; {file} has one, and nothing links the one to the other"
        ),
        Lacking::Nowhere { absent } => format!(", which is nowhere{}", not_there(absent)),
        Lacking::OtherVersion { is_own, name, directory, absent } => {
            let (whose, name) = (if *is_own { "environment" } else { "system" }, printable(name));
            format!("; the {whose} has {name} in {directory}{}", not_there(absent))
        }
    }
}

/// What there is of a library, to follow that somebody asked for it in vain.
fn in_vain(copies: &Copies) -> String {
    match copies {
        Copies::One { directory } => format!("; it lies in {directory}"),
        Copies::Several { copies } => format!("; {copies} copies in the environment fit"),
        Copies::OfTheDriver => ", which comes with the driver".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Place;
    use std::path::Path;

    #[test]
    fn an_interpreter_is_named_once() {
        let place = |path: &str| Place::on_disk(Path::new(path));
        let need = |object: &str, supply| Need {
            interpreter: Some(place("/e/bin/python")),
            ..Need::new(place(object), b"libx.so.1", supply)
        };
        let lies = || Supply::OutOfReach { directory: place("/e/lib"), is_required: true };
        assert_eq!(
            of(&need("/e/bin/python", lies())),
            "/e/bin/python cannot start: it needs libx.so.1; it lies in /e/lib, and no search path leads there"
        );
        assert_eq!(
            of(&need("/e/lib/libp.so", Supply::OfTheDriver)),
            "/e/bin/python cannot start: /e/lib/libp.so needs libx.so.1, which comes with the graphics driver"
        );
    }
}
