//! The texts of findings about installed distributions.

use super::text::{AND, MORE, counted, joined};
use crate::bytes::printable;
use crate::findings::evidence::Release;
use crate::findings::evidence::installed::{BuiltFor, Installed, Twice};
use crate::world::Place;

/// The finding, in a sentence.
pub(super) fn of(installed: &Installed) -> String {
    match installed {
        Installed::Changed { release, changed, listed, first } => {
            let more = if *changed > 1 { MORE } else { "" };
            format!(
                "{changed} of {listed} files of {release} changed after the installation ({first}{more})"
            )
        }
        Installed::InPart { release, listed, gone, of_another_size, first } => {
            in_part(release, *listed, (*gone, *of_another_size), first)
        }
        Installed::Requirement { release, there, name, specifier, fails } => format!(
            "{release} does not work with {there}: it requires {name} {specifier}, and {fails}"
        ),
        Installed::NewerNumpy { release, numpy, others } => {
            let more = match others {
                0 => String::new(),
                1 => "; so was 1 other package".to_owned(),
                all => format!("; so were {all} other packages"),
            };
            format!(
                "{release} does not work with {numpy}: modules compiled for one major version of NumPy do not load \
                 with another, and it was built for NumPy 1{more}"
            )
        }
        Installed::NotThere { release, name, module, file, line } => {
            let imports = match line {
                Some(line) => format!("{file}:{line} imports"),
                None => format!("the native code of {file} names"),
            };
            format!("{release} requires {name}, which is not installed; {imports} {module}")
        }
        Installed::BuiltForElsewhere { release, built_for } => {
            format!("{release} was built for {}", for_what(built_for))
        }
        Installed::ModulesForElsewhere { package, built_for, first } => {
            format!("the modules in {package} were built for {} ({first})", for_what(built_for))
        }
        Installed::NoLibdevice { release, elsewhere } => {
            let lies = match elsewhere {
                Some(root) => format!("they are in {root}, where this release does not search"),
                None => "no installed package contains libdevice".to_owned(),
            };
            format!(
                "to compile for a GPU, XLA of {release} needs libdevice.10.bc and ptxas: {lies}"
            )
        }
        Installed::Twice(what) => twice(what),
    }
}

/// What a distribution lacks: files that are missing, and files of another size.
fn in_part(
    release: &Release,
    listed: usize,
    (gone, of_another_size): (usize, usize),
    first: &[Place],
) -> String {
    let more = if gone + of_another_size > first.len() { MORE } else { "" };
    let first: Vec<String> = first.iter().map(ToString::to_string).collect();
    let counts = [(gone, "missing"), (of_another_size, "of a different size")];
    let counts = joined(counts.iter().filter_map(|(files, what)| are(*files, what)), ", ");
    let (first, listed) = (first.join(", "), counted(listed, "file"));
    match gone {
        0 => format!("{release} differs from its RECORD: of {listed}, {counts} ({first}{more})"),
        _ => {
            format!("{release} is incomplete: of {listed} in its RECORD, {counts} ({first}{more})")
        }
    }
}

fn are(files: usize, what: &str) -> Option<String> {
    match files {
        0 => None,
        1 => Some(format!("1 is {what}")),
        _ => Some(format!("{files} are {what}")),
    }
}

fn twice(twice: &Twice) -> String {
    match twice {
        Twice::OverOneAnother { first, second, objects, object, there } => {
            let count = counted(*objects, "shared library");
            let there = there.as_ref().map_or_else(String::new, |owner| {
                format!("; the installed files are from {owner}")
            });
            format!("{first} and {second} both install {count}, such as {object}{there}")
        }
        Twice::SeveralTimes { name, times, versions } => {
            let versions = joined(versions, AND);
            format!(
                "{name} is installed {times} times in one directory: {versions}; files of an older version may be \
                 left"
            )
        }
        Twice::Leftovers { names, all, site } => {
            let more = if *all > names.len() { MORE } else { "" };
            let names = joined(names.iter().map(|name| printable(name)), ", ");
            format!("an upgrade that pip did not finish left {names}{more} in {site}")
        }
        Twice::OtherCuda { cuda, beside, distributions } => format!(
            "libraries of CUDA {cuda} are installed next to those of CUDA {beside}, and no installed package \
             requires them: {}",
            joined(distributions, ", ")
        ),
        Twice::TwoOpenMp { first: (first, by_first), second: (second, by_second) } => format!(
            "{by_first} loads {first}, and {by_second} loads {second}: a process that loads both OpenMP runtimes is \
             terminated by the second (OMP: Error #15)"
        ),
        Twice::TwoBlas { object, first, second, others } => {
            let others = match others {
                0 => String::new(),
                others => format!("; {others} more files do the same"),
            };
            format!(
                "{object} loads two BLAS libraries, {first} and {second}: calls meant for one are bound to the \
                 other{others}"
            )
        }
    }
}

fn for_what(built_for: &BuiltFor) -> String {
    match built_for {
        BuiltFor::System { system, tag, here } => {
            format!("{system} ({tag}), but this is {}", joined(here, AND))
        }
        BuiltFor::MacOs { here } => {
            format!("macOS, but this is {}", here.map_or_else(String::new, |here| here.to_string()))
        }
        BuiltFor::Python { versions, tag, here } => {
            let built = match versions.as_slice() {
                [] => "another version of Python".to_owned(),
                all => joined(all.iter().map(|(a, b)| format!("Python {a}.{b}")), AND),
            };
            let tag = tag.as_ref().map_or_else(String::new, |tag| format!(" ({tag})"));
            let here = joined(here.iter().map(|version| format!("Python {version}")), AND);
            format!("{built}{tag}, but the interpreter here is {here}")
        }
    }
}
