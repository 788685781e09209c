//! Visitors who come all the while, a hundred a second, to apps that nothing happens to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::processes::Routers;
use super::size::{Size, app};
use super::visitor::Visitor;
use crate::series::Series;

/// How many come at a time, each in turn to every router.
const CROWD: u32 = 4;
/// How often each comes: together a hundred times a second.
const INTERVAL: Duration = Duration::from_millis(10 * CROWD as u64);

/// Visitors at work.
pub(super) struct Bystanders {
    ended: Arc<AtomicBool>,
    crowd: Vec<JoinHandle<Vec<f64>>>,
}

impl Bystanders {
    /// Lets them come.
    pub(super) fn start(routers: &Routers, size: Size) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let visit = |number| {
            let (ended, routers) = (Arc::clone(&ended), routers.addresses());
            std::thread::spawn(move || visit(&routers, size, number, &ended))
        };
        let crowd = (0..CROWD as usize).map(visit).collect();
        Self { ended, crowd }
    }

    /// Sends them away and prints how long they waited for answers, every one of which must have been good.
    pub(super) fn end(self) {
        self.ended.store(true, Relaxed);
        let mut waited = Series::new("those requests meanwhile: from sending to answer, none failed", "ms");
        for visitor in self.crowd {
            waited.extend(visitor.join().expect("every request is answered well"));
        }
        waited.print_tail();
    }
}

/// Visits apps from the last one on, which are not changed; how long each answer took.
fn visit(routers: &[SocketAddr], size: Size, number: usize, ended: &AtomicBool) -> Vec<f64> {
    let mut visitors: Vec<Visitor> = routers.iter().copied().map(Visitor::new).collect();
    let mut taken = Vec::new();
    let mut next = Instant::now();
    while !ended.load(Relaxed) {
        let turn = taken.len();
        let host = format!("{}.localhost", app(size.apps() - 1 - (turn * 7 + number) % (size.apps() / 2)));
        let begun = Instant::now();
        let answered = visitors[turn % routers.len()].ask(&host).expect("the router answers");
        assert_eq!(answered, 200, "{host}");
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        next += INTERVAL;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    taken
}
