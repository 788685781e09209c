//! What every store must do: the cases that all adapters are held to.

#[path = "../../../crates/store/tests/conformance/cases.rs"]
mod cases;

use cases::with_cases;
use deis_store::open;
use deis_tests::Ceph;

/// Runs every case in a place of its own.
macro_rules! every_case {
    ($($case:ident)*) => {
        pub(crate) async fn run_every_case(ceph: &Ceph) {
            $(
                eprintln!("{}", stringify!($case));
                cases::$case(open(&ceph.url(stringify!($case))).await.unwrap()).await;
            )*
        }
    };
}

with_cases!(every_case);
