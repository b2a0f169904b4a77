//! `$ORIGIN` as musl expands it (`fixup_rpath` in ldso/dynlink.c).

const NAMES: [&[u8]; 2] = [b"$ORIGIN", b"${ORIGIN}"];

/// A search path with `$ORIGIN` replaced, whatever follows it: `$ORIGINx` is the directory and an
/// `x`. Any other `$` disables the whole path, and so does an unknown directory.
pub(super) fn expand(path: &[u8], origin: Option<&[u8]>) -> Option<Vec<u8>> {
    let mut expanded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.iter().position(|&byte| byte == b'$') {
        let (before, token) = rest.split_at(at);
        expanded.extend_from_slice(before);
        rest = NAMES.iter().find_map(|name| token.strip_prefix(*name))?;
        // The root is the part before its slash.
        expanded.extend_from_slice(origin.map(|dir| if dir == b"/" { b"" } else { dir })?);
    }
    expanded.extend_from_slice(rest);
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn origin_alone_is_expanded() {
        let origin = Some(&b"/app/lib"[..]);
        let cases: [(&[u8], Option<&[u8]>); 8] = [
            (b"", Some(b"")),
            (b"/a:b", Some(b"/a:b")),
            (b"$ORIGIN/x:${ORIGIN}", Some(b"/app/lib/x:/app/lib")),
            (b"/a/$ORIGIN", Some(b"/a//app/lib")),
            (b"$ORIGINx", Some(b"/app/libx")),
            (b"$ORIGIN:$LIB", None),
            (b"${ORIGIN", None),
            (b"$", None),
        ];
        for (path, expected) in cases {
            assert_eq!(expand(path, origin).as_deref(), expected);
        }
        assert_eq!(expand(b"/a:$ORIGIN", None), None);
        assert_eq!(expand(b"/a", None).as_deref(), Some(&b"/a"[..]));
        assert_eq!(expand(b"$ORIGIN/d:${ORIGIN}d", Some(b"/")).as_deref(), Some(&b"/d:d"[..]));
    }
}
