//! Visitors who keep coming, as fast as they are answered: on new connections and kept ones, some with bodies.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::Broken;
use super::{Answer, Client};

/// Visitors at a time.
const VISITORS: usize = 18;

/// Visitors of the app `blog`, every one of whom expects to be answered.
pub(crate) struct Crowd {
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    death: Arc<Death>,
    visitors: JoinSet<Result<(), String>>,
}

/// How many requests were answered; and how many were not, as they were under way to a router when it was killed.
pub(crate) struct Attendance {
    pub(crate) answered: usize,
    pub(crate) lost: usize,
}

impl Crowd {
    /// Comes to the first of `routers` that accepts a connection. Nothing that was sent is sent again.
    pub(crate) fn start(routers: &[SocketAddr]) -> Self {
        let (answered, is_over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (death, mut visitors) = (Arc::<Death>::default(), JoinSet::new());
        for number in 0..VISITORS {
            let (answered, is_over, death) =
                (Arc::clone(&answered), Arc::clone(&is_over), Arc::clone(&death));
            let mut visitor = Visitor { routers: routers.to_vec(), manner: number % 3, kept: None };
            visitors.spawn(async move {
                while !is_over.load(SeqCst) {
                    let stage = death.stage.load(SeqCst);
                    match visitor.come().await {
                        Ok(()) => answered.fetch_add(1, SeqCst),
                        Err(failure) if death.excuses(failure.router, stage) => {
                            death.lost.fetch_add(1, SeqCst)
                        }
                        Err(failure) => return Err(format!("{failure:?}")),
                    };
                }
                Ok(())
            });
        }
        Self { answered, is_over, death, visitors }
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

    /// Kills `router` by `kill`, after which it is dead: what is under way to it meanwhile may be lost, and nothing else.
    pub(crate) fn kill(&self, router: SocketAddr, kill: impl FnOnce()) {
        *self.death.router.lock().expect("nobody panics with it") = Some(router);
        self.death.stage.fetch_add(1, SeqCst);
        kill();
        self.death.stage.fetch_add(1, SeqCst);
    }

    /// Lets nobody come any more.
    pub(crate) async fn end(mut self) -> Attendance {
        self.is_over.store(true, SeqCst);
        while let Some(ended) = self.visitors.join_next().await {
            ended.expect("visitors do not panic").expect("every request is answered");
        }
        Attendance { answered: self.answered.load(SeqCst), lost: self.death.lost.load(SeqCst) }
    }
}

/// A router that is killed.
#[derive(Default)]
struct Death {
    router: Mutex<Option<SocketAddr>>,
    /// Odd while it dies.
    stage: AtomicUsize,
    lost: AtomicUsize,
}

impl Death {
    /// Whether a request to `router` that began at `stage` was under way when that died.
    fn excuses(&self, router: Option<SocketAddr>, stage: usize) -> bool {
        let was_under_way = !stage.is_multiple_of(2) || stage != self.stage.load(SeqCst);
        was_under_way && router.is_some() && router == *self.router.lock().expect("nobody panics with it")
    }
}

/// One who keeps coming.
struct Visitor {
    routers: Vec<SocketAddr>,
    /// 0: asks on a new connection each time; 1: the same, with a body; 2: keeps its connection.
    manner: usize,
    kept: Option<(SocketAddr, Client)>,
}

/// A request without the answer that it should have.
#[derive(Debug)]
struct Failure {
    /// Where it was sent; none if nobody took the connection.
    router: Option<SocketAddr>,
    instead: Option<Result<Answer, Broken>>,
}

impl Visitor {
    async fn come(&mut self) -> Result<(), Failure> {
        if let Some((router, client)) = self.kept.take() {
            match self.ask(router, client).await {
                // It was closed while nothing was under way, and is no loss.
                Err(Failure { instead: Some(Err(Broken::Before)), .. }) => {}
                outcome => return outcome,
            }
        }
        for router in self.routers.clone() {
            if let Ok(stream) = TcpStream::connect(router).await {
                return self.ask(router, Client::over(stream)).await;
            }
        }
        Err(Failure { router: None, instead: None })
    }

    async fn ask(&mut self, router: SocketAddr, mut client: Client) -> Result<(), Failure> {
        let (request, expected) = match self.manner {
            0 => ("GET / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n", "blog"),
            1 => ("POST /sink HTTP/1.1\r\nHost: blog.example.com\r\nContent-Length: 5\r\n\r\nhello", "5"),
            _ => ("GET / HTTP/1.1\r\nHost: blog.example.com\r\n\r\n", "blog"),
        };
        match client.try_ask(request).await {
            Ok(answer) if answer.status == 200 && answer.text() == expected => {
                let is_kept = self.manner == 2 && answer.header("connection") != Some("close");
                self.kept = is_kept.then_some((router, client));
                Ok(())
            }
            instead => Err(Failure { router: Some(router), instead: Some(instead) }),
        }
    }
}
