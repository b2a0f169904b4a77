//! The formulae of Homebrew that contain libraries. The names were entered by hand (formulae.brew.sh), and no script
//! checks them; rows are added only for libraries that messages named.

/// Libraries by the beginning of their file names, the longer before the shorter.
const FORMULAE: &[(&str, &str)] = &[
    ("libomp.", "libomp"),
    ("libgomp.", "gcc"),
    ("libgfortran.", "gcc"),
    ("libquadmath.", "gcc"),
    ("libgcc_s.", "gcc"),
    ("libopenblas", "openblas"),
    ("libtbb", "tbb"),
    ("libssl.3.", "openssl@3"),
    ("libcrypto.3.", "openssl@3"),
    ("libpq.", "libpq"),
    ("libmysqlclient.", "mysql-client"),
    ("libmariadb.", "mariadb-connector-c"),
    ("libodbc", "unixodbc"),
    ("libsybdb.", "freetds"),
    ("libtdsodbc.", "freetds"),
    ("libsqlite3.", "sqlite"),
    ("libgeos", "geos"),
    ("libgdal.", "gdal"),
    ("libproj.", "proj"),
    ("libspatialindex", "spatialindex"),
    ("libhdf5", "hdf5"),
    ("libnetcdf.", "netcdf"),
    ("libgobject-2.0", "glib"),
    ("libglib-2.0", "glib"),
    ("libgio-2.0", "glib"),
    ("libpango", "pango"),
    ("libcairo", "cairo"),
    ("libharfbuzz", "harfbuzz"),
    ("libfontconfig", "fontconfig"),
    ("libfreetype", "freetype"),
    ("libgdk_pixbuf", "gdk-pixbuf"),
    ("libMagickWand", "imagemagick"),
    ("libmagic.", "libmagic"),
    ("libzbar.", "zbar"),
    ("libsndfile.", "libsndfile"),
    ("libportaudio.", "portaudio"),
    ("libavcodec.", "ffmpeg"),
    ("libavformat.", "ffmpeg"),
    ("libavutil.", "ffmpeg"),
    ("libpng16.", "libpng"),
    ("libjpeg.", "jpeg-turbo"),
    ("libtiff.", "libtiff"),
    ("libwebp.", "webp"),
    ("libopenjp2.", "openjpeg"),
    ("libmpi.", "open-mpi"),
    ("libzmq.", "zeromq"),
    ("libsodium.", "libsodium"),
    ("libusb-1.0.", "libusb"),
    ("libenchant", "enchant"),
    ("libintl.", "gettext"),
    ("libreadline.", "readline"),
    ("liblzma.", "xz"),
    ("libzstd.", "zstd"),
    ("liblz4.", "lz4"),
    ("libsnappy.", "snappy"),
    ("libgmp.", "gmp"),
    ("libmpfr.", "mpfr"),
    ("libgsl.", "gsl"),
    ("libfftw3", "fftw"),
    ("libta_lib.", "ta-lib"),
    ("libta-lib.", "ta-lib"),
    ("libprotobuf.", "protobuf"),
    ("libarrow.", "apache-arrow"),
    ("libboost_", "boost"),
    ("libxml2.", "libxml2"),
    ("libxslt.", "libxslt"),
    ("libffi.", "libffi"),
    ("librdkafka.", "librdkafka"),
];

/// Formulae that Homebrew has disabled: nothing new is linked with them, and `brew install` refuses
/// them (the `disable!` lines of homebrew-core).
const DISABLED: &[&str] =
    &["openssl@1.0", "openssl@1.1", "openssl", "python@2", "python@3.7", "icu4c@67"];

/// Directories in which Homebrew keeps a directory for each formula.
const PREFIXES: &[&str] = &[
    "/usr/local/opt/",
    "/usr/local/Cellar/",
    "/opt/homebrew/opt/",
    "/opt/homebrew/Cellar/",
    "/home/linuxbrew/.linuxbrew/opt/",
    "/home/linuxbrew/.linuxbrew/Cellar/",
];

/// The formula in a path, such as `libomp` in `/usr/local/opt/libomp/lib/libomp.dylib`.
#[must_use]
pub fn formula_of_path(path: &str) -> Option<&str> {
    let rest = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix))?;
    rest.split('/').next().filter(|formula| !formula.is_empty())
}

/// The formula with a library of this file name.
#[must_use]
pub fn formula_of_library(name: &str) -> Option<&'static str> {
    let known = FORMULAE.iter().find(|(beginning, _)| name.starts_with(beginning));
    known.map(|(_, formula)| *formula)
}

/// Has Homebrew disabled a formula?
#[must_use]
pub fn is_disabled(formula: &str) -> bool {
    DISABLED.contains(&formula)
}
