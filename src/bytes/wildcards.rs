//! Names with wildcards.

/// Does a name fit a pattern with `*` and `?`, as of glob(7)? The match of the last `*` grows by one if
/// the rest does not fit: the time is proportional to both lengths for every pattern.
#[must_use]
pub(crate) fn fits_wildcards(name: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut part, mut star) = (0, 0, None);
    while let Some(&byte) = name.get(at) {
        match pattern.get(part) {
            Some(b'*') => {
                star = Some((part, at));
                part += 1;
            }
            Some(&one) if one == b'?' || one == byte => {
                at += 1;
                part += 1;
            }
            _ => {
                let Some((before, skipped)) = star else { return false };
                star = Some((before, skipped + 1));
                at = skipped + 1;
                part = before + 1;
            }
        }
    }
    pattern.iter().skip(part).all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::fits_wildcards as fits;

    #[test]
    fn a_pattern_fits_as_a_shell_has_it() {
        assert!(fits(b"a.conf", b"*.conf") && fits(b"x1", b"x?") && fits(b"", b"*"));
        assert!(fits(b"abcab", b"*ab") && !fits(b"abcab", b"*abc"));
        assert!(!fits(b"a.conf.bak", b"*.conf") && !fits(b"x", b"x?"));
        for pattern in ["*", "*.so*", "lib*.so.1", "libgone.so.1", "lib????.so.*", "*e.so*1"] {
            assert!(fits(b"libgone.so.1", pattern.as_bytes()), "{pattern}");
        }
        for pattern in ["", "*.dll", "lib*.so", "libgone.so", "?libgone.so.1", "libnope*.so*"] {
            assert!(!fits(b"libgone.so.1", pattern.as_bytes()), "{pattern}");
        }
    }
}
