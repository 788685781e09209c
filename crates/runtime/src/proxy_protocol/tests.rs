use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// A header that says what `expected` shows, and not one byte less of it would do.
#[track_caller]
fn check(header: &[u8], expected: &str) {
    let followed = [header, b"GET / HTTP/1.1\r\n"].concat();
    match parse(&followed) {
        Ok(Parsed::Whole { origin, length }) => {
            assert_eq!((show(origin).as_str(), length), (expected, header.len()))
        }
        other => panic!("{other:?} of {}", header.escape_ascii()),
    }
    for length in 0..header.len() {
        assert_eq!(parse(&header[..length]), Ok(Parsed::Part), "{length} bytes of {}", header.escape_ascii());
    }
}

fn show(origin: Origin) -> String {
    match origin {
        Origin::Passed { source, destination } => format!("{source} {destination}"),
        Origin::Own => "own".to_owned(),
    }
}

#[track_caller]
fn check_refused(bytes: &[u8], expected: &str) {
    let error = parse(bytes).expect_err(&bytes.escape_ascii().to_string()).to_string();
    assert!(error.contains(expected), "{error} of {}", bytes.escape_ascii());
}

fn two(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [two::SIGNATURE, &[command, family], &length, rest].concat()
}

const FOUR: &[u8] = &[203, 0, 113, 9, 10, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];

#[test]
fn a_line_names_both_ends() {
    check(b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n", "203.0.113.9:56324 10.0.0.1:443");
    check(
        b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n",
        "255.255.255.255:65535 255.255.255.255:0",
    );
    check(b"PROXY TCP6 2001:db8::9 ::1 56324 443\r\n", "[2001:db8::9]:56324 [::1]:443");
    check(b"PROXY TCP6 ::ffff:203.0.113.9 ::ffff:10.0.0.1 1 2\r\n", "203.0.113.9:1 10.0.0.1:2");
    check(b"PROXY UNKNOWN\r\n", "own");
    check(b"PROXY UNKNOWN whatever, up to the end\r\n", "own");
    let longest = [b"PROXY UNKNOWN ".as_slice(), &[b'f'; 91], b"\r\n"].concat();
    assert_eq!(longest.len(), 107);
    check(&longest, "own");
}

#[test]
fn a_line_is_taken_literally() {
    for line in [
        "PROXY TCP4 203.0.113.9 10.0.0.1 56324\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 56324 443 \r\n",
        "PROXY TCP4  203.0.113.9 10.0.0.1 56324 443\r\n",
        "PROXY TCP4 203.0.113.09 10.0.0.1 56324 443\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 056324 443\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 +1 443\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 65536 443\r\n",
        "PROXY TCP4 203.0.113.9 10.0.0.1 1 \r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 203.0.113.9 10.0.0.1 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 203.0.113.9 10.0.0.1 1 2\r\n",
        "PROXY tcp4 203.0.113.9 10.0.0.1 1 2\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWN\n",
        "PROXY UNKNOWN\rX",
        "PROXY UNKNOWN \0\r\n",
        "PROXY UNKNOWN \t\r\n",
    ] {
        check_refused(line.as_bytes(), "malformed");
    }
    check_refused(&[b"PROXY UNKNOWN ".as_slice(), &[b'f'; 93]].concat(), "longer than 107");
    check_refused(&[b"PROXY UNKNOWN ".as_slice(), &[b'f'; 92], b"\r\n"].concat(), "longer than 107");
}

#[test]
fn other_beginnings_are_told_at_their_first_wrong_byte() {
    for bytes in [
        "GET / HTTP/1.1",
        "SSH-2.0-x",
        "PROXy",
        "PRI * HTTP/2.0",
        "\x16\x03\x01",
        "proxy TCP4",
        "\r\nGET",
        "\r\n\r\n\0\r\nQUIP",
    ] {
        check_refused(bytes.as_bytes(), "does not begin");
    }
}

#[test]
fn a_binary_header_names_both_ends() {
    check(&two(0x21, 0x11, FOUR), "203.0.113.9:56324 10.0.0.1:443");
    let six: Vec<u8> = [[0x20; 16].as_slice(), &[0x21; 16], &[0, 1, 0, 2]].concat();
    check(
        &two(0x21, 0x21, &six),
        "[2020:2020:2020:2020:2020:2020:2020:2020]:1 [2121:2121:2121:2121:2121:2121:2121:2121]:2",
    );
    let entries: &[u8] = &[0x04, 0, 2, 9, 9, 0x02, 0, 0];
    check(&two(0x21, 0x11, &[FOUR, entries].concat()), "203.0.113.9:56324 10.0.0.1:443");
    check(
        &two(0x21, 0x11, &[FOUR, &[0x04, 0x1f, 0xf1 - 3], &[7; 0x1fee]].concat()),
        "203.0.113.9:56324 10.0.0.1:443",
    );
}

#[test]
fn connections_that_are_not_passed_on_keep_their_own_addresses() {
    check(&two(0x20, 0x00, &[]), "own");
    check(&two(0x20, 0x11, b"what"), "own");
    check(&two(0x21, 0x00, b"ever"), "own");
    check(&two(0x21, 0x12, FOUR), "own");
    check(&two(0x21, 0x31, &[b'/'; 216]), "own");
}

#[test]
fn a_binary_header_is_taken_literally() {
    check_refused(&two(0x11, 0x11, FOUR), "version");
    check_refused(&two(0x22, 0x11, FOUR), "command");
    check_refused(&two(0x21, 0x13, FOUR), "family");
    check_refused(&two(0x21, 0x41, FOUR), "family");
    check_refused(&two(0x21, 0x11, &FOUR[..11]), "too short");
    check_refused(&two(0x21, 0x21, FOUR), "too short");
    check_refused(&two(0x21, 0x31, &[b'/'; 215]), "too short");
    check_refused(&two(0x21, 0x11, &[FOUR, &[4]].concat()), "beyond its end");
    check_refused(&two(0x21, 0x11, &[FOUR, &[4, 0, 9, 1]].concat()), "beyond its end");
    check_refused(&two(0x20, 0x00, &[0; 8193])[..16], "longer than 8208");
    // Before the rest has come.
    check_refused(&two(0x31, 0x11, FOUR)[..13], "version");
    check_refused(&two(0x21, 0xff, FOUR)[..14], "family");
}

#[test]
fn what_is_written_reads_the_same() {
    let ends = ["203.0.113.9:1", "10.0.0.1:65535", "[2001:db8::1]:443", "[::ffff:192.0.2.1]:80"];
    let ends = ends.map(|end| end.parse::<SocketAddr>().unwrap());
    for (version, source, destination) in ends.iter().flat_map(|source| {
        ends.iter().flat_map(move |destination| {
            [(Version::One, source, destination), (Version::Two, source, destination)]
        })
    }) {
        let header = encode(version, *source, *destination);
        let origin = Origin::Passed { source: canonical(*source), destination: canonical(*destination) };
        assert_eq!(
            parse(&header),
            Ok(Parsed::Whole { origin, length: header.len() }),
            "{}",
            header.escape_ascii()
        );
    }
}

/// However bytes come, they mean the same, nothing beyond the header counts, and nothing panics.
#[test]
fn any_bytes_are_understood_or_refused() {
    let mut random = StdRng::seed_from_u64(7);
    let samples: Vec<Vec<u8>> = vec![
        b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\nGET".to_vec(),
        b"PROXY TCP6 2001:db8::9 ::1 56324 443\r\n\r\n".to_vec(),
        b"PROXY UNKNOWN x\r\nSSH-2.0".to_vec(),
        [two(0x21, 0x11, &[FOUR, &[4, 0, 1, 0]].concat()), b"GET".to_vec()].concat(),
        two(0x20, 0x31, &[0; 300]),
    ];
    for round in 0..20_000 {
        let mut bytes = samples[round % samples.len()].clone();
        for _ in 0..random.random_range(0..4) {
            let place = random.random_range(0..bytes.len());
            match random.random_range(0..3) {
                0 => bytes[place] = random.random(),
                1 => bytes.insert(place, random.random()),
                _ => drop(bytes.remove(place)),
            }
        }
        check_consistent(&bytes);
    }
}

fn check_consistent(bytes: &[u8]) {
    let whole = parse(bytes);
    if let Ok(Parsed::Whole { length, .. }) = whole {
        assert!(length <= bytes.len());
        assert_eq!(parse(&bytes[..length]), whole);
    }
    for length in 0..bytes.len() {
        match (parse(&bytes[..length]), whole) {
            (Ok(Parsed::Part), Ok(Parsed::Whole { length: needed, .. })) => assert!(length < needed),
            (Ok(Parsed::Part), _) => {}
            (early, _) => return assert_eq!(early, whole, "{}", bytes.escape_ascii()),
        }
    }
}

#[tokio::test]
async fn nothing_beyond_the_header_is_read() {
    for header in [
        two(0x21, 0x11, &[FOUR, &[4, 0x07, 0xd0], &[1; 2000]].concat()),
        b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n".to_vec(),
    ] {
        for pieces in [1, 7, 2000] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            let sent = [header.as_slice(), b"rest"].concat();
            let send = async {
                for piece in sent.chunks(pieces) {
                    sender.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                sender.shutdown().await.unwrap();
            };
            let (origin, ()) = tokio::join!(read(&mut stream), send);
            assert!(matches!(origin, Ok(Origin::Passed { .. })), "{origin:?}");
            let mut rest = String::new();
            stream.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "rest");
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_its_header_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sender = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    sender.write_all(b"PROXY TCP4 1.2").await.unwrap();
    drop(sender);
    assert!(matches!(read(&mut stream).await, Err(ReadError::Broken(_))));
}
