//! Dynamic string tokens.

use tfpatch::loader::tokens::{Tokens, expand, leads_to};

#[test]
fn tokens_end_where_a_name_ends() {
    let tokens = Tokens {
        origin: Some(b"/o"),
        lib: Some(b"lib64"),
        platform: None,
        secure: false,
        trusted: None,
    };
    let text = |input: &str| {
        expand(input.as_bytes(), &tokens).map(|bytes| String::from_utf8(bytes).unwrap())
    };
    for (input, output) in [
        ("$ORIGIN", "/o"),
        ("${ORIGIN}x", "/ox"),
        ("$ORIGIN-x", "/o-x"),
        ("$ORIGINx", "$ORIGINx"),
        ("$ORIGIN_", "$ORIGIN_"),
        ("${ORIGIN", "${ORIGIN"),
        ("${ORIGINx}", "${ORIGINx}"),
        ("$$LIB", "$lib64"),
        ("a$LIB${LIB}", "alib64lib64"),
        ("$", "$"),
    ] {
        assert_eq!(text(input).as_deref(), Some(output), "{input}");
    }
    assert_eq!(text("/a/$PLATFORM"), None);
    let secure = Tokens { secure: true, ..tokens };
    let trusted = [b"/o/".to_vec()];
    let program = Tokens { trusted: Some(&trusted), ..secure };
    for (input, library, main) in [
        ("$ORIGIN/x", true, true),
        ("/x/$ORIGIN", false, false),
        ("$ORIGIN:x", false, false),
        ("$ORIGIN/../x", true, false),
        ("/x", true, true),
    ] {
        assert_eq!(expand(input.as_bytes(), &secure).is_some(), library, "{input}");
        assert_eq!(expand(input.as_bytes(), &program).is_some(), main, "{input}");
    }
}

#[test]
fn an_entry_leads_to_what_it_is_expanded_to() {
    let leads = |input: &str| leads_to(input.as_bytes(), b"/opt/lib64/x86_64/a");
    for input in ["/opt/$LIB/${PLATFORM}/a", "/opt/${LIB}/", "/opt/lib64/x86_64/a/"] {
        assert!(leads(input), "{input}");
    }
    for input in ["/opt", "/usr/$LIB/x86_64/a", "/opt/$LIB/arm/a", "/opt/$LIBS/x86_64/a"] {
        assert!(!leads(input), "{input}");
    }
    assert!(leads_to(b"/opt/l", b"/opt/l/glibc-hwcaps/x86-64-v3"));
}
