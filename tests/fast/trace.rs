//! `tfpatch trace`, with real programs under the real loader of the machine.

use crate::support::trace::parse;
use tfpatch::loader::Rule;
use tfpatch::trace::{Event, Kind, LibraryPath};

#[test]
fn the_words_of_the_loader_are_understood() {
    let text = b"\
         7:\t
         7:\tfile=lib a.so [0];  needed by ./my prog [0]
         7:\tfind library=lib a.so [0]; searching
         7:\t search path=/x/glibc-hwcaps/x86-64-v3:/x/tls/haswell:/x:/y/tls\t\t(LD_LIBRARY_PATH)
         7:\t  trying file=/x/glibc-hwcaps/x86-64-v3/lib a.so
         7:\t  trying file=/x/lib a.so
         7:\t
         7:\tfile=lib a.so [0];  generating link map
         7:\t  dynamic: 0x00007f  base: 0x0000   size: 0x0001
         7:\t
         7:\tcalling init: /x/lib a.so
         7:\tinitialize program: ./my prog
         7:\ttransferring control: ./my prog
         7:\tfile=/x/lib a.so [0];  needed by /y/b.so [0] (relocation dependency)
         7:\tfile=line\nfeed.so [0];  dynamically loaded by /x/lib a.so [0]
         7:\tfind library=line\nfeed.so [0]; searching
         7:\t search path=/r\t\t(RUNPATH from file /x/lib a.so)
         8:\tfile=/abs/c.so [2];  dynamically loaded by /x/lib a.so [0]
         8:\tfile=/abs/c.so [2];  generating link map
         7:\t  trying file=/r/line\nfeed.so
         7:\t search cache=/etc/ld.so.cache
         7:\tclosing file=/x/lib a.so; direct_opencount=0
         7:\tfile=/x/lib a.so [0];  destroying link map
         7:\t/x/lib a.so: error: symbol lookup error: undefined symbol: f (fatal)
         7:\tfile=libc.so.6 [0];  needed by next [0]
         7:\tinitialize program: next
";
    let trace = parse(text);
    assert_eq!(trace.processes, 2);
    assert_eq!(trace.hwcaps, ["x86-64-v3"]);
    let [first, second, fork] = &trace.images[..] else { panic!("{trace:#?}") };
    assert_eq!(first.program.as_deref(), Some(&b"./my prog"[..]));
    assert_eq!(
        first.library_path(),
        LibraryPath::Directories(vec![b"/x".to_vec(), b"/y/tls".to_vec()])
    );
    let [needed, opened] = &first.requests().collect::<Vec<_>>()[..] else { panic!("{first:#?}") };
    assert_eq!((needed.kind, needed.mapped), (Kind::Needed, true));
    assert_eq!(needed.name, b"lib a.so");
    assert_eq!(needed.last_path(), Some(&b"/x/lib a.so"[..]));
    assert_eq!((opened.kind, opened.mapped), (Kind::Dlopen, false));
    assert_eq!(opened.name, b"line\nfeed.so");
    assert_eq!(opened.asker, b"/x/lib a.so");
    assert_eq!(opened.places[0].path, b"/r/line\nfeed.so");
    assert_eq!(opened.places[0].rule, Some(Rule::Runpath));
    assert_eq!(
        first.events.last(),
        Some(&Event::Unmapped { path: b"/x/lib a.so".to_vec(), namespace: 0 })
    );
    assert_eq!(second.program.as_deref(), Some(&b"next"[..]));
    assert_eq!(second.requests().count(), 1);
    assert_eq!((fork.pid, fork.forked_from), (8, Some(0)));
    assert_eq!(fork.requests().next().unwrap().namespace, 2);
    let (error, times) = trace.errors.first_key_value().unwrap();
    assert_eq!(error.message, b"symbol lookup error: undefined symbol: f (fatal)");
    assert_eq!(*times, 1);
}

/// Two processes that print at once: the end of one's line stands behind the other's.
#[test]
fn a_broken_line_takes_no_other_with_it() {
    let text = b"\
         7:\tfile=liba.so [0];  needed by prog [0]
         7:\tinitialize program: prog
         7:\ttransferring control: prog
         7:\tfile=libb.so [0];  dynamically loaded by prog [0]
         7:\t search path=/x         8:\t
         8:\tfile=libc.so [0];  dynamically loaded by prog [0]
:/y\t\t(RUNPATH from file prog)
         7:\t  trying file=/x/libb.so
         7:\tfile=libb.so [0];  generating link map
";
    let trace = parse(text);
    let names: Vec<&[u8]> = trace
        .images
        .iter()
        .flat_map(|image| image.requests())
        .map(|request| request.name.as_slice())
        .collect();
    assert_eq!(names, [&b"liba.so"[..], b"libb.so", b"libc.so"]);
    assert!(trace.images[0].requests().nth(1).unwrap().mapped);
}
