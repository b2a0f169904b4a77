//! An environment with a program that opens libraries, and libraries that lie where it finds them and
//! where it does not.

use crate::support::wheels::{self, LinkMode};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Opens each argument from a library of its own; `+fork` goes on in a fork, `+rm` removes the
/// file that was opened last, and after `+must` it fails where one is missing.
const CALLER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
void *open_one(const char *name) {
    void *handle = dlopen(name, RTLD_NOW);
    printf("%s %s\n", name, handle ? "opened" : "missing");
    return handle;
}
"#;

const PROGRAM: &str = r#"
#include <string.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
void *open_one(const char *name);
int main(int argc, char **argv) {
    int must = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "+fork")) {
            pid_t pid = fork();
            if (pid) { waitpid(pid, 0, 0); return 0; }
        } else if (!strcmp(argv[i], "+rm")) {
            unlink(argv[i - 1]);
        } else if (!strcmp(argv[i], "+must")) {
            must = 1;
        } else if (!open_one(argv[i]) && must) {
            fprintf(stderr, "%s is missing\n", argv[i]);
            return 3;
        }
    }
    fflush(stdout);
    return 0;
}
"#;

/// An environment with a program and libraries in it, and a directory of libraries outside.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
    pub(crate) package: PathBuf,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().join("env");
        wheels::empty_environment(&prefix, LinkMode::Copy);
        let code = "import sysconfig; print(sysconfig.get_path('platlib'))";
        let site = wheels::run(Command::new(prefix.join("bin/python")).args(["-c", code]));
        let package = PathBuf::from(site.trim()).join("demo");
        let scene = Self { directory, package };
        for below in ["libs", "far"] {
            fs::create_dir_all(scene.package.join(below)).unwrap();
        }
        fs::create_dir(scene.outside()).unwrap();
        scene.library(&scene.package.join("libs/libnear.so.1"), "int near_one;", &[]);
        scene.library(&scene.package.join("far/libfar.so.1"), "int far_one;", &[]);
        scene.library(&scene.outside().join("liboutside.so.1"), "int outside;", &[]);
        let libs = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/libs";
        scene.library(&scene.package.join("libcaller.so"), CALLER, &[libs]);
        let here = "-Wl,--enable-new-dtags,-rpath,$ORIGIN";
        let caller = scene.package.join("libcaller.so");
        scene.compile(&scene.program(), PROGRAM, &[here, caller.to_str().unwrap()]);
        scene
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.package.join("program")
    }

    pub(crate) fn library(&self, path: &Path, code: &str, flags: &[&str]) {
        let soname = format!("-Wl,-soname,{}", path.file_name().unwrap().to_str().unwrap());
        let mut all = vec!["-shared", "-fPIC", soname.as_str()];
        all.extend(flags);
        self.compile(path, code, &all);
    }

    pub(crate) fn compile(&self, path: &Path, code: &str, flags: &[&str]) {
        let source = self.directory.path().join("source.c");
        fs::write(&source, code).unwrap();
        let mut gcc = Command::new("gcc");
        wheels::run(gcc.arg("-o").arg(path).arg(&source).args(flags));
    }

    /// `tfpatch trace` with the options before `--`, not run yet.
    pub(crate) fn trace(&self, options: &[&str]) -> Command {
        let mut command = tfpatch();
        command.env("VIRTUAL_ENV", self.directory.path().join("env"));
        command.arg("trace").args(options).arg("--");
        command
    }
}

pub(crate) fn tfpatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
    for variable in ["LD_LIBRARY_PATH", "LD_PRELOAD", "LD_DEBUG", "LD_DEBUG_OUTPUT", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}
