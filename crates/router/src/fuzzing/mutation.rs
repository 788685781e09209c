//! Texts that are like others, the same ones each time.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// The longest text that is made.
const LONGEST: usize = 8 * 1024;

/// What readers trip over.
const TROUBLE: [&[u8]; 24] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b",",
    b";",
    b"=",
    b".",
    b"..",
    b"%",
    b"[",
    b"]",
    b"/",
    b"\"",
    b"\xff",
    "ü".as_bytes(),
    b"0",
    b"-1",
    b"18446744073709551616",
    b"ffffffffffffffff",
];

/// Shows `rounds` texts to `check`, each made from one of `seeds` and pieces of others.
pub(super) fn of(seeds: &[Vec<u8>], rounds: u64, check: impl Fn(&[u8])) {
    assert!(!seeds.is_empty(), "there is something to begin with");
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..rounds {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        for _ in 0..random.random_range(1..6) {
            change(&mut bytes, seeds, &mut random);
        }
        bytes.truncate(LONGEST);
        check(&bytes);
    }
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut StdRng) {
    let at = random.random_range(0..=bytes.len());
    let end = random.random_range(at..=bytes.len().min(at + 16));
    match random.random_range(0..6) {
        0 => bytes.get_mut(at).into_iter().for_each(|byte| *byte = random.random()),
        1 => bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 0x20),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        4 => drop(bytes.splice(at..end, TROUBLE[random.random_range(0..TROUBLE.len())].iter().copied())),
        _ => {
            let other = &seeds[random.random_range(0..seeds.len())];
            let from = random.random_range(0..=other.len());
            let to = random.random_range(from..=other.len().min(from + 64));
            bytes.splice(at..end, other[from..to].iter().copied());
        }
    }
}
