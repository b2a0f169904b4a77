//! The places that dyld searches for one name, before `@` is expanded
//! (`ProcessConfig::PathOverrides::forEachPathVariant`).

use super::Settings;
use super::version::Version;

/// The cryptex with the parts of the system that are updated separately.
const CRYPTEX: &[u8] = b"/System/Volumes/Preboot/Cryptexes/OS";

/// Why a place is among the variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `DYLD_LIBRARY_PATH`.
    LibraryPath,
    /// `DYLD_FRAMEWORK_PATH`.
    FrameworkPath,
    /// The name itself, as a file alone.
    OnDisk,
    /// Below the cryptex.
    Cryptex,
    /// The name itself, in the shared cache too.
    Raw,
    /// `DYLD_FALLBACK_LIBRARY_PATH`, `DYLD_FALLBACK_FRAMEWORK_PATH`, or the default fallbacks.
    Fallback,
}

/// The requester, as far as the variants depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    /// Is the default fallback for it, by the age of its SDK?
    pub(super) needs_fallbacks: bool,
    /// Is there no fallback at all?
    pub(super) skips_fallbacks: bool,
}

/// The variants of `name`, in order.
pub(super) fn variants(
    name: &[u8],
    version: Version,
    settings: &Settings,
    asker: Asker,
) -> Vec<(Place, Vec<u8>)> {
    let mut found = Vec::new();
    let framework = framework_part(name);
    let tail = framework.unwrap_or_else(|| leaf(name));
    let (list, place) = match framework {
        Some(_) => (settings.framework_path(), Place::FrameworkPath),
        None => (settings.library_path(), Place::LibraryPath),
    };
    found.extend(directories(list).map(|directory| (place, beneath(directory, tail))));
    let is_at_name = name.first() == Some(&b'@');
    let searches_cryptex = match is_at_name {
        true => version.has_cryptex_for_at_names(),
        false => version.has_cryptex(),
    };
    if searches_cryptex {
        found.push((Place::OnDisk, name.to_vec()));
        found.push((Place::Cryptex, [CRYPTEX, name].concat()));
    }
    found.push((Place::Raw, name.to_vec()));
    if !asker.skips_fallbacks {
        let custom = match framework {
            Some(_) => settings.fallback_framework_path(),
            None => settings.fallback_library_path(),
        };
        let defaults: &[&[u8]] = match (framework.is_some(), settings.hardened) {
            _ if custom.is_some() || !asker.needs_fallbacks => &[],
            (true, false) => &[b"/Library/Frameworks", b"/System/Library/Frameworks"],
            (true, true) => &[b"/System/Library/Frameworks"],
            (false, false) => &[b"/usr/local/lib", b"/usr/lib"],
            (false, true) => &[b"/usr/lib"],
        };
        let fallbacks = directories(custom).chain(defaults.iter().copied());
        found.extend(
            fallbacks
                .map(|directory| (Place::Fallback, beneath(directory, tail)))
                .filter(|(_, path)| path != name),
        );
    }
    found
}

/// `path` below the cryptex.
pub(super) fn in_cryptex(path: &[u8]) -> Vec<u8> {
    [CRYPTEX, path].concat()
}

/// The elements of a list between colons; an empty one counts.
fn directories(list: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    list.into_iter().flat_map(|list| list.split(|&byte| byte == b':'))
}

fn beneath(directory: &[u8], tail: &[u8]) -> Vec<u8> {
    [directory, b"/", tail].concat()
}

/// The part of a path after its last slash.
pub(super) fn leaf(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// The part of a framework's path from the framework on (`getFrameworkPartialPath`):
/// `/path/foo.framework/Versions/A/foo` has `foo.framework/Versions/A/foo`, and a library that is
/// not part of a framework has none.
pub(super) fn framework_part(path: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b".framework/";
    let dot = path.windows(MARK.len()).rposition(|part| part == MARK)?;
    let start = path.get(..dot)?.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    let framework = path.get(start..dot)?;
    (framework == leaf(path)).then(|| path.get(start..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_framework_is_known_by_its_own_library() {
        let part = |path: &'static str| framework_part(path.as_bytes());
        assert_eq!(part("/p/foo.framework/foo"), Some(b"foo.framework/foo".as_slice()));
        assert_eq!(part("/p/foo.framework/Versions/A/foo").unwrap_or_default().len(), 28);
        assert_eq!(
            part("/p/foo.framework/Frameworks/bar.framework/bar"),
            Some(b"bar.framework/bar".as_slice())
        );
        assert_eq!(part("/p/foo.framework/Libraries/bar.dylib"), None);
        assert_eq!(part("/p/libfoo.dylib"), None);
    }
}
