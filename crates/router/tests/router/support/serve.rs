//! Serving an axum router so that everything ends with the task that serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Serves `router` on `listener`, counting connections. Dropping the future ends all of them.
pub(crate) async fn serve(listener: TcpListener, router: axum::Router, connections: Arc<AtomicUsize>) {
    let mut serving = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        connections.fetch_add(1, SeqCst);
        let service = TowerToHyperService::new(router.clone());
        let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
        serving.spawn(async move {
            let _ = served.await;
        });
        while serving.try_join_next().is_some() {}
    }
}
