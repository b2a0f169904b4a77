//! Which distribution has installed a file with its current content.

use super::distribution::{Distribution, distributions};
use super::owners::{Owner, Owners};
use super::{read_whole, record};
use crate::vfs::Vfs;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::path::Path;

/// The name and version of the distribution whose RECORD lists exactly these bytes; none if there is
/// none. The file and the RECORDs of every site-packages directory above it are read completely.
#[must_use]
pub fn of(vfs: &dyn Vfs, file: &Path) -> Option<String> {
    let file = vfs.canonicalize(file).ok()?;
    let name = file.file_name()?.as_encoded_bytes();
    let source = vfs.open(&file).ok()?;
    let digest = URL_SAFE_NO_PAD.encode(record::sha256(source.as_ref()).ok()?);
    file.ancestors().skip(1).find_map(|site| {
        let (installed, _) = distributions(vfs, site);
        let (owners, _) = Owners::new(vfs, &installed, |path| path.ends_with(name));
        let owner = owners.of(&file).iter().find(|owner| {
            let distribution = installed.get(owner.distribution);
            distribution.is_some_and(|found| lists(vfs, found, **owner, digest.as_bytes()))
        })?;
        let Distribution { name, version, .. } = installed.get(owner.distribution)?;
        Some(format!("{name} {version}"))
    })
}

fn lists(vfs: &dyn Vfs, distribution: &Distribution, owner: Owner, digest: &[u8]) -> bool {
    let Ok(bytes) = read_whole(vfs, &distribution.record(), record::MAX_BYTES) else {
        return false;
    };
    let row = record::rows(&bytes).map_while(Result::ok).nth(owner.row);
    row.and_then(|row| row.hash)
        .is_some_and(|hash| hash.algorithm.as_ref() == b"sha256" && hash.value.as_ref() == digest)
}
