//! Distributions that install one import package between them: what requires the one is content with
//! another.

use super::tensorflow;

/// Distributions by the package that they install, each under its normalised name (PyPI; conda-forge
/// where the name is of conda). Each set can be installed in the place of any other of its row.
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

/// Does an installed distribution do for what a requirement names? Both names are normalised.
#[must_use]
pub fn meets(installed: &str, required: &str) -> bool {
    installed == required
        || SAME.iter().any(|row| row.contains(&required) && row.contains(&installed))
}

/// The names under which what a requirement names may be installed.
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
