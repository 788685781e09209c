use super::*;
use crate::http2::delivery::Delivery;
use std::cell::Cell;
use std::future::poll_fn;

use tokio::io::AsyncWriteExt;

/// What every connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags][..], &stream.to_be_bytes(), payload].concat()
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
    let taken = Cell::new(0);
    let (mut client, server) = tokio::io::duplex(1024);
    let answer = |_: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
        let taken = &taken;
        async move {
            let stream = respond.send_response(http::Response::new(()), false).unwrap();
            let mut delivery = Delivery::new(stream, Duration::from_secs(3600));
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
