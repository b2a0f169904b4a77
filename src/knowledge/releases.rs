//! Libraries whose version differs between releases of a system, so that only some releases have their
//! package, or it has different names.
//!
//! Sources: the contents of Debian's archive for its releases 8 to 13, the packages of Ubuntu 14.04 to 24.04, the file lists
//! of Fedora's and of Red Hat's packages, and the recipes of conda-forge.

/// A package, with the releases that contain it.
pub type Package = (&'static str, &'static str);

/// The packages that contain a library.
#[derive(Debug, PartialEq, Eq)]
pub struct Releases {
    /// Packages of Debian and Ubuntu.
    pub debian: &'static [Package],
    /// Packages of Fedora and of Red Hat's systems.
    pub fedora: &'static [Package],
    /// The argument of `conda install` for conda-forge; empty if there is none.
    pub conda: &'static str,
    /// Additional instructions; empty if there are none.
    pub besides: &'static str,
}

impl Releases {
    /// Do the newest releases contain it?
    #[must_use]
    pub fn has_newest(&self) -> bool {
        let is_newest = |releases: &str| {
            ["Debian 13", "and 13", "24.04", "Fedora"].iter().any(|name| releases.contains(name))
                || !releases.contains(|c: char| c.is_ascii_digit())
        };
        let mut packages = self.debian.iter().chain(self.fedora);
        packages.any(|(_, releases)| is_newest(releases))
    }
}

const fn debian(debian: &'static [Package], conda: &'static str) -> Releases {
    Releases { debian, fedora: &[], conda, besides: "" }
}

const fn both(
    debian: &'static [Package],
    fedora: &'static [Package],
    conda: &'static str,
) -> Releases {
    Releases { debian, fedora, conda, besides: "" }
}

const fn python(debian: &'static [Package], conda: &'static str) -> Releases {
    Releases {
        debian,
        fedora: &[],
        conda,
        besides: "a Python from uv, conda or pyenv (PYTHON_CONFIGURE_OPTS=--enable-shared) has it in its lib directory, \
                  which LD_LIBRARY_PATH can name",
    }
}

/// Libraries by the beginning of their names; a `*` stands for any further letters of the name.
pub(super) const ROWS: &[(&str, Releases)] = &[
    (
        "libffi.so.6",
        both(
            &[("libffi6", "Debian 8 to 10, Ubuntu 14.04 to 18.04")],
            &[("libffi", "RHEL 7 and 8"), ("libffi3.1", "Fedora")],
            "libffi=3.2",
        ),
    ),
    ("libffi.so.7", debian(&[("libffi7", "Debian 11, Ubuntu 20.04")], "libffi=3.3")),
    (
        "libffi.so.8",
        both(
            &[("libffi8", "Debian 12 and 13, Ubuntu 22.04 and 24.04")],
            &[("libffi", "Fedora, RHEL 9")],
            "libffi",
        ),
    ),
    ("libssl.so.10", both(&[], &[("openssl-libs", "RHEL 7"), ("compat-openssl10", "RHEL 8")], "")),
    (
        "libcrypto.so.10",
        both(&[], &[("openssl-libs", "RHEL 7"), ("compat-openssl10", "RHEL 8")], ""),
    ),
    (
        "libssl.so.1.0.0",
        debian(&[("libssl1.0.0", "Debian 8, Ubuntu 14.04 to 18.04")], "openssl=1.0"),
    ),
    (
        "libcrypto.so.1.0.0",
        debian(&[("libssl1.0.0", "Debian 8, Ubuntu 14.04 to 18.04")], "openssl=1.0"),
    ),
    (
        "libssl.so.1.1",
        both(
            &[("libssl1.1", "Debian 9 to 11, Ubuntu 18.04 and 20.04")],
            &[("openssl1.1", "Fedora"), ("compat-openssl11", "RHEL 9")],
            "openssl=1.1",
        ),
    ),
    (
        "libcrypto.so.1.1",
        both(
            &[("libssl1.1", "Debian 9 to 11, Ubuntu 18.04 and 20.04")],
            &[("openssl1.1", "Fedora"), ("compat-openssl11", "RHEL 9")],
            "openssl=1.1",
        ),
    ),
    (
        "libasound.so.2",
        both(
            &[
                ("libasound2", "Debian 12, Ubuntu 22.04 and older"),
                ("libasound2t64", "Debian 13, Ubuntu 24.04"),
            ],
            &[("alsa-lib", "Fedora, RHEL")],
            "alsa-lib",
        ),
    ),
    (
        "libaio.so.1",
        Releases {
            debian: &[("libaio1", "Debian 12, Ubuntu 22.04 and older")],
            fedora: &[("libaio", "Fedora, RHEL")],
            conda: "",
            besides: "on Debian 13 and Ubuntu 24.04, apt install libaio1t64, and link libaio.so.1 to its libaio.so.1t64",
        },
    ),
    ("libjpeg.so.8", debian(&[("libjpeg-turbo8", "Ubuntu")], "libjpeg-turbo")),
    ("libjpeg.so.9", debian(&[], "jpeg")),
    (
        "libjpeg.so.62",
        both(
            &[("libjpeg62-turbo", "Debian"), ("libjpeg62", "Ubuntu")],
            &[("libjpeg-turbo", "Fedora, RHEL")],
            "",
        ),
    ),
    (
        "libpng12.so.0",
        both(
            &[("libpng12-0", "Debian 8, Ubuntu 16.04 and older")],
            &[("libpng12", "Fedora, RHEL")],
            "libpng=1.2",
        ),
    ),
    (
        "libtiff.so.5",
        both(
            &[("libtiff5", "Debian 8 to 11, Ubuntu 14.04 to 22.04")],
            &[("libtiff", "RHEL 7 to 9")],
            "libtiff=4.4",
        ),
    ),
    (
        "libtiff.so.6",
        both(
            &[("libtiff6", "Debian 12 and 13, Ubuntu 24.04")],
            &[("libtiff", "Fedora")],
            "libtiff",
        ),
    ),
    ("libwebp.so.6", debian(&[("libwebp6", "Debian 9 to 11, Ubuntu 18.04 and 20.04")], "")),
    (
        "libncurses.so.5",
        both(
            &[("libncurses5", "Debian 8 to 12, Ubuntu 14.04 to 22.04")],
            &[("ncurses-compat-libs", "Fedora, RHEL 8")],
            "ncurses=5.9",
        ),
    ),
    (
        "libncursesw.so.5",
        both(
            &[("libncursesw5", "Debian 8 to 12, Ubuntu 14.04 to 22.04")],
            &[("ncurses-compat-libs", "Fedora, RHEL 8")],
            "ncurses=5.9",
        ),
    ),
    (
        "libtinfo.so.5",
        both(
            &[("libtinfo5", "Debian 8 to 12, Ubuntu 14.04 to 22.04")],
            &[("ncurses-compat-libs", "Fedora, RHEL 8")],
            "ncurses=5.9",
        ),
    ),
    (
        "libreadline.so.6",
        both(
            &[("libreadline6", "Debian 8, Ubuntu 14.04 and 16.04")],
            &[("readline", "RHEL 7")],
            "readline=6.2",
        ),
    ),
    (
        "libreadline.so.7",
        both(
            &[("libreadline7", "Debian 9 and 10, Ubuntu 18.04")],
            &[("readline", "RHEL 8")],
            "readline=7.0",
        ),
    ),
    (
        "libbz2.so.1.0",
        Releases {
            debian: &[("libbz2-1.0", "Debian, Ubuntu")],
            fedora: &[],
            conda: "bzip2",
            besides: "Fedora and RHEL call it libbz2.so.1 (dnf install bzip2-libs): link libbz2.so.1.0 to it",
        },
    ),
    (
        "libpcre.so.1",
        Releases {
            debian: &[],
            fedora: &[("pcre", "Fedora, RHEL 7 to 9")],
            conda: "pcre",
            besides: "Debian and Ubuntu call it libpcre.so.3 (apt install libpcre3): install a build of the program for them",
        },
    ),
    ("libpng15.so.15", both(&[], &[("libpng", "RHEL 7"), ("libpng15", "RHEL 8 and 9")], "")),
    ("libcrypt.so.2", both(&[], &[("libxcrypt", "Fedora, RHEL 8 and 9")], "libxcrypt")),
    (
        "libnsl.so.2",
        both(
            &[("libnsl2", "Debian 11 to 13, Ubuntu 22.04 and 24.04")],
            &[("libnsl2", "Fedora, RHEL 8 and 9")],
            "",
        ),
    ),
    (
        "libpcre2-8.so.0",
        both(&[("libpcre2-8-0", "Debian, Ubuntu")], &[("pcre2", "Fedora, RHEL")], "pcre2"),
    ),
    (
        "libdb-5.3.so",
        both(&[("libdb5.3", "Debian, Ubuntu")], &[("libdb", "Fedora, RHEL 7 to 9")], ""),
    ),
    ("libicu*.so.50", both(&[], &[("libicu", "RHEL 7")], "")),
    ("libicu*.so.52", debian(&[("libicu52", "Debian 8, Ubuntu 14.04")], "")),
    ("libicu*.so.55", debian(&[("libicu55", "Ubuntu 16.04")], "")),
    ("libicu*.so.57", debian(&[("libicu57", "Debian 9")], "")),
    ("libicu*.so.58", debian(&[], "icu=58")),
    ("libicu*.so.60", both(&[("libicu60", "Ubuntu 18.04")], &[("libicu", "RHEL 8")], "")),
    ("libicu*.so.63", debian(&[("libicu63", "Debian 10")], "")),
    ("libicu*.so.64", debian(&[], "icu=64")),
    ("libicu*.so.66", debian(&[("libicu66", "Ubuntu 20.04")], "")),
    ("libicu*.so.67", both(&[("libicu67", "Debian 11")], &[("libicu", "RHEL 9")], "icu=67")),
    ("libicu*.so.68", debian(&[], "icu=68")),
    ("libicu*.so.69", debian(&[], "icu=69")),
    ("libicu*.so.70", debian(&[("libicu70", "Ubuntu 22.04")], "icu=70")),
    ("libicu*.so.72", debian(&[("libicu72", "Debian 12")], "icu=72")),
    ("libicu*.so.73", debian(&[], "icu=73")),
    ("libicu*.so.74", debian(&[("libicu74", "Ubuntu 24.04")], "")),
    ("libicu*.so.75", debian(&[], "icu=75")),
    ("libicu*.so.76", debian(&[("libicu76", "Debian 13")], "")),
    (
        "libgfortran.so.3",
        debian(&[("libgfortran3", "Debian 8 and 9, Ubuntu 14.04 to 18.04")], "libgfortran=3.0"),
    ),
    ("libgfortran.so.4", debian(&[("libgfortran4", "Ubuntu 18.04 and 20.04")], "libgfortran4")),
    ("libavcodec.so.57", debian(&[("libavcodec57", "Debian 9, Ubuntu 18.04")], "ffmpeg=3")),
    (
        "libavcodec.so.58",
        debian(&[("libavcodec58", "Debian 10 and 11, Ubuntu 20.04 and 22.04")], "ffmpeg=4"),
    ),
    ("libavcodec.so.59", debian(&[("libavcodec59", "Debian 12")], "ffmpeg=5")),
    ("libavcodec.so.60", debian(&[("libavcodec60", "Ubuntu 24.04")], "ffmpeg=6")),
    ("libavcodec.so.61", debian(&[("libavcodec61", "Debian 13")], "ffmpeg=7")),
    (
        "libavformat.so.58",
        debian(&[("libavformat58", "Debian 10 and 11, Ubuntu 20.04 and 22.04")], "ffmpeg=4"),
    ),
    ("libavformat.so.59", debian(&[("libavformat59", "Debian 12")], "ffmpeg=5")),
    ("libavformat.so.60", debian(&[("libavformat60", "Ubuntu 24.04")], "ffmpeg=6")),
    ("libavformat.so.61", debian(&[("libavformat61", "Debian 13")], "ffmpeg=7")),
    (
        "libavutil.so.56",
        debian(&[("libavutil56", "Debian 10 and 11, Ubuntu 20.04 and 22.04")], "ffmpeg=4"),
    ),
    ("libavutil.so.57", debian(&[("libavutil57", "Debian 12")], "ffmpeg=5")),
    ("libavutil.so.58", debian(&[("libavutil58", "Ubuntu 24.04")], "ffmpeg=6")),
    ("libavutil.so.59", debian(&[("libavutil59", "Debian 13")], "ffmpeg=7")),
    (
        "libldap-2.4.so.2",
        both(
            &[("libldap-2.4-2", "Debian 8 to 11, Ubuntu 14.04 to 20.04")],
            &[("openldap-compat", "Fedora, RHEL 9")],
            "",
        ),
    ),
    (
        "libldap_r-2.4.so.2",
        both(
            &[("libldap-2.4-2", "Debian 8 to 11, Ubuntu 14.04 to 20.04")],
            &[("openldap-compat", "Fedora, RHEL 9")],
            "",
        ),
    ),
    (
        "liblber-2.4.so.2",
        both(
            &[("libldap-2.4-2", "Debian 8 to 11, Ubuntu 14.04 to 20.04")],
            &[("openldap-compat", "Fedora, RHEL 9")],
            "",
        ),
    ),
    (
        "libgconf-2.so.4",
        both(
            &[("libgconf-2-4", "Debian 8 to 12, Ubuntu 14.04 to 22.04")],
            &[("GConf2", "Fedora, RHEL 7")],
            "",
        ),
    ),
    ("libprotobuf.so.17", debian(&[("libprotobuf17", "Debian 10, Ubuntu 20.04")], "")),
    ("libprotobuf.so.23", debian(&[("libprotobuf23", "Debian 11, Ubuntu 22.04")], "")),
    (
        "libprotobuf.so.32",
        debian(
            &[("libprotobuf32", "Debian 12"), ("libprotobuf32t64", "Debian 13, Ubuntu 24.04")],
            "",
        ),
    ),
    ("libgsl.so.23", debian(&[("libgsl23", "Debian 10, Ubuntu 18.04 and 20.04")], "")),
    ("libgsl.so.25", debian(&[("libgsl25", "Debian 11")], "")),
    (
        "libmysqlclient.so.18",
        both(&[("libmysqlclient18", "Debian 8, Ubuntu 14.04")], &[("mariadb-libs", "RHEL 7")], ""),
    ),
    ("libmysqlclient.so.20", debian(&[("libmysqlclient20", "Ubuntu 16.04 and 18.04")], "")),
    (
        "libmysqlclient.so.21",
        both(
            &[("libmysqlclient21", "Ubuntu 20.04 to 24.04")],
            &[("mysql-libs", "Fedora, RHEL")],
            "",
        ),
    ),
    (
        "libtbb.so.2",
        both(
            &[("libtbb2", "Debian 8 to 11, Ubuntu 14.04 to 22.04")],
            &[("tbb2020.3", "Fedora")],
            "tbb=2020.3",
        ),
    ),
    ("libpython3.5m.so.1.0", python(&[("libpython3.5", "Debian 9, Ubuntu 16.04")], "python=3.5")),
    ("libpython3.6m.so.1.0", python(&[("libpython3.6", "Ubuntu 18.04")], "python=3.6")),
    ("libpython3.7m.so.1.0", python(&[("libpython3.7", "Debian 10")], "python=3.7")),
    ("libpython3.8.so.1.0", python(&[("libpython3.8", "Ubuntu 20.04")], "python=3.8")),
    ("libpython3.9.so.1.0", python(&[("libpython3.9", "Debian 11")], "python=3.9")),
    ("libpython3.10.so.1.0", python(&[("libpython3.10", "Ubuntu 22.04")], "python=3.10")),
    ("libpython3.11.so.1.0", python(&[("libpython3.11", "Debian 12")], "python=3.11")),
    ("libpython3.12.so.1.0", python(&[("libpython3.12t64", "Ubuntu 24.04")], "python=3.12")),
    ("libpython3.13.so.1.0", python(&[("libpython3.13", "Debian 13")], "python=3.13")),
];
