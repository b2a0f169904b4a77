//! The packages of conda-forge that contain libraries, for conda environments and for users without root
//! (from the recipes of conda-forge's feedstocks, and their tests for these files).

/// Libraries by the beginning of their file names, the longer before the shorter.
const PACKAGES: &[(&str, &str)] = &[
    ("libEGL.so.1", "libegl"),
    ("libGL.so.1", "libgl"),
    ("libICE.so.6", "xorg-libice"),
    ("libSM.so.6", "xorg-libsm"),
    ("libX11.so.6", "xorg-libx11"),
    ("libXext.so.6", "xorg-libxext"),
    ("libXrender.so.1", "xorg-libxrender"),
    ("libasound.so.2", "alsa-lib"),
    ("libarchive.so.13", "libarchive"),
    ("libbz2.so.1.0", "bzip2"),
    ("libcairo.so.2", "cairo"),
    ("libcrypto.so.1.1", "openssl=1.1"),
    ("libcrypto.so.3", "openssl"),
    ("libfontconfig.so.1", "fontconfig"),
    ("libfreetype.so.6", "freetype"),
    ("libgeos_c.so.1", "geos"),
    ("libgfortran.so.5", "libgfortran5"),
    ("libglib-2.0.so.0", "glib"),
    ("libgthread-2.0.so.0", "glib"),
    ("libharfbuzz.so.0", "harfbuzz"),
    ("libhdf5.so.103", "hdf5=1.10"),
    ("libhdf5.so.200", "hdf5=1.12"),
    ("libhdf5.so.310", "hdf5=1.14"),
    ("libhdf5_hl.so.100", "hdf5=1.10"),
    ("libhdf5_hl.so.200", "hdf5=1.12"),
    ("libhdf5_hl.so.310", "hdf5=1.14"),
    ("libmpi.so.40", "openmpi"),
    ("libodbc.so.2", "unixodbc"),
    ("libopenblas.so.0", "libopenblas"),
    ("libpango-1.0.so.0", "pango"),
    ("libpangocairo-1.0.so.0", "pango"),
    ("libpangoft2-1.0.so.0", "pango"),
    ("libpng16.so.16", "libpng"),
    ("libportaudio.so.2", "portaudio"),
    ("libpq.so.5", "libpq"),
    ("libsndfile.so.1", "libsndfile"),
    ("libsqlite3.so.0", "libsqlite"),
    ("libssl.so.1.1", "openssl=1.1"),
    ("libssl.so.3", "openssl"),
    ("libusb-1.0.so.0", "libusb"),
    ("libxcb.so.1", "libxcb"),
    ("libxslt.so.1", "libxslt"),
];

/// The package with a library of this file name.
pub(super) fn package_of(name: &str) -> Option<&'static str> {
    let is_whole = |rest: &str| rest.is_empty() || rest.starts_with('.');
    let known =
        PACKAGES.iter().find(|(beginning, _)| name.strip_prefix(beginning).is_some_and(is_whole));
    known.map(|(_, package)| *package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_the_whole_version() {
        assert_eq!(package_of("libhdf5.so.103"), Some("hdf5=1.10"));
        assert_eq!(package_of("libhdf5.so.103.0.1"), Some("hdf5=1.10"));
        assert_eq!(package_of("libssl.so.30"), None);
    }
}
