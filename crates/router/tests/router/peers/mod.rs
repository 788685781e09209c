//! Other people's proxies: whatever this router passes on, nginx and HAProxy take for the same requests, as it came and
//! as it goes on. So nobody hides a request from one of them in a request to another.
//!
//! What they let through and this router does not is no matter; what they refuse and this router passes is listed.

mod downgrade;
mod peer;
mod recorder;

use std::fmt::Debug;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{conformance, framing};
use crate::support::{PATIENCE, Scene};
use peer::Peer;
use recorder::{Reading, Recorded, Recorder, Taken};

/// Comes after everything: whoever sees it has found the end of what was before.
const LAST: &str = "GET /last HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\n\r\n";

/// A peer that has not said anything for so long waits for more.
const QUIET: Duration = Duration::from_secs(1);

/// What a client sends.
struct Case {
    name: String,
    sent: Vec<u8>,
    /// Whether its requests end, or are refused before they do.
    is_whole: bool,
}

impl Case {
    /// All that is sent.
    fn played(&self) -> Vec<u8> {
        let last = if self.is_whole { LAST } else { "" };
        [&self.sent, last.as_bytes()].concat()
    }
}

/// The table of framing, the cases of RFC 9112 and what fuzzers begin with.
fn cases() -> Vec<Case> {
    let whole =
        |(name, sent): (&str, String)| Case { name: name.to_owned(), sent: sent.into(), is_whole: true };
    let conformance = conformance::sent().into_iter();
    let conformance =
        conformance.map(|(name, sent, is_whole)| Case { name: name.to_owned(), sent: sent.into(), is_whole });
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/framing");
    let mut seeds: Vec<_> = std::fs::read_dir(seeds).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    let seeds = seeds.into_iter().map(|path| Case {
        name: format!("seed {}", path.file_name().unwrap().display()),
        sent: std::fs::read(path).unwrap(),
        is_whole: true,
    });
    framing::cases().into_iter().map(whole).chain(conformance).chain(seeds).collect()
}

/// Sends `bytes` and reads until the other end closes. When nothing has come for as long as `quiet`, it closes the sending
/// half: so nobody waits for more.
async fn play(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8], quiet: Duration) {
    // One who refuses the first bytes may be gone before the last.
    let _ = stream.write_all(bytes).await;
    let mut answer = [0; 4096];
    let ended = async {
        loop {
            match tokio::time::timeout(quiet, stream.read(&mut answer)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(_)) => {}
                Err(_) => break,
            }
        }
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let ended = tokio::time::timeout(PATIENCE * 2, ended).await;
    ended.unwrap_or_else(|_| panic!("after {} the connection ends", bytes.escape_ascii()));
}

/// What an app behind this router gets for `case`: an app of its own, so that nothing of another case comes late.
async fn passed(scene: &Scene, release: u32, case: &Case) -> Taken {
    let recorder = Recorder::start().await;
    scene.controller.route("blog", release, &[recorder.address()]);
    let generation = scene.controller.reroute("blog", |route| route.hosts.push("a".to_owned()));
    scene.controller.applied(generation).await;
    let stream = TcpStream::connect(scene.addresses.http).await.unwrap();
    // Visitors who close their half are taken for gone: so only those do whose requests would not end otherwise.
    play(stream, &case.played(), if case.is_whole { PATIENCE } else { Duration::ZERO }).await;
    let away = scene.controller.route("blog", release, &[]);
    scene.controller.drained(away).await;
    recorder.take()
}

/// What a peer may do with what this router passes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    /// Read it the same way, and nothing else.
    Agree,
    /// Read it the same way, or refuse it.
    Refuse,
    /// Spell it otherwise.
    Spell,
}

/// What peers do with a case, and why.
const KNOWN: [(&str, &str, May, &str); 11] = [
    ("nginx", "3.2.1: escapes", May::Refuse, "they are no escapes"),
    ("nginx", "3.2.4: the asterisk form", May::Refuse, "it never takes it"),
    ("nginx", "seed query_without_path", May::Refuse, "the asterisk form comes first"),
    ("nginx", "seed whole", May::Refuse, "the asterisk form comes first"),
    ("HAProxy", "3.2.2: the absolute form beats Host", May::Refuse, "Host must be the same"),
    ("HAProxy", "3.2.2: the absolute form without a path", May::Spell, "it passes on the absolute form"),
    ("HAProxy", "3.2.2: a query without a path", May::Refuse, "there must be a path"),
    (
        "HAProxy",
        "6.5.1 of RFC 9110: trailers that change where a message ends or goes",
        May::Refuse,
        "this router takes those fields out",
    ),
    ("HAProxy", "seed query_without_path", May::Refuse, "there must be a path"),
    ("HAProxy", "seed whole", May::Spell, "it passes on the absolute form"),
    ("HAProxy", "seed upgrade", May::Refuse, "a WebSocket must have a key"),
];

fn known(peer: &Peer, case: &Case) -> May {
    let known = KNOWN.iter().find(|(name, known, ..)| *name == peer.name && *known == case.name);
    known.map_or(May::Agree, |(_, _, may, _)| *may)
}

/// Whether a peer to which the same is sent reads it as `ours`. In between there may be some that this router has refused;
/// a peer that refuses one of those does not come to the last.
fn agrees(ours: &Taken, theirs: &[Reading], may: May) -> bool {
    let mut rest = theirs.iter();
    let mut readings =
        ours.requests.iter().map(|recorded| &recorded.reading).filter(|reading| !reading.is_last());
    match may {
        May::Spell => true,
        May::Agree => readings.all(|reading| rest.any(|theirs| theirs == reading)),
        May::Refuse => rest.all(|theirs| theirs.is_last() || readings.any(|reading| reading == theirs)),
    }
}

/// Whether a peer to which `recorded` is passed on reads it so, and finds where it ends.
fn finds(recorded: &Recorded, theirs: &[Reading], may: May) -> bool {
    match theirs {
        [] => may == May::Refuse,
        [read, last] => *read == recorded.reading && last.is_last(),
        _ => false,
    }
}

/// How `peer` reads what this router has read as `ours`, and what it has sent on for that; the differences.
async fn compare(case: &Case, ours: &Taken, peer: &Peer, quiet: Duration) -> Vec<String> {
    let (may, mut differences) = (known(peer, case), Vec::new());
    let mut differ = |what: &str, ours: &dyn Debug, theirs: &dyn Debug| {
        differences.push(format!("{}: {what} {ours:?}, by {}: {theirs:?}", case.name, peer.name));
    };
    let theirs = peer.passes(&case.played(), if case.is_whole { quiet } else { Duration::ZERO }).await;
    if !agrees(ours, &theirs, may) {
        differ("is sent, read as", &ours.requests, &theirs);
    }
    for recorded in &ours.requests {
        let theirs = peer.passes(&[&recorded.bytes, LAST.as_bytes()].concat(), quiet).await;
        if !finds(recorded, &theirs, may) {
            differ("is passed on, read as", recorded, &theirs);
        }
    }
    for part in &ours.parts {
        let theirs = peer.passes(part, Duration::ZERO).await;
        if !theirs.is_empty() {
            differ("is passed on in part,", &part.escape_ascii().to_string(), &theirs);
        }
    }
    differences
}

#[tokio::test]
async fn nobody_reads_anything_else_into_what_is_passed_on() {
    let (Some(nginx), Some(haproxy)) = (Peer::nginx().await, Peer::haproxy().await) else { return };
    let (scene, cases) = (Scene::new().await, cases());
    let (mut differences, mut passed_on) = (Vec::new(), 0);
    for (case, release) in cases.iter().zip(1..) {
        let ours = passed(&scene, release, case).await;
        passed_on += ours.requests.len();
        for peer in [&nginx, &haproxy] {
            if compare(case, &ours, peer, QUIET).await.is_empty() {
                continue;
            }
            // A busy machine may have been quiet for longer.
            differences.extend(compare(case, &ours, peer, PATIENCE).await);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(passed_on > 40, "{passed_on}");
    let is_there = |name: &str| cases.iter().any(|case| case.name == name);
    assert!(KNOWN.iter().all(|(_, name, ..)| is_there(name)));
}
