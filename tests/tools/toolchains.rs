//! Objects of every toolchain and layout, edited on every rung of the ladder: they load where they
//! did not, after every prefix of what is written in place, and after other tools have worked on
//! them; the tools that read them complain of nothing new; and what is taken back is what it was.
//!
//! The layouts are drawn at random, from one seed unless `PROPTEST_RNG_SEED` says another;
//! `PROPTEST_CASES=2560` draws ten times as many.

use crate::support::elf_builder::{OLD, apply, lint, outcome, patch, patched, request, tool};
use crate::support::linked::{Bench, Form, Layout, Machine, layouts};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;
use tfpatch::edit::EditSet;
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Failure, Method, Patch, Refusal};
use tfpatch::elf::search_path::RpathKind;
use tfpatch::elf::structs::Structs as _;

/// Draws this many layouts, and judges each; the ways in which objects were edited in place.
fn draw(machine: Machine, cases: u32, judge: impl Fn(&Subject<'_>)) -> Vec<Method> {
    let bench = Bench::new(machine);
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(5),
        fixed => fixed,
    };
    let cases = (config.cases * cases).div_ceil(256);
    let config =
        Config { cases, rng_seed, failure_persistence: None, max_shrink_iters: 32, ..config };
    let in_place = RefCell::new(Vec::new());
    let run = TestRunner::new(config).run(&layouts(machine), |layout| {
        let subject = Subject::new(&bench, &layout);
        judge(&subject);
        in_place.borrow_mut().extend(subject.in_place.into_inner());
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    in_place.into_inner()
}

fn far_away() -> String {
    format!("$ORIGIN/{}", "far/away/".repeat(333))
}

fn tag(kind: RpathKind) -> &'static str {
    match kind {
        RpathKind::Rpath => "(RPATH)",
        RpathKind::Runpath => "(RUNPATH)",
    }
}

/// One object and what is known of it unedited.
struct Subject<'b> {
    bench: &'b Bench,
    layout: &'b Layout,
    old: Vec<u8>,
    complaints: BTreeSet<String>,
    lint: BTreeSet<String>,
    /// Options of the emulator with which the object is loaded too.
    pages: Option<&'static [&'static str]>,
    /// In which ways it was edited in place.
    in_place: RefCell<Vec<Method>>,
}

impl<'b> Subject<'b> {
    /// Links it, and sees that it does not load because its library is out of reach, and for no
    /// other reason.
    fn new(bench: &'b Bench, layout: &'b Layout) -> Self {
        let old = bench.build(layout);
        let path = bench.place(layout.form, &old);
        let image = Image::parse(&old).unwrap();
        let has_large_pages =
            image.segments().iter().all(|segment| segment.p_type != 1 || segment.p_align >= 65536);
        let pages: &[&str] = &["-p", "65536"];
        let pages = (bench.machine == Machine::Aarch64 && has_large_pages).then_some(pages);
        let (complaints, lint) = (complaints(&path), lint(&path));
        let in_place = RefCell::default();
        let subject = Self { bench, layout, complaints, lint, pages, in_place, old };
        let control = subject.load(&subject.old).unwrap_err();
        assert!(control.contains("libdep.so"), "{layout:?}: the control: {control}");
        subject.must_load_with_library_path(&subject.old, "the control");
        subject
    }

    /// Does it load as it stands?
    fn load(&self, bytes: &[u8]) -> Result<(), String> {
        self.bench.place(self.layout.form, bytes);
        self.load_placed()
    }

    fn load_placed(&self) -> Result<(), String> {
        let bind_now = |more: &[&str]| {
            let mut command = self.bench.command(self.layout.form, more);
            // The emulator hands it on, the variable of a host's program would bind the emulator.
            outcome(command.env("LD_BIND_NOW", "1"))
        };
        bind_now(&[])?;
        self.pages.map_or(Ok(()), bind_now)
    }

    fn must_load_with_library_path(&self, bytes: &[u8], what: &str) {
        self.bench.place(self.layout.form, bytes);
        if let Err(error) = self.load_placed_with_library_path() {
            panic!("{:?}: {what}: {error}", self.layout);
        }
    }

    fn load_placed_with_library_path(&self) -> Result<(), String> {
        let mut command = self.bench.command(self.layout.form, &[]);
        outcome(command.env("LD_LIBRARY_PATH", self.bench.library_path()))
    }

    /// Judges an object that was edited: it loads, readelf finds the path under the tag, and no
    /// tool complains of more than it did.
    fn must_serve(&self, bytes: &[u8], entries: &[&str], kind: RpathKind, what: &str) {
        let layout = self.layout;
        if let Err(error) = self.load(bytes) {
            panic!("{layout:?}: {what}: {error}");
        }
        let path = self.bench.place(layout.form, bytes);
        let (out, _) = tool("readelf", &["-dW", path.to_str().unwrap()]);
        let wanted = format!("[{}]", entries.join(":"));
        let is_there = out.lines().any(|line| line.contains(tag(kind)) && line.contains(&wanted));
        assert!(is_there, "{layout:?}: {what}: {out}");
        if !layout.is_sectionless {
            let (out, complaints) = tool("patchelf", &["--print-rpath", path.to_str().unwrap()]);
            assert_eq!((out.trim(), &*complaints), (&*entries.join(":"), ""), "{layout:?}: {what}");
        }
        self.must_be_as_sound(bytes, what);
    }

    fn must_be_as_sound(&self, bytes: &[u8], what: &str) {
        let path = self.bench.place(self.layout.form, bytes);
        let new = complaints(&path);
        let more: Vec<_> = new.difference(&self.complaints).collect();
        assert!(more.is_empty(), "{:?}: {what}: readelf {more:?}", self.layout);
        let new = lint(&path);
        let more: Vec<_> = new.difference(&self.lint).collect();
        assert!(more.is_empty(), "{:?}: {what}: eu-elflint {more:?}", self.layout);
    }

    /// The object after an edit, which loads after every prefix of its writes if it may be made in
    /// place.
    fn edited(&self, old: &Vec<u8>, entries: &[&str], kind: Option<RpathKind>) -> (Patch, Vec<u8>) {
        let (patch, new) = patched(old, &request(entries, kind));
        if patch.in_place && !patch.edits.is_empty() {
            self.in_place.borrow_mut().push(patch.method);
            let writes = patch.edits.in_write_order();
            for count in 1..=writes.len() {
                let edits = EditSet::new(old.len() as u64, writes[..count].to_vec()).unwrap();
                let what = format!("{:?} after {count} writes", patch.method);
                self.must_load_with_library_path(&apply(old, &edits), &what);
            }
        }
        (patch, new)
    }

    /// Other tools work on the object: where the unedited one survives them, it does.
    fn must_survive_tools(&self, bytes: &[u8], what: &str) {
        let [strip, objcopy] = self.bench.machine.binutils();
        let far_away = far_away();
        for (name, arguments, is_edited_again) in [
            (strip, &["-g"][..], true),
            (strip, &[], false),
            (objcopy, &[], false),
            ("eu-strip", &[], false),
            ("llvm-strip-19", &[], true),
        ] {
            let after = |bytes: &[u8]| {
                let path = self.bench.place(self.layout.form, bytes);
                tool(name, &[arguments, &[path.to_str().unwrap()]].concat());
                (self.load_placed_with_library_path(), self.load_placed())
            };
            if after(&self.old).0.is_err() {
                continue;
            }
            let what = format!("{:?}: {what}, {name} {arguments:?}", self.layout);
            assert_eq!(after(bytes), (Ok(()), Ok(())), "{what}");
            // What a tool has written is edited once more, and that again.
            let path = self.bench.place(self.layout.form, bytes);
            for count in if is_edited_again { 2..4 } else { 0..0 } {
                tool(name, &[arguments, &[path.to_str().unwrap()]].concat());
                let written = std::fs::read(&path).unwrap();
                // Not eu-elflint: llvm-strip leaves empty sections where no segment of theirs is, of
                // which it says nothing while another segment happens to lie there.
                let before = complaints(&path);
                let mut entries = vec!["$ORIGIN/d"];
                entries.extend(vec![&*far_away; count]);
                let (patch, again) = self.edited(&written, &entries, None);
                let ways = [Method::NewSegment, Method::ExtendTail];
                assert!(ways.contains(&patch.method), "{what}: {count}, {:?}", patch.method);
                assert_eq!(self.load(&again), Ok(()), "{what}, and once more");
                let more = complaints(&path);
                assert!(more.is_subset(&before), "{what}: {more:?} {before:?}");
            }
        }
    }
}

/// What readelf complains of, free of numbers.
fn complaints(path: &std::path::Path) -> BTreeSet<String> {
    let (_, complaints) = tool("readelf", &["-aW", path.to_str().unwrap()]);
    let free = |line: &str| line.chars().filter(|c| !c.is_ascii_digit()).collect();
    complaints.lines().map(free).collect()
}

fn loads(bytes: &[u8]) -> usize {
    let image = Image::parse(&bytes).unwrap();
    image.segments().iter().filter(|segment| segment.p_type == 1).count()
}

/// Was every way to edit in place taken, and so tried write by write?
fn must_see_every_way(seen: &[Method]) {
    for method in
        [Method::Slot, Method::Repoint, Method::Remove, Method::ExtendTail, Method::NewSegment]
    {
        assert!(seen.contains(&method), "{method:?} was never tried");
    }
}

/// Every rung of the ladder.
fn judge(subject: &Subject<'_>) {
    let (old, layout) = (&subject.old, subject.layout);
    let far_away = far_away();
    let kept = layout.kind.unwrap_or(RpathKind::Runpath);

    if let Some(kind) = layout.kind {
        let (same, _) = subject.edited(old, &[OLD], None);
        assert!(same.edits.is_empty() && same.method == Method::Unchanged);
        let (shorter, bytes) = subject.edited(old, &["$ORIGIN/d"], None);
        assert_eq!(shorter.method, Method::Slot, "{layout:?}");
        subject.must_serve(&bytes, &["$ORIGIN/d"], kind, "slot");
        let (removed, bytes) = subject.edited(old, &[], None);
        assert_eq!(removed.method, Method::Remove);
        assert!(subject.load(&bytes).is_err(), "{layout:?}: removed");
        subject.must_load_with_library_path(&bytes, "removed");
        subject.must_be_as_sound(&bytes, "removed");
    }

    judge_repoint(subject);

    let grown_entries = [OLD, &far_away, "$ORIGIN/d"];
    let (_, grown) = subject.edited(old, &grown_entries, None);
    assert_eq!(loads(&grown), loads(old) + 1, "{layout:?}");
    subject.must_serve(&grown, &grown_entries, kept, "grown");

    let more = [OLD, &far_away, "$ORIGIN/d", "$ORIGIN/more"];
    let (tail, longer) = subject.edited(&grown, &more, None);
    assert_eq!(tail.method, Method::ExtendTail, "{layout:?}");
    subject.must_serve(&longer, &more, kept, "tail");
    subject.must_survive_tools(&longer, "tail");
    if layout.form == Form::Needed && !layout.is_sectionless {
        // gold takes none without a DT_NULL, which bfd leaves out where it is told to spare nothing.
        let linkers = |bytes: &[u8]| {
            let library = subject.bench.place(layout.form, bytes);
            subject.bench.linkers_that_take(&library)
        };
        let (before, after) = (linkers(old), linkers(&longer));
        assert!(before.len() >= 3, "{layout:?}: {before:?}");
        assert_eq!(after, before, "{layout:?}");
    }

    for kind in [RpathKind::Rpath, RpathKind::Runpath] {
        let (_, bytes) = subject.edited(old, &["$ORIGIN/d", &far_away], Some(kind));
        subject.must_serve(&bytes, &["$ORIGIN/d", &far_away], kind, "converted");
    }

    let mut entries = vec!["$ORIGIN/d".to_owned()];
    let mut many = old.clone();
    for index in 0..100 {
        entries.push(format!("$ORIGIN/{}/number/{index}", "x".repeat(40)));
        let path: Vec<&str> = entries.iter().map(String::as_str).collect();
        let patch = patch(&many, &request(&path, None)).unwrap();
        many = apply(&many, &patch.edits);
    }
    assert_eq!(loads(&many), loads(old) + 1, "{layout:?}");
    let path: Vec<&str> = entries.iter().map(String::as_str).collect();
    subject.must_serve(&many, &path, kept, "a hundred growing edits");
}

/// A string that stands in the table already.
fn judge_repoint(subject: &Subject<'_>) {
    let layout = subject.layout;
    if let (Some(kind), Form::Dlopen) = (layout.kind, layout.form) {
        let old = subject.bench.build_with(layout, "/n", &["-Wl,-soname,$ORIGIN/d"]);
        let (repointed, bytes) = subject.edited(&old, &["$ORIGIN/d"], None);
        assert_eq!(repointed.method, Method::Repoint, "{layout:?}");
        subject.must_serve(&bytes, &["$ORIGIN/d"], kind, "repoint");
    }
}

#[test]
fn x86_64_objects_load_after_every_edit() {
    must_see_every_way(&draw(Machine::X86_64, 48, judge));
}

#[test]
fn i386_objects_load_after_every_edit() {
    must_see_every_way(&draw(Machine::I386, 24, judge));
}

#[test]
fn aarch64_objects_load_after_every_edit() {
    must_see_every_way(&draw(Machine::Aarch64, 16, judge));
}

#[test]
fn objects_for_musl_load_after_every_edit() {
    must_see_every_way(&draw(Machine::Musl, 20, judge));
}

#[test]
fn big_endian_objects_are_edited_and_not_grown() {
    draw(Machine::S390x, 6, |subject| {
        let (old, layout) = (&subject.old, subject.layout);
        judge_repoint(subject);
        if let Some(kind) = layout.kind {
            let (shorter, bytes) = subject.edited(old, &["$ORIGIN/d"], None);
            assert_eq!(shorter.method, Method::Slot, "{layout:?}");
            subject.must_serve(&bytes, &["$ORIGIN/d"], kind, "slot");
            for kind in [RpathKind::Rpath, RpathKind::Runpath] {
                let (_, bytes) = subject.edited(old, &["$ORIGIN/d"], Some(kind));
                subject.must_serve(&bytes, &["$ORIGIN/d"], kind, "converted");
            }
        }
        let longer = patch(old, &request(&[OLD, &far_away()], None));
        assert_eq!(longer, Err(Failure::Refused(Refusal::BigEndian)), "{layout:?}");
    });
    // What bfd makes of it.
    let libm = std::fs::read("/usr/s390x-linux-gnu/lib/libm.so.6").unwrap();
    let image = Image::parse(&libm).unwrap();
    assert!(tfpatch::elf::hash::exports(&image, b"cos").unwrap());
    let added = patch(&libm, &request(&["$ORIGIN/d"], None));
    assert_eq!(added, Err(Failure::Refused(Refusal::BigEndian)));
}
