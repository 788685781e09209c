//! Benchmarks of a whole platform on one machine: `script/bench` runs them and prints a table for `README.md`.
//!
//! Each figure is the median of several rounds with its range.

mod crash;
mod engine;
mod idle;
mod push;
mod scale;
mod series;

use deis_tests::{Platform, Site};

fn main() {
    if !deis_tests::has_engine() {
        std::process::exit(2);
    }
    let mut platform = Platform::start();
    let user = platform.user("bench");
    println!("| what | median | range | rounds |");
    println!("|---|---|---|---|");
    let app = push::measure(&platform, &user);
    scale::measure(&platform, &user, &app);
    idle::measure(&platform);
    crash::measure(&mut platform);
}
