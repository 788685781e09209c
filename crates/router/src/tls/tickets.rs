//! Session tickets: what lets a client that was here before, at any router, come back without a full handshake.
//!
//! | part of a ticket | bytes |
//! |---|---|
//! | the name of the key that sealed it | 16 |
//! | nonce, random | 12 |
//! | encrypted by ChaCha20-Poly1305 with the name as associated data: when it was sealed, in Unix seconds | 8 |
//! | encrypted likewise: the session | as many as it has |
//! | authentication tag | 16 |

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::server::ProducesTickets;

use deis_api::internal::TicketKey;
use deis_model::routing::TlsSettings;

/// How long a key's name is.
const NAME_LEN: usize = 16;

/// How long the time is.
const TIME_LEN: usize = 8;

/// The longest that a session may go on, in seconds: a week. Source: RFC 8446 section 4.6.1.
const LONGEST_LIFE: u32 = 7 * 24 * 60 * 60;

/// The longest ticket that is opened: those that are made are much shorter, as no client shows a certificate.
const LONGEST: usize = 4096;

/// Keys that tickets are sealed with: the first seals, all open.
pub(crate) struct Tickets {
    keys: ArcSwap<Vec<Key>>,
    /// How long a session may go on, in seconds.
    lifetime: AtomicU32,
    random: SystemRandom,
}

struct Key {
    name: [u8; NAME_LEN],
    key: LessSafeKey,
}

impl Tickets {
    /// Tickets that only this process opens, until it is given keys.
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let keys = Key::random(&random).into_iter().collect::<Vec<_>>();
        let lifetime = AtomicU32::new(seconds(TlsSettings::default().session_timeout));
        Self { keys: ArcSwap::from_pointee(keys), lifetime, random }
    }

    /// Lets sessions go on for `lifetime`.
    pub(crate) fn keep_for(&self, lifetime: Duration) {
        self.lifetime.store(seconds(lifetime), Relaxed);
    }

    /// Seals with the first of `keys` and opens what any of them sealed. Without any the ones at hand go on.
    pub(crate) fn share(&self, keys: &[TicketKey]) {
        let usable: Vec<Key> = keys.iter().filter_map(Key::parse).collect();
        if usable.len() < keys.len() {
            tracing::warn!("a key of session tickets is not 16 and 32 bytes in hexadecimal; it is left out");
        }
        if !usable.is_empty() {
            self.keys.store(Arc::new(usable));
        }
    }

    /// Seals `plain` at `now`.
    fn seal(&self, plain: &[u8], now: SystemTime) -> Option<Vec<u8>> {
        let keys = self.keys.load();
        let key = keys.first()?;
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).ok()?;
        let length = NAME_LEN + NONCE_LEN + TIME_LEN + plain.len() + CHACHA20_POLY1305.tag_len();
        let mut ticket = Vec::with_capacity(length);
        ticket.extend_from_slice(&key.name);
        ticket.extend_from_slice(&nonce);
        ticket.extend_from_slice(&unix_seconds(now).to_be_bytes());
        ticket.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let session = &mut ticket[NAME_LEN + NONCE_LEN..];
        let tag = key.key.seal_in_place_separate_tag(nonce, Aad::from(key.name), session).ok()?;
        ticket.extend_from_slice(tag.as_ref());
        Some(ticket)
    }

    /// What is in `ticket`, if it counts at `now`.
    fn open(&self, ticket: &[u8], now: SystemTime) -> Option<Vec<u8>> {
        if ticket.len() > LONGEST {
            return None;
        }
        let (name, rest) = ticket.split_first_chunk::<NAME_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let keys = self.keys.load();
        // Names are public: they stand on every ticket.
        let key = keys.iter().find(|key| key.name == *name)?;
        let mut session = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.key.open_in_place(nonce, Aad::from(*name), &mut session).ok()?;
        let (sealed_at, session) = opened.split_first_chunk::<TIME_LEN>()?;
        // Another router's clock may be ahead of this one's.
        let age = unix_seconds(now).saturating_sub(u64::from_be_bytes(*sealed_at));
        (age <= u64::from(self.lifetime.load(Relaxed))).then(|| session.to_vec())
    }
}

fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX).min(LONGEST_LIFE)
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

impl Key {
    fn parse(given: &TicketKey) -> Option<Self> {
        let (mut name, mut key) = ([0; NAME_LEN], [0; 32]);
        hex::decode_to_slice(&given.name, &mut name).ok()?;
        hex::decode_to_slice(&given.key, &mut key).ok()?;
        Some(Self { name, key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?) })
    }

    fn random(random: &SystemRandom) -> Option<Self> {
        let (mut name, mut key) = ([0; NAME_LEN], [0; 32]);
        random.fill(&mut name).ok()?;
        random.fill(&mut key).ok()?;
        Some(Self { name, key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &key).ok()?) })
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tickets").finish_non_exhaustive()
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.lifetime.load(Relaxed)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.seal(plain, SystemTime::now())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.open(cipher, SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> TicketKey {
        TicketKey { name: digit.repeat(32), key: digit.repeat(64) }
    }

    fn tickets(keys: &[TicketKey]) -> Tickets {
        let tickets = Tickets::new();
        tickets.share(keys);
        tickets
    }

    #[test]
    fn what_one_router_sealed_another_opens() {
        let (one, other) = (tickets(&[key("a")]), tickets(&[key("b"), key("a")]));
        let ticket = one.seal(b"session", UNIX_EPOCH).unwrap();
        assert_eq!(other.open(&ticket, UNIX_EPOCH).unwrap(), b"session");
        assert_eq!(one.open(&other.seal(b"session", UNIX_EPOCH).unwrap(), UNIX_EPOCH), None);
    }

    #[test]
    fn without_shared_keys_each_router_opens_its_own() {
        let (one, other) = (Tickets::new(), Tickets::new());
        let ticket = one.seal(b"session", UNIX_EPOCH).unwrap();
        assert_eq!(one.open(&ticket, UNIX_EPOCH).unwrap(), b"session");
        assert_eq!(other.open(&ticket, UNIX_EPOCH), None);
        one.share(&[]);
        assert!(one.open(&ticket, UNIX_EPOCH).is_some());
    }

    #[test]
    fn a_session_goes_on_for_as_long_as_is_set() {
        let tickets = tickets(&[key("a")]);
        let ticket = tickets.seal(b"session", UNIX_EPOCH).unwrap();
        let opens = |seconds| tickets.open(&ticket, UNIX_EPOCH + Duration::from_secs(seconds)).is_some();
        assert!(opens(600) && !opens(601));
        tickets.keep_for(Duration::from_secs(3600));
        assert!(opens(3600) && !opens(3601));
    }

    #[test]
    fn a_ticket_that_was_changed_or_cut_is_not_opened() {
        let tickets = tickets(&[key("a")]);
        let ticket = tickets.seal(b"session", UNIX_EPOCH).unwrap();
        for place in 0..ticket.len() {
            let mut changed = ticket.clone();
            changed[place] ^= 1;
            assert_eq!(tickets.open(&changed, UNIX_EPOCH), None, "byte {place}");
            assert_eq!(tickets.open(&ticket[..place], UNIX_EPOCH), None, "{place} bytes");
        }
        assert_eq!(tickets.open(&vec![0xaa; LONGEST + 1], UNIX_EPOCH), None);
    }

    #[test]
    fn keys_that_are_none_are_left_out() {
        let broken = TicketKey { name: "x".to_owned(), key: "y".repeat(64) };
        let (one, other) = (tickets(&[broken.clone(), key("a")]), tickets(&[key("a")]));
        assert!(other.open(&one.seal(b"session", UNIX_EPOCH).unwrap(), UNIX_EPOCH).is_some());
        one.share(&[broken]);
        assert!(other.open(&one.seal(b"session", UNIX_EPOCH).unwrap(), UNIX_EPOCH).is_some());
    }
}
