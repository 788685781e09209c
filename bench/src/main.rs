//! Benchmarks: `script/bench` runs them and prints a table for `README.md`.
//!
//! Each figure is the median of several rounds with its range.

mod crash;
mod engine;
mod idle;
mod process;
mod push;
mod router;
mod scale;
mod series;
mod simulation;

use deis_tests::{Platform, Site};

/// How often each router is measured.
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // With more than one provider compiled in, rustls would refuse to choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match arguments[..] {
        [] => one_machine(),
        ["simulation"] => simulation::measure(simulation::Size::FULL),
        ["simulation", hosts] => simulation::measure(simulation::Size::parse(hosts)),
        ["simulated-controller", directory, address] => simulation::lead(directory, address),
        ["router"] => router::measure(ROUNDS, ""),
        ["router", case] => router::measure(ROUNDS, case),
        ["router-upstream", address] => router::serve_upstream(address),
        _ => {
            eprintln!("usage: deis-bench [simulation [HOSTS] | router [CASE]]");
            std::process::exit(2);
        }
    }
}

fn one_machine() {
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
