//! Reading and editing Mach-O files that clang and lld made here, judged by llvm-objdump and by a
//! script that computes every page hash by itself.

use crate::support::command::{run, words};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tfpatch::edit::{EditSet, Pair, Patched};
use tfpatch::macho::codesign::{HashType, Signature, Signer};
use tfpatch::macho::edit::{Failure, Method, Patch, Refusal, Request, SliceRequest, edit};
use tfpatch::macho::fat::Listing;
use tfpatch::macho::{Container, HeaderPad, Image, Kind, Version};
use tfpatch::repair::rewrite::{Change, Wish, rewrite};
use tfpatch::vfs::MemVfs;

const NEW: &str = "@loader_path/../new";

/// The directory with what `fixtures/macho/build.sh` makes, made once in a run.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("macho");
        let _ = fs::remove_dir_all(&directory);
        let script = root.join("fixtures/macho/build.sh");
        must(Command::new(script).arg(&directory));
        directory
    })
}

#[track_caller]
fn must(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(built().join(name)).unwrap()
}

/// The script that shares nothing with tfpatch.
fn oracle() -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(root.join("scripts/corpus/check_macho_signature.py"))
}

fn rpaths(file: &[u8]) -> Vec<Vec<String>> {
    let file = Container::parse(&file).unwrap();
    let slices = file.slices.into_iter().map(|slice| Image::parse(slice).unwrap().rpaths());
    let texts = |path: Vec<u8>| String::from_utf8(path).unwrap();
    slices.map(|paths| paths.unwrap().into_iter().map(texts).collect()).collect()
}

/// A request that every slice has `entries`.
fn request(file: &[u8], entries: &[&str]) -> Request<'static> {
    let entries: Vec<_> = entries.iter().map(|entry| entry.as_bytes().to_vec()).collect();
    let slices = 0..Container::parse(&file).unwrap().slices.len();
    let slices = slices.map(|slice| SliceRequest {
        slice,
        entries: entries.clone(),
        names: None,
        may_drop_source_version: false,
    });
    Request {
        slices: slices.collect(),
        may_drop_signer: false,
        repairs_signature: false,
        file_name: b"edited.dylib",
    }
}

fn attempt(file: &[u8], request: &Request<'_>) -> Result<Patch, Failure> {
    edit(&Container::parse(&file).unwrap(), request)
}

fn apply(file: &Vec<u8>, edits: &EditSet) -> Vec<u8> {
    use tfpatch::bytes::Source as _;
    let patched = Patched::new(file, edits);
    patched.get(0..patched.len()).unwrap().into_owned()
}

/// The edited file, of which the inverse edit has made the old one again.
#[track_caller]
fn edited(file: &Vec<u8>, request: &Request<'_>) -> (Patch, Vec<u8>) {
    let patch = attempt(file, request).unwrap();
    let new = apply(file, &patch.edits);
    assert!(apply(&new, &patch.edits.invert(file).unwrap()) == *file);
    (patch, new)
}

#[track_caller]
fn refusal(file: &[u8], request: &Request<'_>) -> Refusal {
    match attempt(file, request) {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// Has the script and llvm-objdump read a file; with the old one, every changed byte too.
#[track_caller]
pub(crate) fn judge(new: &[u8], old: Option<&[u8]>) {
    let dir = tempfile::tempdir().unwrap();
    let paths = [dir.path().join("old"), dir.path().join("new")];
    fs::write(&paths[1], new).unwrap();
    let mut script = oracle();
    if let Some(old) = old {
        fs::write(&paths[0], old).unwrap();
        script.arg("--edited").arg(&paths[0]);
    }
    must(script.arg(&paths[1]));
    let dump =
        must(Command::new("llvm-objdump-19").args(["--macho", "--all-headers"]).arg(&paths[1]));
    assert_eq!(String::from_utf8_lossy(&dump.stderr), "");
    assert!(!String::from_utf8_lossy(&dump.stdout).contains("malformed"));
}

#[test]
fn what_linkers_write_is_read() {
    for arch in ["arm64", "x86_64"] {
        let bytes = fixture(&format!("{arch}/chained"));
        let file = Container::parse(&bytes).unwrap();
        assert_eq!(file.listing, Listing::Thin);
        let summary = Image::parse(file.slices[0].clone()).unwrap().summary().unwrap();
        assert_eq!((summary.arch.name(), summary.kind), (arch, Kind::Dylib));
        assert_eq!(summary.install_name.as_deref(), Some(&b"@rpath/liba.dylib"[..]));
        let needed: Vec<&[u8]> = summary.needed.iter().map(|n| n.name.as_slice()).collect();
        assert_eq!(needed, [&b"/usr/lib/libSystem.B.dylib"[..], b"@rpath/libb.dylib"]);
        assert_eq!(summary.rpaths, [b"@loader_path/first", b"@loader_path/secnd"]);
        let built = summary.build_version().unwrap();
        assert_eq!((built.minimum, built.sdk), (Version(12 << 16), Version(0x000d_0300)));
        assert_eq!((built.sdk.to_string().as_str(), summary.is_two_level), ("13.3", true));
    }
    for (name, listing) in [("universal", Listing::Fat32), ("universal64", Listing::Fat64)] {
        let bytes = fixture(name);
        let file = Container::parse(&bytes).unwrap();
        assert_eq!(file.listing, listing);
        let archs: Vec<&str> = file.slices.iter().map(|slice| slice.arch().name()).collect();
        assert_eq!(archs, ["x86_64", "arm64"]);
    }
    let kind = |name: &str| {
        let bytes = fixture(name);
        let slice = Container::parse(&bytes).unwrap().slices.remove(0);
        Image::parse(slice).unwrap().kind()
    };
    assert_eq!((kind("arm64/bundle"), kind("x86_64/program")), (Kind::Bundle, Kind::Executable));
}

#[test]
fn what_a_signature_is() {
    let describe = |name: &str| {
        let bytes = fixture(name);
        let slice = Container::parse(&bytes).unwrap().slices.pop().unwrap();
        Signature::read(&Image::parse(slice).unwrap()).unwrap().map(|found| found.describe())
    };
    assert_eq!(describe("x86_64/unsigned"), None);
    let linked = describe("arm64/signed").unwrap();
    assert_eq!((linked.signer, linked.identifier.as_str()), (Signer::Linker, "liba.dylib"));
    let texts = [
        ("arm64/signed", "ad hoc, by the linker, sha256, pages of 4 KiB"),
        ("dual-digest", "ad hoc, sha1 and sha256, pages of 4 KiB"),
        ("sha384", "ad hoc, sha256 and sha384 and sha256-truncated, pages of 4 KiB"),
        ("pages-16k", "ad hoc, sha256, pages of 16 KiB"),
        (
            "certified",
            "by a certificate of team TEAM123456, hardened runtime, sha1 and sha256, pages of 4 KiB",
        ),
    ];
    for (name, text) in texts {
        assert_eq!(describe(name).unwrap().to_string(), text, "{name}");
    }
}

#[test]
fn every_kind_of_file_takes_an_entry() {
    let mut names: Vec<String> =
        ["dual-digest", "sha384", "pages-16k", "entitled", "universal", "universal64"]
            .map(str::to_owned)
            .to_vec();
    for arch in ["arm64", "x86_64"] {
        for name in ["chained", "classic", "signed", "bundle", "program", "little-room"] {
            names.push(format!("{arch}/{name}"));
        }
    }
    names.push("x86_64/unsigned".to_owned());
    for name in names {
        let old = fixture(&name);
        let before: Vec<String> = rpaths(&old)[0].clone();
        let entries: Vec<&str> = before.iter().map(String::as_str).chain([NEW]).collect();
        let (patch, new) = edited(&old, &request(&old, &entries));
        assert_eq!((patch.method, new.len()), (Method::LoadCommands, old.len()), "{name}");
        assert!(rpaths(&new).iter().all(|paths| *paths == entries), "{name}");
        judge(&new, Some(&old));
        // The same again is nothing, and taking it away leaves the very file.
        assert!(attempt(&new, &request(&new, &entries)).unwrap().edits.is_empty(), "{name}");
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let (_, back) = edited(&new, &request(&new, &before));
        assert!(back == old, "{name}");
        let (_, none) = edited(&old, &request(&old, &[]));
        assert!(rpaths(&none).iter().all(Vec::is_empty), "{name}");
        judge(&none, Some(&old));
    }
}

/// What an undo may put back of a file is what the edit, made anew, leads to: the commands and the signature may
/// be others, and nothing else.
#[test]
fn an_undo_puts_back_nothing_beside_the_search_paths_and_the_signature() {
    for name in ["arm64/signed", "x86_64/unsigned", "universal"] {
        let old = fixture(name);
        let (patch, new) = edited(&old, &request(&old, &[NEW]));
        let is_permitted = |then: &Vec<u8>| {
            let names = [OsStr::new("edited.dylib")];
            tfpatch::object::is_own_edit(Pair::new(&new, then), &names, Default::default())
        };
        assert!(is_permitted(&old), "{name}");
        let mut free = Vec::new();
        for slice in Container::parse(&old).unwrap().slices {
            let image = Image::parse(slice.clone()).unwrap();
            // A command that gives way may hold anything behind its string.
            free.push(slice.in_file(image.header_size())..slice.in_file(image.commands_end()));
            let signature = Signature::read(&image).unwrap().map(|signature| signature.range);
            free.extend(
                signature.map(|range| slice.in_file(range.start)..slice.in_file(range.end)),
            );
        }
        let is_free = |at: usize| free.iter().any(|range| range.contains(&(at as u64)));
        let mut permitted = 0;
        for at in (0..old.len()).filter(|&at| at % 61 == 0 || is_free(at)) {
            let mut then = old.clone();
            then[at] ^= 1 << (at % 8);
            if is_permitted(&then) {
                assert!(is_free(at), "{name}: {at:#x}");
                permitted += 1;
            }
        }
        // A string and what fills its command up, and at most the hashes.
        let written = patch.edits.bytes_changed() + 64;
        let hashes = free.iter().map(|range| range.end - range.start).sum::<u64>() / 2;
        assert!(permitted <= written + hashes, "{name}: {permitted}");
    }
}

#[test]
fn the_first_entry_of_a_file_stands_before_its_signature() {
    let old = fixture("arm64/no-rpath");
    let (_, new) = edited(&old, &request(&old, &[NEW]));
    judge(&new, Some(&old));
    let slice = Container::parse(&new).unwrap().slices.remove(0);
    let commands: Vec<u32> =
        Image::parse(slice).unwrap().commands().iter().map(|command| command.cmd).collect();
    assert_eq!(commands[commands.len() - 2..], [0x8000_001c, 0x1d]);
}

#[test]
fn no_entry_stands_there_twice() {
    let old = fixture("duplicates");
    assert_eq!(rpaths(&old), [["@loader_path/first", "@loader_path/first"]]);
    let both = ["@loader_path/first", NEW, "@loader_path/first", NEW];
    let (_, new) = edited(&old, &request(&old, &both));
    assert_eq!(rpaths(&new), [["@loader_path/first", NEW]]);
    judge(&new, Some(&old));
    // That is all that asking for them again brings.
    assert_eq!(attempt(&new, &request(&new, &both)).unwrap().method, Method::Unchanged);
}

#[test]
fn an_unsigned_slice_for_apple_s_processors_is_signed() {
    for name in ["arm64/unsigned", "universal-unsigned"] {
        let old = fixture(name);
        let (patch, new) = edited(&old, &request(&old, &[NEW]));
        assert_eq!(patch.method, Method::SignedAdHoc);
        judge(&new, None);
        let slice = Container::parse(&new).unwrap().slices.pop().unwrap();
        let signature = Signature::read(&Image::parse(slice).unwrap()).unwrap().unwrap();
        let found = signature.describe();
        assert_eq!((found.signer, found.identifier.as_str()), (Signer::Linker, "edited.dylib"));
        assert_eq!(found.hash_types, [HashType::Sha256]);
        // What lld would have written, but for the name and the hashes.
        let linked = fixture("arm64/signed");
        let slice = Container::parse(&linked).unwrap().slices.pop().unwrap();
        let linked = Signature::read(&Image::parse(slice).unwrap()).unwrap().unwrap();
        let (ours, lld) = (&signature.directories[0], &linked.directories[0]);
        assert_eq!((ours.version, ours.flags), (lld.version, lld.flags));
        assert_eq!(
            (ours.code_limit, ours.exec_segment, ours.page_log2),
            (lld.code_limit, lld.exec_segment, lld.page_log2)
        );
        // Signed once, it is edited as any other.
        let (_, again) = edited(&new, &request(&new, &[NEW, "@loader_path/more"]));
        judge(&again, Some(&new));
    }
}

#[test]
fn a_slice_that_another_follows_cannot_be_signed() {
    let (arm64, x86_64) = (fixture("arm64/unsigned"), fixture("x86_64/unsigned"));
    let mut file = vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2];
    let start = 0x4000;
    let end = start + arm64.len().next_multiple_of(0x4000);
    for (cpu, subtype, offset, len) in
        [(0x0100_000cu32, 0u32, start, arm64.len()), (0x0100_0007, 3, end, x86_64.len())]
    {
        for word in [cpu, subtype, offset as u32, len as u32, 14] {
            file.extend(word.to_be_bytes());
        }
    }
    file.resize(start, 0);
    file.extend(&arm64);
    file.resize(end, 0);
    file.extend(&x86_64);
    assert_eq!(refusal(&file, &request(&file, &[NEW])), Refusal::NotLast { arch: "arm64" });
    // The other slice alone is no matter.
    let mut only = request(&file, &[NEW]);
    only.slices.remove(0);
    let (_, new) = edited(&file, &only);
    assert_eq!(rpaths(&new)[1], [NEW]);
    assert_eq!(rpaths(&new)[0], rpaths(&file)[0]);
}

#[test]
fn a_signer_s_signature_is_only_dropped_if_asked_for() {
    let old = fixture("certified");
    let mut wanted = request(&old, &[NEW]);
    let by = " by team TEAM123456".to_owned();
    assert_eq!(refusal(&old, &wanted), Refusal::Signed { arch: "arm64", by });
    wanted.may_drop_signer = true;
    let (patch, new) = edited(&old, &wanted);
    assert_eq!((patch.method, new.len()), (Method::SignerDropped, old.len()));
    judge(&new, None);
    let slice = Container::parse(&new).unwrap().slices.remove(0);
    let signature = Signature::read(&Image::parse(slice).unwrap()).unwrap().unwrap();
    let text = "ad hoc, hardened runtime, sha256, pages of 4 KiB";
    assert_eq!(signature.describe().to_string(), text);
    assert_eq!(signature.directories[0].runtime, 13 << 16);
    // Entitlements stay, and the script has held them against their hash.
    let entitlements = signature.blob(5).unwrap();
    let entitlements = &new[entitlements.start as usize + 8..entitlements.end as usize];
    assert_eq!(entitlements, fs::read("fixtures/macho/entitlements.plist").unwrap());
    let slots: Vec<u32> = signature.blobs.iter().map(|(slot, _)| *slot).collect();
    assert_eq!(slots, [0, 2, 5, 0x10000]);
}

#[test]
fn without_room_nothing_is_written() {
    let old = fixture("arm64/no-room");
    let long = format!("@loader_path/{}", "far/".repeat(97));
    let entries = ["@loader_path/first", "@loader_path/secnd", &long];
    let refused = refusal(&old, &request(&old, &entries));
    assert!(matches!(refused, Refusal::NoHeaderRoom { arch: "arm64", .. }), "{refused:?}");
    let text = refused.to_string();
    assert!(text.contains("rpath prune") && text.contains("symlink"), "{text}");
    // What another tool makes of it, with status 0.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("liba.dylib");
    fs::write(&file, &old).unwrap();
    must(Command::new("llvm-install-name-tool-19").args(["-add_rpath", &long]).arg(&file));
    let judged = oracle().arg(&file).output().unwrap();
    assert!(!judged.status.success());
    let error = String::from_utf8_lossy(&judged.stderr);
    assert!(error.contains("bad cmdsize"), "its commands are overwritten: {error}");
}

/// The new search path of `file` by what the command line asks for, in a tree without any of the
/// directories that it names.
fn rewritten(file: &[u8], change: &Change) -> Result<(Vec<String>, Vec<u8>), String> {
    let path = Path::new("/opt/site/liba.dylib");
    let vfs = MemVfs::new().file(path, file.to_vec());
    let done = rewrite(&vfs, path, &[path.to_owned()], Wish::new(change))
        .map_err(|error| error.to_string())?;
    let texts = done.after.iter().map(|entry| String::from_utf8(entry.clone()).unwrap());
    Ok((texts.collect(), apply(&file.to_vec(), &done.patch.edits)))
}

#[test]
fn what_is_dead_makes_room() {
    let old = fixture("dead");
    let slice = Container::parse(&old).unwrap().slices.remove(0);
    let pad = HeaderPad::of(&Image::parse(slice).unwrap()).unwrap();
    assert!(pad.len() < 60, "{pad:?}");
    let entry = |len: usize| {
        let entry = format!("@loader_path/{}", "x".repeat(len));
        (entry.clone(), Change::Append(vec![entry.into_bytes()]))
    };
    // Two dead entries of 80 bytes or more go for one of 100.
    let (long, change) = entry(100);
    let (after, new) = rewritten(&old, &change).unwrap();
    assert_eq!(after, ["@loader_path/././././.", &long]);
    judge(&new, Some(&old));
    assert!(rewritten(&old, &entry(400).1).unwrap_err().contains("rpath prune"));
    // The longest that fits, found by trying, has the live entry in its shortest spelling.
    let fits = (100..400).rev().find_map(|len| rewritten(&old, &entry(len).1).ok()).unwrap();
    assert_eq!(fits.0[0], "@loader_path");
    judge(&fits.1, Some(&old));
    // Entries that somebody asks for by name stay as they are where there is room.
    let (after, _) = rewritten(&fixture("arm64/classic"), &entry(100).1).unwrap();
    assert_eq!(after.len(), 3);
}

#[test]
fn the_source_version_goes_last_of_all() {
    // lld writes no LC_SOURCE_VERSION; LC_DATA_IN_CODE is of the same size.
    let mut old = fixture("arm64/no-room");
    let slice = Container::parse(&old).unwrap().slices.remove(0);
    let image = Image::parse(slice).unwrap();
    let at = image.commands_of(0x29).next().unwrap().offset as usize;
    let room = HeaderPad::of(&image).unwrap().len() as usize;
    drop(image);
    old[at..at + 16].copy_from_slice(&[0x2a, 0, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    let mut repair = request(&old, &["@loader_path/first", "@loader_path/secnd"]);
    repair.repairs_signature = true;
    let (_, old) = edited(&old, &repair);
    judge(&old, None);
    // Of two entries of 18 bytes without a directory, none is dead: only the command is left.
    let entry = format!("/{}", "x".repeat((room + 16) / 8 * 8 - 14));
    let mut wanted = request(&old, &["@loader_path/first", "@loader_path/secnd", &entry]);
    assert!(matches!(refusal(&old, &wanted), Refusal::NoHeaderRoom { .. }));
    wanted.slices[0].may_drop_source_version = true;
    let (_, new) = edited(&old, &wanted);
    judge(&new, Some(&old));
    let slice = Container::parse(&new).unwrap().slices.remove(0);
    assert_eq!(Image::parse(slice).unwrap().commands_of(0x2a).count(), 0);
}

#[test]
fn a_page_that_does_not_match_is_no_base_for_an_edit() {
    let good = fixture("arm64/signed");
    let wanted = request(&good, &[NEW]);
    let mut old = good.clone();
    // In the padding behind the load commands, a byte of the first page.
    old[0xfff] ^= 1;
    let hash = "sha256";
    assert_eq!(refusal(&old, &wanted), Refusal::BadSignature { arch: "arm64", page: 0, hash });
    // A page that the edit does not touch is found by a repair alone.
    let mut far = good.clone();
    far[0x4001] ^= 1;
    let (_, new) = edited(&far, &wanted);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("far"), &new).unwrap();
    assert!(!oracle().arg(dir.path().join("far")).status().unwrap().success());
    for broken in [old, far] {
        let repair = Request { repairs_signature: true, ..wanted.clone() };
        judge(&edited(&broken, &repair).1, None);
        // The search path may stay.
        let entries = rpaths(&broken)[0].clone();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        let stays = Request { repairs_signature: true, ..request(&broken, &entries) };
        let (_, new) = edited(&broken, &stays);
        judge(&new, None);
        assert!(attempt(&new, &stays).unwrap().edits.is_empty());
    }
}

#[test]
fn a_signature_that_is_missing_is_repaired_without_another_search_path() {
    let old = fixture("arm64/unsigned");
    let entries = ["@loader_path/first", "@loader_path/secnd"];
    assert!(attempt(&old, &request(&old, &entries)).unwrap().edits.is_empty());
    let repair = Request { repairs_signature: true, ..request(&old, &entries) };
    let (_, new) = edited(&old, &repair);
    assert_eq!(rpaths(&new), [entries]);
    judge(&new, None);
}

#[test]
fn what_macos_no_longer_loads_is_refused() {
    let old = fixture("i386.o");
    assert_eq!(refusal(&old, &request(&old, &[NEW])), Refusal::Unsupported { arch: "i386" });
    let old = fixture("arm64/a.o");
    assert_eq!(refusal(&old, &request(&old, &[NEW])), Refusal::NotLoadable { arch: "arm64" });
    // A dylib for PowerPC: big-endian, 32 bits, no load commands.
    let words = [0xfeed_face_u32, 18, 0, 6, 0, 0, 0];
    let old: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    assert_eq!(refusal(&old, &request(&old, &[NEW])), Refusal::Unsupported { arch: "ppc" });
}

#[test]
fn bytes_in_the_padding_are_not_overwritten() {
    let mut old = fixture("x86_64/unsigned");
    let slice = Container::parse(&old).unwrap().slices.remove(0);
    let end = Image::parse(slice).unwrap().commands_end();
    old[end as usize + 3] = 1;
    let refused = refusal(&old, &request(&old, &["@loader_path/first", "@loader_path/secnd", NEW]));
    assert_eq!(refused, Refusal::PaddingInUse { arch: "x86_64", offset: end + 3 });
}

/// Everything that the module offers, on bytes that may be anything.
fn ask_everything(bytes: &Vec<u8>) {
    let start = Instant::now();
    if let Ok(file) = Container::parse(bytes) {
        for slice in &file.slices {
            if let Ok(image) = Image::parse(slice.clone()) {
                let _ = (image.summary(), image.segments(), HeaderPad::of(&image));
                if let Ok(Some(signature)) = Signature::read(&image) {
                    let _ = signature.first_bad_page(image.slice(), u64::MAX);
                }
            }
        }
        for (may_drop_signer, repairs_signature) in [(false, false), (true, true)] {
            let wanted = Request { may_drop_signer, repairs_signature, ..request(bytes, &[NEW]) };
            if let Ok(patch) = edit(&file, &wanted) {
                let new = apply(bytes, &patch.edits);
                assert!(rpaths(&new).iter().all(|paths| *paths == [NEW]));
                assert!(apply(&new, &patch.edits.invert(bytes).unwrap()) == *bytes);
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
}

#[test]
fn a_file_that_is_cut_off_or_changed_anywhere() {
    for name in ["universal", "certified"] {
        let whole = fixture(name);
        for len in (0..2048).step_by(19).chain((2048..whole.len()).step_by(3989)) {
            ask_everything(&whole[..len].to_vec());
        }
        // The fat header, the load commands, and the signature.
        let tail = whole.len() - 3000;
        let places = (0..1400).chain(0x4000..0x4000 + 64).chain(tail..tail + 700).step_by(13);
        for at in places {
            for value in [0, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                ask_everything(&changed);
            }
        }
    }
}

#[test]
fn the_command_line_edits_shows_and_reverts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("liba.dylib");
    let old = fixture("universal");
    fs::write(&file, &old).unwrap();
    fs::hard_link(&file, dir.path().join("again.dylib")).unwrap();
    let opened = fs::File::open(&file).unwrap();
    rustix::fs::fsetxattr(&opened, "user.note", b"kept", rustix::fs::XattrFlags::empty()).unwrap();

    let entry: &[&dyn AsRef<OsStr>] =
        &[&"rpath", &"add", &file, &"--entry", &NEW, &"--arch", &"arm64"];
    let in_place = [entry, &[&"--write", &"in-place"]].concat();
    assert!(run(dir.path(), &words(&in_place)).error().contains("in place"));
    assert!(fs::read(&file).unwrap() == old);
    let wrong = words(&[&"rpath", &"prune", &file, &"--arch", &"ppc"]);
    assert!(run(dir.path(), &wrong).error().contains("no slice for ppc, only for x86_64, arm64"));

    let text = run(dir.path(), &words(entry)).text(0).to_owned();
    assert!(text.contains(&format!("+{NEW}\n")), "{text}");
    let printed = run(dir.path(), &["rpath", "print", "liba.dylib"]);
    assert_eq!(
        printed.text(0),
        "x86_64: @loader_path/first\nx86_64: @loader_path/secnd\n\
         arm64: @loader_path/first\narm64: @loader_path/secnd\narm64: @loader_path/../new\n"
    );
    // A new file by all its names, with what belonged to the old one.
    let new = fs::read(&file).unwrap();
    judge(&new, Some(&old));
    assert!(fs::read(dir.path().join("again.dylib")).unwrap() == new);
    let mut value = [0; 8];
    let len = rustix::fs::getxattr(&file, "user.note", &mut value).unwrap();
    assert_eq!(&value[..len], b"kept");
    assert!(opened.metadata().unwrap().len() == old.len() as u64);

    let shown = run(dir.path(), &["show", "liba.dylib", "--format", "json"]).json(0);
    let file_report = &shown["files"][0];
    assert_eq!(file_report["format"], "macho");
    assert_eq!(file_report["slices"][0]["signature"], serde_json::Value::Null);
    let arm64 = &file_report["slices"][1];
    assert_eq!((&arm64["arch"], &arm64["rpath_kind"]), (&"arm64".into(), &"lc_rpath".into()));
    assert_eq!(arm64["signature"], "ad hoc, by the linker, sha256, pages of 4 KiB");
    assert_eq!((&arm64["minimum_system"], &arm64["sdk"]), (&"12.0".into(), &"13.3".into()));
    assert_eq!(arm64["soname"], "@rpath/liba.dylib");

    let log = run(dir.path(), &["log", "--format", "json", "."]).json(0);
    assert!(log.to_string().contains("\"rpath\""), "{log}");
    assert!(run(dir.path(), &["diff", "liba.dylib"]).text(0).contains(&format!("+{NEW}")));
    run(dir.path(), &["revert", "liba.dylib"]).text(0);
    assert!(fs::read(&file).unwrap() == old);
}

#[test]
fn fix_signs_what_apple_s_processors_would_refuse() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("first")).unwrap();
    fs::write(path("first/libb.dylib"), fixture("arm64/libb.dylib")).unwrap();
    let unsigned = fixture("arm64/unsigned");
    // As after an edit by a tool that leaves the hashes alone.
    let mut edited = fixture("arm64/signed");
    edited[0xfff] ^= 1;
    fs::write(path("unsigned.dylib"), &unsigned).unwrap();
    fs::write(path("edited.dylib"), &edited).unwrap();
    let doctor = run(dir.path(), &["doctor", ".", "--format", "json"]).json(1);
    let findings = doctor["findings"].as_array().unwrap().iter();
    let bad = findings.filter(|finding| finding["cause"] == "bad_signature");
    assert_eq!(bad.filter(|finding| finding["fixable"] == true).count(), 2, "{doctor}");
    run(dir.path(), &["fix", "."]).text(0);
    for name in ["unsigned.dylib", "edited.dylib"] {
        judge(&fs::read(path(name)).unwrap(), None);
    }
    let doctor = run(dir.path(), &["doctor", ".", "--format", "json"]).json(0);
    assert!(!doctor.to_string().contains("bad_signature"));
    run(dir.path(), &["revert", "."]).text(0);
    assert!(fs::read(path("unsigned.dylib")).unwrap() == unsigned);
    assert!(fs::read(path("edited.dylib")).unwrap() == edited);
}

#[test]
fn a_plan_is_locked_to_the_uuid() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("liba.dylib"), fixture("arm64/signed")).unwrap();
    let arguments = ["rpath", "add", "liba.dylib", "--entry", NEW, "--dry-run", "--format", "json"];
    let plan = run(dir.path(), &arguments).json(0);
    let step = &plan["steps"][0];
    assert_eq!((&step["kind"], &step["replace"]), (&"macho".into(), &true.into()));
    assert_eq!(step["method"], "load_commands");
    assert_eq!(step["lock"]["uuid"].as_str().unwrap().len(), 32);
}

#[test]
fn dropping_a_signer_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("liba.dylib"), fixture("certified")).unwrap();
    let arguments = ["rpath", "add", "liba.dylib", "--entry", NEW];
    let error = run(dir.path(), &arguments).error().to_owned();
    assert!(error.contains("signed by team TEAM123456") && error.contains("--drop-signer"));
    let dropped = run(dir.path(), &[&arguments[..], &["--drop-signer"]].concat());
    assert!(dropped.text(0).contains("library validation"), "{dropped:?}");
}
