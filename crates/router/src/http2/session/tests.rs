use super::*;
use crate::config::Config;
use crate::http2::delivery::{Delivery, Patience};
use crate::routes::Routes;
use std::cell::Cell;
use std::future::poll_fn;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Source: RFC 9113 section 7.
const FLOW_CONTROL_ERROR: u32 = 3;

/// What every connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// Why streams and the connection were ended, in the frames that `bytes` hold.
fn reasons(mut bytes: &[u8]) -> Vec<u32> {
    let mut reasons = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(9) {
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        if matches!(head[3], 3 | 7) {
            // A goodbye names the last stream before.
            let code = &payload[payload.len().min(8) - 4..][..4];
            reasons.push(u32::from_be_bytes(code.try_into().unwrap()));
        }
        bytes = rest;
    }
    reasons
}

/// What a client sends that asks for `/` this often and gives leave to send much.
fn greedy(streams: u32) -> Vec<u8> {
    let much = 0x3fff_ffff_u32.to_be_bytes();
    let window = [&[0, 4][..], &much].concat();
    // `GET`, `http` and `/`, which have short names. Source: RFC 7541 appendix A.
    let head = [0x82, 0x86, 0x84];
    let mut bytes = [PREFACE, &frame(4, 0, 0, &window), &frame(8, 0, 0, &much)].concat();
    bytes.extend((0..streams).flat_map(|number| frame(1, 5, 2 * number + 1, &head)));
    bytes
}

/// Sends `bytes` to a session that answers each request endlessly, and reads nothing; how much of all answers is taken by
/// the time when nothing goes on any more.
async fn taken(bytes: &[u8]) -> usize {
    let (taken, shared) = (Cell::new(0), Shared::new(Config::new("key", "/nowhere"), &Routes::default()));
    let patience = Patience { shared: &shared, idle: Duration::from_secs(3600) };
    let (mut client, server) = tokio::io::duplex(1024);
    let answer = |_: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
        let taken = &taken;
        async move {
            let stream = respond.send_response(http::Response::new(()), false).unwrap();
            let mut delivery = Delivery::new(stream, patience);
            while delivery.data(Bytes::from_static(&[0; 1024]), false).await.is_ok() {
                taken.set(taken.get() + 1024);
            }
        }
    };
    let mut session = Session::new(server, &Limits::default(), answer);
    let asking = async {
        client.write_all(bytes).await.unwrap();
        // All happens on this thread: whatever can go on has done so by then.
        for _ in 0..10_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = poll_fn(|context| session.poll(context)) => panic!("{ended:?}"),
        () = asking => {}
    }
    taken.get()
}

#[tokio::test]
async fn a_client_that_reads_nothing_makes_little_be_kept() {
    let (taken, all) = (taken(&greedy(16)).await, 16 * 1024 * 16);
    assert!(taken >= all / 2 && taken <= all * 2, "{taken}");
}

#[tokio::test]
async fn a_client_that_gives_no_leave_makes_little_be_kept() {
    // No stream may bring anything before its client says so.
    let window = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let head = [0x82, 0x86, 0x84];
    let mut bytes = [PREFACE, &window].concat();
    bytes.extend((0..16).flat_map(|number| frame(1, 5, 2 * number + 1, &head)));
    let taken = taken(&bytes).await;
    assert!(taken <= 16 * 1024 * 16, "{taken}");
}

/// Sends `frame` over and over to a session and reads nothing; how many bytes it takes in by the time when nothing goes on
/// any more.
async fn flood(frame: &[u8]) -> usize {
    const MOST: usize = 8 * 1024 * 1024;
    let (mut client, server) = tokio::io::duplex(1024);
    let answer = |_: Request<RecvStream>, _: SendResponse<Bytes>| std::future::ready(());
    let mut session = Session::new(server, &Limits::default(), answer);
    client.write_all(&[PREFACE, &self::frame(4, 0, 0, &[])].concat()).await.unwrap();
    let many = frame.repeat(1024);
    let (mut sent, mut quiet) = (0, 0);
    let flooding = async {
        while sent < MOST && quiet < 1_000 {
            tokio::select! {
                biased;
                written = client.write(&many[sent % frame.len()..]) => match written {
                    Ok(count) => (sent, quiet) = (sent + count, 0),
                    Err(_) => return,
                },
                () = tokio::task::yield_now() => quiet += 1,
            }
        }
    };
    tokio::select! {
        _ended = poll_fn(|context| session.poll(context)) => {}
        () = flooding => {}
    }
    sent
}

#[tokio::test]
async fn what_asks_for_replies_is_not_taken_in_faster_than_they_are_read() {
    let ping = frame(6, 0, 0, &[0; 8]);
    let settings = frame(4, 0, 0, &[0, 3, 0, 0, 0, 1]);
    for frame in [ping, settings] {
        let sent = flood(&frame).await;
        assert!(sent < 512 * 1024, "{sent} bytes of {frame:?}");
    }
}

#[tokio::test]
async fn a_body_that_nobody_takes_ends_at_its_window() {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let answer = |request: Request<RecvStream>, respond: SendResponse<Bytes>| async move {
        std::future::pending::<()>().await;
        drop((request, respond));
    };
    let mut session = Session::new(server, &Limits::default(), answer);
    let head = frame(1, 4, 1, &[0x83, 0x86, 0x84]);
    client.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &head].concat()).await.unwrap();
    let data = [&[0, 0x40, 0, 0, 0, 0, 0, 0, 1][..], &[0; 0x4000]].concat();
    let (mut received, window) = (Vec::new(), STREAM_WINDOW as usize);
    let sending = async {
        for _ in 0..=window / 0x4000 {
            if client.write_all(&data).await.is_err() {
                break;
            }
        }
        let mut bytes = [0; 1024];
        while !reasons(&received).contains(&FLOW_CONTROL_ERROR) {
            match client.read(&mut bytes).await {
                Ok(count @ 1..) => received.extend_from_slice(&bytes[..count]),
                _ => panic!("it ends without a reason"),
            }
        }
    };
    tokio::select! {
        biased;
        () = sending => {}
        ended = poll_fn(|context| session.poll(context)) => assert!(ended.is_err(), "{ended:?}"),
    }
}
