//! Log messages of TensorFlow and the libraries of NVIDIA: `tsl/platform/default/dso_loader.cc`,
//! `tsl/cuda/cudart_stub.cc`, `tensorflow/core/common_runtime/gpu/gpu_device.cc`,
//! `tensorflow/compiler/tf2tensorrt/utils/py_utils.cc`, `xla/service/gpu/`.

use super::glibc;
use super::scanner::{around, behind, between, is_name};
use super::{Kind, Message, Speaker};
use crate::knowledge::tensorflow::is_tensorrt;

/// Files that XLA needs to compile for a GPU.
const LIBDEVICE: &[u8] = b"libdevice.10.bc";

/// Texts without details, with their meanings.
const LINES: &[(&[u8], Kind)] = &[
    (b"Cannot dlopen some GPU libraries", Kind::GpuLibrariesNotLoaded),
    (b"Could not find cuda drivers on your machine", Kind::DriverNotFound),
    (b"failed call to cuInit: ", Kind::DriverNotFound),
    (b"kernel driver does not appear to be running on this host", Kind::DriverNotFound),
    (b"TF-TRT Warning: ", Kind::TensorRtNotFound),
    (b"Cannot dlopen some TensorRT libraries", Kind::TensorRtNotFound),
];

/// Texts about files that are not libraries, with the file.
const DATA: &[(&[u8], &[u8])] = &[
    (b"libdevice not found at ", LIBDEVICE),
    (b"libdevice is required by this HLO module but was not found", LIBDEVICE),
    (b"Can't find libdevice directory", LIBDEVICE),
    (b"Couldn't invoke ptxas", b"ptxas"),
    (b"Couldn't get ptxas version", b"ptxas"),
    (b"Failed to find ptxas", b"ptxas"),
    (b"No PTX compilation provider is available", b"ptxas"),
];

pub(super) fn read(line: &[u8]) -> Option<Message> {
    not_opened(line).or_else(|| {
        let plain = LINES.iter().find(|(words, _)| behind(line, words).is_some());
        let data = || DATA.iter().find(|(words, _)| behind(line, words).is_some());
        match plain {
            Some((_, kind)) => Some(Message::new(Speaker::Tensorflow, *kind)),
            None => data().map(|(_, file)| {
                Message::new(Speaker::Tensorflow, Kind::DataNotFound).library(file)
            }),
        }
    })
}

/// `Could not load dynamic library 'NAME'; dlerror: WORDS`, and cuDNN's `Could not load library NAME. Error:
/// WORDS`, after which it terminates the process.
fn not_opened(line: &[u8]) -> Option<Message> {
    let (speaker, name, error) = match between(line, b"Could not load dynamic library '", b'\'') {
        Some(name) => (Speaker::Tensorflow, name, behind(line, b"dlerror: ")),
        None => {
            let rest = behind(line, b"Could not load library ")?;
            let (name, error) = around(rest, b". Error: ")?;
            (Speaker::Program, name, Some(error))
        }
    };
    if !is_name(name) {
        return None;
    }
    let opened = Message::new(speaker, Kind::GpuLibraryNotLoaded);
    if is_tensorrt(name) {
        return Some(Message { kind: Kind::TensorRtNotFound, ..opened.library(name) });
    }
    // TensorFlow appends the variable to the message of the loader.
    let words =
        error.map(|error| around(error, b"; LD_LIBRARY_PATH: ").map_or(error, |(words, _)| words));
    match words.and_then(glibc::read) {
        // A library that it needs is missing.
        Some(Message { kind: Kind::LibraryNotFound, library: Some(missing), .. })
            if missing != name =>
        {
            Some(opened.object(name).library(&missing))
        }
        Some(Message { kind: Kind::LibraryNotFound, .. }) | None => Some(opened.library(name)),
        Some(other) => Some(other),
    }
}
