//! Handing the listening sockets over to the router that takes this one's place.
//!
//! Sockets that merely share an address each keep connections of their own, before and after they are established: who
//! closes one resets them, however soon after it has looked for more. So a router that starts asks the one that lives in
//! its state directory for the sockets themselves. Both then accept from the same ones, and nothing is lost when the
//! first one closes its share. It tells the first one when it serves: until then it may fail to start after all.

mod heir;

use std::fs;
use std::io::{self, IoSlice, Read};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg, sockopt};

pub(crate) use heir::{Inherited, Predecessor};

/// Sockets in one message; the system allows 253.
const PER_MESSAGE: usize = 128;

/// How long the other router may take with each message.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait when the system has no room for another connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(50);

/// Where a router that keeps its state in `directory` is asked for its sockets.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("sockets")
}

/// The sockets of one router, for whoever takes its place. Closed when dropped.
pub(crate) struct Estate {
    shared: Arc<Mutex<Offer>>,
    /// None if nobody can ask.
    desk: Mutex<Option<Desk>>,
}

/// What is offered, and who has taken it.
struct Offer {
    /// None once closed.
    sockets: Option<Vec<TcpListener>>,
    /// Those who have the sockets and have not told yet that they serve.
    heirs: Vec<UnixStream>,
    was_taken: bool,
}

/// Where others ask, and the thread that answers: it must answer whatever the event loops do.
struct Desk {
    path: PathBuf,
    /// The file, which a router that came later may have replaced by its own.
    inode: u64,
    listener: Arc<UnixListener>,
    thread: JoinHandle<()>,
}

impl Estate {
    /// Offers nothing yet to routers that ask at `path`. If that cannot be opened there is a warning: the router serves
    /// as well, but whoever takes its place may lose connections.
    pub(crate) fn open(path: &Path) -> Self {
        let offer = Offer { sockets: Some(Vec::new()), heirs: Vec::new(), was_taken: false };
        let shared = Arc::new(Mutex::new(offer));
        let desk = Desk::open(path, Arc::clone(&shared)).inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "failed to offer listening sockets to the router that comes next; a few connections may be lost then");
        });
        Self { shared, desk: Mutex::new(desk.ok()) }
    }

    /// Offers `socket` as well.
    pub(crate) fn add(&self, socket: &TcpListener) -> io::Result<()> {
        let socket = socket.try_clone()?;
        if let Some(sockets) = lock(&self.shared).sockets.as_mut() {
            sockets.push(socket);
        }
        Ok(())
    }

    /// Does not offer what listens on `address` any more. Only then can its owner close it.
    pub(crate) fn remove(&self, address: SocketAddr) {
        if let Some(sockets) = lock(&self.shared).sockets.as_mut() {
            sockets.retain(|socket| socket.local_addr().is_ok_and(|held| held != address));
        }
    }

    /// Whether another router has taken them and serves.
    pub(crate) fn was_taken(&self) -> bool {
        lock(&self.shared).was_taken()
    }

    /// Offers nothing any more, so that sockets close when their owners close them. Whether anybody has taken them and
    /// serves.
    pub(crate) fn close(&self) -> bool {
        lock(&self.shared).sockets = None;
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(desk) = desk {
            desk.close();
        }
        self.was_taken()
    }
}

impl Drop for Estate {
    fn drop(&mut self) {
        self.close();
    }
}

impl Offer {
    /// Gives all there is to `heir`, from whom something is heard again when it serves.
    fn give(&mut self, heir: UnixStream) -> io::Result<()> {
        if let Some(sockets) = &self.sockets {
            give(&heir, sockets)?;
            heir.set_nonblocking(true)?;
            self.hear();
            self.heirs.push(heir);
        }
        Ok(())
    }

    fn was_taken(&mut self) -> bool {
        self.hear();
        self.was_taken
    }

    /// Hears who serves by now, and forgets those as well as who has gone without.
    fn hear(&mut self) {
        self.heirs.retain_mut(|heir| match heir.read(&mut [0]) {
            Ok(read) => {
                self.was_taken |= read > 0;
                false
            }
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        });
    }
}

fn lock(shared: &Mutex<Offer>) -> MutexGuard<'_, Offer> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers whoever asks at `listener`, until closed.
fn answer(shared: &Mutex<Offer>, listener: &UnixListener) {
    loop {
        let given = listener.accept().and_then(|(asker, _)| lock(shared).give(asker));
        if lock(shared).sockets.is_none() {
            return;
        }
        if let Err(error) = given {
            tracing::warn!(%error, "failed to hand listening sockets over to another router");
            std::thread::sleep(NO_ROOM_PAUSE);
        }
    }
}

impl Desk {
    /// Takes the place of whoever was asked at `path` before.
    fn open(path: &Path, shared: Arc<Mutex<Offer>>) -> io::Result<Self> {
        let own = path.with_extension(format!("{}-{:08x}", std::process::id(), rand::random::<u32>()));
        let listener = Arc::new(UnixListener::bind(&own)?);
        let placed = fs::set_permissions(&own, fs::Permissions::from_mode(0o600))
            .and_then(|()| fs::metadata(&own))
            .and_then(|found| fs::rename(&own, path).map(|()| found.ino()));
        let inode = placed.inspect_err(|_| drop(fs::remove_file(&own)))?;
        let answering = Arc::clone(&listener);
        let thread = std::thread::Builder::new().name("router-handover".to_owned());
        let thread = thread.spawn(move || answer(&shared, &answering))?;
        Ok(Self { path: path.to_owned(), inode, listener, thread })
    }

    fn close(self) {
        if fs::metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
        // Ends the thread's wait for the next one who asks.
        let _ = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Both);
        let _ = self.thread.join();
    }
}

/// Gives `sockets` to `heir`, a few with each byte, and then the end; the other direction stays open.
fn give(heir: &UnixStream, sockets: &[TcpListener]) -> io::Result<()> {
    check_is_ours(heir)?;
    heir.set_write_timeout(Some(PATIENCE))?;
    for part in sockets.chunks(PER_MESSAGE) {
        let part: Vec<BorrowedFd<'_>> = part.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(PER_MESSAGE))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&part));
        sendmsg(heir, &[IoSlice::new(&[0])], &mut rights, SendFlags::NOSIGNAL)?;
    }
    heir.shutdown(Shutdown::Write)
}

/// Sockets come from and go to processes of this one's user only.
fn check_is_ours(peer: &UnixStream) -> io::Result<()> {
    match sockopt::socket_peercred(peer)?.uid == rustix::process::geteuid() {
        true => Ok(()),
        false => {
            Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other process belongs to another user"))
        }
    }
}

#[cfg(test)]
mod tests;
