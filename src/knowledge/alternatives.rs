//! Distributions that install the same import package, so that a requirement for one is satisfied by another.

use super::tensorflow;

/// Distributions by the package that they install, under their normalised names (from PyPI, or conda-forge
/// for conda packages). Each set can replace any other in the same row.
const SAME: &[&[&str]] = &[
    tensorflow::DISTRIBUTIONS,
    &["keras", "keras-nightly"],
    &["onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "ort-nightly", "ort-nightly-gpu"],
    &[
        "opencv-python",
        "opencv-python-headless",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ],
    &["psycopg2", "psycopg2-binary"],
    &["paddlepaddle", "paddlepaddle-gpu"],
    &["faiss", "faiss-cpu", "faiss-gpu"],
    &["xgboost", "xgboost-cpu"],
];

/// Does an installed distribution satisfy a requirement? Both names are normalised.
#[must_use]
pub fn meets(installed: &str, required: &str) -> bool {
    installed == required
        || SAME.iter().any(|row| row.contains(&required) && row.contains(&installed))
}

/// The names of distributions that satisfy a requirement.
pub fn of(required: &str) -> impl Iterator<Item = &str> {
    let row = SAME.iter().find(|row| row.contains(&required)).copied().unwrap_or_default();
    std::iter::once(required).chain(row.iter().copied().filter(move |name| *name != required))
}

#[cfg(test)]
mod tests {
    use super::{meets, of};

    #[test]
    fn what_installs_the_same_package_meets_a_requirement() {
        assert!(meets("tensorflow-cpu", "tensorflow") && meets("numpy", "numpy"));
        assert!(!meets("tensorflow-text", "tensorflow") && !meets("keras", "tensorflow"));
        assert_eq!(of("numpy").collect::<Vec<_>>(), ["numpy"]);
        assert!(of("tensorflow").any(|name| name == "tf-nightly"));
    }
}
