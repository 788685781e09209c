//! Visitors who keep coming, as fast as they are answered, each time on a new connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Visitors at a time.
const VISITORS: usize = 16;

/// Visitors of the app `blog`, every one of whom expects to be answered.
pub(crate) struct Crowd {
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    visitors: JoinSet<Result<(), String>>,
}

impl Crowd {
    /// Comes to the first of `routers` that answers: with one, nobody ever tries again.
    pub(crate) fn start(routers: &[SocketAddr]) -> Self {
        let (answered, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut visitors = JoinSet::new();
        for _ in 0..VISITORS {
            let (answered, is_over, routers) =
                (Arc::clone(&answered), Arc::clone(&is_over), routers.to_vec());
            visitors.spawn(async move {
                while !is_over.load(SeqCst) {
                    visit_any(&routers).await.map_err(|error| error.to_string())?;
                    answered.fetch_add(1, SeqCst);
                }
                Ok(())
            });
        }
        Self { answered, is_over, visitors }
    }

    /// Waits until that many more have been answered, or one of them has not.
    pub(crate) async fn come(&mut self, more: usize) {
        let target = self.answered.load(SeqCst) + more;
        let answered = Arc::clone(&self.answered);
        tokio::select! {
            () = super::until(move || answered.load(SeqCst) >= target) => {}
            Some(ended) = self.visitors.join_next() => ended.expect("visitors do not panic").expect("every request is answered"),
        }
    }

    /// Lets nobody come any more; how many have been answered.
    pub(crate) async fn end(mut self) -> usize {
        self.is_over.store(true, SeqCst);
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("visitors do not panic").expect("every request is answered");
        }
        self.answered.load(SeqCst)
    }
}

async fn visit_any(routers: &[SocketAddr]) -> io::Result<()> {
    let mut outcome = Err(io::ErrorKind::NotFound.into());
    for router in routers {
        outcome = visit(*router).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn visit(router: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(router).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    match answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"blog") {
        true => Ok(()),
        false => Err(io::Error::other(format!("answered {:?}", answer.escape_ascii().to_string()))),
    }
}
