//! The store on a real Ceph cluster: what every store must do, and what is left when a part of the cluster dies.

#![cfg(test)]

#[path = "../../crates/store/tests/conformance/cases.rs"]
mod cases;

use cases::with_cases;
use deis_store::open;
use deis_tests::{Ceph, has_store_servers};
use std::time::Instant;

/// Runs every case in a place of its own.
macro_rules! every_case {
    ($($case:ident)*) => {
        async fn run_every_case(ceph: &Ceph) {
            $(
                let begun = Instant::now();
                cases::$case(open(&ceph.url(stringify!($case))).await.unwrap()).await;
                eprintln!("{}: {:?}", stringify!($case), begun.elapsed());
            )*
        }
    };
}

with_cases!(every_case);

/// One cluster for everything: it takes half a minute to start.
#[test]
fn blobs_are_kept_by_ceph() {
    if !has_store_servers() {
        return;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let begun = Instant::now();
    let ceph = Ceph::start();
    eprintln!("started in {:?}", begun.elapsed());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let begun = Instant::now();
    runtime.block_on(run_every_case(&ceph));
    eprintln!("conformance in {:?}", begun.elapsed());
}
