//! Half a minute of traffic in virtual time: what visitors get where one endpoint is unlike the others.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;
use crate::endpoint::Flight;

/// How many requests an endpoint works on at a time; more wait there.
const WORKERS: usize = 8;

/// Requests in one run.
const REQUESTS: u32 = 40_000;

/// How endpoints are chosen between.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// As the router does.
    LeastRequest,
    /// By a moving average of answer times that follows a rise at once and a fall slowly, times what is under way.
    PeakEwma,
}

/// What the first of the endpoints is like; the others take ten milliseconds.
#[derive(Clone, Copy, Debug)]
enum First {
    Alike,
    /// Takes ten times as long.
    Slow,
    /// Fails in a millisecond.
    Failing,
    /// As the others, but one request in a thousand to any of them is answered after five seconds, as those are that
    /// wait for news.
    Polled,
}

struct Run {
    /// How long the request took that took longer than 99 of 100, and the mean, in microseconds.
    p99: u64,
    mean: u64,
    /// Of 1,000 requests those that the first endpoint got.
    first: u32,
}

struct Node {
    endpoint: Arc<Endpoint>,
    flights: VecDeque<(u64, u64, Option<Flight>)>,
    busy: usize,
    average: u64,
    noted: u64,
}

/// Events: when, their number to keep the order, whose answer (none: a request comes).
type Event = Reverse<(u64, u32, Option<usize>, u64)>;

struct Simulation {
    way: Way,
    first: First,
    random: StdRng,
    nodes: Vec<Node>,
    events: BinaryHeap<Event>,
    count: u32,
    times: Vec<u64>,
    to_first: u32,
}

impl Simulation {
    fn run(way: Way, first: First) -> Run {
        let node = |endpoint| Node { endpoint, flights: VecDeque::new(), busy: 0, average: 0, noted: 0 };
        let mut simulation = Self {
            way,
            first,
            random: StdRng::seed_from_u64(1),
            nodes: endpoints(5).into_iter().map(node).collect(),
            events: BinaryHeap::from([Reverse((1_000, 0, None, 0))]),
            count: 0,
            times: Vec::new(),
            to_first: 0,
        };
        while let Some(Reverse((now, _, whose, began))) = simulation.events.pop() {
            match whose {
                None => simulation.arrive(now),
                Some(node) => simulation.leave(now, node, began),
            }
        }
        simulation.times.sort_unstable();
        let (times, count) = (&simulation.times, simulation.times.len());
        Run {
            p99: times[count * 99 / 100],
            mean: times.iter().sum::<u64>() / u64::try_from(count).unwrap(),
            first: simulation.to_first / (REQUESTS / 1_000),
        }
    }

    fn plan(&mut self, at: u64, whose: Option<usize>, began: u64) {
        self.events.push(Reverse((at, self.events.len().try_into().unwrap(), whose, began)));
    }

    /// A request every half of a millisecond on average: the five could do four a millisecond.
    fn arrive(&mut self, now: u64) {
        self.count += 1;
        if self.count < REQUESTS {
            let gap = self.random.random_range(0..1_000);
            self.plan(now + gap, None, 0);
        }
        let chosen = self.choose(now);
        self.to_first += u32::from(chosen == 0);
        let work = self.work(chosen);
        let flight = self.nodes[chosen].endpoint.board();
        self.nodes[chosen].flights.push_back((now, work, flight));
        self.start(now, chosen);
    }

    fn work(&mut self, node: usize) -> u64 {
        // One in a hundred is heavy.
        let heavy = match self.first {
            First::Polled if self.random.random_range(0..1_000) == 0 => 500,
            First::Polled => 1,
            _ if self.random.random_range(0..100) == 0 => 20,
            _ => 1,
        };
        let work = self.random.random_range(5_000..15_000) * heavy;
        match self.first {
            First::Slow if node == 0 => work * 10,
            First::Failing if node == 0 => 1_000,
            _ => work,
        }
    }

    fn start(&mut self, now: u64, whose: usize) {
        let node = &mut self.nodes[whose];
        if node.busy < WORKERS && node.busy < node.flights.len() {
            let (began, work, _) = node.flights[node.busy];
            node.busy += 1;
            self.plan(now + work, Some(whose), began);
        }
    }

    fn leave(&mut self, now: u64, whose: usize, began: u64) {
        let failed = whose == 0 && matches!(self.first, First::Failing);
        let node = &mut self.nodes[whose];
        node.endpoint.failures.note(failed, now / 1_000);
        if !failed {
            node.note(now, now - began);
        }
        let place = node.flights.iter().position(|flight| flight.0 == began).unwrap();
        node.flights.remove(place);
        node.busy -= 1;
        if !failed {
            self.times.push(now - began);
        }
        self.start(now, whose);
    }

    fn choose(&mut self, now: u64) -> usize {
        let endpoints: Vec<_> = self.nodes.iter().map(|node| Arc::clone(&node.endpoint)).collect();
        let chosen = match self.way {
            Way::LeastRequest => {
                let moment = Moment { now: now / 1_000, slow_start: 10_000 };
                pick_with(&endpoints, &Tried::default(), moment, &mut self.random).unwrap()
            }
            Way::PeakEwma => two(&endpoints, &mut self.random)
                .into_iter()
                .min_by_key(|endpoint| {
                    self.nodes[index(endpoint)].average(now).max(1) * cost(endpoint, now / 1_000)
                })
                .unwrap(),
        };
        index(chosen)
    }
}

impl Node {
    /// The average after an answer that took `time`: a rise counts at once, a fall is followed slowly.
    fn note(&mut self, now: u64, time: u64) {
        let average = self.average(now);
        self.noted = now;
        self.average = time.max(average - average.saturating_sub(time) / 8);
    }

    /// It is forgotten by half in five seconds, so that one who gets no requests is tried again.
    fn average(&self, now: u64) -> u64 {
        self.average >> ((now - self.noted) / 5_000_000).min(63)
    }
}

fn index(endpoint: &Endpoint) -> usize {
    usize::from(endpoint.address.port()) - 1
}

#[test]
fn measuring_times_helps_little_where_one_is_slow_and_harms_where_some_answers_are_meant_to_be_late() {
    let run = |first| {
        let runs = (Simulation::run(Way::LeastRequest, first), Simulation::run(Way::PeakEwma, first));
        for (way, run) in [("least request", &runs.0), ("peak EWMA", &runs.1)] {
            let Run { p99, mean, first: share } = run;
            println!("{first:?}, {way}: mean {mean} µs, p99 {p99} µs, {share} ‰ to the first");
        }
        (runs.0.p99, runs.1.p99)
    };
    for first in [First::Alike, First::Slow, First::Failing] {
        let (ours, other) = run(first);
        assert!(ours <= other + other / 8, "{first:?}");
    }
    let (ours, other) = run(First::Polled);
    assert!(2 * ours < other);
}

#[test]
fn a_slow_endpoint_gets_less_and_one_that_fails_fast_nearly_nothing() {
    let alike = Simulation::run(Way::LeastRequest, First::Alike);
    assert!((180..220).contains(&alike.first), "{} ‰ where all are alike", alike.first);
    let slow = Simulation::run(Way::LeastRequest, First::Slow);
    assert!(slow.first < 80, "{} ‰ to the slow one", slow.first);
    let failing = Simulation::run(Way::LeastRequest, First::Failing);
    assert!(failing.first < 30, "{} ‰ to the failing one", failing.first);
}
