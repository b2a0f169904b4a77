//! Commands that make backups.

use super::args::{Command, DirectOptions, Interpreter, Needed, Rpath, Soname};

impl Command {
    /// Does it make backups, so that their directory has to exist?
    #[must_use]
    pub fn writes(&self) -> bool {
        let dry_run = match self {
            Self::Fix(fix) => fix.dry_run,
            Self::Apply(apply) => apply.dry_run,
            Self::Trace(trace) => !trace.fix || trace.dry_run,
            Self::Rpath(rpath) => rpath.direct().is_none_or(|it| it.dry_run),
            Self::Needed(needed) => needed.direct().is_none_or(|it| it.dry_run),
            Self::Soname(Soname::Set(set)) | Self::Interpreter(Interpreter::Set(set)) => {
                set.direct.options.dry_run
            }
            _ => true,
        };
        !dry_run
    }
}

impl Rpath {
    fn direct(&self) -> Option<&DirectOptions> {
        let options = match self {
            Self::Print(_) => return None,
            Self::Set(edit) | Self::Remove(edit) => &edit.options,
            Self::Add(add) => &add.edit.options,
            Self::Dedupe(tidy) | Self::Prune(tidy) => &tidy.options,
            Self::Replace(replace) => &replace.options,
            Self::Shrink(shrink) => &shrink.tidy.options,
        };
        Some(&options.direct)
    }
}

impl Needed {
    fn direct(&self) -> Option<&DirectOptions> {
        let direct = match self {
            Self::Print(_) => return None,
            Self::Add(add) => &add.direct,
            Self::Remove(remove) => &remove.direct,
            Self::Replace(replace) => &replace.direct,
        };
        Some(&direct.options)
    }
}
