//! Certificates that have been read, so that one which many apps share is read once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ring::digest::{Context, SHA256};
use rustls::crypto::{CryptoProvider, ring as provider};

use deis_model::KeyPair;

use super::pair::{Pair, PairError};

/// From how many on those that nobody uses any more are forgotten.
const FIRST_SWEEP: usize = 64;

/// Certificates that have been read, by the digest of what they were read from, as long as somebody uses them.
pub(crate) struct Cache {
    provider: CryptoProvider,
    held: Mutex<Held>,
}

struct Held {
    pairs: HashMap<[u8; 32], Weak<Pair>>,
    /// At which size to look for unused ones again.
    sweep: usize,
}

impl Default for Cache {
    fn default() -> Self {
        let held = Mutex::new(Held { pairs: HashMap::new(), sweep: FIRST_SWEEP });
        Self { provider: provider::default_provider(), held }
    }
}

impl Cache {
    /// Reads `source`, unless what was read of the same is still in use.
    pub(crate) fn read(&self, source: &KeyPair) -> Result<Arc<Pair>, PairError> {
        let digest = digest(source);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pair) = held.pairs.get(&digest).and_then(Weak::upgrade) {
            return Ok(pair);
        }
        let pair = Arc::new(Pair::parse(source, &self.provider)?);
        if held.pairs.len() >= held.sweep {
            held.pairs.retain(|_, pair| pair.strong_count() > 0);
            held.sweep = FIRST_SWEEP.max(held.pairs.len() * 2);
        }
        held.pairs.insert(digest, Arc::downgrade(&pair));
        Ok(pair)
    }
}

fn digest(source: &KeyPair) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    // The length parts one text from the other.
    context.update(&(source.chain.len() as u64).to_be_bytes());
    context.update(source.chain.as_bytes());
    context.update(source.key.as_bytes());
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}
