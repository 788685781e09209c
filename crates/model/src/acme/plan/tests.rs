use super::*;
use crate::AppId;
use crate::acme::{Proof, Suggestion};

const CA: &str = "https://ca.example/dir";

/// The moment on a day.
fn day(day: i64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::days(1000 + day)
}

/// What is known of a name, in words: `held=<first day>..<last day>`, `elsewhere` if another authority issued it,
/// `suggested=<first day>..<last day>` for its renewal, `ask=<day>`, `ordered`, `failed=<times>`, `retry=<day>`, `idle=<hours ago>`.
fn progress(words: &str) -> Progress {
    let mut found =
        Progress { certificate: None, order: None, failures: 0, retry_at: day(-1000), idle_since: None };
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let (word, value) = word.split_once('=').unwrap_or((word, "0..0"));
        let number = |text: &str| text.parse::<i64>().unwrap();
        let held = found.certificate.as_mut();
        match word {
            "held" => {
                let (first, last) = value.split_once("..").unwrap();
                let validity = Validity { not_before: day(number(first)), not_after: day(number(last)) };
                let renewal = Renewal::default();
                found.certificate = Some(Held { directory: CA.to_owned(), validity, renewal });
            }
            "suggested" => {
                let (first, last) = value.split_once("..").unwrap();
                held.unwrap().renewal.suggestion = Suggestion::new(day(number(first)), day(number(last)));
            }
            "ask" => held.unwrap().renewal.ask_at = Some(day(number(value))),
            "elsewhere" => held.unwrap().directory = "https://staging.example/dir".to_owned(),
            "ordered" => found.order = Some(CA.to_owned()),
            "ordered-elsewhere" => found.order = Some("https://staging.example/dir".to_owned()),
            "failed" => found.failures = u32::try_from(number(value)).unwrap(),
            "retry" => found.retry_at = day(number(value)),
            "idle" => found.idle_since = Some(day(0) - Duration::hours(number(value))),
            other => panic!("{other} is no word of this test"),
        }
    }
    found
}

fn capacity() -> Capacity {
    let (refilled_at, rests_until) = (day(0) + Duration::minutes(10), day(-1));
    Capacity { directory: CA.to_owned(), at_once: 4, left: 60, refilled_at, rests_until }
}

/// Plans day 0 and checks what is done. `known` are `<name>: <words>`; names that begin with `no-` are to have no
/// certificate, and those that begin with `gone-` lead nowhere. `wanted` are names of which nothing is known.
fn check_with(capacity: &Capacity, busy: &[&str], wanted: &[&str], known: &[&str], expected: &str) -> Plan {
    let known: BTreeMap<String, Progress> = known
        .iter()
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(host, words)| (host.to_owned(), progress(words)))
        .collect();
    let hosts = known.keys().map(String::as_str).chain(wanted.iter().copied());
    let names = hosts.filter(|host| !host.starts_with("gone-")).map(|host| {
        let proof = (!host.starts_with("no-")).then_some(Proof::Http01);
        (host.to_owned(), Name { app: AppId::parse("blog").unwrap(), proof })
    });
    let busy = busy.iter().map(|host| (*host).to_owned()).collect();
    let plan = plan(day(0), &names.collect(), &known, &busy, capacity);
    let parts = [
        ("resume", &plan.resume),
        ("begin", &plan.begin),
        ("stop", &plan.stop),
        ("idle", &plan.idle),
        ("revive", &plan.revive),
        ("forget", &plan.forget),
    ];
    let parts = parts.iter().filter(|(_, hosts)| !hosts.is_empty());
    let found: Vec<String> = parts.map(|(verb, hosts)| format!("{verb} {}", hosts.join(" "))).collect();
    assert_eq!(found.join(", "), expected, "{known:?}");
    plan
}

fn check(known: &[&str], expected: &str) -> Plan {
    check_with(&capacity(), &[], &[], known, expected)
}

#[test]
fn a_new_name_is_ordered_and_one_under_way_goes_on() {
    check_with(&capacity(), &[], &["a", "b"], &["no-c"], "begin a b");
    check(&["a:ordered", "b:"], "resume a, begin b");
    check_with(&capacity(), &["a"], &["b"], &["a:ordered"], "begin b");
    check(&["a:ordered-elsewhere"], "begin a");
}

#[test]
fn a_certificate_is_renewed_in_time_and_not_before() {
    let plan = check(&["a:held=0..90"], "");
    assert_eq!(plan.look_again, day(0) + LOOK_AGAIN, "nothing is due sooner");
    check(&["a:held=-55..35"], "");
    check(&["a:held=-60..30"], "begin a");
    check(&["a:held=-90..0"], "begin a");
    check(&["no-a:held=-60..30"], "");
    check(&["a:held=-10..80 elsewhere"], "begin a");
    check(&["a:held=0..90 elsewhere retry=1"], "begin a");
    check(&["a:held=0..90 elsewhere failed=1 retry=1"], "");
    check(&["a:held=-70..20 retry=1"], "");
}

#[test]
fn what_failed_waits_and_lets_others_go_first() {
    check(&["a:failed=1 retry=1", "b:"], "begin b");
    check(&["a:failed=1 retry=0", "b:held=-60..30", "c:held=-61..29", "d:"], "begin d c b a");
    check(&["a:held=-70..20 failed=1 retry=1"], "");
}

#[test]
fn no_more_orders_are_under_way_or_begin_than_are_allowed() {
    let names = ["a", "b", "c", "d", "e", "f"];
    check_with(&capacity(), &[], &names, &[], "begin a b c d");
    check_with(&capacity(), &["a", "b", "c"], &names, &["x:ordered", "y:ordered"], "resume x");
    check_with(&capacity(), &["a", "b"], &names, &["x:ordered"], "resume x, begin c");
    let few = Capacity { left: 1, ..capacity() };
    let plan = check_with(&few, &[], &names, &["x:ordered"], "resume x, begin a");
    assert_eq!(plan.look_again, few.refilled_at);
}

#[test]
fn an_authority_that_failed_is_left_alone() {
    let resting = Capacity { rests_until: day(0) + Duration::minutes(5), ..capacity() };
    let plan = check_with(&resting, &[], &["a"], &["b:ordered", "gone-c:"], "idle gone-c");
    assert_eq!(plan.look_again, resting.rests_until);
}

#[test]
fn what_belongs_to_a_name_that_is_gone_goes_after_a_while() {
    check(&["gone-a:held=0..90"], "idle gone-a");
    let plan = check(&["gone-a:held=0..90 idle=0"], "");
    assert_eq!(plan.look_again, day(0) + KEPT);
    check(&["gone-a:held=0..90 idle=1", "gone-b:ordered idle=2"], "forget gone-a gone-b");
    check(&["a:held=0..90 idle=0", "no-b:idle=5"], "revive a no-b");
}

#[test]
fn work_on_a_name_that_needs_no_certificate_any_more_ends() {
    check_with(
        &capacity(),
        &["gone-a", "no-b", "c"],
        &[],
        &["gone-a:ordered", "no-b:", "c:"],
        "stop gone-a no-b, idle gone-a",
    );
}

#[test]
fn a_certificate_is_renewed_when_its_authority_suggests_it() {
    check(&["a:held=-10..80 suggested=-2..0 ask=1"], "begin a");
    check(&["a:held=-60..30 suggested=5..6 ask=1"], "");
    check(&["a:held=-80..10 suggested=100..200 ask=1"], "begin a");
    check(&["a:held=-10..80 suggested=-2..0 ask=1 retry=1"], "");
}

#[test]
fn an_authority_is_asked_of_the_certificates_that_it_issued() {
    let known = ["a:held=0..90", "b:held=0..90 ask=0", "c:held=0..90 ask=1", "no-d:held=0..90"];
    assert_eq!(check(&known, "").ask, ["a", "b"]);
    assert!(check(&["a:held=0..90 elsewhere failed=1 retry=1"], "").ask.is_empty());
    assert!(check(&["a:held=-70..20"], "begin a").ask.is_empty());
    let resting = Capacity { rests_until: day(0) + Duration::minutes(5), ..capacity() };
    assert!(check_with(&resting, &[], &[], &["a:held=0..90"], "").ask.is_empty());
}
