//! The table of one case: a row for each router, medians of the rounds.

use super::load::Seen;
use super::proxy::Kind;

/// Every router is compared with this one: its place in [`Kind::ALL`].
const MEASURE: usize = 1;

/// What one round showed of one router.
pub(super) struct Round {
    /// Seconds of processor time for 100,000 requests.
    pub(super) used_per_100_000: f64,
    /// Megabytes, resident, after the round; of all its processes, so that what they share counts for each.
    pub(super) memory: f64,
    /// What visitors saw.
    pub(super) seen: Seen,
}

/// The rounds of one case.
pub(super) struct Report {
    name: &'static str,
    rounds: Vec<[Round; Kind::ALL.len()]>,
}

impl Report {
    /// Of no round yet.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, rounds: Vec::new() }
    }

    /// Adds a round of all routers.
    pub(super) fn add(&mut self, round: [Round; Kind::ALL.len()]) {
        self.rounds.push(round);
    }

    /// Prints the table.
    pub(super) fn print(&self) {
        println!("\n{}, {} rounds:\n", self.name, self.rounds.len());
        println!(
            "| router | CPU-s per 100,000 | to nginx | range | requests/s | p50 ms | p99 ms | MB | failed |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            self.print_row(place, kind);
        }
    }

    fn print_row(&self, place: usize, kind: Kind) {
        let all = |figure: fn(&Round) -> f64| sorted(self.rounds.iter().map(|round| figure(&round[place])));
        let ratio = |round: &[Round; 4]| round[place].used_per_100_000 / round[MEASURE].used_per_100_000;
        let ratios = sorted(self.rounds.iter().map(ratio));
        let (least, most) = (ratios.first().copied(), ratios.last().copied());
        println!(
            "| {} | {:.2} | {:.2} | {:.2}–{:.2} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} |",
            kind.name(),
            median(&all(|round| round.used_per_100_000)),
            median(&ratios),
            least.unwrap_or(f64::NAN),
            most.unwrap_or(f64::NAN),
            median(&all(|round| round.seen.rate)),
            median(&all(|round| round.seen.p50)),
            median(&all(|round| round.seen.p99)),
            median(&all(|round| round.memory)),
            self.rounds.iter().map(|round| round[place].seen.failed).sum::<f64>(),
        );
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
