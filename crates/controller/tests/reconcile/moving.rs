//! Containers that are misplaced move, without a gap and one at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use deis_model::ContainerStatus;
use deis_scheduler::Cluster;

use crate::bench::{Bench, full_report, ready};

impl Bench {
    fn cluster(&self) -> &Arc<dyn Cluster> {
        self.engine.cluster.as_ref().unwrap()
    }

    /// Two hosts in one cluster.
    async fn join(&self) {
        self.cluster().init(Ipv4Addr::new(10, 0, 0, 1).into()).await.unwrap();
        let ticket = self.cluster().ticket(true).await.unwrap();
        self.other.cluster.as_ref().unwrap().join(&ticket, Ipv4Addr::new(10, 0, 0, 2).into()).await.unwrap();
    }

    /// Has the second host take no work, or take it again.
    async fn drain(&self, drained: bool) {
        self.cluster().drain("two", drained).await.unwrap();
    }

    /// Where each container is.
    async fn places(&self) -> BTreeMap<String, String> {
        let placed = self.cluster().placements().await.unwrap();
        let containers = self.engine.scheduler.observe(Some(&self.app)).await.unwrap();
        containers.iter().map(|found| (found.name.short(), placed[&found.id].clone())).collect()
    }

    /// Waits until two containers are left, on different hosts.
    async fn spreads(&self) {
        for _ in 0..6000 {
            let placed = self.places().await;
            let hosts: BTreeSet<_> = placed.values().collect();
            if placed.keys().eq(["web.1", "web.2"]) && hosts.len() == 2 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the containers stay at {:?}", self.places().await);
    }

    /// The fewest containers that routers are told of from now on.
    fn fewest_routed(&self) -> Arc<AtomicUsize> {
        let fewest = Arc::new(AtomicUsize::new(usize::MAX));
        let (noted, book) = (Arc::clone(&fewest), Arc::clone(&self.book));
        let mut changes = book.subscribe();
        tokio::spawn(async move {
            while changes.changed().await.is_ok() {
                noted.fetch_min(crate::bench::routed(&book).len(), Ordering::SeqCst);
            }
        });
        fewest
    }
}

#[tokio::test]
async fn a_container_moves_when_a_host_comes_back_and_visitors_do_not_notice() {
    let bench = Bench::start().await;
    bench.join().await;
    bench.drain(true).await;
    bench.push("good").await.unwrap();
    bench.scale(2).await.unwrap();
    assert!(bench.places().await.values().all(|host| host == "one"));
    let fewest = bench.fewest_routed();
    bench.drain(false).await;
    bench.spreads().await;
    bench.routes(&["blog_v2.web.1", "blog_v2.web.2"]).await;
    assert!(fewest.load(Ordering::SeqCst) >= 2, "less was routed than is wanted");
}

#[tokio::test]
async fn nothing_moves_while_not_all_are_ready() {
    let bench = Bench::quiet(Duration::from_secs(20)).await;
    bench.join().await;
    bench.drain(true).await;
    let version = bench.release("good").await;
    bench.database.mark_deployed(&bench.app, version).await.unwrap();
    bench.database.scale(&bench.app, &[(deis_model::ProcessType::web(), 2)].into()).await.unwrap();
    bench.start_container().await;
    let mut well = ready(&bench.engine).await;
    well.truncate(1);
    bench.reports.take("here", full_report(well), Instant::now());
    bench.reconcile();
    bench.opens().await;
    let id = |found: ContainerStatus| found.id;
    let ids = async || -> Vec<String> {
        let containers = bench.engine.scheduler.observe(Some(&bench.app)).await.unwrap();
        containers.into_iter().map(id).collect()
    };
    let before = ids().await;
    bench.drain(false).await;
    let looks = bench.looks.load(Ordering::SeqCst);
    bench.until("a few passes", || bench.looks.load(Ordering::SeqCst) > looks + 3).await;
    assert_eq!(ids().await, before);
    bench.report();
    bench.spreads().await;
}
