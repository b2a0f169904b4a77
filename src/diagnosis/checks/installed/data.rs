//! Files that TensorFlow reads at run time and that are not libraries.

use crate::findings::cure::{Cure, Install, Wanted};
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::tensorflow::{self, LIBDEVICE};
use crate::vfs::{FileKind, Vfs};
use crate::world::World;
use std::path::{Path, PathBuf};

/// A TensorFlow for GPUs that has the CUDA runtime beside it, and does not find libdevice where it
/// looks.
pub(super) fn findings(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let inventory = &world.inventory;
    // If the system's CUDA is used, or none is there, nothing in the target shows that a GPU is
    // intended.
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
        // Distributions of NVIDIA contain it in a place where this release may not look.
        let elsewhere =
            tensorflow::CUDA_DATA_DIRECTORIES.iter().map(|inside| own.site.join(inside));
        let elsewhere = elsewhere.into_iter().find(is_there);
        let cure = match &elsewhere {
            Some(root) => Cure::PointXlaAt(root.clone()),
            None => tensorflow::libdevice_of(own)
                .map_or(Cure::Install(Install::Toolkit), |needed| {
                    Cure::Install(Install::Wanted(Wanted::of(needed)))
                }),
        };
        let evidence = Evidence::Installed(Installed::NoLibdevice {
            release: Release::of(own),
            elsewhere: elsewhere.map(|root| world.place(&root)),
        });
        let library = Some(b"libdevice.10.bc".to_vec());
        Some(Finding { library, ..fault(Cause::DataMissing, &object, evidence, cure) })
    });
    lacking.collect()
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
