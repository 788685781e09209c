//! Certificates change while processes run and connections stay open.

use deis_runtime::identity::Authority;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{End, HOUR, Member, call, can_meet};

/// Something said over a connection that was open before.
async fn say(from: &mut End, to: &mut End) {
    from.stream.write_all(b"still here").await.unwrap();
    from.stream.flush().await.unwrap();
    let mut heard = [0; 10];
    to.stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn leaves_are_renewed_at_half_life_under_open_connections() {
    let authority = Authority::create().unwrap();
    let (controller, router) = (Member::new(&authority, "controller"), Member::new(&authority, "router"));
    let first = call(&controller, &router, "controller").await;
    let (mut server, mut client) = (first.server.unwrap(), first.client.unwrap());
    let shown =
        |meeting: crate::support::Meeting| (meeting.server.unwrap().shown, meeting.client.unwrap().shown);
    for member in [&controller, &router] {
        member.clock.advance(11 * HOUR);
    }
    assert_eq!(
        shown(call(&controller, &router, "controller").await),
        (server.shown.clone(), client.shown.clone())
    );
    for day in 0..3 {
        for member in [&controller, &router] {
            member.clock.advance(2 * HOUR + day * 24 * HOUR);
        }
        let renewed = shown(call(&controller, &router, "controller").await);
        assert!(renewed.0 != server.shown && renewed.1 != client.shown);
        say(&mut client, &mut server).await;
        say(&mut server, &mut client).await;
    }
}

#[tokio::test]
async fn a_root_is_replaced_without_anybody_being_refused_on_the_way() {
    let (mut old, mut new) = (Authority::create().unwrap(), Authority::create().unwrap());
    let (controller, router) = (Member::new(&old, "controller"), Member::new(&old, "router"));
    let first = call(&controller, &router, "controller").await;
    let (mut server, mut client) = (first.server.unwrap(), first.client.unwrap());
    old.trust(&new.root()).unwrap();
    spread(&old, &controller, &router).await;
    new.trust(&old.root()).unwrap();
    spread(&new, &controller, &router).await;
    let alone = without_trust(&new);
    spread(&alone, &controller, &router).await;
    say(&mut client, &mut server).await;
    assert!(!can_meet(&controller, &Member::new(&old, "router"), "controller").await);
}

/// The same authority as before it trusted others.
fn without_trust(authority: &Authority) -> Authority {
    let text = authority.to_pem();
    let key_ends = text.find("-----END PRIVATE KEY-----\n").unwrap() + "-----END PRIVATE KEY-----\n".len();
    Authority::from_pem(&text[..key_ends]).unwrap()
}

/// Hands bundles of `authority` to one after the other; they can meet all the time, whoever calls.
async fn spread(authority: &Authority, one: &Member, other: &Member) {
    for member in [one, other] {
        member.reissue(authority);
        assert!(can_meet(one, other, one.identity.role()).await);
        assert!(can_meet(other, one, other.identity.role()).await);
    }
}

#[tokio::test]
async fn a_file_that_is_no_bundle_of_the_role_changes_nothing() {
    let authority = Authority::create().unwrap();
    let (controller, router) = (Member::new(&authority, "controller"), Member::new(&authority, "router"));
    let others = Authority::create().unwrap().issue("logger").unwrap().to_pem();
    for text in ["", "garbage", &others] {
        controller.replace(text);
        assert!(can_meet(&controller, &router, "controller").await, "{text}");
    }
    controller.reissue(&Authority::create().unwrap());
    assert!(!can_meet(&controller, &router, "controller").await);
}

#[tokio::test]
async fn an_identity_says_when_its_bundle_ends() {
    let authority = Authority::create().unwrap();
    let controller = Member::new(&authority, "controller");
    let bundle = authority.issue("controller").unwrap();
    controller.replace(&bundle.to_pem());
    assert_eq!(controller.identity.expires(), bundle.expires());
}
