use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn connections_that_wait_outlive_the_socket_they_came_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    let (old, other) = (listener(), listener());
    let address = old.local_addr().unwrap();
    let estate = Estate::open(&path);
    estate.add(&old).unwrap();
    estate.add(&other).unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    let mut inherited = Inherited::from(&path);
    let new = inherited.claim(address).pop().unwrap();
    assert!(inherited.claim(address).is_empty());
    assert!(!estate.was_taken(), "it may fail to start after all");
    inherited.predecessor.take().unwrap().relieve();
    assert!(estate.was_taken() && estate.close());
    drop((old, other, inherited));
    let (mut served, _) = new.accept().unwrap();
    served.write_all(b"here").unwrap();
    drop(served);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "here");
    assert!(!path.exists());
}

#[test]
fn as_many_sockets_as_there_are_go_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    let estate = Estate::open(&path);
    let shared = listener();
    let address = shared.local_addr().unwrap();
    for _ in 0..300 {
        estate.add(&shared).unwrap();
    }
    assert_eq!(Inherited::from(&path).claim(address).len(), 300);
}

#[test]
fn what_is_closed_is_given_to_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    assert!(Inherited::from(&path).sockets.is_empty());
    let estate = Estate::open(&path);
    estate.add(&listener()).unwrap();
    assert_eq!(Inherited::from(&path).sockets.len(), 1);
    estate.close();
    assert!(Inherited::from(&path).sockets.is_empty());
}

#[test]
fn the_newest_router_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    let first = Estate::open(&path);
    let second = Estate::open(&path);
    let socket = listener();
    second.add(&socket).unwrap();
    assert!(!first.close());
    let mut inherited = Inherited::from(&path);
    assert_eq!(inherited.claim(socket.local_addr().unwrap()).len(), 1);
    inherited.predecessor.take().unwrap().relieve();
    assert!(second.close());
    assert!(fs::read_dir(directory.path()).unwrap().next().is_none());
}

#[test]
fn a_router_whose_directory_cannot_hold_a_socket_goes_without() {
    let estate = Estate::open(&Path::new("/nowhere").join("x".repeat(200)));
    estate.add(&listener()).unwrap();
    assert!(!estate.close());
}

#[test]
fn an_heir_that_ends_before_it_serves_has_taken_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    let estate = Estate::open(&path);
    estate.add(&listener()).unwrap();
    drop(Inherited::from(&path));
    assert!(!estate.was_taken());
    let mut second = Inherited::from(&path);
    drop(Inherited::from(&path));
    second.predecessor.take().unwrap().relieve();
    drop(Inherited::from(&path));
    assert!(estate.was_taken() && estate.close());
}
