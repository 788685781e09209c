//! From `git push` to the first answer of the new release.

use std::time::{Duration, Instant};

use deis_tests::{Platform, Repository, Site, User};

use crate::engine;
use crate::series::Series;

/// How often each kind of push is measured.
const ROUNDS: usize = 7;

/// Pushes the Flask example with a line changed, and says what of the time is the platform's own.
pub(crate) fn measure(platform: &Platform, user: &User) -> Repository {
    let app = user.create_app("bench", "python-flask");
    let begun = Instant::now();
    app.push().succeeded();
    let mut first = Series::new("first push of the Flask example, to success", "s");
    first.add(begun.elapsed().as_secs_f64());
    first.print();
    let mut whole = Series::new("push with one line changed, to the first answer of the new release", "s");
    let mut build =
        Series::new("of it: a container of the stack with the source copied in, made into an image", "s");
    let mut start = Series::new(
        "of it: the release's image started with the engine's own client, to its first answer",
        "s",
    );
    for round in 0..ROUNDS {
        let marker = format!("round {round}");
        app.write("round.txt", &marker);
        app.commit(&marker);
        whole.add(push(platform, &app, round));
        let image = format!("{}/bench:git-{}", platform.registry(), short_sha(&app));
        start.add(engine::start_to_first_answer(&image));
        build.add(engine::build_time(&app));
    }
    let own = whole.median() - build.median() - start.median();
    whole.print();
    build.print();
    start.print();
    println!("| push to first answer less the app's own build and start | {own:.2} s | | {ROUNDS} |");
    app
}

/// Seconds until the router answers from the release that this push makes: the first push made v2.
fn push(platform: &Platform, app: &Repository, round: usize) -> f64 {
    let release = format!("_v{}.", round + 3);
    let begun = Instant::now();
    let pushing = app.push_command().output().expect("git runs");
    assert!(pushing.status.success(), "{}", String::from_utf8_lossy(&pushing.stderr));
    platform.answers("bench", "Powered by");
    let taken = begun.elapsed().as_secs_f64();
    platform.eventually("only the new release is left", Duration::from_secs(60), |platform| {
        platform.containers().iter().all(|name| name.contains(&release))
    });
    taken
}

fn short_sha(app: &Repository) -> String {
    app.git(&["rev-parse", "--short=8", "HEAD"]).succeeded().stdout.trim().to_owned()
}
