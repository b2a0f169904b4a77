//! Advice that does not depend on what a message names.

/// Advice that is the same for all messages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// No action is needed.
    Nothing,
    /// Use an entry that does not depend on the working directory.
    RelativeEntry,
    /// Use an environment that was created on this kind of Linux.
    AnotherLinux,
    /// Use a build for glibc instead of one for musl.
    BuiltForMusl,
    /// Use a directory whose file system is not mounted noexec.
    NoExec,
    /// Rebuild modules of Node.js for this system.
    NodeModules,
    /// Install NVIDIA's libraries for TensorFlow.
    GpuLibraries,
    /// Install the package that contains a module.
    Module,
    /// Correct a path that contains a file in place of a directory.
    Path,
    /// Use one GNU C library instead of two.
    OneLibc,
    /// Use a newer copy of a library.
    NewerCopy,
    /// Install a release that needs no executable stack.
    NoExecutableStack,
    /// Use one Team ID.
    OneTeam,
    /// Sign the file.
    Sign,
    /// Remove a duplicate entry.
    Dedupe,
    /// Install the program `ptxas`.
    Ptxas,
    /// Install libdevice.
    Libdevice,
    /// Let the interpreter find its standard library.
    StandardLibrary,
    /// Recreate the environment.
    RemakeEnvironment,
    /// Find out which interpreter a script or a program names.
    FindInterpreter,
}
