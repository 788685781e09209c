//! Choosing an endpoint: of two picked at random the one at which a request costs less.
//!
//! Two at random are nearly as even as looking at all, at no cost that grows with their number, and without every router
//! choosing the same one. A request costs as much as there are under way, times what the endpoint's failures add: one
//! that fails fast has little under way, and would attract all. How long answers take is not measured: a slow endpoint
//! has more under way, which tells nearly as much, and answers that are meant to be late mislead (see the simulation).
//!
//! An endpoint that joins others begins with a small share, which grows for as long as the slow start lasts, so that
//! whatever is behind it can warm up. Where all are new, all weigh the same.

use std::net::SocketAddr;
use std::sync::Arc;

use rand::{Rng, RngCore};

use crate::clock::Millis;
use crate::endpoint::Endpoint;
use crate::standing::WHOLE;

/// How many pairs are drawn at most to find one with an endpoint that is not new.
const DRAWS: u32 = 3;

/// Addresses that one request has tried in vain.
#[derive(Debug, Default)]
pub(crate) struct Tried(Vec<SocketAddr>);

/// What time it is, and how long endpoints count as new.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Now.
    pub(crate) now: Millis,
    /// How long a new endpoint's share grows.
    pub(crate) slow_start: Millis,
}

impl Tried {
    /// Notes a failure.
    pub(crate) fn add(&mut self, address: SocketAddr) {
        self.0.push(address);
    }

    /// Forgets all: they may be tried again.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether more than one of `endpoints` is left.
    pub(crate) fn leave_several(&self, endpoints: &[Arc<Endpoint>]) -> bool {
        endpoints.iter().filter(|endpoint| !self.holds(endpoint)).nth(1).is_some()
    }

    /// Whether `endpoint` was tried.
    pub(crate) fn holds(&self, endpoint: &Endpoint) -> bool {
        self.0.contains(&endpoint.address)
    }
}

/// An endpoint that is neither tried nor out.
pub(crate) fn pick<'a>(
    endpoints: &'a [Arc<Endpoint>],
    tried: &Tried,
    moment: Moment,
) -> Option<&'a Arc<Endpoint>> {
    match endpoints {
        [] => None,
        [only] => Some(only).filter(|only| is_usable(only, tried, moment.now)),
        _ => pick_with(endpoints, tried, moment, &mut rand::rng()),
    }
}

/// An endpoint that is not tried; for when [`pick`] found none, and all that are left are out.
pub(crate) fn pick_out<'a>(
    endpoints: &'a [Arc<Endpoint>],
    tried: &Tried,
    now: Millis,
) -> Option<&'a Arc<Endpoint>> {
    cheapest(endpoints.iter().filter(|endpoint| !tried.holds(endpoint)), now)
}

/// Whether requests may go to `endpoint`.
pub(crate) fn is_usable(endpoint: &Endpoint, tried: &Tried, now: Millis) -> bool {
    !tried.holds(endpoint) && !endpoint.ejection.is_out(now)
}

fn pick_with<'a>(
    endpoints: &'a [Arc<Endpoint>],
    tried: &Tried,
    moment: Moment,
    random: &mut impl RngCore,
) -> Option<&'a Arc<Endpoint>> {
    let weigh = |endpoint: &&Arc<Endpoint>| match is_usable(endpoint, tried, moment.now) {
        true => endpoint.ramp.weight(moment.now, moment.slow_start),
        false => 0,
    };
    for draw in 1..=DRAWS {
        let pair = two(endpoints, random);
        let weights = pair.each_ref().map(weigh);
        let heavier = weights[0].max(weights[1]);
        if draw < DRAWS && !falls(heavier, WHOLE, random) {
            continue;
        }
        let stay = |(endpoint, weight)| falls(weight, heavier, random).then_some(endpoint);
        let staying = pair.into_iter().zip(weights).filter_map(stay);
        if let Some(endpoint) = cheapest(staying, moment.now) {
            return Some(endpoint);
        }
    }
    let usable = endpoints.iter().filter(|endpoint| is_usable(endpoint, tried, moment.now));
    cheapest(usable, moment.now)
}

/// Whether a thing of chance `part` in `whole` happens.
fn falls(part: u64, whole: u64, random: &mut impl RngCore) -> bool {
    part > 0 && (part >= whole || random.random_range(0..whole) < part)
}

/// Two different ones of at least two.
fn two<'a>(endpoints: &'a [Arc<Endpoint>], random: &mut impl RngCore) -> [&'a Arc<Endpoint>; 2] {
    let count = endpoints.len();
    let first = random.random_range(0..count);
    let second = (first + random.random_range(1..count)) % count;
    [&endpoints[first], &endpoints[second]]
}

fn cheapest<'a>(
    endpoints: impl Iterator<Item = &'a Arc<Endpoint>>,
    now: Millis,
) -> Option<&'a Arc<Endpoint>> {
    endpoints.min_by_key(|endpoint| cost(endpoint, now))
}

fn cost(endpoint: &Endpoint, now: Millis) -> u64 {
    let under_way = u64::try_from(endpoint.in_flight()).unwrap_or(u64::MAX);
    under_way.saturating_add(1).saturating_mul(endpoint.failures.factor(now))
}

#[cfg(test)]
mod tests;
