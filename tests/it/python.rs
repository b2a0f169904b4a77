//! Python environments, by real ones.

use crate::wheels::{self, LINK_MODES};

/// The wheel that the tests of the whole build on installs, imports, and stops importing.
#[test]
fn a_broken_package_is_broken_in_every_link_mode() {
    for mode in LINK_MODES {
        let dir = tempfile::tempdir().unwrap();
        let env = wheels::environment(dir.path(), mode);
        assert_eq!(wheels::imports(&env), Ok("42".to_owned()), "{mode:?}");
        let (before, cache) = (wheels::digests(&env.prefix), wheels::digests(&env.cache));
        wheels::break_it(&env);
        let error = wheels::imports(&env).unwrap_err();
        assert!(error.contains("ImportError: libinner.so.1: cannot open"), "{mode:?}: {error}");
        assert_ne!(wheels::digests(&env.prefix), before);
        assert_eq!(wheels::digests(&env.cache), cache);
        assert!(env.site_packages.join(env.extension()).starts_with(&env.prefix));
    }
}
