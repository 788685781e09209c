//! A map that is cheap to copy: copies share all shards but those that one of them changes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// So many that a change copies little, so few that a copy of the map is nearly nothing.
const SHARDS: usize = 256;

/// A map in shards.
#[derive(Clone)]
pub(crate) struct Shards<K, V> {
    shards: Vec<Arc<HashMap<K, V>>>,
    hasher: RandomState,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// What is held under `key`.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards[self.place(key)].get(key)
    }

    /// Holds `value` under `key`, in place of what was held before.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let place = self.place(&key);
        Arc::make_mut(&mut self.shards[place]).insert(key, value);
    }

    /// Holds nothing under `key` any more; what was held.
    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key);
        // A shard without it is not copied for nothing.
        self.shards[place].contains_key(key).then(|| Arc::make_mut(&mut self.shards[place]).remove(key))?
    }

    /// All that is held, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All that is held and what it is held under, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    /// How much is held.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        let shards = u64::try_from(SHARDS).expect("few");
        usize::try_from(self.hasher.hash_one(key) % shards).expect("below SHARDS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_is_gone_from_one_copy_only() {
        let mut first: Shards<String, usize> = Shards::default();
        first.insert("a".to_owned(), 1);
        let mut second = first.clone();
        assert_eq!((second.remove("a"), second.remove("a"), second.get("a")), (Some(1), None, None));
        assert_eq!(first.get("a"), Some(&1));
    }

    #[test]
    fn a_copy_that_changes_leaves_the_original_alone() {
        let mut first: Shards<String, usize> = Shards::default();
        (0..1000).for_each(|number| first.insert(number.to_string(), number));
        let mut second = first.clone();
        second.insert("7".to_owned(), 0);
        second.insert("new".to_owned(), 1);
        assert_eq!((first.get("7"), first.get("new"), first.len()), (Some(&7), None, 1000));
        assert_eq!((second.get("7"), second.get("new"), second.len()), (Some(&0), Some(&1), 1001));
        let shared = first.shards.iter().zip(&second.shards).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert!(shared.count() >= SHARDS - 2);
    }
}
