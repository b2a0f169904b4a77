//! The emulation against the real ld.so of the machine.

use rustix::fs::{Mode, OFlags};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfpatch::elf::Image;
use tfpatch::elf::structs::Structs as _;
use tfpatch::loader::glibc::hwcaps::Hwcaps;
use tfpatch::loader::{Loader, Settings, System};
use tfpatch::vfs::{OsVfs, Vfs};

const LD_SO: &str = "/lib64/ld-linux-x86-64.so.2";

/// The `glibc-hwcaps` levels that this processor has, and `AT_PLATFORM`, as ld.so sees them.
fn of_this_machine() -> Settings {
    let output = Command::new(LD_SO).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let levels = help.lines().filter(|line| {
        // The directories of the time before glibc-hwcaps stand in the same list.
        line.trim_start().starts_with("x86-64-v") && line.contains("(supported, searched)")
    });
    let hwcaps = levels.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    let output = Command::new(LD_SO).arg("--list-diagnostics").output().unwrap();
    let diagnostics = String::from_utf8(output.stdout).unwrap();
    let platform = diagnostics.lines().find_map(|line| line.strip_prefix("dl_platform=")).unwrap();
    let platform = Some(platform.trim_matches('"').to_owned());
    Settings { hwcaps, platform, working_directory: "/".into(), ..Settings::default() }
}

/// The system that `program` would run on.
fn system_of(vfs: &OsVfs, program: &Path) -> System {
    let source = vfs.open(program).unwrap();
    System::read(vfs, &Image::parse(&source).unwrap().summary().unwrap())
}

/// Name and path of everything that `ld.so --list` prints; `None` where it is not found.
fn listed(file: &Path) -> Option<BTreeMap<OsString, Option<PathBuf>>> {
    let output = Command::new(LD_SO).arg("--list").arg(file).current_dir("/").output().unwrap();
    parse_list(&output.stdout, output.status.success())
}

fn parse_list(stdout: &[u8], success: bool) -> Option<BTreeMap<OsString, Option<PathBuf>>> {
    if !success {
        return None;
    }
    let mut found = BTreeMap::new();
    for line in stdout.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        let address = line.windows(4).rposition(|part| part == b" (0x").unwrap_or(line.len());
        let line = &line[..address];
        if line.is_empty() || line.starts_with(b"linux-vdso") || line == b"statically linked" {
            continue;
        }
        let text = OsString::from_vec(line.to_vec()).into_string().unwrap();
        match text.split_once(" => ") {
            Some((name, "not found")) => found.insert(name.into(), None),
            Some((name, path)) => found.insert(name.into(), Some(path.into())),
            None => found.insert(text.clone().into(), Some(text.into())),
        };
    }
    Some(found)
}

/// The paths that the emulation loads, without the program, and the names that it misses.
fn resolved(loader: &Loader<'_>, file: &Path) -> (BTreeSet<PathBuf>, BTreeSet<OsString>) {
    let resolution = loader.program(file);
    let paths = resolution.objects.iter().skip(1).map(|object| object.path.to_path_buf()).collect();
    let missing = resolution.missing().map(|(_, need)| OsString::from_vec(need.name.to_vec()));
    (paths, missing.collect())
}

fn elf_files(directory: &str, most: usize) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let vfs = OsVfs::new();
    let dynamic = |path: &PathBuf| {
        let Ok(source) = vfs.open(path) else { return false };
        let Ok(image) = Image::parse(&source) else { return false };
        !image.dynamic().is_empty() && image.header().e_machine == 62
    };
    let found: Vec<PathBuf> = names
        .into_iter()
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| path.starts_with(directory))
        .filter(dynamic)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    // Spread over the alphabet.
    let step = found.len().div_ceil(most).max(1);
    found.into_iter().step_by(step).collect()
}

#[test]
fn real_files_resolve_as_ld_so_lists_them() {
    let mut files = elf_files("/usr/lib/x86_64-linux-gnu", 110);
    files.extend(elf_files("/usr/bin", 60));
    assert!(files.len() >= 100, "only {} files to compare", files.len());
    let vfs = OsVfs::new();
    let system = system_of(&vfs, Path::new("/usr/bin/env"));
    assert_eq!(system.assumptions, Vec::<String>::new());
    let loader = Loader::new(&vfs, system, of_this_machine());
    let mut compared = 0;
    for file in files {
        let Some(listed) = listed(&file) else { continue };
        let (mut paths, missing) = resolved(&loader, &file);
        let mut expected: BTreeSet<PathBuf> = listed.values().flatten().cloned().collect();
        // The loader that lists is the one that was called, by its own path; whether it is listed
        // depends on who needs it.
        paths.remove(Path::new(LD_SO));
        expected.retain(|path| {
            path.canonicalize().unwrap() != Path::new(LD_SO).canonicalize().unwrap()
        });
        assert_eq!(paths, expected, "{}", file.display());
        let unfound = listed.iter().filter(|(_, path)| path.is_none());
        assert_eq!(missing, unfound.map(|(name, _)| name.clone()).collect(), "{}", file.display());
        compared += 1;
    }
    assert!(compared >= 100, "only {compared} files were compared");
}

#[test]
fn the_built_in_values_are_those_that_ld_so_tells() {
    let vfs = OsVfs::new();
    let system = system_of(&vfs, Path::new("/usr/bin/env"));
    let output = Command::new(LD_SO).arg("--list-diagnostics").output().unwrap();
    let diagnostics = String::from_utf8(output.stdout).unwrap();
    let value = |key: &str| -> Vec<String> {
        let lines = diagnostics.lines().filter_map(|line| line.split_once('='));
        let lines = lines.filter(|(name, _)| *name == key || name.starts_with(&format!("{key}[")));
        lines.map(|(_, value)| value.trim_matches('"').to_owned()).collect()
    };
    let dirs: Vec<Vec<u8>> =
        value("path.system_dirs").into_iter().map(String::into_bytes).collect();
    assert_eq!(system.default_dirs, dirs);
    let version = system.version.map(|(major, minor)| format!("{major}.{minor}")).unwrap();
    assert_eq!(vec![version], value("version.version"));
}

#[test]
fn the_cache_holds_what_ldconfig_prints() {
    let vfs = OsVfs::new();
    let system = system_of(&vfs, Path::new("/usr/bin/env"));
    let output = Command::new("/sbin/ldconfig").arg("-p").output().unwrap();
    let mut seen = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines().skip(1) {
        let Some((entry, path)) = line.trim().split_once(" => ") else { continue };
        let (name, kind) = entry.split_once(" (").unwrap();
        // The first of several entries with one name counts.
        if kind.trim_end_matches(')') == "libc6,x86-64" && seen.insert(name.to_owned()) {
            let found = system.cache.lookup(name.as_bytes(), &Hwcaps::default()).unwrap();
            assert_eq!(found, path.as_bytes(), "{name}");
        }
    }
    assert!(seen.len() > 50, "ldconfig printed {} entries", seen.len());
    assert_eq!(system.cache.lookup(b"libnothing.so.1", &Hwcaps::default()), None);
}

/// A directory of small libraries, built by the compiler.
struct Lab {
    dir: tempfile::TempDir,
    root: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        Self { dir, root }
    }

    /// Builds `path` with the linker's `options`; one that ends in `main` becomes a program.
    fn build(&self, path: &str, options: &[&str]) -> &Self {
        let output = self.dir.path().join(path);
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        let source = self.dir.path().join("source.c");
        let program = path.ends_with("main");
        fs::write(&source, if program { "int main(void){return 0;}" } else { "int unused;" })
            .unwrap();
        let mut gcc = Command::new("gcc");
        if !program {
            gcc.args(["-shared", "-fPIC", "-nostdlib"]);
        }
        gcc.args(["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o"])
            .arg(&output)
            .arg(&source);
        gcc.args(options.iter().map(|option| option.replace("@", self.root.to_str().unwrap())));
        let built = gcc.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Runs `main` under tracing, from `cwd`, and compares every library with the emulation.
    fn agrees(&self, cwd: &str, library_path: Option<&str>) {
        let main = self.path("main");
        let cwd = self.path(cwd);
        let library_path = library_path.map(|path| path.replace('@', self.root.to_str().unwrap()));
        let mut command = Command::new(&main);
        command.env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").current_dir(&cwd);
        if let Some(path) = &library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        let output = command.output().unwrap();
        let traced = parse_list(&output.stdout, output.status.success());
        let vfs = OsVfs::new();
        let settings = Settings {
            library_path: library_path.map(String::into_bytes),
            working_directory: cwd.clone(),
            ..of_this_machine()
        };
        let loader = Loader::new(&vfs, system_of(&vfs, &main), settings);
        let resolution = loader.program(&main);
        let Some(traced) = traced else {
            let stderr = String::from_utf8(output.stderr).unwrap();
            let fatal = resolution.missing().find_map(|(_, need)| need.fatal.as_ref());
            let fatal = fatal.unwrap_or_else(|| panic!("ld.so refuses: {stderr}"));
            assert!(stderr.contains(&fatal.message), "{} in {stderr}", fatal.message);
            let name = fatal.path.file_name().unwrap().to_str().unwrap();
            assert!(stderr.contains(name), "{name} in {stderr}");
            return;
        };
        let mut expected = BTreeSet::new();
        let mut unfound = BTreeSet::new();
        for (name, path) in traced {
            match path {
                Some(path) => assert!(expected.insert(cwd.join(path))),
                None => assert!(unfound.insert(name)),
            }
        }
        let paths: BTreeSet<PathBuf> =
            resolution.objects.iter().skip(1).map(|object| object.path.to_path_buf()).collect();
        let missing: BTreeSet<OsString> = resolution
            .missing()
            .map(|(_, need)| {
                assert!(need.fatal.is_none(), "ld.so loads it: {:?}", need.fatal);
                OsString::from_vec(need.name.to_vec())
            })
            .collect();
        assert_eq!(paths, expected);
        assert_eq!(missing, unfound);
    }
}

const RPATH: &str = "-Wl,--disable-new-dtags";
const RUNPATH: &str = "-Wl,--enable-new-dtags";

#[test]
fn rpath_is_inherited_and_runpath_is_not() {
    let lab = Lab::new();
    lab.build("deep/libdeep.so", &["-Wl,-soname,libdeep.so"])
        .build("mid/libmid.so", &["-Wl,-soname,libmid.so", "-L@/deep", "-ldeep"])
        .build(
            "other/libmid2.so",
            &["-Wl,-soname,libmid2.so", RUNPATH, "-Wl,-rpath,", "-L@/deep", "-ldeep"],
        );
    lab.build("main", &[RPATH, "-Wl,-rpath,$ORIGIN/mid:$ORIGIN/deep", "-L@/mid", "-lmid"])
        .agrees("", None);
    lab.build("main", &[RUNPATH, "-Wl,-rpath,$ORIGIN/mid:$ORIGIN/deep", "-L@/mid", "-lmid"])
        .agrees("", None);
    lab.agrees("", Some("@/deep"));
    // An empty DT_RUNPATH counts: the chain is not walked for that object.
    lab.build("main", &[RPATH, "-Wl,-rpath,@/other:@/deep", "-L@/other", "-lmid2"])
        .agrees("", None);
}

#[test]
fn rpath_comes_before_and_runpath_behind_library_path() {
    let lab = Lab::new();
    for dir in ["a", "b"] {
        lab.build(&format!("{dir}/libx.so"), &["-Wl,-soname,libx.so"]);
    }
    lab.build("main", &[RPATH, "-Wl,-rpath,@/a", "-L@/a", "-lx"]).agrees("", Some("@/b"));
    lab.build("main", &[RUNPATH, "-Wl,-rpath,@/a", "-L@/a", "-lx"]).agrees("", Some("@/b"));
    for path in
        ["@/none:@/b", "@/none;@/b", "$ORIGIN/b", "${ORIGIN}/b/", "$ORIGINX/b", "$NOTHING/b:@/b"]
    {
        lab.agrees("", Some(path));
    }
}

#[test]
fn an_empty_component_is_the_working_directory() {
    let lab = Lab::new();
    lab.build("a/libx.so", &["-Wl,-soname,libx.so"]).build("b/libx.so", &["-Wl,-soname,libx.so"]);
    lab.build("main", &["-L@/a", "-lx"]);
    for path in ["", ":", "@/none:", ":@/b", "@/none::@/b", ";", ".", "b:", "../b"] {
        lab.agrees("a", Some(path));
    }
    for rpath in ["-Wl,-rpath,@/none:", "-Wl,-rpath,:@/b", "-Wl,-rpath,../b"] {
        lab.build("main", &[RUNPATH, rpath, "-L@/a", "-lx"]).agrees("a", None);
    }
}

#[test]
fn origin_of_a_library_is_where_it_was_found_and_of_the_program_where_it_is() {
    let lab = Lab::new();
    lab.build("real/sub/libdep.so", &["-Wl,-soname,libdep.so"]).build(
        "real/libx.so",
        &["-Wl,-soname,libx.so", RUNPATH, "-Wl,-rpath,$ORIGIN/sub", "-L@/real/sub", "-ldep"],
    );
    fs::create_dir(lab.path("alias")).unwrap();
    symlink("../real/libx.so", lab.path("alias/libx.so")).unwrap();
    lab.build(
        "main",
        &[RUNPATH, "-Wl,-rpath,$ORIGIN/alias", "-L@/real", "-lx", "-Wl,-rpath-link,@/real/sub"],
    );
    lab.agrees("", None);
    fs::rename(lab.path("main"), lab.path("real/program")).unwrap();
    symlink("real/program", lab.path("main")).unwrap();
    lab.agrees("", None);
    lab.build("alias/sub/libdep.so", &["-Wl,-soname,libdep.so"]);
    fs::rename(lab.path("alias"), lab.path("real/alias")).unwrap();
    lab.agrees("", None);
}

#[test]
fn unfit_candidates_are_passed_over_or_end_the_search() {
    let lab = Lab::new();
    lab.build("good/libx.so", &["-Wl,-soname,libx.so"]);
    lab.build("main", &[RUNPATH, "-Wl,-rpath,@/bad:@/good", "-L@/good", "-lx"]);
    fs::create_dir(lab.path("bad")).unwrap();
    let bad = lab.path("bad/libx.so");
    let good = fs::read(lab.path("good/libx.so")).unwrap();
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    let contents: [(&str, Vec<u8>); 11] = [
        ("empty", Vec::new()),
        ("short", good[..40].to_vec()),
        ("text", b"GROUP ( /lib/libx.so )".repeat(8)),
        ("short text", b"GROUP".to_vec()),
        ("class", changed(4, 1)),
        ("byte order", changed(5, 2)),
        ("osabi", changed(7, 9)),
        ("gnu osabi", changed(7, 3)),
        ("machine", changed(18, 183)),
        ("relocatable", changed(16, 1)),
        ("padding", changed(12, 1)),
    ];
    for (what, bytes) in contents {
        println!("{what}");
        fs::write(&bad, bytes).unwrap();
        lab.agrees("", None);
    }
    fs::remove_file(&bad).unwrap();
    lab.build("bad/main", &[]);
    fs::rename(lab.path("bad/main"), &bad).unwrap();
    lab.agrees("", None);
    lab.build("bad/main", &["-no-pie"]);
    fs::rename(lab.path("bad/main"), &bad).unwrap();
    lab.agrees("", None);
    fs::remove_file(&bad).unwrap();
    symlink("nothing", &bad).unwrap();
    lab.agrees("", None);
    fs::remove_file(&bad).unwrap();
    symlink("libx.so", &bad).unwrap();
    lab.agrees("", None);
    fs::remove_file(&bad).unwrap();
    fs::create_dir(&bad).unwrap();
    lab.agrees("", None);
}

#[test]
fn nodeflib_keeps_system_directories_out() {
    let lab = Lab::new();
    lab.build("libx.so", &["-Wl,-soname,libx.so", "-l:libz.so.1", "-Wl,-z,nodefaultlib"]);
    lab.build("main", &[RUNPATH, "-Wl,-rpath,@", "-L@", "-lx"]).agrees("", None);
    lab.build("main", &[RUNPATH, "-Wl,-rpath,@", "-l:libz.so.1", "-L@", "-lx"]).agrees("", None);
    lab.agrees("", Some("/usr/lib/x86_64-linux-gnu"));
}

#[test]
fn links_to_one_file_are_one_object() {
    let lab = Lab::new();
    lab.build("a/libx.so", &[]);
    fs::hard_link(lab.path("a/libx.so"), lab.path("a/liby.so")).unwrap();
    symlink("libx.so", lab.path("a/libz9.so")).unwrap();
    lab.build(
        "main",
        &[RUNPATH, "-Wl,-rpath,@/a", "-L@/a", "-l:libx.so", "-l:liby.so", "-l:libz9.so"],
    );
    lab.agrees("", None);
}

#[test]
fn glibc_hwcaps_come_first_in_every_directory() {
    let lab = Lab::new();
    let settings = of_this_machine();
    for level in ["x86-64-v4", "x86-64-v3", "x86-64-v2", "x86-64-v9"] {
        lab.build(&format!("a/glibc-hwcaps/{level}/libx.so"), &["-Wl,-soname,libx.so"]);
    }
    lab.build("a/libx.so", &["-Wl,-soname,libx.so"]);
    lab.build("main", &[RUNPATH, "-Wl,-rpath,@/a", "-L@/a", "-lx"]).agrees("", None);
    for level in &settings.hwcaps {
        fs::remove_dir_all(lab.path(&format!("a/glibc-hwcaps/{level}"))).unwrap();
        lab.agrees("", None);
    }
}

#[test]
fn names_of_any_bytes_are_found() {
    let lab = Lab::new();
    let dir = lab.path("").join(std::ffi::OsStr::from_bytes(b"d\xff"));
    fs::create_dir(&dir).unwrap();
    lab.build("libx.so", &["-Wl,-soname,libx.so"]);
    lab.build("main", &["-L@", "-lx"]);
    fs::rename(lab.path("libx.so"), dir.join("libx.so")).unwrap();
    let vfs = OsVfs::new();
    let settings =
        Settings { library_path: Some(dir.as_os_str().as_bytes().to_vec()), ..of_this_machine() };
    let main = lab.path("main");
    let loader = Loader::new(&vfs, system_of(&vfs, &main), settings);
    let resolution = loader.program(&main);
    assert_eq!(*resolution.objects[1].path, *dir.join("libx.so"));
    assert!(rustix::fs::open(&*resolution.objects[1].path, OFlags::RDONLY, Mode::empty()).is_ok());
}
