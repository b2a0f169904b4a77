//! Small virtual environments of this machine's Python, with modules that it imports and distributions
//! that say whose they are.

use crate::support::wheels;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment, to be filled.
pub(crate) struct Environment {
    pub(crate) prefix: PathBuf,
    pub(crate) site: PathBuf,
    /// Holds copies of the libraries that objects were linked with.
    linked: tempfile::TempDir,
}

/// A virtual environment of the `python3` on `PATH`, with nothing in it, at `env` in a directory.
pub(crate) fn empty(dir: &Path) -> Environment {
    let prefix = dir.join("env");
    let says = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
    let said = wheels::python_says(says);
    let (python, version) = said.split_once('\n').unwrap();
    let home = Path::new(python).parent().unwrap().display();
    let site = prefix.join(format!("lib/python{version}/site-packages"));
    fs::create_dir_all(&site).unwrap();
    fs::create_dir(prefix.join("bin")).unwrap();
    symlink(python, prefix.join("bin/python")).unwrap();
    fs::write(
        prefix.join("pyvenv.cfg"),
        format!("home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"),
    )
    .unwrap();
    Environment { prefix, site, linked: tempfile::tempdir().unwrap() }
}

impl Environment {
    /// The directory of packages, from the prefix.
    pub(crate) fn below(&self) -> String {
        self.site.strip_prefix(&self.prefix).unwrap().display().to_string()
    }

    /// Compiles a library to a path below the prefix. It has a function by its soname, calls those of the
    /// libraries that it needs, and is kept to be linked with.
    pub(crate) fn library(
        &self,
        path: &str,
        soname: &str,
        needs: &[&str],
        flags: &[&str],
    ) -> PathBuf {
        let code = format!("{} int {}(void) {{ return 7; }}", calls(needs), function(soname));
        let soname_flag = format!("-Wl,-soname,{soname}");
        let flags: Vec<&str> = flags.iter().copied().chain(["-shared", &soname_flag]).collect();
        let file = self.compile(path, &code, needs, &flags);
        fs::copy(&file, self.linked.path().join(soname)).unwrap();
        file
    }

    /// Compiles an extension module `package/name` below `site-packages`, which the interpreter imports
    /// once its libraries are found; the package is made where it is not there.
    pub(crate) fn module(&self, module: &str, needs: &[&str], flags: &[&str]) -> PathBuf {
        self.module_that(module, "called();", needs, flags)
    }

    /// The same for a module that needs nothing, and is not imported unless it opens a library itself.
    pub(crate) fn module_that_opens(&self, module: &str, library: &str, flags: &[&str]) -> PathBuf {
        let open =
            format!("void *dlopen(const char *, int); if (!dlopen(\"{library}\", 2)) return 0;");
        self.module_that(module, &open, &[], flags)
    }

    /// The same for a module that binds a function of Python, which some versions may not have.
    pub(crate) fn module_that_calls(&self, module: &str, function: &str) -> PathBuf {
        self.module_that(
            module,
            &format!("int {function}(void); if ({function}()) return 0;"),
            &[],
            &[],
        )
    }

    /// The same for a module whose native code imports another one by its name.
    pub(crate) fn module_that_imports(&self, module: &str, imported: &str) -> PathBuf {
        let import = format!(
            "void *PyImport_ImportModule(const char *); if (!PyImport_ImportModule(\"{imported}\")) return 0;"
        );
        self.module_that(module, &import, &[], &[])
    }

    /// The same of a module that has its constants one after the other, as Cython packs them.
    pub(crate) fn module_that_imports_packed(&self, module: &str, imported: &str) -> PathBuf {
        let import = format!(
            "void *PyImport_ImportModule(const char *);
             static const char packed[] = \"number{imported}zero\";
             char name[{len} + 1] = {{ 0 }};
             for (int i = 0; i < {len}; i++) name[i] = packed[6 + i];
             if (!PyImport_ImportModule(name)) return 0;",
            len = imported.len()
        );
        self.module_that(module, &import, &[], &[])
    }

    fn module_that(&self, module: &str, does: &str, needs: &[&str], flags: &[&str]) -> PathBuf {
        let (package, name) = module.rsplit_once('/').unwrap();
        let site = self.below();
        // A PyModuleDef and what creates a module of it, as the stable ABI has them.
        let code = format!(
            "{} void *PyModule_Create2(void *, int);
             static struct {{ long count; void *type, *init; long index; void *copy; const char *name, *doc;
             long size; void *methods, *slots, *traverse, *clear, *free; }}
             definition = {{ 1, 0, 0, 0, 0, \"{name}\", 0, -1, 0, 0, 0, 0, 0 }};
             void *PyInit_{name}(void) {{ {does} return PyModule_Create2(&definition, 1013); }}",
            calls(needs)
        );
        let flags: Vec<&str> = flags.iter().copied().chain(["-shared"]).collect();
        let file = self.compile(&format!("{site}/{package}/{name}.abi3.so"), &code, needs, &flags);
        fs::write(self.site.join(package).join("__init__.py"), "").unwrap();
        file
    }

    /// Compiles a program.
    pub(crate) fn program(&self, path: &str, needs: &[&str], flags: &[&str]) -> PathBuf {
        let code = format!("{} int main(void) {{ called(); return 0; }}", calls(needs));
        self.compile(path, &code, needs, flags)
    }

    fn compile(&self, path: &str, code: &str, needs: &[&str], flags: &[&str]) -> PathBuf {
        let file = self.prefix.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let source = self.linked.path().join("source.c");
        fs::write(&source, code).unwrap();
        let mut gcc = Command::new("gcc");
        gcc.args(["-fPIC", "-w", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"]);
        gcc.args(flags).arg("-o").arg(&file).arg(&source);
        gcc.args(needs.iter().map(|needed| self.linked.path().join(needed)));
        wheels::run(&mut gcc);
        file
    }

    /// Installs the metadata of a distribution that owns files below `site-packages`.
    pub(crate) fn distribution(&self, name: &str, requires: &[&str], files: &[&str]) -> PathBuf {
        let info = self.site.join(format!("{}-1.0.dist-info", name.replace('-', "_")));
        fs::create_dir_all(&info).unwrap();
        let requires = requires.iter().map(|line| format!("Requires-Dist: {line}\n"));
        let metadata = format!("Name: {name}\nVersion: 1.0\n{}", requires.collect::<String>());
        fs::write(info.join("METADATA"), metadata).unwrap();
        let len = |file: &&str| fs::metadata(self.site.join(file)).map(|it| it.len().to_string());
        let row = |file: &&str| format!("{file},,{}\n", len(file).unwrap_or_default());
        let rows: String = files.iter().map(row).collect();
        fs::write(info.join("RECORD"), rows).unwrap();
        info
    }

    /// Does the interpreter of the environment run a line of code?
    pub(crate) fn runs(&self, code: &str) -> bool {
        let mut python = Command::new(self.prefix.join("bin/python"));
        let python = python.args(["-c", code]).env_remove("PYTHONPATH");
        python.output().unwrap().status.success()
    }
}

/// The function of a library, by its soname.
fn function(soname: &str) -> String {
    let name = soname.split(".so").next().unwrap();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// A function `called` that calls those of libraries.
fn calls(needs: &[&str]) -> String {
    let names: Vec<String> = needs.iter().map(|needed| function(needed)).collect();
    let declared: String = names.iter().map(|name| format!("int {name}(void);\n")).collect();
    let called: String = names.iter().map(|name| format!("{name}();")).collect();
    format!("{declared} static void called(void) {{ {called} }}")
}
