//! How long visitors wait when everything is killed and started again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use deis_tests::Platform;

use crate::engine;
use crate::series::Series;

/// How often that is done.
const ROUNDS: usize = 5;

/// `kill -9` of all roles in one process, then the time from its new start to the first answer of the app.
pub(crate) fn measure(platform: &mut Platform) {
    let mut answered =
        Series::new("all roles killed: from the new start to the first answer of the app", "s");
    for _ in 0..ROUNDS {
        platform.kill();
        let router = platform.http;
        let waiting = std::thread::spawn(move || first_answer(router));
        platform.run();
        answered.add(waiting.join().expect("the app answers again").as_secs_f64());
    }
    answered.print();
}

fn first_answer(router: SocketAddr) -> Duration {
    let begun = Instant::now();
    while !engine::answers(router, "bench.localhost") {
        assert!(begun.elapsed() < Duration::from_secs(60), "the app does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}
