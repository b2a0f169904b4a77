//! What is said of libraries that an object opens at run time.

use super::text::joined;
use super::variables::not_there;
use crate::bytes::printable;
use crate::findings::evidence::opening::{Cuda, Opening, OutOfReach, Unfound};

/// What is the case, in a sentence.
pub(super) fn of(opening: &Opening) -> String {
    match opening {
        Opening::OutOfReach(OutOfReach { opener, library, directory }, why) => {
            let library = printable(library);
            format!("{opener} opens {library}; it lies in {directory}, and {}", unfound(why))
        }
        Opening::Required(OutOfReach { opener, library, directory }) => format!(
            "{opener} opens {} and does not work without it; it lies in {directory}, and no search path leads there",
            printable(library)
        ),
        Opening::RequiredNowhere { opener, library } => format!(
            "{opener} opens {} and does not work without it; it is nowhere",
            printable(library)
        ),
        Opening::Named(OutOfReach { opener, library, directory }) => format!(
            "{opener} names {}; it lies in {directory}, and no search path leads there. Files do not tell whether it \
             is opened",
            printable(library)
        ),
        Opening::OtherRelease { tensorflow, cuda, library, there, directory } => format!(
            "{tensorflow} opens {} of {}; the system has {} in {directory}, so it uses no GPU",
            printable(library),
            releases(cuda),
            printable(there)
        ),
        Opening::Nowhere { tensorflow, cuda, libraries, absent } => format!(
            "{tensorflow} opens libraries of {} that are nowhere: {}; without them it uses no GPU{}",
            releases(cuda),
            joined(libraries, ", "),
            not_there(absent)
        ),
        Opening::NoDriver { opener, library } => {
            let library = printable(library);
            format!("the GPU stays hidden until a driver is there: {opener} opens {library}")
        }
    }
}

fn unfound(why: &Unfound) -> String {
    match why {
        Unfound::NoneLeads { entries } => format!("none of {entries} search paths leads there"),
        Unfound::NoSearchPath { leaves_no_gpu } => {
            let so = if *leaves_no_gpu { ", so it uses no GPU" } else { "" };
            format!("no search path leads there{so}")
        }
        Unfound::MainProgramOnly => {
            "musl looks along the search path of the main program alone".to_owned()
        }
    }
}

/// Both releases, as they are called in a sentence.
pub(super) fn releases(cuda: &Cuda) -> String {
    format!("CUDA {} and cuDNN {}", cuda.cuda, cuda.cudnn)
}
