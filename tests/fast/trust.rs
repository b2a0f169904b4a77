//! Whose store is relied on, and what nobody's record makes an operation do.

use crate::support::operated::{
    append, bytes, fix, library, library_with_path, options, overwrite, revert_all, size, snapshot,
    step,
};
use crate::support::trust::{MALLORY, Tree, is_refused, pending, record, seal, unsealed};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};
use std::path::Path;
use tfpatch::elf::edit::Request;
use tfpatch::elf::{self, Image};
use tfpatch::operation::{self, Selection, State, Store, drift, recover, revert};
use tfpatch::plan;
use tfpatch::report::words::operations::error as said;

#[test]
fn a_link_or_a_file_is_no_store_at_any_level() {
    for level in [".tfpatch", ".tfpatch/operations"] {
        for is_link in [true, false] {
            let tree = Tree::edited();
            let path = tree.root.join(level);
            std::fs::rename(&path, tree.outside.join("moved")).unwrap();
            if is_link {
                symlink(tree.outside.join("moved"), &path).unwrap();
            } else {
                std::fs::write(&path, "").unwrap();
            }
            let before: Vec<_> = walkdir::WalkDir::new(&tree.outside)
                .sort_by_file_name()
                .into_iter()
                .map(|entry| {
                    let path = entry.unwrap().path().to_path_buf();
                    let stat = std::fs::metadata(&path).unwrap();
                    (path, stat.len(), stat.mtime_nsec())
                })
                .collect();
            is_refused(&tree.root, "cannot use the backups");
            for (path, len, time) in before {
                let stat = std::fs::metadata(&path).unwrap();
                assert_eq!((stat.len(), stat.mtime_nsec()), (len, time), "{}", path.display());
            }
        }
    }
}

#[test]
fn a_dangling_link_is_no_store_that_could_be_created() {
    let tree = Tree::new();
    symlink(tree.outside.join("new"), tree.store()).unwrap();
    is_refused(&tree.root, "is a symlink");
    assert!(std::fs::symlink_metadata(tree.outside.join("new")).is_err());
}

#[test]
fn no_number_of_a_record_is_too_large() {
    for name in ["18446744073709551615-aa.abandoned.json", "99999999999999999999-aa.json"] {
        let tree = Tree::edited();
        std::fs::copy(record(&tree.root), tree.store().join("operations").join(name)).unwrap();
        let file = tree.root.join("a.so");
        let edit = step(&tree.root, "a.so", append(&file));
        match fix(&tree.root, vec![edit]) {
            Ok(done) => assert!(done.is_some()),
            Err(error) => assert!(said(&error).contains("number"), "{error:?}"),
        }
        assert!(size(&file) > 0);
    }
}

#[test]
fn a_store_that_a_package_brought_along_is_refused() {
    for (site, row) in [
        ("lib/python3.11/site-packages", "../../../.tfpatch/operations/0001-aa.pending.json,,\n"),
        ("lib/python3.11/site-packages", "\"../../.././.tfpatch/lock\",,\n"),
        ("", ".tfpatch/operations/0001-aa.json,sha256=AA,12\n"),
    ] {
        let tree = Tree::edited();
        let metadata = tree.root.join(site).join("evil-1.0.dist-info");
        std::fs::create_dir_all(&metadata).unwrap();
        std::fs::write(metadata.join("RECORD"), row).unwrap();
        is_refused(&tree.root, "a package installed it");
    }
    let tree = Tree::edited();
    std::fs::create_dir(tree.root.join("conda-meta")).unwrap();
    let listed = json!({"files": ["lib/x", ".tfpatch/operations/0001-aa.json"]});
    std::fs::write(tree.root.join("conda-meta/evil-1.0-0.json"), listed.to_string()).unwrap();
    is_refused(&tree.root, "a package installed it");
}

#[test]
fn a_store_is_as_private_as_what_it_backs_up() {
    for (mode, directory, file) in [(0o644, 0o755, 0o644), (0o600, 0o700, 0o600)] {
        let tree = Tree::new();
        let library = tree.root.join("a.so");
        std::fs::set_permissions(&library, PermissionsExt::from_mode(mode)).unwrap();
        // A directory that hands its group down, as shared trees have it.
        std::fs::set_permissions(&tree.root, PermissionsExt::from_mode(0o2775)).unwrap();
        tree.edit();
        let mode_of = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode_of(&tree.store()), directory);
        assert_eq!(mode_of(&tree.store().join("operations")), directory);
        assert_eq!(mode_of(&record(&tree.root)), file);
    }
}

/// Changes a step of a record.
type Forgery = Box<dyn Fn(&mut Value, &Tree)>;

/// What a record says of modes, owners, paths and bases is not done.
#[test]
fn a_forged_record_writes_nothing_that_an_edit_of_search_paths_does_not() {
    const SECRET: &str = "../outside/secret";
    let forgeries: Vec<(&str, Forgery)> = vec![
        ("path", Box::new(|step, _| step["path"] = SECRET.into())),
        ("path", Box::new(|step, tree| step["path"] = tree.outside.to_str().unwrap().into())),
        ("alias", Box::new(|step, _| step["aliases"] = json!([{ "path": SECRET }]))),
        ("size", Box::new(|step, _| step["old"]["lock"]["size"] = 17.into())),
        ("size", Box::new(|step, _| step["old"]["lock"]["size"] = u64::MAX.into())),
        ("digest", Box::new(|step, _| step["old"]["lock"]["digest"] = "00".into())),
        ("digest", Box::new(|step, _| step["new"]["whole"] = format!("blake3:{:064}", 0).into())),
        (
            "range",
            Box::new(|step, _| {
                step["changes"][0]["undo"]["edits"][0]["range"] =
                    json!({"start": 5000, "end": 5007});
            }),
        ),
        (
            "bytes",
            Box::new(|step, _| {
                let edits = step["changes"][0]["undo"]["edits"].as_array_mut().unwrap();
                let mut bytes = edits.iter_mut().map(|edit| &mut edit["new"]["bytes"]);
                let text = bytes.find(|bytes| bytes.as_str().is_some_and(|text| !text.is_empty()));
                let text = text.unwrap();
                let other = if text.as_str().unwrap().starts_with('A') { "B" } else { "A" };
                *text = format!("{other}{}", &text.as_str().unwrap()[1..]).into();
            }),
        ),
    ];
    for (what, forge) in &forgeries {
        for is_pending in [false, true] {
            let tree = Tree::edited();
            std::fs::write(tree.outside.join("secret"), "secret").unwrap();
            let path = if is_pending { pending(&tree.root) } else { record(&tree.root) };
            let mut operation = unsealed(&path);
            forge(&mut operation["steps"][0], &tree);
            if is_pending {
                // A second step that did not take place, so that it is rolled back.
                library(&tree.root, "b.so");
                let mut second = unsealed(&path)["steps"][0].clone();
                second["path"] = "b.so".into();
                operation["steps"].as_array_mut().unwrap().push(second);
            }
            seal(&path, &operation);
            let before = snapshot(&tree.root.join("a.so"));
            let store = Store::open(&tree.root).unwrap();
            let recovered = recover(&tree.root, &store, &options());
            let reverted = revert(&tree.root, &store, &Selection::All, &options());
            let is_refused = recovered.is_err()
                || recovered.is_ok_and(|done| done.is_some_and(|done| !done.left_alone.is_empty()))
                || reverted.as_ref().is_err()
                || reverted.is_ok_and(|done| !done.refused.is_empty());
            assert!(is_refused, "{what}, pending {is_pending}");
            assert_eq!(snapshot(&tree.root.join("a.so")), before, "{what}, pending {is_pending}");
            assert_eq!(std::fs::read(tree.outside.join("secret")).unwrap(), b"secret");
        }
    }
}

#[test]
fn modes_owners_and_attributes_come_from_the_file_and_not_from_a_record() {
    for is_pending in [false, true] {
        let tree = Tree::new();
        let file = tree.root.join("a.so");
        let before = snapshot(&file);
        tree.edit();
        let path = if is_pending { pending(&tree.root) } else { record(&tree.root) };
        let mut operation = unsealed(&path);
        for state in ["old", "new"] {
            let metadata = &mut operation["steps"][0][state]["metadata"];
            metadata["mode"] = 0o6755.into();
            metadata["uid"] = MALLORY.into();
            metadata["gid"] = MALLORY.into();
            let capability =
                json!({"name": "security.capability", "value": "AQAAAgAgAAAAAAAAAAAAAAAAAAA="});
            metadata["attributes"] = json!([capability]);
        }
        if is_pending {
            library(&tree.root, "b.so");
            let mut second = operation["steps"][0].clone();
            second["path"] = "b.so".into();
            operation["steps"].as_array_mut().unwrap().push(second);
        }
        seal(&path, &operation);
        let store = Store::open(&tree.root).unwrap();
        recover(&tree.root, &store, &options()).unwrap();
        revert_all(&tree.root);
        assert_eq!(snapshot(&file), before, "pending {is_pending}");
    }
}

/// A text that its owner's programs read is no object, whatever a record calls it.
#[test]
fn a_record_about_a_file_that_is_no_object_is_refused() {
    for is_pending in [false, true] {
        let tree = Tree::edited();
        let profile = tree.root.join("profile");
        std::fs::write(&profile, "export PATH=/usr/bin\n").unwrap();
        let before = snapshot(&profile);
        let path = if is_pending { pending(&tree.root) } else { record(&tree.root) };
        let evil = b"echo owned\n";
        let edits = |old: u64, new: &[u8]| {
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.encode(new);
            json!({"old_len": old, "edits": [
                {"range": {"start": 0, "end": old}, "new": {"bytes": bytes}},
            ]})
        };
        let lock = |bytes: &[u8]| {
            let bytes = bytes.to_vec();
            let whole = 0..bytes.len() as u64;
            serde_json::to_value(plan::Lock::of(&bytes, std::slice::from_ref(&whole)).unwrap())
                .unwrap()
        };
        let mut operation = unsealed(&path);
        let step = &mut operation["steps"][0];
        step["path"] = "profile".into();
        step["new"]["whole"] = Value::Null;
        step["new"]["lock"] = lock(&before.content);
        step["old"]["lock"] = lock(evil);
        step["changes"] = json!([{
            "edits": edits(evil.len() as u64, &before.content),
            "undo": edits(before.content.len() as u64, evil),
        }]);
        if is_pending {
            let mut second = operation["steps"][0].clone();
            second["path"] = "other".into();
            std::fs::write(tree.root.join("other"), evil).unwrap();
            operation["steps"].as_array_mut().unwrap().push(second);
        }
        seal(&path, &operation);
        let store = Store::open(&tree.root).unwrap();
        let recovered = recover(&tree.root, &store, &options()).unwrap();
        let reverted = revert(&tree.root, &store, &Selection::All, &options()).unwrap();
        assert_eq!(snapshot(&profile), before);
        assert_eq!(recovered.map_or(0, |done| done.left_alone.len()) + reverted.refused.len(), 1);
    }
}

/// Each byte of a record flipped, and the record cut at each length: it is refused by name and kept, or
/// it says the same.
#[test]
fn a_damaged_record_is_refused_and_kept() {
    let tree = Tree::new();
    // An edit of a few bytes, whose record is short.
    let file = library_with_path(&tree.root, "a.so");
    let old = snapshot(&file);
    fix(&tree.root, vec![step(&tree.root, "a.so", overwrite(&file))]).unwrap();
    let new = snapshot(&file);
    let done = record(&tree.root);
    let text = std::fs::read(&done).unwrap();
    let mut damaged: Vec<Vec<u8>> = (0..text.len())
        .map(|at| {
            let mut text = text.clone();
            text[at] ^= 1 << (at % 8);
            text
        })
        .collect();
    damaged.extend((0..text.len()).map(|len| text[..len].to_vec()));
    for is_pending in [false, true] {
        let path = if is_pending { pending(&tree.root) } else { record(&tree.root) };
        for text in &damaged {
            std::fs::write(&path, text).unwrap();
            let store = Store::open(&tree.root).unwrap();
            let recovered = recover(&tree.root, &store, &options());
            let reverted = revert(&tree.root, &store, &Selection::All, &options());
            let error = recovered.map(drop).and(reverted.map(drop)).unwrap_err();
            assert!(
                said(&error).contains(path.file_name().unwrap().to_str().unwrap()),
                "{error:?}"
            );
            assert_eq!(&std::fs::read(&path).unwrap(), text);
            assert_eq!(std::fs::read(&file).unwrap(), new.content);
        }
        std::fs::write(&path, &text).unwrap();
        if is_pending {
            std::fs::rename(&path, &done).unwrap();
        }
    }
    revert_all(&tree.root);
    assert_eq!(snapshot(&file), old);
}

/// What tfpatch 0.1 recorded is put back as well, under the same conditions.
#[test]
fn a_record_of_the_first_version_is_reverted() {
    let tree = Tree::new();
    let file = tree.root.join("a.so");
    let before = snapshot(&file);
    tree.edit();
    let path = record(&tree.root);
    let mut operation = unsealed(&path);
    operation["schema"] = "tfpatch/operation/v1".into();
    for state in ["old", "new"] {
        let state = &mut operation["steps"][0][state];
        state.as_object_mut().unwrap().remove("whole");
        state["metadata"]["mode"] = 0o4755.into();
        state["metadata"]["uid"] = MALLORY.into();
        state["metadata"]["gid"] = 0.into();
    }
    std::fs::write(&path, serde_json::to_vec_pretty(&operation).unwrap()).unwrap();
    let states = drift(&tree.root, &Store::open(&tree.root).unwrap()).unwrap();
    assert_eq!(states[0].state, State::AsLeft);
    revert_all(&tree.root);
    assert_eq!(snapshot(&file), before);
}

/// Bytes outside of the edits are looked at too, where a digest of the whole file was kept.
#[test]
fn a_change_outside_of_the_edits_is_drift_and_nothing_is_put_back() {
    let tree = Tree::new();
    let file = tree.root.join("a.so");
    let edit = step(&tree.root, "a.so", append(&file));
    fix(&tree.root, vec![edit]).unwrap();
    let mut content = std::fs::read(&file).unwrap();
    content[60_000] ^= 1;
    std::fs::write(&file, &content).unwrap();
    let store = Store::open(&tree.root).unwrap();
    let states = drift(&tree.root, &store).unwrap();
    assert!(
        matches!(&states[0].state, State::Changed(operation::Change::Outside { .. })),
        "{states:?}"
    );
    let undone = revert(&tree.root, &store, &Selection::All, &options()).unwrap();
    assert_eq!((undone.operation, undone.refused.len()), (None, 1));
    assert_eq!(std::fs::read(&file).unwrap(), content);
    // The same while an operation is pending.
    pending(&tree.root);
    let recovered = recover(&tree.root, &store, &options()).unwrap().unwrap();
    assert_eq!(recovered.left_alone.len(), 1);
    assert_eq!(std::fs::read(&file).unwrap(), content);
}

/// A RECORD's rows are those of edited files, in a record too.
#[test]
fn a_record_changes_no_other_row_of_a_list_of_files() {
    let tree = Tree::new();
    let file = tree.root.join("a.so");
    let list = tree.root.join("a-1.0.dist-info/RECORD");
    std::fs::create_dir(list.parent().unwrap()).unwrap();
    std::fs::write(&list, "a.so,sha256=AA,12\nb.py,sha256=BB,34\n").unwrap();
    let mut rows = step(&tree.root, "a-1.0.dist-info/RECORD", vec![bytes(30..32, b"CC")]);
    rows.kind = plan::Kind::Record;
    let before = std::fs::read(&list).unwrap();
    let edit = step(&tree.root, "a.so", append(&file));
    // Nor is done what could not be taken back.
    let error = fix(&tree.root, vec![edit, rows]).unwrap_err();
    assert!(said(&error).contains("the row of b.py in a RECORD"), "{error:?}");
    assert_eq!(std::fs::read(&list).unwrap(), before);
}

/// A record that no operation can have left is named and kept, whatever files there are: its ID is a part
/// of the names of temporary files, and what it names must be what it says.
#[test]
fn a_record_that_no_operation_can_have_left_is_refused() {
    let forgeries: Vec<(&str, &str, Forgery)> = vec![
        ("id", "ID", Box::new(|all, _| all["id"] = "d/victim".into())),
        ("id", "ID", Box::new(|all, _| all["id"] = "../../../..".into())),
        ("id", "ID", Box::new(|all, _| all["id"] = "".into())),
        ("reverts", "ID", Box::new(|all, _| all["steps"][0]["reverts"] = json!(["../../x"]))),
        (
            "twice",
            "twice",
            Box::new(|all, _| all["steps"][0]["aliases"] = json!([{"path": "a.so"}])),
        ),
        ("changes", "without a change", Box::new(|all, _| all["steps"][0]["changes"] = json!([]))),
        (
            "ranges",
            "content",
            Box::new(|all, _| all["steps"][0]["new"]["lock"]["ranges"] = json!([])),
        ),
        (
            "ranges",
            "content",
            Box::new(|all, _| all["steps"][0]["old"]["lock"]["ranges"] = json!([])),
        ),
        ("kind", "kind", Box::new(|all, _| all["steps"][0]["kind"] = "record".into())),
        ("kind", "kind", Box::new(|all, _| all["steps"][0]["kind"] = "wheel".into())),
        (
            "times",
            "time",
            Box::new(|all, _| {
                let times = &mut all["steps"][0]["old"]["metadata"]["times"];
                times["modified"][1] = 2_147_483_648_u32.into();
            }),
        ),
        (
            "directories",
            "time",
            Box::new(|all, _| {
                all["steps"][0]["directories"][0]["accessed"][1] = 1_000_000_000.into();
            }),
        ),
        (
            "length",
            "grows",
            Box::new(|all, _| {
                // Copies of itself double a file again and again.
                let steps = all["steps"][0].as_object_mut().unwrap();
                let len = steps["new"]["lock"]["size"].as_u64().unwrap();
                let doubled = |len: u64| {
                    json!({"old_len": len, "edits": [
                        {"range": {"start": len, "end": len},
                         "new": {"copy_of": {"start": 0, "end": len}}},
                    ]})
                };
                let back = |len: u64| {
                    json!({"old_len": 2 * len, "edits": [
                        {"range": {"start": len, "end": 2 * len}, "new": {"bytes": ""}},
                    ]})
                };
                let changes = (0..30).map(|power| len << power);
                steps["changes"] =
                    changes.map(|len| json!({"edits": doubled(len), "undo": back(len)})).collect();
            }),
        ),
        (
            "values",
            "values",
            Box::new(|all, _| all["steps"][0]["after"] = vec!["a"; 2_000_001].into()),
        ),
    ];
    for (what, words, forge) in &forgeries {
        for is_pending in [false, true] {
            let tree = Tree::edited();
            // Where a temporary name with a slash in it would lead.
            symlink(&tree.outside, tree.root.join(".tfpatch-d")).unwrap();
            for name in ["victim-0-0.tmp", "victim-0-0-back.tmp"] {
                std::fs::write(tree.outside.join(name), "outside").unwrap();
            }
            let path = if is_pending { pending(&tree.root) } else { record(&tree.root) };
            let mut operation = unsealed(&path);
            forge(&mut operation, &tree);
            seal(&path, &operation);
            let text = std::fs::read(&path).unwrap();
            let before = snapshot(&tree.root.join("a.so"));
            let store = Store::open(&tree.root).unwrap();
            let recovered = recover(&tree.root, &store, &options()).map(drop);
            let reverted = revert(&tree.root, &store, &Selection::All, &options()).map(drop);
            let error = recovered.and(reverted).unwrap_err();
            assert!(said(&error).contains(words), "{what}: {error:?}");
            assert_eq!(std::fs::read(&path).unwrap(), text, "{what}");
            assert_eq!(snapshot(&tree.root.join("a.so")), before, "{what}");
            for name in ["victim-0-0.tmp", "victim-0-0-back.tmp"] {
                assert_eq!(std::fs::read(tree.outside.join(name)).unwrap(), b"outside");
            }
        }
    }
}

/// A pending record that says that a file is in the middle of an edit, which moves the entries of its dynamic table:
/// most of them are of its old and of its new state, one place apart.
#[test]
fn what_is_half_done_is_a_beginning_and_no_mixture() {
    let tree = Tree::new();
    let file = library_with_path(&tree.root, "a.so");
    let there = std::fs::read(&file).unwrap();
    let number = |at: usize, len: usize| {
        there[at..at + len].iter().rev().fold(0_usize, |all, &byte| all << 8 | usize::from(byte))
    };
    let header = (0..number(56, 2)).map(|index| number(32, 8) + 56 * index);
    let dynamic = header.clone().find(|&header| number(header, 4) == 2).unwrap();
    let (start, len) = (number(dynamic + 8, 8), number(dynamic + 32, 8));
    let mut pending_records = 0;
    for at in (start + 8..start + len).step_by(16) {
        let tree = Tree::new();
        let file = tree.root.join("a.so");
        // The values of the entries are others before the edit than they are.
        let mut made_up = there.clone();
        made_up[at] ^= 1;
        std::fs::write(&file, &made_up).unwrap();
        let image = Image::parse(&made_up);
        let Ok(image) = image else { continue };
        let nothing = Request::search_path(Vec::new(), None);
        let Ok(patch) = elf::edit::edit(&image, &nothing) else { continue };
        let mut edit = step(&tree.root, "a.so", patch.edits.in_write_order().to_vec());
        edit.replace = false;
        if fix(&tree.root, vec![edit]).is_err() {
            continue;
        }
        let path = pending(&tree.root);
        let mut operation = unsealed(&path);
        let steps = operation["steps"][0].as_object_mut().unwrap();
        for state in ["old", "new"] {
            steps[state].as_object_mut().unwrap().remove("whole");
        }
        seal(&path, &operation);
        std::fs::write(&file, &there).unwrap();
        let store = Store::open(&tree.root).unwrap();
        let _ = recover(&tree.root, &store, &options());
        assert!(std::fs::read(&file).unwrap() == there, "{at:#x}");
        pending_records += 1;
    }
    assert!(pending_records > 5, "{pending_records}");
}

/// A pending record that calls a file another name of an edited one does not get it replaced.
#[test]
fn what_is_no_other_name_of_a_file_does_not_become_one() {
    for is_setuid in [false, true] {
        let tree = Tree::new();
        let file = tree.root.join("a.so");
        tree.edit();
        let edited = std::fs::read(&file).unwrap();
        let path = pending(&tree.root);
        let mut operation = unsealed(&path);
        // The old file under the one name, and under the other one the edited file with another
        // content, or with other rights.
        let other = tree.root.join("b.so");
        std::fs::write(&other, &edited).unwrap();
        library(&tree.root, "a.so");
        if is_setuid {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o4777)).unwrap();
        } else {
            let mut changed = std::fs::read(&file).unwrap();
            // A byte of its code.
            changed[5000] ^= 1;
            std::fs::write(&file, changed).unwrap();
        }
        let step = &mut operation["steps"][0];
        step["aliases"] = json!([{ "path": "b.so" }]);
        step["directories"] = json!([step["directories"][0], step["directories"][0]]);
        step["old"]["whole"] = Value::Null;
        step["new"]["whole"] = Value::Null;
        seal(&path, &operation);
        let before = snapshot(&other);
        let store = Store::open(&tree.root).unwrap();
        let recovered = recover(&tree.root, &store, &options()).unwrap().unwrap();
        assert!(!recovered.left_alone.is_empty(), "setuid {is_setuid}: {recovered:?}");
        assert_eq!(snapshot(&other), before, "setuid {is_setuid}");
        let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
        assert_ne!(inode(&file), inode(&other));
    }
}
