//! The texts of findings about libraries that an object opens at run time.

use super::text::joined;
use super::variables::not_there;
use crate::bytes::printable;
use crate::findings::evidence::opening::{Cuda, Opening, OutOfReach, Unfound};

/// The finding, in a sentence.
pub(super) fn of(opening: &Opening) -> String {
    match opening {
        Opening::OutOfReach(OutOfReach { opener, library, directory }, why) => {
            let library = printable(library);
            format!("{opener} opens {library}; it is in {directory}, {}", unfound(why))
        }
        Opening::Required(OutOfReach { opener, library, directory }) => format!(
            "{opener} opens {} and does not work without it; it is in {directory}, which is not searched",
            printable(library)
        ),
        Opening::RequiredNowhere { opener, library } => format!(
            "{opener} opens {} and does not work without it; it is not found on this system",
            printable(library)
        ),
        Opening::Named(OutOfReach { opener, library, directory }) => format!(
            "{opener} names {}; it is in {directory}, which is not searched. Whether it is opened is not visible in \
             the files",
            printable(library)
        ),
        Opening::ByCode { file, line, library, directory } => format!(
            "{file}:{line} opens {} by its name; it is in {directory}, which is not searched",
            printable(library)
        ),
        Opening::SoughtByCode { file, line, name } => {
            format!("{file}:{line} looks for {name} on import, and it is not found on this system")
        }
        Opening::OtherRelease { tensorflow, cuda, library, there, directory } => format!(
            "{tensorflow} opens {} of {}; the system has {} in {directory}, so the GPU is not used",
            printable(library),
            releases(cuda),
            printable(there)
        ),
        Opening::Nowhere { tensorflow, cuda, libraries, absent } => format!(
            "{tensorflow} opens libraries of {} that are not found on this system: {}; without them the GPU is not \
             used{}",
            releases(cuda),
            joined(libraries, ", "),
            not_there(absent)
        ),
        Opening::NoDriver { opener, library } => {
            let library = printable(library);
            format!("the GPU cannot be used until a driver is available: {opener} opens {library}")
        }
    }
}

fn unfound(why: &Unfound) -> String {
    match why {
        Unfound::NoneLeads { entries } => {
            format!("which is none of the {entries} searched directories")
        }
        Unfound::NoSearchPath { leaves_no_gpu } => {
            let so = if *leaves_no_gpu { ", so the GPU is not used" } else { "" };
            format!("which is not searched{so}")
        }
        Unfound::MainProgramOnly => {
            "but musl uses only the search path of the main program".to_owned()
        }
    }
}

/// Both releases, as named in a sentence.
pub(super) fn releases(cuda: &Cuda) -> String {
    format!("CUDA {} and cuDNN {}", cuda.cuda, cuda.cudnn)
}
