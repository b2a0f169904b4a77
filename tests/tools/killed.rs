//! The real binary, killed at any moment on real environments: `scripts/faults/crash` does it thousands of
//! times.

use crate::support::command::{command, run, snapshot, words};
use crate::support::wheels::{self, Env, LinkMode};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How often, if the variable `KILLS` does not say.
const KILLS: u64 = 200;

/// Everything below a directory: what it is, and when it was changed.
type Files = BTreeMap<PathBuf, (u32, String, i64, i64)>;

/// An environment whose extension module does not find its library, and what it is to become.
struct Victim {
    dir: tempfile::TempDir,
    env: Env,
    /// The commands that change it, and what it is afterwards.
    ways: Vec<(Vec<OsString>, Files)>,
    /// The commands that put it back.
    back: Vec<Vec<OsString>>,
    old: Files,
    /// The bytes of the objects, of every state.
    objects: BTreeMap<PathBuf, Vec<Vec<u8>>>,
    outside: Files,
    /// How long a command takes.
    takes: Duration,
}

impl Victim {
    fn new(mode: LinkMode) -> Self {
        // On a disk, for where a sync takes no time there is nearly no moment to be caught at.
        let dir = tempfile::tempdir().unwrap();
        let env = wheels::environment(dir.path(), mode);
        wheels::break_it(&env);
        let module = env.site_packages.join(env.extension());
        if mode == LinkMode::Hardlink {
            // A second name inside: both are replaced together, and the cache's stays.
            std::fs::hard_link(&module, env.site_packages.join("second.so")).unwrap();
        }
        let name = module.strip_prefix(dir.path()).unwrap();
        let set = words(&[&"rpath", &"set", &name, &"--entry", &"$ORIGIN/../broken_libs"]);
        let long = ["--entry".to_owned(), format!("$ORIGIN/{}", "long/".repeat(40))];
        let ways =
            [words(&[&"fix", &".venv"]), set.into_iter().chain(long.map(Into::into)).collect()];
        let back = vec![words(&[&"revert", &".venv"]), words(&[&"revert", &name])];
        let mut victim = Self {
            old: snapshot(&env.prefix),
            outside: snapshot(&env.cache),
            ways: Vec::new(),
            objects: BTreeMap::new(),
            takes: Duration::ZERO,
            back,
            dir,
            env,
        };
        victim.keep_objects();
        for way in ways {
            let start = Instant::now();
            victim.run(&way);
            victim.takes = start.elapsed();
            victim.keep_objects();
            let new = snapshot(&victim.env.prefix);
            assert_ne!(new, victim.old);
            victim.ways.push((way, new));
            victim.run(&victim.back[0]);
            assert_eq!(snapshot(&victim.env.prefix), victim.old);
        }
        victim
    }

    fn run(&self, arguments: &[OsString]) {
        let ran = run(self.dir.path(), arguments);
        assert_eq!(ran.status, 0, "{arguments:?}: {ran:#?}");
    }

    fn keep_objects(&mut self) {
        let site = &self.env.site_packages;
        let module = site.join(self.env.extension());
        for path in [module, site.join("broken-1.0.dist-info/RECORD")] {
            let bytes = std::fs::read(&path).unwrap();
            self.objects.entry(path).or_default().push(bytes);
        }
    }

    fn store(&self) -> PathBuf {
        self.env.prefix.join(".tfpatch")
    }

    fn is_pending(&self) -> bool {
        let Ok(entries) = std::fs::read_dir(self.store().join("operations")) else { return false };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .any(|name| name.ends_with(".pending.json"))
    }

    /// Starts a command and kills it: at any time, or soon after it has begun to write. True where
    /// it was killed.
    fn kill(&self, arguments: &[OsString], random: &mut Random) -> bool {
        let mut child = command(self.dir.path())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        if random.below(4) == 0 {
            std::thread::sleep(self.takes.mul_f64(random.below(1000) as f64 / 900.0));
        } else {
            while !self.is_pending() && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_micros(20));
            }
            std::thread::sleep(Duration::from_micros(random.below(6000)));
        }
        child.kill().unwrap();
        child.wait().unwrap().signal() == Some(9)
    }

    /// Each object is one of those that it is to be; one that is edited in place has bytes of them,
    /// and loads, or asks for the library that it does not find, as before.
    fn check_objects(&self, what: &str) {
        for (path, states) in &self.objects {
            let now = std::fs::read(path).unwrap();
            if states.contains(&now) {
                continue;
            }
            assert!(path.extension().is_some_and(|ending| ending == "so"), "{what}: {path:?}");
            let is_known =
                |(at, byte): (usize, &u8)| states.iter().any(|s| s.get(at) == Some(byte));
            assert!(now.iter().enumerate().all(is_known), "{what}: {path:?}");
            match wheels::imports(&self.env) {
                Ok(said) => assert_eq!(said, "42", "{what}"),
                Err(said) => assert!(said.contains("libinner.so.1: cannot open"), "{what}: {said}"),
            }
        }
    }

    /// A command that only reads says that an operation was interrupted, and changes nothing.
    fn check_reading(&self, what: &str) {
        let everything = || wheels::digests(&self.env.prefix);
        let before = everything();
        let ran = run(self.dir.path(), &["verify", ".venv"]);
        assert_eq!(ran.status, 1, "{what}: {ran:#?}");
        assert!(ran.err.contains("was interrupted; the next `tfpatch fix`"), "{what}: {ran:#?}");
        assert_eq!(everything(), before, "{what}");
    }

    fn check(&self, expected: &Files, what: &str) {
        let now = snapshot(&self.env.prefix);
        let different: Vec<_> =
            now.iter().filter(|(path, file)| expected.get(*path) != Some(file)).collect();
        assert!(now == *expected, "{what}: {different:?}");
        assert_eq!(snapshot(&self.env.cache), self.outside, "{what}: the cache");
        let Ok(left) = std::fs::read_dir(self.store().join("operations")) else { return };
        for entry in left {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // A record that never got its name is written over by the next, and so is the room.
            let is_done = name.ends_with(".json") && name.matches('.').count() == 1;
            let is_ours = is_done || name == "record.tmp" || name == "room";
            assert!(is_ours, "{what}: {name} is left");
        }
    }
}

/// Numbers that look random (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % limit
    }
}

#[test]
fn whenever_it_is_killed_nothing_is_lost() {
    #[allow(clippy::disallowed_methods, reason = "the rule is for tfpatch itself")]
    let kills = std::env::var("KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ u64::from(std::process::id()) << 20 | 1;
    let mut random = Random(seed);
    let victims = [LinkMode::Pip, LinkMode::Hardlink, LinkMode::Symlink].map(Victim::new);
    let mut counts = BTreeMap::<&str, u64>::new();
    for number in 0..kills {
        let victim = &victims[(number % 3) as usize];
        let (way, new) = &victim.ways[random.below(2) as usize];
        let back = &victim.back[random.below(2) as usize];
        let is_revert = random.below(2) == 0;
        if is_revert {
            victim.run(way);
        }
        let killed = if is_revert { back } else { way };
        let what = format!("seed {seed}, kill {number}, {killed:?}");
        let was_killed = victim.kill(killed, &mut random);
        victim.check_objects(&what);
        let outcome = match (was_killed, victim.is_pending()) {
            (false, _) => "was done already",
            (true, true) => "killed while writing",
            (true, false) => "killed before or after",
        };
        *counts.entry(outcome).or_default() += 1;
        if victim.is_pending() {
            victim.check_reading(&what);
        }
        // Whoever writes next finishes it or takes it back, and does what it is asked for.
        if random.below(2) == 0 {
            victim.run(way);
            victim.check(new, &what);
        }
        victim.run(back);
        victim.check(&victim.old, &what);
        // The next one creates the store anew.
        if random.below(3) == 0 {
            let _ = std::fs::remove_dir_all(victim.store());
        }
    }
    println!("{kills} kills, seed {seed}: {counts:?}; nothing lost");
    assert!(
        counts.get("killed while writing").is_some_and(|&count| count > kills / 5),
        "{counts:?}"
    );
}
