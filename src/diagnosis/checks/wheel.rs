//! What is wrong inside a wheel that is not installed. What it needs from other distributions, from
//! the interpreter or from the system is not a fault yet.

use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::object::Format;
use crate::world::World;
use crate::world::inventory::{Inventory, Object, Role};
use crate::world::wheel_claims::UntrueRow;

/// Libraries that every system has that accepts Linux wheels (PEP 513, 571, 599 and 600). A wheel
/// that contains one of them, for some of its objects, need not provide it to all others.
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

/// Is it not a fault of a wheel that none of its search paths finds that library?
pub(crate) fn comes_with_the_system(name: &[u8]) -> bool {
    SYSTEM_LIBRARIES.contains(&name)
}

/// Statements of a wheel about itself that are not true.
pub(crate) fn findings(world: &World) -> Vec<Finding> {
    let Some(claims) = &world.wheel else { return Vec::new() };
    let mut findings = wrong_arch(world, &world.inventory, &claims.tags);
    findings.extend(claims.untrue.iter().map(|row| {
        let (path, file) = match row {
            UntrueRow::NoMember { record, member } => {
                let (place, member) = (world.place(record), member.clone());
                (record, File::NotInWheel { record: place, member })
            }
            UntrueRow::OtherLength { path, recorded, length } => {
                let (recorded, length) = (*recorded, *length);
                (path, File::OtherLength { member: world.place(path), recorded, length })
            }
        };
        let cure = Cure::Reinstall(Reinstall::Wheel { for_its_tag: false });
        fault(Cause::PartialInstall, path, Evidence::File(file), cure)
    }));
    findings
}

/// Extension modules that cannot be loaded by an interpreter that accepts the wheel. Many wheels
/// contain libraries and programs of other processors as data.
fn wrong_arch(world: &World, inventory: &Inventory, tags: &[String]) -> Vec<Finding> {
    let platforms: Vec<Platform> = tags.iter().filter_map(|tag| Platform::of(tag)).collect();
    if platforms.is_empty() {
        return Vec::new();
    }
    let modules = inventory.objects.iter().filter(|object| object.role == Role::ExtensionModule);
    let wrong = modules.filter(|object| !platforms.iter().any(|platform| platform.takes(object)));
    wrong
        .map(|object| {
            let (format, architectures) = architectures(object);
            let evidence = Evidence::File(File::NotForTag {
                object: world.place(&object.path),
                format,
                architectures,
                tag: tags.first().cloned().unwrap_or_default(),
            });
            let cure = Cure::Reinstall(Reinstall::Wheel { for_its_tag: true });
            fault(Cause::WrongArch, &object.path, evidence, cure)
        })
        .collect()
}

fn architectures(object: &Object) -> (Format, Vec<&'static str>) {
    match object.elf() {
        Some(summary) => (Format::Elf, vec![summary.architecture()]),
        None => (Format::Macho, object.slices().iter().map(|slice| slice.arch.name()).collect()),
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
