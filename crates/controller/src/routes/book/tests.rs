//! The book, and what routers are told.

use super::*;

fn book() -> RouteBook {
    RouteBook::new("e1".to_owned(), PlatformRoutes::default(), Duration::ZERO)
}

fn route(app: &str) -> AppRoute {
    AppRoute { hosts: vec![format!("{app}.localhost")], ..AppRoute::new(AppId::parse(app).unwrap()) }
}

fn ask(epoch: &str, applied: u64) -> RoutesRequest {
    RoutesRequest {
        router: "r".to_owned(),
        epoch: epoch.to_owned(),
        applied,
        drained: applied,
        draining: None,
        hold: true,
    }
}

fn web() -> ContainerName {
    ContainerName::parse("a_v1.web.1").unwrap()
}

#[test]
fn a_closed_book_tells_nothing() {
    let book = book();
    book.publish(route("a"));
    assert!(book.news(&ask("", 0)).is_none());
}

#[test]
fn a_router_gets_everything_first_and_then_what_changed() {
    let book = book();
    book.publish(route("a"));
    book.open();
    let first = book.news(&ask("", 0)).unwrap();
    assert!(first.full && first.routes.len() == 1);
    assert!(book.news(&ask("e1", first.generation)).is_none());
    book.publish(route("b"));
    book.withdraw(&AppId::parse("a").unwrap());
    let second = book.news(&ask("e1", first.generation)).unwrap();
    assert_eq!((second.full, second.routes, second.removed.len()), (false, vec![route("b")], 1));
}

#[test]
fn publishing_the_same_again_is_no_news() {
    let book = book();
    let first = book.publish(route("a"));
    assert_eq!(book.publish(route("a")), first);
    assert_eq!(book.generation(), first);
}

#[test]
fn what_concerns_the_whole_platform_is_told_without_any_route() {
    let book = book();
    let first = book.publish(route("a"));
    book.open();
    let set = |settings: &mut PlatformRoutes| drop(settings.settings.insert("gzip".into(), "off".into()));
    let second = book.change_platform(set);
    assert_eq!((second > first, book.change_platform(set)), (true, second), "the same again is no news");
    let news = book.news(&ask("e1", first)).unwrap();
    assert_eq!((news.generation, news.full, news.routes.len()), (second, false, 0));
    assert_eq!(news.platform.settings["gzip"], "off");
    assert!(book.news(&ask("e1", second)).is_none());
}

#[test]
fn routers_that_may_still_come_back_are_waited_for() {
    let book = RouteBook::new("e1".to_owned(), PlatformRoutes::default(), ROUTER_GRACE);
    let generation = book.publish(route("a"));
    let is_drained = || book.is_drained(&web(), generation);
    assert!(!book.is_applied(generation) && !is_drained(), "the book is closed");
    book.open();
    assert!(!book.is_applied(generation) && !is_drained(), "no router has come back yet");
    let router = book.note_router(&ask("e1", generation));
    assert!(book.is_applied(generation), "this one serves by it");
    assert!(!is_drained(), "others may still send requests");
    drop(router);
}

#[test]
fn a_generation_is_applied_when_every_live_router_says_so() {
    let book = book();
    book.open();
    let generation = book.publish(route("a"));
    assert!(book.is_applied(generation), "no router, nobody to wait for");
    let old = book.note_router(&ask("e1", generation - 1));
    assert!(!book.is_applied(generation));
    let new = book.note_router(&ask("e1", generation));
    assert!(book.is_applied(generation) && book.is_drained(&web(), generation));
    drop((old, new));
}

#[test]
fn a_long_request_holds_back_only_its_own_container() {
    let book = book();
    book.open();
    let (before, generation) = (book.generation(), book.publish(route("a")));
    let other = ContainerName::parse("b_v1.web.1").unwrap();
    let says = |applied, draining: Option<&ContainerName>| RoutesRequest {
        drained: before,
        draining: Some(draining.into_iter().cloned().collect()),
        ..ask("e1", applied)
    };
    let early = book.note_router(&says(before, None));
    assert!(!book.is_drained(&web(), generation), "the router still sends requests there");
    let busy = book.note_router(&says(generation, Some(&other)));
    assert!(book.is_drained(&web(), generation) && !book.is_drained(&other, generation));
    let late = book.note_router(&says(before, None));
    assert!(!book.is_drained(&other, generation), "what it said of an older table counts no more");
    let done = book.note_router(&says(generation, None));
    let overtaken = book.note_router(&says(generation, Some(&other)));
    assert!(book.is_drained(&other, generation));
    drop((early, busy, late, done, overtaken));
}
