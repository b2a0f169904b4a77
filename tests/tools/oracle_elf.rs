//! Debian's own libraries, edited, and judged by the loader, readelf, eu-elflint and strip.

use crate::support::elf_builder::{Workshop, lint, outcome, patched, request, tool};
use std::path::{Path, PathBuf};
use tfpatch::elf::edit::Method;

/// How many libraries are judged.
const COUNT: usize = 40;

/// Libraries of the machine that the loader loads, spread over all there are.
fn libraries(shop: &Workshop) -> Vec<PathBuf> {
    let (triplet, _) = tool("gcc", &["-print-multiarch"]);
    let dir = Path::new("/usr/lib").join(triplet.trim());
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".so."))
        .filter(|path| {
            let metadata = path.symlink_metadata().unwrap();
            metadata.is_file() && metadata.len() < 2_000_000
        })
        .collect();
    all.sort();
    let step = (all.len() / (2 * COUNT)).max(1);
    let spread = all.into_iter().step_by(step);
    let loaded = spread.filter(|path| {
        // The loader itself is none of them, by name.
        let is_loader = path.file_name().unwrap().to_string_lossy().starts_with("ld-");
        !is_loader && outcome(&mut shop.loader(path, &[])).is_ok()
    });
    loaded.take(COUNT).collect()
}

#[test]
fn debians_libraries_stay_as_good_as_they_were() {
    let shop = Workshop::new();
    let libraries = libraries(&shop);
    assert!(libraries.len() >= COUNT / 2, "only {} libraries", libraries.len());
    let path = format!("$ORIGIN/../nvidia/cublas/lib:/{}", "x".repeat(900));
    let longer = format!("{path}:/{}", "y".repeat(900));
    let entries: Vec<&str> = path.split(':').collect();
    let more_entries: Vec<&str> = longer.split(':').collect();
    for library in libraries {
        let old = std::fs::read(&library).unwrap();
        let name = library.display();
        let (first, bytes) = patched(&old, &request(&entries, None));
        let (second, longer_bytes) = patched(&bytes, &request(&more_entries, None));
        assert_eq!(second.method, Method::ExtendTail, "{name} after {:?}", first.method);
        let before = lint(&shop.place("control", &old));
        for (bytes, path) in [(&bytes, &path), (&longer_bytes, &longer)] {
            let file = shop.place("patched", bytes);
            let (out, complaints) = tool("readelf", &["-aW", file.to_str().unwrap()]);
            assert_eq!(complaints, "", "{name}");
            assert!(out.contains(&format!("[{path}]")), "{name}");
            let after = lint(&file);
            assert!(after.is_subset(&before), "{name}: {:?}", after.difference(&before));
            assert_eq!(outcome(&mut shop.loader(&file, &[])), Ok(()), "{name}");
        }
        for (name_of_tool, arguments) in
            [("strip", &["-g"][..]), ("objcopy", &[]), ("eu-strip", &[])]
        {
            let file = shop.place("patched", &longer_bytes);
            let mut arguments = arguments.to_vec();
            arguments.push(file.to_str().unwrap());
            tool(name_of_tool, &arguments);
            let (out, complaints) = tool("readelf", &["-aW", file.to_str().unwrap()]);
            assert_eq!(complaints, "", "{name} after {name_of_tool}");
            assert!(out.contains(&format!("[{longer}]")), "{name} after {name_of_tool}");
            let result = outcome(&mut shop.loader(&file, &[]));
            assert_eq!(result, Ok(()), "{name} after {name_of_tool}");
        }
    }
}
