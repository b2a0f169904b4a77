//! The target of a diagnosis: the tree, its inventory, and the programs that load its objects.

use super::imported::Imported;
use super::inventory::{Inventory, Object};
use super::linked_directories::Linked;
use super::object_names;
use super::place::Place;
use super::shadowed::Shadowed;
use super::twins::Twins;
use super::unreadable::{Unreadable, Why};
use super::wheel_claims::Claims;
use crate::command_line::Naming;
use crate::loader::Settings;
use crate::plan::{NotRelative, RelativePath};
use crate::python::distribution;
use crate::python::distribution::{Distribution, packages_around};
use crate::python::environment::{Environment, Kind};
use crate::python::installs::Installs;
use crate::python::interpreter::Version;
use crate::python::owners::Owners;
use crate::python::wheel::Wheel;
use crate::vfs::{FileKind, Vfs, names_along};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// A target with all that was read of it.
#[derive(Debug, Default)]
pub struct World {
    /// The directory that paths are shown relative to, and below which everything is written.
    pub root: PathBuf,
    /// The Python environment, where the target is one.
    pub environment: Option<Environment>,
    /// Its objects and distributions.
    pub inventory: Inventory,
    /// Objects that were named on the command line: also what is only worth knowing is repaired
    /// there.
    pub named: Vec<PathBuf>,
    /// The part of the tree that was named, where it is one: only that is judged, and only that is edited.
    pub part: Option<Part>,
    /// Is it in the root of another system? This system does not know where links lead there.
    pub elsewhere: bool,
    /// The loader's environment.
    pub settings: Settings,
    /// Who owns the objects, by the RECORDs.
    pub owners: Owners,
    /// Its own metadata, if the target is a wheel.
    pub wheel: Option<Claims>,
    /// How commands name it.
    pub naming: Naming,
    /// Objects with the same bytes.
    pub twins: Twins,
    /// What is imported instead of modules that no import reaches.
    pub shadowed: Shadowed,
}

/// A part of a tree.
#[derive(Debug, Clone)]
pub enum Part {
    /// Everything below a directory.
    Below(PathBuf),
    /// These files: what a distribution has installed.
    Files(HashSet<PathBuf>),
}

impl Part {
    fn has(&self, path: &Path) -> bool {
        match self {
            Self::Below(directory) => path.starts_with(directory),
            Self::Files(files) => files.contains(path),
        }
    }
}

impl World {
    /// The tool that installs into its environment, if that is on this machine.
    #[must_use]
    pub fn installs(&self, vfs: &dyn Vfs) -> Installs {
        let environment = self.environment.as_ref().filter(|_| !self.elsewhere);
        environment.map_or_else(Installs::default, |environment| Installs::of(vfs, environment))
    }

    /// The tool that installs a file again: that of the environment, unless its distribution is in a directory of its
    /// own (`pip install --target`).
    #[must_use]
    pub fn installs_at(&self, vfs: &dyn Vfs, file: &Path) -> Installs {
        let own = self.installs(vfs);
        let sites = self.inventory.distributions.iter().map(|it| it.site.as_path());
        let around = sites.filter(|site| file.starts_with(site));
        let Some(site) = around.max_by_key(|site| site.as_os_str().len()) else { return own };
        let mut environment = self.environment.iter().flat_map(|it| &it.site_packages);
        let name = site.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let is_usual = name == "site-packages" || name == "dist-packages";
        if self.elsewhere || is_usual || environment.any(|it| it.path == site) {
            return own;
        }
        let with_uv = matches!(own, Installs::Uv(_));
        Installs::Target { directory: site.to_owned(), with_uv }
    }

    /// Reads an environment: everything below its prefix, or, for an interpreter that shares its prefix
    /// with a whole system, the directories that it imports from.
    #[must_use]
    pub fn of_environment(vfs: &dyn Vfs, mut environment: Environment, settings: Settings) -> Self {
        // If links point to a directory of packages inside the target, the walk finds it by its
        // real name.
        for site in &mut environment.site_packages {
            if let Ok(real) = vfs.canonicalize(&site.path) {
                let inside = below(vfs, &environment.prefix, &real);
                site.path = inside.unwrap_or_else(|| site.path.clone());
            }
        }
        let sites: Vec<PathBuf> =
            environment.site_packages.iter().map(|site| site.path.clone()).collect();
        let roots = match environment.kind {
            Kind::System if is_shared(&environment.prefix) => {
                let library = |version: Version| {
                    environment.prefix.join(format!("lib/python{version}/lib-dynload"))
                };
                let versions = environment.interpreters.iter().map(|it| it.version);
                let modules = versions.map(library).filter(|it| vfs.metadata(it).is_ok());
                modules.chain(sites.iter().cloned()).collect()
            }
            Kind::Venv | Kind::Conda | Kind::System => {
                let mut roots = vec![environment.prefix.clone()];
                roots.extend(sites.iter().filter(|s| !s.starts_with(&environment.prefix)).cloned());
                roots
            }
        };
        let root = environment.prefix.clone();
        let imported = Imported::of(vfs, &roots, sites, &environment);
        Self::read(vfs, root, &roots, &imported, Some(environment), settings)
    }

    /// Reads a directory; the environment that it belongs to, if any, shows which interpreter
    /// imports its modules.
    #[must_use]
    pub fn of_directory(
        vfs: &dyn Vfs,
        directory: &Path,
        environment: Option<Environment>,
        settings: Settings,
    ) -> Self {
        let roots = [directory.to_owned()];
        let imported = Imported { sites: roots.to_vec(), ..Imported::default() };
        Self::read(vfs, directory.to_owned(), &roots, &imported, environment, settings)
    }

    /// Reads an environment of which only a directory is judged and edited; libraries may come from
    /// all of it.
    #[must_use]
    pub fn of_part(
        vfs: &dyn Vfs,
        directory: PathBuf,
        environment: Environment,
        settings: Settings,
    ) -> Self {
        let world = Self::of_environment(vfs, environment, settings);
        Self { part: Some(Part::Below(directory)), ..world }
    }

    /// Reads an environment of which only the files of a distribution are judged and edited, which has that
    /// normalized name; libraries may come from all of it.
    #[must_use]
    pub fn of_distribution(
        vfs: &dyn Vfs,
        normalized: &str,
        environment: Environment,
        settings: Settings,
    ) -> Self {
        let world = Self::of_environment(vfs, environment, settings);
        let all = world.inventory.distributions.iter();
        let mut files = HashSet::new();
        for found in all.filter(|found| found.normalized == normalized) {
            files.extend(found.listed_files(vfs).unwrap_or_default());
            files.extend([found.location.clone(), found.record()]);
        }
        Self { part: Some(Part::Files(files)), ..world }
    }

    /// Reads a wheel. The variables of the loader do not apply to the place where it will be
    /// installed.
    #[must_use]
    pub fn of_wheel(wheel: &Wheel<'_>, settings: &Settings) -> Self {
        let site = wheel.path().to_owned();
        let mut world = Self::of_directory(wheel, &site, None, settings.without_variables());
        world.wheel = Some(Claims::of(wheel, &world.inventory));
        world
    }

    /// Reads what surrounds one object: its environment, else the packages that it is installed
    /// with, else its directory. Only the object is judged, and only it is edited.
    #[must_use]
    pub fn of_object(
        vfs: &dyn Vfs,
        object: &Path,
        environment: Option<Environment>,
        settings: Settings,
    ) -> Self {
        let mut world = match environment {
            Some(environment) => Self::of_environment(vfs, environment, settings),
            None => {
                let directory = packages_around(vfs, object);
                let directory = directory.or(object.parent()).unwrap_or(object);
                Self::of_directory(vfs, directory, None, settings)
            }
        };
        world.add_named(vfs, object);
        world
    }

    /// Reads what a direct edit of one object needs: its other names, if any, and the RECORDs that
    /// list it. Nothing is judged.
    #[must_use]
    pub fn of_edit(vfs: &dyn Vfs, object: &Path, environment: Option<Environment>) -> Self {
        let settings = Settings::default();
        let links = vfs.metadata(object).map_or(1, |metadata| metadata.links);
        let linked =
            vfs.symlink_metadata(object).is_ok_and(|entry| entry.kind == FileKind::Symlink);
        if links > 1 || linked {
            return Self::of_object(vfs, object, environment, settings);
        }
        let (root, sites) = match &environment {
            Some(found) => {
                let sites = found.site_packages.iter().map(|site| site.path.clone());
                let sites = sites.filter(|site| object.starts_with(site)).collect();
                (found.prefix.clone(), sites)
            }
            None => (object.parent().unwrap_or(object).to_owned(), Vec::new()),
        };
        let imported = Imported { sites, ..Imported::default() };
        let mut world = Self::read(vfs, root.clone(), &[], &imported, environment, settings);
        world.inventory.roots.push(root);
        world.add_named(vfs, object);
        world
    }

    fn read(
        vfs: &dyn Vfs,
        root: PathBuf,
        roots: &[PathBuf],
        imported: &Imported,
        environment: Option<Environment>,
        settings: Settings,
    ) -> Self {
        let mut inventory = Inventory::importing(vfs, roots, imported);
        for site in imported.sites.iter().chain(&imported.packages) {
            let (distributions, problems) = distribution::distributions(vfs, site);
            inventory.distributions.extend(distributions);
            inventory.add_problems(problems);
        }
        let too_long = environment.iter().flat_map(|environment| &environment.pth_too_long);
        inventory.unreadable.extend(
            too_long
                .map(|(path, error)| Unreadable { path: path.clone(), why: Why::TooLong(*error) }),
        );
        let mut world = Self {
            root,
            environment,
            inventory,
            named: Vec::new(),
            part: None,
            elsewhere: false,
            settings,
            owners: Owners::default(),
            wheel: None,
            naming: Naming::default(),
            twins: Twins::default(),
            shadowed: Shadowed::default(),
        };
        world.find_owners(vfs);
        if let Some(environment) = &world.environment {
            world.shadowed = Shadowed::of(vfs, environment, &world.inventory);
        }
        world
    }

    /// Adds an object that was named on the command line, whatever its name is.
    fn add_named(&mut self, vfs: &dyn Vfs, object: &Path) {
        self.named.push(object.to_owned());
        self.inventory.add_named(vfs, object);
        if object.file_name().is_some_and(object_names::may_hold_object) {
            self.name_owners(vfs);
        } else {
            self.find_owners(vfs);
        }
    }

    /// What a command has to name to mean this target: the only object that was named, or the root.
    #[must_use]
    pub fn as_named(&self) -> &Path {
        match self.named.as_slice() {
            [one] => one,
            _ => &self.root,
        }
    }

    /// Does an interpreter import from here?
    #[must_use]
    pub fn has_interpreter(&self) -> bool {
        self.environment.as_ref().is_some_and(|environment| !environment.interpreters.is_empty())
    }

    /// Will the relative path between two files of the target stay the same? The installer decides
    /// where the files go that a wheel has below `NAME.data`.
    #[must_use]
    pub fn stay_together(&self, one: &Path, other: &Path) -> bool {
        let scheme = |path: &Path| {
            let mut parts = path.strip_prefix(&self.root).ok()?.components();
            let Component::Normal(first) = parts.next()? else { return None };
            let is_data = first.as_encoded_bytes().ends_with(b".data");
            is_data.then(|| parts.next().map(|scheme| scheme.as_os_str().to_owned())).flatten()
        };
        self.wheel.is_none() || scheme(one) == scheme(other)
    }

    /// A path as it is shown: relative to the root, or to `site-packages` if it is there.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        self.place(path).to_string()
    }

    /// A path as it is shown to people.
    #[must_use]
    pub fn place(&self, path: &Path) -> Place {
        let sites = self.environment.iter().flat_map(|environment| &environment.site_packages);
        let mut bases = sites.map(|site| site.path.as_path()).chain([self.root.as_path()]);
        Place::below(bases.find(|base| path.starts_with(base)), path)
    }

    /// Was the object named on the command line?
    #[must_use]
    pub fn is_named(&self, object: &Path) -> bool {
        self.named.iter().any(|named| named == object)
    }

    /// Is a path below the directories of the target, links resolved?
    #[must_use]
    pub fn contains(&self, vfs: &dyn Vfs, path: &Path) -> bool {
        let Ok(real) = vfs.canonicalize(path) else { return false };
        let mut roots = self.inventory.roots.iter();
        roots.any(|root| vfs.canonicalize(root).is_ok_and(|root| real.starts_with(root)))
    }

    /// Is a path in the target, or in a directory outside from which its interpreter imports?
    #[must_use]
    pub fn reaches(&self, vfs: &dyn Vfs, path: &Path) -> bool {
        let Ok(real) = vfs.canonicalize(path) else { return false };
        let Inventory { beyond, followed, .. } = &self.inventory;
        let mut outside = beyond.iter().chain(followed.iter().map(|linked| &linked.target));
        self.contains(vfs, path)
            || outside.any(|root| vfs.canonicalize(root).is_ok_and(|root| real.starts_with(root)))
    }

    /// The directory outside the target that contains an object which is judged with it: the object
    /// is repaired if this directory is named.
    #[must_use]
    pub fn outside_of(&self, object: &Path) -> Option<&Path> {
        let mut followed = self.inventory.followed.iter();
        let behind = followed.find(|linked| object.starts_with(&linked.path));
        let named = || self.inventory.beyond.iter().find(|root| object.starts_with(root));
        behind.map(|linked| linked.target.as_path()).or_else(|| named().map(PathBuf::as_path))
    }

    /// The object at a path, links resolved.
    #[must_use]
    pub fn object_at(&self, vfs: &dyn Vfs, path: &Path) -> Option<&Object> {
        self.inventory.at(path).or_else(|| {
            let id = vfs.metadata(path).ok()?.id;
            self.inventory.of_file(id).next()
        })
    }

    /// The only distribution whose RECORD lists a file that is named like a library, even if it is not one.
    #[must_use]
    pub fn distribution_listing(&self, file: &Path) -> Option<&Distribution> {
        let [owner] = self.owners.of(file) else { return None };
        self.inventory.distributions.get(owner.distribution)
    }

    /// May an object be edited? Only what the walk of the target found below its root is ever
    /// written, and where objects were named outright only those.
    #[must_use]
    pub fn may_edit(&self, object: &Path) -> bool {
        self.inventory.at(object).is_some()
            && object.starts_with(&self.root)
            && self.outside_of(object).is_none()
            && self.is_meant(object)
    }

    /// Is an object selected by the target, and not only around it?
    #[must_use]
    pub fn is_meant(&self, object: &Path) -> bool {
        self.part.as_ref().is_none_or(|part| part.has(object))
            && (self.named.is_empty() || self.is_named(object))
    }

    /// The package or module that is imported instead of an object's own; `None` also for what was selected
    /// itself, which is judged as if it were imported.
    #[must_use]
    pub fn shadowed_by(&self, object: &Path) -> Option<&Path> {
        self.shadowed.object(object).filter(|_| self.is_whole())
    }

    /// The same for a distribution, by its index, if no import reaches any of its modules.
    #[must_use]
    pub fn distribution_shadowed_by(&self, index: usize) -> Option<&Path> {
        self.shadowed.distribution(index).filter(|_| self.is_whole())
    }

    /// The distributions, each with its index, that imports reach.
    pub fn reached_distributions(&self) -> impl Iterator<Item = (usize, &Distribution)> {
        let all = self.inventory.distributions.iter().enumerate();
        all.filter(|(index, _)| self.distribution_shadowed_by(*index).is_none())
    }

    fn is_whole(&self) -> bool {
        self.named.is_empty() && !matches!(self.part, Some(Part::Below(_)))
    }

    /// Linked directories that were not followed, if the target selects them.
    pub fn not_followed(&self) -> impl Iterator<Item = &Linked> {
        self.inventory.not_followed.iter().filter(|linked| self.is_meant(&linked.path))
    }

    /// How many objects the target selects.
    #[must_use]
    pub fn meant(&self) -> usize {
        self.inventory.objects.iter().filter(|object| self.is_meant(&object.path)).count()
    }

    /// A path as a plan has it: relative to the root.
    ///
    /// # Errors
    /// If it is outside the root.
    pub fn relative(&self, path: &Path) -> Result<RelativePath, NotRelative> {
        RelativePath::new(path.strip_prefix(&self.root).unwrap_or(path))
    }

    /// A file inside the target, whose links were resolved, by its path below the root as it was
    /// named.
    #[must_use]
    pub fn below_root(&self, vfs: &dyn Vfs, real: &Path) -> PathBuf {
        below(vfs, &self.root, real).unwrap_or_else(|| real.to_owned())
    }

    /// A name of an object that is a link out of the target, if it cannot be replaced by a private
    /// copy: a write follows links as this system does, and not as that of the target.
    #[must_use]
    pub fn leaving_name(&self, vfs: &dyn Vfs, object: &Path) -> Option<PathBuf> {
        let is_link = |name: &PathBuf| {
            vfs.symlink_metadata(name).is_ok_and(|entry| entry.kind == FileKind::Symlink)
        };
        let names = self.names_of(object).into_iter().filter(|_| self.elsewhere);
        names.filter(is_link).find(|name| !self.contains(vfs, name))
    }

    /// The link that leaves the target. A name that does so may be a link to another such name: the
    /// last one below the root.
    #[must_use]
    pub fn leaving_link(&self, vfs: &dyn Vfs, name: &Path) -> PathBuf {
        let within = |link: PathBuf| -> Option<PathBuf> {
            let parent = vfs.canonicalize(link.parent()?).ok()?;
            let path = self.below_root(vfs, &parent.join(link.file_name()?));
            let entry = vfs.symlink_metadata(&path).ok()?;
            (path.starts_with(&self.root) && entry.kind == FileKind::Symlink).then_some(path)
        };
        let links = names_along(vfs, name).map_while(within);
        links.last().unwrap_or_else(|| name.to_owned())
    }

    /// All names in the target of the file that an object is.
    #[must_use]
    pub fn names_of(&self, object: &Path) -> Vec<PathBuf> {
        let Some(id) = self.inventory.at(object).map(|object| object.id) else {
            return vec![object.to_owned()];
        };
        self.inventory.of_file(id).map(|other| other.path.clone()).collect()
    }

    fn find_owners(&mut self, vfs: &dyn Vfs) {
        let is_object = |path: &[u8]| {
            // Rows of directories, and other odd ones, do not hold objects.
            let name = path.rsplit(|&byte| byte == b'/').next().map(OsStr::from_bytes);
            name.filter(|name| !["", ".", ".."].iter().any(|odd| name == odd)).is_some_and(|name| {
                object_names::may_hold_object(name)
                    || self.named.iter().any(|named| named.file_name() == Some(name))
            })
        };
        let (owners, problems) = Owners::new(vfs, &self.inventory.distributions, is_object);
        let links = self.inventory.inside.iter();
        let owners = owners.through(links.map(|it| (it.path.clone(), it.target.clone())));
        self.inventory.add_problems(problems);
        self.inventory.forget_unlisted(|path| owners.of(path).first().map(|owner| owner.size));
        self.owners = owners;
        self.name_owners(vfs);
        self.name_owners_without_records(vfs);
    }

    fn name_owners(&mut self, vfs: &dyn Vfs) {
        for object in &mut self.inventory.objects {
            let owners = self.owners.of(&object.path);
            object.distribution = owners.first().map(|owner| owner.distribution);
        }
        self.name_owners_of_moved(vfs);
    }
}

/// A path without links by its name below a directory as that was named; `None` if it is not there.
fn below(vfs: &dyn Vfs, root: &Path, real: &Path) -> Option<PathBuf> {
    let below = real.strip_prefix(vfs.canonicalize(root).ok()?).ok()?;
    // Joining an empty path would end it with a slash.
    Some(if below.as_os_str().is_empty() { root.to_owned() } else { root.join(below) })
}

/// Does an installation of Python share its prefix with programs of all kinds (FHS 3.0)? Others, such as
/// those of pyenv and uv, have one of their own.
fn is_shared(prefix: &Path) -> bool {
    ["/", "/usr", "/usr/local"].iter().any(|shared| prefix == Path::new(shared))
}
