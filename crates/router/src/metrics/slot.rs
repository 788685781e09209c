//! One copy of something per core, so that cores do not fight for the memory in which they count.

use std::sync::OnceLock;

use crate::cores::Seat;

/// Copies at most: with more cores than that, some share one, which is right but slower.
const SLOTS: usize = 8;

/// A `T` for every core that has asked for one: what nobody counts in takes no room.
#[derive(Debug)]
pub(crate) struct Slots<T>([OnceLock<Box<Apart<T>>>; SLOTS]);

/// Begins where no other core's memory is fetched along with it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| OnceLock::new()))
    }
}

impl<T: Default> Slots<T> {
    /// The one of the core that asks.
    pub(crate) fn mine(&self) -> &T {
        &self.0[Seat::current().index % SLOTS].get_or_init(Box::default).0
    }

    /// All there are.
    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().filter_map(|slot| Some(&slot.get()?.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Counter;

    #[test]
    fn what_all_threads_counted_is_found() {
        let slots: Slots<Counter> = Slots::default();
        assert_eq!(slots.all().count(), 0);
        std::thread::scope(|scope| {
            for index in 0..2 * SLOTS {
                let slots = &slots;
                scope.spawn(move || {
                    Seat { index, count: 2 * SLOTS }.take();
                    (0..1000).for_each(|_| slots.mine().add());
                });
            }
        });
        assert_eq!(slots.all().map(Counter::value).sum::<u64>(), 2_000 * SLOTS as u64);
        assert_eq!(slots.all().count(), SLOTS);
    }
}
