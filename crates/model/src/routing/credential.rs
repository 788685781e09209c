//! Names and passwords that let visitors in, as HTTP's basic authentication carries them.
//!
//! Passwords are kept as PBKDF2-HMAC-SHA-256 with a salt. Its cost is a compromise on purpose: checking one takes about
//! a millisecond, as much as a TLS handshake, since visitors bring one with each request. That slows down whoever
//! guesses from a stolen table by four thousand. Routers check few at a time, beside the loops that serve everybody,
//! and remember what was found right, so that it costs once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pbkdf2::pbkdf2_hmac_array;
use pbkdf2::sha2::Sha256;

use super::value::{Must, list, number};

/// How many times a hash goes round.
const ROUNDS: u32 = 4096;

/// What hashes begin with.
const SCHEME: &str = "pbkdf2-sha256";

/// The most that one service may have.
const MOST: usize = 100;

/// A name and the hash of its password. Shown without the hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name: no colon, no comma.
    pub user: String,
    rounds: u32,
    salt: Vec<u8>,
    hash: [u8; 32],
}

impl Credential {
    /// The credential of `user` with this password. `salt` must be random, and another for each.
    pub fn new(user: &str, password: &[u8], salt: [u8; 16]) -> Self {
        let hash = pbkdf2_hmac_array::<Sha256, 32>(password, &salt, ROUNDS);
        Self { user: user.to_owned(), rounds: ROUNDS, salt: salt.to_vec(), hash }
    }

    /// Whether `password` is the one. Takes about a millisecond.
    pub fn verify(&self, password: &[u8]) -> bool {
        let hash = pbkdf2_hmac_array::<Sha256, 32>(password, &self.salt, self.rounds);
        // Every byte is looked at, so that the time tells nothing.
        hash.iter().zip(&self.hash).fold(0, |difference, (one, other)| difference | (one ^ other)) == 0
    }

    /// Parses a list of `user:hash` with commas.
    pub(super) fn list(text: &str) -> Result<Vec<Self>, Must> {
        let credentials: Option<Vec<_>> = list(text).map(|entry| Self::parse(entry).ok()).collect();
        credentials.filter(|list| list.len() <= MOST).ok_or_else(must)
    }

    /// Replaces each password in a list of `user:password` with its hash; `salt` gives a random one each time. What is
    /// hashed already stays.
    pub(super) fn seal(text: &str, salt: &mut dyn FnMut() -> [u8; 16]) -> Result<String, Must> {
        let sealed = list(text).map(|entry| {
            let (user, password) =
                entry.split_once(':').filter(|(user, _)| is_name(user)).ok_or_else(must)?;
            match Self::parse(entry) {
                Ok(credential) => Ok(credential.to_text()),
                Err(_) if password.is_empty() || password.starts_with(SCHEME) => Err(must()),
                Err(_) => Ok(Self::new(user, password.as_bytes(), salt()).to_text()),
            }
        });
        let sealed = sealed.collect::<Result<Vec<_>, _>>()?;
        if sealed.len() <= MOST { Ok(sealed.join(",")) } else { Err(must()) }
    }

    fn parse(entry: &str) -> Result<Self, Must> {
        let (user, hash) = entry.split_once(':').filter(|(user, _)| is_name(user)).ok_or_else(must)?;
        Self::parts(user, hash).ok_or_else(must)
    }

    fn parts(user: &str, text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (scheme, rounds, salt, hash) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        // A bound, so that no text makes a router work for minutes.
        let rounds = number(rounds).filter(|rounds| (1..=100_000).contains(rounds))?;
        let salt = URL_SAFE_NO_PAD.decode(salt).ok().filter(|salt| salt.len() <= 64)?;
        let hash = URL_SAFE_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        let is_whole = scheme == SCHEME && parts.next().is_none();
        is_whole.then(|| Self { user: user.to_owned(), rounds, salt, hash })
    }

    fn to_text(&self) -> String {
        let (salt, hash) = (URL_SAFE_NO_PAD.encode(&self.salt), URL_SAFE_NO_PAD.encode(self.hash));
        format!("{}:{SCHEME}.{}.{salt}.{hash}", self.user, self.rounds)
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

fn is_name(text: &str) -> bool {
    (1..=128).contains(&text.len()) && !text.contains(char::is_control)
}

fn must() -> Must {
    Must::be(format!(
        "a list like alice:password,bob:password of at most {MOST}, without commas in passwords"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(text: &str) -> Result<String, Must> {
        let mut count = 0;
        Credential::seal(text, &mut || {
            count += 1;
            [count; 16]
        })
    }

    #[test]
    fn a_password_is_known_by_its_hash() {
        let text = sealed("alice:se:cret, bob:other").unwrap();
        assert!(!text.contains("cret") && !text.contains("other"), "{text}");
        let list = Credential::list(&text).unwrap();
        assert_eq!(list.iter().map(|one| one.user.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
        assert!(list[0].verify(b"se:cret") && !list[0].verify(b"other") && list[1].verify(b"other"));
        assert!(!format!("{list:?}").contains("hash"));
    }

    #[test]
    fn what_is_hashed_is_not_hashed_again() {
        let once = sealed("alice:secret").unwrap();
        assert_eq!(sealed(&once).unwrap(), once);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["alice", ":x", "alice:", "a:pbkdf2-sha256.1.x", "alice:pass,word"] {
            assert!(sealed(text).is_err(), "{text:?}");
        }
        for text in ["alice:secret", "a:pbkdf2-sha256.900000000.AAAA.AAAA", "a:pbkdf2-sha256.1.AAAA.AAAA"] {
            assert!(Credential::list(text).is_err(), "{text:?}");
        }
        assert_eq!(Credential::list("").unwrap(), []);
    }
}
