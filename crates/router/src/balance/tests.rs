//! Whom requests go to: case by case, and in the long run.

mod simulation;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const MOMENT: Moment = Moment { now: 100_000, slow_start: 10_000 };

pub(super) fn endpoints(count: u16) -> Vec<Arc<Endpoint>> {
    (1..=count)
        .map(|port| Arc::new(Endpoint::new(([127, 0, 0, 1], port).into(), None, 1, Arc::default())))
        .collect()
}

/// How many of 1,000 requests each of `endpoints` gets that have nothing under way.
fn shares(endpoints: &[Arc<Endpoint>], moment: Moment) -> Vec<usize> {
    let mut random = StdRng::seed_from_u64(7);
    let mut shares = vec![0; endpoints.len()];
    for _ in 0..1_000 {
        let picked = pick_with(endpoints, &Tried::default(), moment, &mut random).unwrap();
        shares[usize::from(picked.address.port()) - 1] += 1;
    }
    shares
}

#[test]
fn of_two_endpoints_the_less_busy_is_picked() {
    let endpoints = endpoints(2);
    let _busy = endpoints[0].board();
    assert_eq!(shares(&endpoints, MOMENT), [0, 1_000]);
}

#[test]
fn every_endpoint_is_tried_once() {
    let endpoints = endpoints(5);
    let mut tried = Tried::default();
    for _ in 0..5 {
        tried.add(pick(&endpoints, &tried, MOMENT).unwrap().address);
    }
    assert!(pick(&endpoints, &tried, MOMENT).is_none() && pick_out(&endpoints, &tried, 1).is_none());
    assert_eq!(tried.0.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
}

#[test]
fn an_endpoint_that_is_out_is_picked_only_when_all_are() {
    let endpoints = endpoints(3);
    endpoints[0].ejection.eject(MOMENT.now);
    endpoints[1].ejection.eject(MOMENT.now);
    assert_eq!(shares(&endpoints, MOMENT), [0, 0, 1_000]);
    endpoints[2].ejection.eject(MOMENT.now);
    assert!(pick(&endpoints, &Tried::default(), MOMENT).is_none());
    assert!(pick_out(&endpoints, &Tried::default(), MOMENT.now).is_some());
    assert!(pick_out(&[], &Tried::default(), MOMENT.now).is_none());
}

#[test]
fn endpoints_that_are_alike_get_alike() {
    for share in shares(&endpoints(5), MOMENT) {
        assert!((150..250).contains(&share), "{share} of 1000 for each of 5");
    }
}

#[test]
fn one_that_joins_begins_with_a_small_share() {
    let endpoints = endpoints(4);
    endpoints[0].ramp.begin(MOMENT.now);
    let share = shares(&endpoints, MOMENT)[0];
    assert!((5..70).contains(&share), "{share} of 1000 at first");
    let share = shares(&endpoints, Moment { now: MOMENT.now + 5_000, ..MOMENT })[0];
    assert!((80..200).contains(&share), "{share} of 1000 half way");
    let share = shares(&endpoints, Moment { now: MOMENT.now + 10_000, ..MOMENT })[0];
    assert!((200..300).contains(&share), "{share} of 1000 at last");
}

#[test]
fn one_that_is_warm_carries_most_when_two_join() {
    let endpoints = endpoints(3);
    endpoints[1..].iter().for_each(|endpoint| endpoint.ramp.begin(MOMENT.now));
    let shares = shares(&endpoints, MOMENT);
    assert!(shares[0] > 750 && shares[1] > 10 && shares[2] > 10, "{shares:?}");
}

#[test]
fn where_all_are_new_all_weigh_the_same() {
    let endpoints = endpoints(4);
    endpoints.iter().for_each(|endpoint| endpoint.ramp.begin(MOMENT.now));
    for share in shares(&endpoints, MOMENT) {
        assert!((200..300).contains(&share), "{share} of 1000 for each of 4");
    }
}
