//! What must hold whatever a stranger sends, for each thing that this router reads itself.
//!
//! Each of [`TARGETS`] takes any bytes and panics if something does not hold: two readings of one message, a name that
//! is not the same when read again, an answer that depends on how the bytes came in pieces. `script/fuzz` looks for such
//! bytes for as long as one likes; the tests here try those in `fuzz/seeds` and some thousand like them each time.
//!
//! Only there for tests and where `--cfg fuzzing` is set, as fuzzers do: nothing of it is in a router that serves.

mod accept_encoding;
mod allow_list;
mod basic_auth;
mod client_hello;
mod firewall;
mod first_bytes;
mod forwarded;
pub(crate) mod framing;
mod host;
pub(crate) mod library;
#[cfg(test)]
mod mutation;
pub(crate) mod naive;
mod proxy_protocol;
mod settings;

use crate::h1::fuzzing as h1;

/// Checks what must hold for these bytes.
pub type Target = fn(&[u8]);

/// All there are, by name. Each has a program in `fuzz/fuzz_targets` and a directory in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 14] = [
    ("accept_encoding", accept_encoding::check),
    ("allow_list", allow_list::check),
    ("basic_auth", basic_auth::check),
    ("client_hello", client_hello::check),
    ("firewall", firewall::check),
    ("first_bytes", first_bytes::check),
    ("forwarded", forwarded::check),
    ("framing", framing::check),
    ("h1_answer", h1::answer::check),
    ("h1_chunks", h1::chunks::check),
    ("h1_request", h1::request::check),
    ("host", host::check),
    ("proxy_protocol", proxy_protocol::check),
    ("settings", settings::check),
];

/// The one of this name.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.map(|(_, check)| *check).expect("a program is named for its target")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    /// How many texts each target is tried with beside its seeds.
    const ROUNDS: u64 = 2_000;

    /// Bytes that are printed if something does not hold for them.
    struct Shown<'a>(&'a [u8]);

    impl Drop for Shown<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("with {}", self.0.escape_ascii());
            }
        }
    }

    fn directory() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
    }

    fn names(directory: &Path) -> BTreeSet<String> {
        let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| name(entry.unwrap().path())).collect()
    }

    fn hold(name: &str) {
        let directory = directory().join("seeds").join(name);
        let files = names(&directory).into_iter().map(|file| directory.join(file));
        let seeds: Vec<Vec<u8>> = files.map(|file| std::fs::read(file).unwrap()).collect();
        let check = |bytes: &[u8]| {
            let shown = Shown(bytes);
            target(name)(shown.0);
        };
        seeds.iter().for_each(|seed| check(seed));
        mutation::of(&seeds, ROUNDS, check);
    }

    macro_rules! each {
        ($($name:ident)*) => {
            $(#[test] fn $name() { hold(stringify!($name)); })*

            #[test]
            fn every_target_has_a_program_and_seeds_and_is_tried() {
                let all: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
                assert_eq!(all, [$(stringify!($name)),*].map(str::to_owned).into());
                assert_eq!(all, names(&directory().join("fuzz_targets")));
                assert_eq!(all, names(&directory().join("seeds")));
            }
        };
    }

    each! {
        accept_encoding allow_list basic_auth client_hello firewall first_bytes forwarded framing h1_answer h1_chunks
        h1_request host proxy_protocol settings
    }
}
