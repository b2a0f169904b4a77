//! The description of the one command that is called: at each start, the others would be described for nothing.
//!
//! [`Command`](super::args::Command) describes all of them, for help, errors and completions. What is accepted here is
//! accepted there, with the same values; what is refused here is parsed again there, and refused with its texts.

use super::args::{
    Apply, Common, Completions, Doctor, Explain, Fix, Help, Man, OneTarget, Revert, RpathPrint,
    Shims, Show, Targets, Trace, Tree, Verify,
};
use super::direct_args::{
    NameSet, NeededAdd, NeededRemove, NeededReplace, RpathAdd, RpathEdit, RpathReplace,
    RpathShrink, RpathTidy,
};
use clap::{Args, Command};
use std::ffi::OsString;

/// Describes the arguments of a command.
type Describe = fn(Command) -> Command;

/// The arguments of commands, by their names and those of the commands in them.
const DESCRIBED: &[(&str, Option<&str>, Describe)] = &[
    ("doctor", None, Doctor::augment_args),
    ("fix", None, Fix::augment_args),
    ("apply", None, Apply::augment_args),
    ("revert", None, Revert::augment_args),
    ("log", None, OneTarget::augment_args),
    ("diff", None, Targets::augment_args),
    ("verify", None, Verify::augment_args),
    ("show", None, Show::augment_args),
    ("tree", None, Tree::augment_args),
    ("trace", None, Trace::augment_args),
    ("explain", None, Explain::augment_args),
    ("rpath", Some("print"), RpathPrint::augment_args),
    ("rpath", Some("set"), RpathEdit::augment_args),
    ("rpath", Some("add"), RpathAdd::augment_args),
    ("rpath", Some("remove"), RpathEdit::augment_args),
    ("rpath", Some("dedupe"), RpathTidy::augment_args),
    ("rpath", Some("prune"), RpathTidy::augment_args),
    ("rpath", Some("replace"), RpathReplace::augment_args),
    ("rpath", Some("shrink"), RpathShrink::augment_args),
    ("needed", Some("print"), RpathPrint::augment_args),
    ("needed", Some("add"), NeededAdd::augment_args),
    ("needed", Some("remove"), NeededRemove::augment_args),
    ("needed", Some("replace"), NeededReplace::augment_args),
    ("soname", Some("print"), RpathPrint::augment_args),
    ("soname", Some("set"), NameSet::augment_args),
    ("interpreter", Some("print"), RpathPrint::augment_args),
    ("interpreter", Some("set"), NameSet::augment_args),
    ("shims", None, Shims::augment_args),
    ("completions", None, Completions::augment_args),
    ("man", None, Man::augment_args),
    ("help", None, Help::augment_args),
];

/// The command line with only the command that these words, after the name of the program, begin with; `None` if they
/// begin with anything else.
#[must_use]
pub(super) fn command(mut words: impl Iterator<Item = OsString>) -> Option<Command> {
    let (first, second) = (words.next()?, words.next());
    let (name, inner, describe) = DESCRIBED.iter().find(|(name, inner, _)| {
        first == *name && inner.is_none_or(|inner| second.as_ref().is_some_and(|it| it == inner))
    })?;
    let own = match inner {
        Some(inner) => {
            Command::new(*name).subcommand_required(true).subcommand(describe(Command::new(*inner)))
        }
        None => describe(Command::new(*name)),
    };
    let all = Common::augment_args(Command::new("tfpatch")).disable_help_subcommand(true);
    Some(all.subcommand_required(true).subcommand(own))
}

#[cfg(test)]
mod tests {
    use super::command;
    use crate::cli::args::Arguments;
    use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _};

    /// What decides how the arguments of a command are parsed, in the order of clap.
    fn described(command: &Command) -> Vec<String> {
        let arguments = command.get_arguments().filter(|arg| !is_of_clap(arg));
        let one = |arg: &Arg| {
            // What only the help shows is not a part of it.
            let arg = arg.clone().help(None::<&str>).long_help(None::<&str>);
            format!("{:?}", arg.help_heading(None::<&str>).display_order(0))
        };
        let mut all: Vec<String> = arguments.map(one).collect();
        all.extend(command.get_groups().map(|group| format!("{group:?}")));
        all
    }

    fn is_of_clap(arg: &Arg) -> bool {
        ["help", "version"].contains(&arg.get_id().as_str())
    }

    fn quick(words: &[&str]) -> Option<Command> {
        let mut found = command(words.iter().map(Into::into))?;
        found.build();
        Some(found)
    }

    #[test]
    fn each_command_is_described_as_among_all_others() {
        let mut all = Arguments::command();
        all.build();
        for outer in all.get_subcommands() {
            let name = outer.get_name();
            // It is not parsed by this description.
            if matches!(name, "patchelf" | "install-name-tool") {
                continue;
            }
            let inner: Vec<_> = outer.get_subcommands().collect();
            let alone = || quick(&[name])?.find_subcommand(name).cloned();
            if inner.is_empty() {
                assert_eq!(described(outer), described(&alone().unwrap()), "{name}");
            } else {
                assert!(alone().is_none(), "{name}");
            }
            for inner in inner.into_iter().filter(|inner| inner.get_name() != "help") {
                let words = [name, inner.get_name()];
                let found = quick(&words).unwrap();
                let found = found.find_subcommand(words[0]).unwrap();
                let found = found.find_subcommand(words[1]).unwrap();
                assert_eq!(described(inner), described(found), "{words:?}");
            }
        }
        assert!(quick(&["patchelf"]).is_none() && quick(&["install-name-tool"]).is_none());
        assert!(quick(&["--json", "doctor"]).is_none());
        assert!(quick(&[]).is_none());
    }

    #[test]
    fn the_same_values_are_read() {
        for line in [
            "rpath set --no-sync --record keep --entry $ORIGIN --entry /opt -v a.so b.so",
            "rpath print -0 --root /x a.so",
            "needed replace --json a b c.so",
            "doctor --strict --env A=B .venv --color never",
            "fix --dry-run -o plan.json -q",
            "verify --timeout 5 -- python -c 1",
            "trace python --version",
            "explain --target x some words",
            "log --store /s",
        ] {
            let words = || line.split(' ');
            let called = || ["tfpatch"].into_iter().chain(words());
            let parsed = |command: Command| {
                let mut matches = command.try_get_matches_from(called()).unwrap();
                format!("{:?}", Arguments::from_arg_matches_mut(&mut matches).unwrap())
            };
            let alone = command(words().map(Into::into)).unwrap();
            assert_eq!(parsed(Arguments::command()), parsed(alone), "{line}");
        }
    }
}
