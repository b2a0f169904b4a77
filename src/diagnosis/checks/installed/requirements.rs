//! Versions of what TensorFlow is imported with, by its own `Requires-Dist`.
//!
//! Most environments break some requirement of some distribution, and work. Reported is only what is
//! known to fail, see [`tensorflow::COMPANIONS`]; the range is the metadata's.

use crate::findings::cure::{Cure, Install, Wanted};
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::tensorflow::{self, Breaks};
use crate::python::distribution::{Distribution, Requirement};
use crate::world::World;
use pep440_rs::{Operator, Version, VersionSpecifiers};
use std::path::Path;
use std::str::FromStr as _;

pub(super) fn findings(world: &World) -> Vec<Finding> {
    let inventory = &world.inventory;
    let mut findings = Vec::new();
    for (index, own) in world.reached_distributions() {
        if !tensorflow::is_tensorflow(&own.normalized) || is_shadowed(world, own) {
            continue;
        }
        findings.extend(built_for_numpy_1(world, own));
        let has_gpu = inventory.is_for_gpu(index);
        for companion in tensorflow::COMPANIONS {
            if companion.is_for_gpu && !has_gpu {
                continue;
            }
            // Of several lines, as for several extras, the first counts.
            let needed = own.requires.iter().find(|needed| needed.name == companion.name);
            let there = installed(world, own, companion.name);
            let Some((needed, there)) = needed.zip(there) else { continue };
            if breaks(companion.breaks, needed, &there.version) == Some(true) {
                findings.push(mismatch(own, needed, there, companion.fails));
            }
        }
    }
    findings
}

/// Does another TensorFlow shadow this one, because it comes first on `sys.path`?
fn is_shadowed(world: &World, own: &Distribution) -> bool {
    let place = |found: &Distribution| {
        world.environment.as_ref()?.import_path().position(|directory| directory == found.site)
    };
    let mut others = world.inventory.distributions.iter();
    place(own).is_some_and(|own| {
        others.any(|other| {
            tensorflow::is_tensorflow(&other.normalized)
                && place(other).is_some_and(|other| other < own)
        })
    })
}

/// NumPy 2 beside a TensorFlow that was built for NumPy 1 and whose metadata allow it. If they do not, it
/// is reported as any requirement that is not met.
fn built_for_numpy_1(world: &World, own: &Distribution) -> Option<Finding> {
    let release = tensorflow::release(&own.version)?;
    let there = installed(world, own, "numpy")?;
    let is_two = tensorflow::release(&there.version).is_some_and(|(major, _)| major >= 2);
    let mut needed = own.requires.iter().filter(|needed| needed.name == "numpy");
    let is_told = needed
        .any(|needed| breaks(Breaks::WhenOfAnotherMajor, needed, &there.version) == Some(true));
    (release < tensorflow::FIRST_FOR_NUMPY_2 && is_two && !is_told)
        .then(|| newer_numpy(&there.location, own, there, 0))
}

/// Is a finding about the version of NumPy?
pub(super) fn is_about_numpy(finding: &Finding) -> bool {
    match &finding.evidence {
        Evidence::Installed(Installed::NewerNumpy { .. }) => true,
        Evidence::Installed(Installed::Requirement { name, .. }) => name == "numpy",
        _ => false,
    }
}

/// A distribution that was built for NumPy 1, and the NumPy that is there instead; so many others were too.
pub(super) fn newer_numpy(
    object: &Path,
    own: &Distribution,
    there: &Distribution,
    others: usize,
) -> Finding {
    let (release, numpy) = (Release::of(own), Release::of(there));
    let evidence = Evidence::Installed(Installed::NewerNumpy { release, numpy, others });
    let cure = Cure::Install(Install::Wanted(Wanted::new("numpy", "<2")));
    fault(Cause::VersionMismatch, object, evidence, cure)
}

/// The distribution of that name that is imported: of the same directory, else of any.
pub(super) fn installed<'a>(
    world: &'a World,
    beside: &Distribution,
    name: &str,
) -> Option<&'a Distribution> {
    let all = || world.reached_distributions().map(|(_, other)| other);
    let of_name = || all().filter(|other| other.normalized == name);
    of_name().find(|other| other.site == beside.site).or_else(|| of_name().next())
}

/// Is a version outside of what is required, in the way that fails? `None` where the requirement or
/// the version cannot be read.
fn breaks(how: Breaks, needed: &Requirement, version: &str) -> Option<bool> {
    let version = Version::from_str(version).ok()?;
    let specifiers = VersionSpecifiers::from_str(&needed.specifier).ok()?;
    if specifiers.contains(&version) {
        return Some(false);
    }
    let part = |version: &Version, index: usize| version.release().get(index).copied().unwrap_or(0);
    let mut lower = specifiers.iter().filter(|specifier| {
        matches!(
            specifier.operator(),
            Operator::GreaterThanEqual
                | Operator::GreaterThan
                | Operator::TildeEqual
                | Operator::Equal
                | Operator::EqualStar
        ) && *specifier.version() > version
    });
    let mut upper = specifiers.iter().filter(|specifier| {
        matches!(specifier.operator(), Operator::LessThan | Operator::LessThanEqual)
            && *specifier.version() <= version
    });
    Some(match how {
        Breaks::WhenOlder => lower.next().is_some(),
        Breaks::WhenOlderInMinor => lower.any(|specifier| {
            let least = specifier.version();
            (part(&version, 0), part(&version, 1)) < (part(least, 0), part(least, 1))
        }),
        Breaks::WhenOfAnotherMajor => {
            let is_older = lower.any(|lower| part(lower.version(), 0) > part(&version, 0));
            let is_newer = upper.any(|upper| {
                let bound = upper.version();
                let is_whole = bound.release().iter().skip(1).all(|&part| part == 0);
                let most = part(bound, 0).saturating_sub(u64::from(is_whole));
                part(&version, 0) > most
            });
            is_older || is_newer
        }
    })
}

fn mismatch(
    own: &Distribution,
    needed: &Requirement,
    there: &Distribution,
    fails: &'static str,
) -> Finding {
    let evidence = Evidence::Installed(Installed::Requirement {
        release: Release::of(own),
        there: Release::of(there),
        name: needed.name.clone(),
        specifier: needed.specifier.clone(),
        fails,
    });
    let cure = Cure::Install(Install::Wanted(Wanted::of(needed)));
    fault(Cause::VersionMismatch, &there.location, evidence, cure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(how: Breaks, specifier: &str, version: &str) -> bool {
        let needed = Requirement {
            name: "a".to_owned(),
            extras: Vec::new(),
            specifier: specifier.to_owned(),
            marker: None,
        };
        breaks(how, &needed, version).unwrap()
    }

    #[test]
    fn only_what_fails_breaks() {
        use Breaks::{WhenOfAnotherMajor, WhenOlder, WhenOlderInMinor};
        assert!(
            of(WhenOlder, ">=5.28.0", "4.25.8") && !of(WhenOlder, "<6.0.0dev,>=3.20.3", "6.33.0")
        );
        assert!(of(WhenOfAnotherMajor, "<2.0.0,>=1.26.0", "2.2.6"));
        assert!(!of(WhenOfAnotherMajor, "<2.1.0,>=1.26.0", "2.2.6"));
        assert!(of(WhenOfAnotherMajor, ">=3.5.0", "2.15.0"));
        assert!(!of(WhenOfAnotherMajor, ">=3.5.0", "3.4.1"));
        assert!(of(WhenOlderInMinor, "==9.3.0.75", "9.1.0.70"));
        assert!(!of(WhenOlderInMinor, "==9.3.0.75", "9.3.0.70"));
        assert!(!of(WhenOlderInMinor, "==9.3.0.75", "9.5.1.17"));
    }
}
