//! What installers left, in trees that are held in memory: what is told of it, and what is not. Real
//! environments are those of `scripts/doctor/cases`.

use crate::support::macho_writer::Macho;
use std::path::Path;
use tfpatch::diagnosis::diagnose::diagnose_asked;
use tfpatch::findings::finding::{Cause, Finding, Severity};
use tfpatch::loader::Settings;
use tfpatch::report::words::findings as words;
use tfpatch::vfs::MemVfs;
use tfpatch::world::{Question, World};

/// A directory of packages with a distribution, whose RECORD has the given rows.
fn with(vfs: MemVfs, name: &str, version: &str, rows: &str) -> MemVfs {
    let info = format!("/s/{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    vfs.file(format!("{info}/METADATA"), metadata).file(format!("{info}/RECORD"), rows)
}

fn look(vfs: &MemVfs, deep: bool) -> Vec<Finding> {
    let world = World::of_directory(vfs, "/s".as_ref(), None, Settings::default());
    diagnose_asked(vfs, &world, &Question { deep, ..Question::default() }).findings
}

fn messages(vfs: &MemVfs, cause: Cause) -> Vec<String> {
    let found = look(vfs, false).into_iter().filter(|finding| finding.cause == cause);
    found.map(|finding| words::message(&finding)).collect()
}

#[test]
fn files_that_are_gone_or_empty() {
    let rows = "a/__init__.py,,3\na/gone.py,,9\na/empty.py,,4\na-1.dist-info/RECORD,,\n";
    let vfs = with(MemVfs::new(), "a", "1", rows)
        .file("/s/a/__init__.py", "x=1")
        .file("/s/a/empty.py", "");
    let said = messages(&vfs, Cause::PartialInstall);
    let expected = "a 1 is incomplete: of 3 files in its RECORD, 1 is missing, 1 is of \
                    a different size (a/gone.py, a/empty.py)";
    assert_eq!(said, [expected]);
}

/// Code opens one of the names of a library, and its files do not show which.
#[test]
fn a_file_with_a_copy_beside_it_may_not_be_needed() {
    let bytes = Macho::bundle().bytes();
    let with_rows = |digest: &str, name: &str| {
        let len = bytes.len();
        let rows = format!(
            "a/__init__.py,,\na/liba.so,sha256=x,{len}\na/liba.so.1,sha256={digest},{len}\n"
        );
        let code =
            format!("import ctypes\nfor end in ENDS:\n    lib = open_it(f'{{here}}/{name}')\n");
        let vfs = with(MemVfs::new(), "a", "1", &rows).file("/s/a/__init__.py", code);
        vfs.file("/s/a/liba.so", bytes.clone())
    };
    for (digest, name, severity) in [
        ("x", "liba.{end}", Severity::Warning),
        ("y", "liba.{end}", Severity::Error),
        ("x", "liba.so.1", Severity::Error),
    ] {
        let found = look(&with_rows(digest, name), false).into_iter();
        let found = found.filter(|it| it.cause == Cause::PartialInstall);
        assert_eq!(
            found.map(|it| it.severity()).collect::<Vec<_>>(),
            [severity],
            "{digest} {name}"
        );
    }
}

/// What is named first is what the title calls missing.
#[test]
fn a_file_that_exists_is_not_called_missing() {
    let bytes = Macho::bundle().bytes();
    let rows = "a/lib.so.1,,7\na/gone.py,,9\n";
    let vfs = with(MemVfs::new(), "a", "1", rows).file("/s/a/lib.so.1", bytes.clone());
    let objects = look(&vfs, false).into_iter().filter(|it| it.cause == Cause::PartialInstall);
    let objects: Vec<_> = objects.map(|it| it.object).collect();
    assert_eq!(objects, [Path::new("/s/a/gone.py")]);
    let vfs = with(MemVfs::new(), "a", "1", "a/lib.so.1,,7\n").file("/s/a/lib.so.1", bytes);
    let said = messages(&vfs, Cause::PartialInstall);
    let expected = "a 1 differs from its RECORD: of 1 file, 1 is of a different size (a/lib.so.1)";
    assert_eq!(said, [expected]);
}

#[test]
fn an_object_of_another_size() {
    let bytes = Macho::bundle().bytes();
    let vfs = |size: usize| {
        with(MemVfs::new(), "a", "1", &format!("a/m.so,,{size}\n")).file("/s/a/m.so", bytes.clone())
    };
    assert_eq!(messages(&vfs(bytes.len()), Cause::PartialInstall), Vec::<String>::new());
    assert_eq!(messages(&vfs(bytes.len() + 1), Cause::PartialInstall).len(), 1);
}

/// Debian strips objects after their RECORD was written, and takes INSTALLER away; Fedora writes `rpm`.
#[test]
fn packagers_of_systems_keep_no_record() {
    let bytes = Macho::bundle().bytes();
    let rows = format!("a/m.so,sha256=x,{}\na/gone.py,,9\n", bytes.len() + 1);
    let told = |site: &str, installer: &str| {
        let vfs = MemVfs::new().file(format!("{site}/a/m.so"), bytes.clone());
        let info = format!("{site}/a-1.dist-info");
        let vfs = vfs.file(format!("{info}/METADATA"), "Name: a\nVersion: 1\n");
        let vfs = vfs.file(format!("{info}/RECORD"), rows.clone());
        let vfs = match installer {
            "" => vfs,
            name => vfs.file(format!("{info}/INSTALLER"), format!("{name}\n")),
        };
        let world = World::of_directory(&vfs, site.as_ref(), None, Settings::default());
        let question = Question { deep: true, ..Question::default() };
        let findings = diagnose_asked(&vfs, &world, &question).findings;
        findings.iter().filter(|finding| finding.cause == Cause::PartialInstall).count()
    };
    assert_eq!(told("/usr/lib/python3/dist-packages", ""), 0);
    assert_eq!(told("/usr/lib64/python3.13/site-packages", "rpm"), 0);
    assert_eq!(told("/usr/lib/python3.13/site-packages", "installer"), 0);
    assert_eq!(told("/opt/conda/lib/python3.12/site-packages", "conda"), 0);
    // By pip, and by hand.
    assert_eq!(told("/usr/local/lib/python3.11/dist-packages", "pip"), 1);
    assert_eq!(told("/venv/lib/python3.11/site-packages", ""), 1);
}

#[test]
fn what_people_take_out_or_change_is_no_fault() {
    let rows = "a/x.py,,3\na/tests/t.py,,3\na/x.pyi,,3\na/include/x.h,,3\na/__pycache__/x.pyc,,\n\
                ../../bin/a,,7\na/compiled.py,,5\na-1.dist-info/licenses/LICENSE,,2\n";
    let vfs = with(MemVfs::new(), "a", "1", rows)
        .file("/s/a/x.py", "changed by hand")
        .file("/s/a/compiled.pyc", "code");
    assert_eq!(look(&vfs, false), []);
}

#[test]
fn conda_keeps_its_own_list_of_files() {
    let vfs = with(MemVfs::new(), "a", "1", "a/x.py,,3\n");
    assert_eq!(messages(&vfs, Cause::PartialInstall).len(), 1);
    let vfs = vfs.file("/s/a-1.dist-info/INSTALLER", "conda\n");
    assert_eq!(look(&vfs, false), []);
}

#[test]
fn only_reading_it_tells_that_a_file_of_the_right_size_was_changed() {
    // The hash of "abc" (FIPS 180-2, B.1).
    let rows = "a/x.py,sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n";
    let vfs = |text: &str| with(MemVfs::new(), "a", "1", rows).file("/s/a/x.py", text);
    assert_eq!(look(&vfs("abc"), true), []);
    assert_eq!(look(&vfs("abd"), false), []);
    let found = look(&vfs("abd"), true);
    assert_eq!(found.iter().map(|found| found.cause).collect::<Vec<_>>(), [Cause::PartialInstall]);
}

#[test]
fn two_distributions_that_write_the_same_object() {
    let bytes = Macho::bundle().bytes();
    let row = |size: usize| format!("p/m.so,,{size}\n");
    let one = with(MemVfs::new(), "one", "1", &row(bytes.len()));
    let both = |size| with(one, "two", "2", &row(size)).file("/s/p/m.so", bytes.clone());
    let vfs = both(bytes.len() + 1);
    let said = messages(&vfs, Cause::DuplicateInstall);
    let expected = "one 1 and two 2 both install 1 shared library, such as p/m.so; the \
                    installed files are from one 1";
    assert_eq!(said, [expected]);
    // The other one's file is no missing part of this one.
    assert_eq!(messages(&vfs, Cause::PartialInstall), Vec::<String>::new());
}

#[test]
fn what_an_upgrade_left() {
    let vfs = with(MemVfs::new(), "a", "1", "");
    assert_eq!(look(&vfs, false), []);
    let vfs = vfs.file("/s/~a/x.so", "").file("/s/~a-0.dist-info/METADATA", "");
    let expected = "an upgrade that pip did not finish left ~a, ~a-0.dist-info in .";
    assert_eq!(messages(&vfs, Cause::DuplicateInstall), [expected]);
    let vfs = with(with(MemVfs::new(), "a", "1", ""), "a", "2", "");
    let expected =
        "a is installed 2 times in one directory: 1 and 2; files of an older version may be left";
    assert_eq!(messages(&vfs, Cause::DuplicateInstall), [expected]);
}

#[test]
fn a_pointer_of_git_lfs() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    let found = look(&MemVfs::new().file("/s/m.so", pointer), false);
    assert_eq!(found.iter().map(|found| found.cause).collect::<Vec<_>>(), [Cause::Unreadable]);
    assert!(words::cure(&found[0]).contains("git lfs pull"), "{found:?}");
}

/// The metadata of TensorFlow 2.8 allow every NumPy from 1.20 on; those of later releases tell.
#[test]
fn numpy_2_beside_a_tensorflow_that_was_built_for_numpy_1() {
    let told = |tensorflow: &str, numpy: &str, requires: &str| {
        let metadata = format!("Name: tensorflow-cpu\nVersion: {tensorflow}\n{requires}");
        let vfs = with(MemVfs::new(), "numpy", numpy, "")
            .file("/s/tensorflow_cpu-x.dist-info/METADATA", metadata);
        messages(&vfs, Cause::VersionMismatch).len()
    };
    let any = "Requires-Dist: numpy (>=1.20)\n";
    assert_eq!(told("2.8.4", "2.2.6", any), 1);
    assert_eq!(told("2.8.4", "2.2.6", ""), 1);
    assert_eq!(told("2.8.4", "1.26.4", any), 0);
    assert_eq!(told("2.18.0", "2.0.2", any), 0);
    // Once, where the metadata say it too.
    assert_eq!(told("2.16.1", "2.0.2", "Requires-Dist: numpy <2.0.0,>=1.26.0\n"), 1);
}
