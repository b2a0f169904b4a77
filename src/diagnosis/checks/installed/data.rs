//! Files that TensorFlow reads at run time and that are no libraries.

use super::named;
use crate::bytes::shell_word;
use crate::findings::finding::fault;
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::tensorflow::{self, LIBDEVICE};
use crate::vfs::{FileKind, Vfs};
use crate::world::World;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A TensorFlow for GPUs that has the CUDA runtime beside it, and does not find libdevice where it
/// looks.
pub(super) fn findings(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let inventory = &world.inventory;
    // Where the system's CUDA serves, or none does, nothing in the target says that a GPU is meant.
    let has_cuda = inventory.objects.iter().any(|it| tensorflow::is_cuda_runtime(it.name()));
    if !has_cuda {
        return Vec::new();
    }
    let distributions = inventory.distributions.iter().enumerate();
    let lacking = distributions.filter_map(|(index, own)| {
        if !tensorflow::is_tensorflow(&own.normalized) || !inventory.is_for_gpu(index) {
            return None;
        }
        let is_there = |root: &PathBuf| is_file(vfs, &root.join(LIBDEVICE));
        let mut roots = tensorflow::cuda_data_roots(&own.version, &own.site);
        roots.extend(system_roots(vfs));
        if roots.iter().any(is_there) {
            return None;
        }
        let object = own.site.join("tensorflow");
        let name = named(own);
        // Distributions of NVIDIA bring it where this release may not look.
        let elsewhere =
            tensorflow::CUDA_DATA_DIRECTORIES.iter().map(|inside| own.site.join(inside));
        let (lies, cure) = match elsewhere.into_iter().find(is_there) {
            Some(root) => (
                format!("it lies in {}, where this release does not look", world.shown(&root)),
                format!("export XLA_FLAGS={}", shell_word(&data_flag(&root))),
            ),
            None => (
                "nothing that is installed ships it".to_owned(),
                tensorflow::cure_of_libdevice(own),
            ),
        };
        let message =
            format!("XLA of {name} compiles for a GPU with libdevice.10.bc and ptxas: {lies}");
        let library = Some(b"libdevice.10.bc".to_vec());
        Some(Finding { library, ..fault(Cause::DataMissing, &object, message, &cure) })
    });
    lacking.collect()
}

/// The flag of XLA that names a directory of CUDA's data.
fn data_flag(root: &Path) -> Vec<u8> {
    [b"--xla_gpu_cuda_data_dir=".as_slice(), root.as_os_str().as_bytes()].concat()
}

/// CUDA's toolkits on this system: TensorFlow looks into `/usr/local/cuda`, `/opt/cuda`, and the one with
/// a version in its name that it was built with.
fn system_roots(vfs: &dyn Vfs) -> Vec<PathBuf> {
    let local = Path::new("/usr/local");
    let mut roots = vec![PathBuf::from("/opt/cuda")];
    let entries = vfs.read_dir(local).unwrap_or_default();
    let names = entries.into_iter().map(|entry| entry.name);
    let toolkits = names.filter(|name| name.to_string_lossy().starts_with("cuda"));
    roots.extend(toolkits.map(|name| local.join(name)));
    roots
}

fn is_file(vfs: &dyn Vfs, path: &Path) -> bool {
    vfs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::File)
}
