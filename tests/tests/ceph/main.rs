//! The store on a real Ceph cluster: what every store must do, registries that share it, and what is left when a part
//! of the cluster dies.

#![cfg(test)]

mod conformance;
mod docker;
mod load;
mod registry;

use deis_registry::Limits;
use deis_store::open;
use deis_tests::{Ceph, has_engine, has_store_servers, has_time};
use futures::TryStreamExt;
use load::Load;
use registry::{Registry, digest, noise};
use reqwest::{Method, StatusCode};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long the status board may take to tell.
const TIMEOUT: Duration = Duration::from_secs(120);

/// One cluster for everything: it takes half a minute to start.
#[test]
fn blobs_are_kept_by_ceph() {
    if !has_store_servers() || !has_time() {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut ceph = timed("start", Ceph::start);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    timed("conformance", || runtime.block_on(conformance::run_every_case(&ceph)));
    let store = || runtime.block_on(open(&ceph.url("registry"))).unwrap();
    let stores = [store(), store()];
    let [first, second] =
        stores.each_ref().map(|store| runtime.block_on(Registry::start(store.clone(), Limits::default())));
    timed("an upload at two registries", || {
        runtime.block_on(an_upload_goes_on_at_another_registry(&first, &second))
    });
    timed("garbage", || runtime.block_on(what_no_repository_has_leaves_the_cluster(&ceph)));
    if has_engine() {
        timed("docker", || docker::push_and_pull(&first, &second));
    }
    timed("store away", || a_store_that_is_away_is_told_and_comes_back(&mut ceph, &runtime, &first));
    timed("a daemon killed", || a_killed_daemon_loses_nothing(&mut ceph, &runtime, &first, &second));
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    eprintln!("{what}: {:?}", begun.elapsed());
    done
}

async fn an_upload_goes_on_at_another_registry(first: &Registry, second: &Registry) {
    let (content, [first, second]) = (noise(1, 11 << 20), [first.client(), second.client()]);
    let upload = first.begin("shared").await.unwrap();
    first.append(&upload, &content[..1 << 20]).await.unwrap();
    second.append(&upload, &content[1 << 20..10 << 20]).await.unwrap();
    first.append(&upload, &content[10 << 20..]).await.unwrap();
    second.finish(&upload, &content).await.unwrap();
    let read = first.get(&format!("/v2/shared/blobs/{}", digest(&content))).await.bytes().await.unwrap();
    assert!(read == content);
}

async fn what_no_repository_has_leaves_the_cluster(ceph: &Ceph) {
    let store = open(&ceph.url("garbage")).await.unwrap();
    let limits = Limits { garbage_grace: Duration::ZERO, ..Limits::default() };
    let registry = Registry::start(store.clone(), limits).await;
    let client = registry.client();
    client.push_image("app", "v1", b"old").await.unwrap();
    client.push_image("app", "v2", b"new").await.unwrap();
    for _ in 0..2 {
        client.collect("app", &["v2"]).await.unwrap();
    }
    client.check_image("app", "v2", b"new").await.unwrap();
    for _ in 0..2 {
        client.collect("app", &[]).await.unwrap();
    }
    let left: Vec<_> = store.list("", None).try_collect().await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

fn a_store_that_is_away_is_told_and_comes_back(ceph: &mut Ceph, runtime: &Runtime, registry: &Registry) {
    let client = registry.client();
    let content = noise(2, 100_000);
    let upload = runtime.block_on(async {
        let upload = client.begin("away").await.unwrap();
        client.append(&upload, &content[..50_000]).await.unwrap();
        upload
    });
    ceph.kill_gateway();
    runtime.block_on(async {
        let refused = client.request(Method::HEAD, &format!("/v2/away/blobs/{}", digest(&content)));
        assert_eq!(refused.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        let refused = client.get("/v2/away/manifests/v1").await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        let said = refused.text().await.unwrap();
        assert!(said.contains(&ceph.endpoint()) && !said.contains("test-only"), "{said}");
        client.append(&upload, &content[50_000..]).await.unwrap_err();
        wait_for_board(registry, |causes| causes.iter().any(|cause| cause.contains(&ceph.endpoint()))).await;
    });
    ceph.start_gateway();
    runtime.block_on(async {
        wait_for_board(registry, <[String]>::is_empty).await;
        client.append(&upload, &content[50_000..]).await.unwrap();
        client.finish(&upload, &content).await.unwrap();
    });
}

/// Waits until the causes of trouble on the status board are as wanted.
async fn wait_for_board(registry: &Registry, wanted: impl Fn(&[String]) -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let causes: Vec<_> =
            registry.status.snapshot().problems.into_iter().map(|problem| problem.cause).collect();
        if wanted(&causes) {
            return;
        }
        assert!(Instant::now() < deadline, "{causes:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn a_killed_daemon_loses_nothing(ceph: &mut Ceph, runtime: &Runtime, first: &Registry, second: &Registry) {
    let _context = runtime.enter();
    let load = Load::start([first.client(), second.client()]);
    load.wait_for(10);
    ceph.kill_osd(1);
    ceph.wait_until_up(2);
    load.wait_for(10);
    ceph.start_osd(1);
    load.wait_for(10);
    let images = runtime.block_on(load.end());
    eprintln!("{} images were acknowledged", images.len());
    timed("healing", || ceph.wait_until_healed());
    runtime.block_on(load::check(&second.client(), &images));
}
