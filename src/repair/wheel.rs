//! What is wrong inside a wheel that is not installed. What it needs from elsewhere, of other
//! distributions, of the interpreter or of the system, is nobody's fault yet.

use super::diagnose::fault;
use super::finding::{Cause, Finding};
use super::inventory::{Inventory, Object, Role};
use super::target::World;
use crate::bytes::printable;
use crate::loader::Settings;
use crate::python::distribution;
use crate::python::record;
use crate::python::wheel::Wheel;
use crate::vfs::Vfs as _;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// What a wheel says of itself, beside its objects.
#[derive(Debug, Default)]
pub struct Claims {
    /// Its tags, such as `cp311-cp311-macosx_12_0_arm64`.
    pub tags: Vec<String>,
    /// Rows of RECORD that are not true: the file, and a clause about it.
    untrue: Vec<(PathBuf, String)>,
}

impl World {
    /// Reads a wheel. The variables of the loader say nothing about where it will be installed.
    #[must_use]
    pub fn of_wheel(wheel: &Wheel<'_>, settings: &Settings) -> Self {
        let site = wheel.path().to_owned();
        let mut world = Self::of_directory(wheel, &site, None, settings.without_variables());
        let records = world.inventory.distributions.iter().map(distribution::Distribution::record);
        let untrue = records.flat_map(|record| untrue_rows(wheel, &record)).collect();
        world.wheel = Some(Claims { tags: wheel.tags(), untrue });
        world
    }

    /// Will two files of the target lie, seen from each other, where they lie now? The installer
    /// decides where those go that a wheel has below `NAME.data`.
    #[must_use]
    pub fn stay_together(&self, one: &Path, other: &Path) -> bool {
        let scheme = |path: &Path| {
            let mut parts = path.strip_prefix(&self.root).ok()?.components();
            let Component::Normal(first) = parts.next()? else { return None };
            let is_data = first.as_encoded_bytes().ends_with(b".data");
            is_data.then(|| parts.next().map(|scheme| scheme.as_os_str().to_owned())).flatten()
        };
        self.wheel.is_none() || scheme(one) == scheme(other)
    }
}

/// The rows of a wheel's RECORD that name a file which is not there, or has another length.
fn untrue_rows(wheel: &Wheel<'_>, record: &Path) -> Vec<(PathBuf, String)> {
    // What cannot be read is reported with the distribution.
    let Ok(source) = wheel.open(record) else { return Vec::new() };
    let Some(bytes) = source.get(0..source.len()) else { return Vec::new() };
    let members: HashMap<&[u8], (PathBuf, u64)> =
        wheel.members().map(|(name, path, len)| (name, (path, len))).collect();
    let mut untrue = Vec::new();
    for row in record::rows(&bytes).map_while(Result::ok) {
        let shown = printable(&row.path);
        match (members.get(&*row.path), row.size) {
            (None, _) => {
                let path = record.to_owned();
                untrue.push((path, format!("it lists {shown}, which the wheel does not have")));
            }
            (Some((path, len)), Some(size)) if *len != size => {
                untrue.push((
                    path.clone(),
                    format!("RECORD gives it {size} bytes, and it has {len}"),
                ));
            }
            _ => {}
        }
    }
    untrue
}

/// Libraries that every system has which takes wheels of Linux (PEP 513, 571, 599 and 600): a wheel
/// that has one of them, for some of its objects, need not lead all others to it.
const SYSTEM_LIBRARIES: [&[u8]; 26] = [
    b"ld-linux-aarch64.so.1",
    b"ld-linux-x86-64.so.2",
    b"libICE.so.6",
    b"libGL.so.1",
    b"libSM.so.6",
    b"libX11.so.6",
    b"libXext.so.6",
    b"libXrender.so.1",
    b"libatomic.so.1",
    b"libc.so.6",
    b"libcrypt.so.1",
    b"libdl.so.2",
    b"libexpat.so.1",
    b"libgcc_s.so.1",
    b"libglib-2.0.so.0",
    b"libgobject-2.0.so.0",
    b"libgthread-2.0.so.0",
    b"libm.so.6",
    b"libnsl.so.1",
    b"libpthread.so.0",
    b"libresolv.so.2",
    b"librt.so.1",
    b"libstdc++.so.6",
    b"libutil.so.1",
    b"libz.so.1",
    b"linux-vdso.so.1",
];

/// Is it no fault of a wheel that none of its search paths leads to that library?
pub(super) fn comes_with_the_system(name: &[u8]) -> bool {
    SYSTEM_LIBRARIES.contains(&name)
}

/// What a wheel says of itself that is not so.
pub(super) fn findings(world: &World) -> Vec<Finding> {
    let Some(claims) = &world.wheel else { return Vec::new() };
    let mut findings = wrong_arch(world, &world.inventory, &claims.tags);
    findings.extend(claims.untrue.iter().map(|(path, why)| {
        let message = format!("{}: {why}", world.shown(path));
        fault(Cause::PartialInstall, path, message, "build the wheel again")
    }));
    findings
}

/// Extension modules that no interpreter can load which takes the wheel for its own. Libraries and
/// programs of other processors lie in many wheels as data.
fn wrong_arch(world: &World, inventory: &Inventory, tags: &[String]) -> Vec<Finding> {
    let platforms: Vec<Platform> = tags.iter().filter_map(|tag| Platform::of(tag)).collect();
    if platforms.is_empty() {
        return Vec::new();
    }
    let modules = inventory.objects.iter().filter(|object| object.role == Role::ExtensionModule);
    let wrong = modules.filter(|object| !platforms.iter().any(|platform| platform.takes(object)));
    wrong
        .map(|object| {
            let tag = tags.first().map(String::as_str).unwrap_or_default();
            let (shown, is) = (world.shown(&object.path), architectures(object));
            let message = format!("{shown} is {is}, and the wheel's tag is {tag}");
            fault(Cause::WrongArch, &object.path, message, "build the wheel again for its tag")
        })
        .collect()
}

fn architectures(object: &Object) -> String {
    match object.elf() {
        Some(summary) => format!("an ELF object for {}", summary.architecture()),
        None => {
            let archs: Vec<&str> = object.slices().iter().map(|slice| slice.arch.name()).collect();
            format!("a Mach-O object for {}", archs.join(" and "))
        }
    }
}

/// What a platform tag promises.
enum Platform {
    /// ELF objects for that machine.
    Linux(String),
    /// Mach-O objects with all these slices.
    Macos(Vec<&'static str>),
}

impl Platform {
    /// `None` where a tag promises nothing that is known here: `any`, Windows, other systems.
    fn of(tag: &str) -> Option<Self> {
        let platform = tag.rsplit('-').next()?;
        if let Some(rest) = platform.strip_prefix("macosx_") {
            // macosx_MAJOR_MINOR_ARCH (PEP 425, packaging.tags).
            let archs = match rest.splitn(3, '_').nth(2)? {
                "arm64" => vec!["arm64"],
                "x86_64" | "intel" => vec!["x86_64"],
                "universal2" => vec!["arm64", "x86_64"],
                _ => return None,
            };
            return Some(Self::Macos(archs));
        }
        // linux_ARCH, manylinux1_ARCH, manylinux2014_ARCH, manylinux_2_17_ARCH, musllinux_1_1_ARCH.
        let (system, rest) = platform.split_once('_')?;
        if system != "linux" && !system.starts_with("manylinux") && system != "musllinux" {
            return None;
        }
        let arch = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
        Some(Self::Linux(arch.to_owned()))
    }

    fn takes(&self, object: &Object) -> bool {
        match self {
            Self::Linux(arch) => {
                object.elf().is_some_and(|summary| match (arch.as_str(), summary.architecture()) {
                    ("i686" | "i386", is) => is == "i386",
                    ("armv7l" | "armv6l" | "armv8l", is) => is == "arm",
                    (arch, is) => arch == is,
                })
            }
            Self::Macos(archs) => archs
                .iter()
                .all(|arch| object.slices().iter().any(|slice| slice.arch.name() == *arch)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_platform_tag_names_a_processor() {
        let linux = |tag| match Platform::of(tag) {
            Some(Platform::Linux(arch)) => arch,
            _ => panic!("{tag} is no tag of Linux"),
        };
        assert_eq!(linux("cp311-cp311-manylinux_2_27_x86_64"), "x86_64");
        assert_eq!(linux("cp311-cp311-manylinux2014_aarch64"), "aarch64");
        assert_eq!(linux("cp39-abi3-musllinux_1_1_i686"), "i686");
        assert_eq!(linux("cp39-abi3-linux_ppc64le"), "ppc64le");
        let Some(Platform::Macos(archs)) = Platform::of("cp311-cp311-macosx_10_9_universal2")
        else {
            panic!("universal2 is a tag of macOS");
        };
        assert_eq!(archs, ["arm64", "x86_64"]);
        assert!(Platform::of("py3-none-any").is_none());
        assert!(Platform::of("cp311-cp311-win_amd64").is_none());
    }
}
