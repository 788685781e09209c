//! How reading behaves with many apps. Prints what it measured; run alone with `--run-ignored all --no-capture`.

use std::time::{Duration, Instant};

use deis_model::{AppId, ConfigChange};

use super::platform::Platform;

const APPS: usize = 1000;
const RELEASES: usize = 10;
const READS: usize = 5000;

#[tokio::test]
#[ignore = "takes long, and its figures mean nothing on a busy machine"]
async fn reads_stay_quick_with_many_apps() {
    let platform = Platform::start().await;
    for number in 0..APPS {
        let id = AppId::parse(&format!("app-{number}")).unwrap();
        platform.database.create_app(&id, "bob", &format!("{id}.example.com")).await.unwrap();
        for _ in 1..RELEASES {
            platform.database.release_config(&id, "bob", &ConfigChange::default()).await.unwrap();
        }
    }
    for path in ["", "config/", "releases/", "releases/v5/", "domains/"] {
        let mut taken = Vec::with_capacity(READS);
        for number in 0..READS {
            let started = Instant::now();
            platform.check("bob", &format!("GET /v1/apps/app-{}/{path}", number % APPS), "", 200, "…").await;
            taken.push(started.elapsed());
        }
        taken.sort();
        println!("{path:14} median {:?} p99 {:?}", taken[READS / 2], taken[READS * 99 / 100]);
        // The median, since the slowest are those that waited for other programs.
        assert!(taken[READS / 2] < Duration::from_millis(5), "{path}");
    }
}
