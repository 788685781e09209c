//! Scaling, beside the engine's own client starting as many containers.

use std::time::{Duration, Instant};

use deis_tests::{Platform, Repository, Site, User};

use crate::engine;
use crate::series::Series;

/// How often scaling is measured.
const ROUNDS: usize = 5;
/// Containers after scaling; before, there is one.
const WIDE: usize = 20;

/// Scales `web=1` to `web=20` and back, and starts 19 bare containers with the engine's client in between.
pub(crate) fn measure(platform: &Platform, user: &User, app: &Repository) {
    let mut ours = Series::new(format!("scale web=1 to web={WIDE}, all ready and routed"), "s");
    let mut bare =
        Series::new(format!("{} containers of the same image with the engine's own client", WIDE - 1), "s");
    let image = engine::image_of("web.1", platform);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        user.deis_in(app.path(), &["ps:scale", &format!("web={WIDE}")]).succeeded();
        ours.add(begun.elapsed().as_secs_f64());
        user.deis_in(app.path(), &["ps:scale", "web=1"]).succeeded();
        platform
            .eventually("one is left", Duration::from_secs(120), |platform| platform.containers().len() == 1);
        bare.add(engine::start_many(&image, WIDE - 1));
    }
    ours.print();
    bare.print();
    println!("| ratio | {:.2} | | {ROUNDS} |", ours.median() / bare.median());
}
