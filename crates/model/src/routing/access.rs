//! Settings of who may come in, and how.

use std::sync::Arc;

use super::allow::AllowList;
use super::credential::Credential;
use super::rate::Rate;
use super::setting::Setting;
use super::value::{count, header_value, put, seconds, small, switch, word};

/// Those that keep visitors out.
pub(super) const GUARDS: [&str; 6] =
    ["enforceWhitelist", "defaultWhitelist", "whitelist", "basicAuth", "maintenance", "routable"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting::both(
        "enforceHTTPS",
        "",
        "on: requests that did not come by HTTPS are sent there with 301; as hsts/enabled if nobody says",
        |rules, value| put(&mut rules.https.enforced, switch(value).map(Some)),
    ),
    Setting::both(
        "hsts/enabled",
        "off",
        "on: browsers are told by Strict-Transport-Security to use HTTPS only, which is enforced",
        |rules, value| put(&mut rules.https.hsts.is_enabled, switch(value)),
    ),
    Setting::both("hsts/maxAge", "10886400", "how long browsers remember it, in seconds", |rules, value| {
        put(&mut rules.https.hsts.max_age_seconds, count(value, 0..=u32::MAX))
    }),
    Setting::both(
        "hsts/includeSubDomains",
        "off",
        "on: browsers do the same for all names below",
        |rules, value| put(&mut rules.https.hsts.includes_subdomains, switch(value)),
    ),
    Setting::both(
        "hsts/preload",
        "off",
        "on: makers of browsers may ship the rule with them",
        |rules, value| put(&mut rules.https.hsts.is_preloaded, switch(value)),
    ),
    Setting::both(
        "enforceWhitelist",
        "off",
        "on: nobody may come in who is on no allow list; of the mesh, it holds for the controller, too",
        |rules, value| put(&mut rules.allowance.is_enforced, switch(value)),
    ),
    Setting::mesh(
        "defaultWhitelist",
        "",
        "who may reach every app, next to those on its own list; like whitelist",
        |mesh, value| put(&mut Arc::make_mut(&mut mesh.apps).allowance.mesh, AllowList::parse(value)),
    ),
    Setting::both(
        "whitelistMode",
        "extend",
        "extend: defaultWhitelist counts next to an app's own list; override: only where an app has none",
        |rules, value| {
            put(&mut rules.allowance.overrides, word(value, [("extend", false), ("override", true)]))
        },
    ),
    Setting::app(
        "whitelist",
        "",
        "who may reach the app, others get 403: addresses and ranges, 10.0.1.0/24:office,1.2.3.4,[2001:db8::1]:home",
        |rules, value| put(&mut rules.allowance.own, AllowList::parse(value)),
    ),
    Setting::mesh(
        "controller/whitelist",
        "",
        "who may reach the platform's API; like whitelist",
        |mesh, value| put(&mut Arc::make_mut(&mut mesh.controller).allowance.own, AllowList::parse(value)),
    ),
    Setting::both(
        "basicAuth",
        "",
        "names and passwords that let visitors in: alice:password,bob:password; kept as hashes",
        |rules, value| put(&mut rules.basic_auth, Credential::list(value)),
    )
    .secret(),
    Setting::both(
        "maintenance",
        "off",
        "on: visitors get 503 and a page that says so; containers go on",
        |rules, value| put(&mut rules.maintenance.is_on, switch(value)),
    ),
    Setting::both(
        "maintenance/page",
        "",
        "the page shown meanwhile: HTML if it begins with <, else plain text",
        |rules, value| {
            put(&mut rules.maintenance.page, Ok(Some(value.to_owned()).filter(|page| !page.is_empty())))
        },
    ),
    Setting::both(
        "maintenance/retryAfter",
        "5m",
        "when visitors and search engines are told to come again",
        |rules, value| put(&mut rules.maintenance.retry_after, seconds(value)),
    ),
    Setting::app(
        "routable",
        "on",
        "off: visitors get 404, as if there were no such app; containers go on",
        |rules, value| put(&mut rules.is_routable, switch(value)),
    ),
    Setting::both(
        "rateLimit",
        "0",
        "requests of one client address (IPv6: the first 64 bits) per router: 10r/s or 30r/m, others get 429; 0: any",
        |rules, value| put(&mut rules.rate_limit.rate, Rate::parse(value)),
    ),
    Setting::both(
        "rateLimit/burst",
        "",
        "how many requests may come at once after a while without any; as many as in the rate if nobody says",
        |rules, value| put(&mut rules.rate_limit.burst, count(value, 1..=1_000_000).map(Some)),
    ),
    Setting::both(
        "firewall/enabled",
        "off",
        "on: requests whose target, Referer, Cookie or User-Agent looks like an attack are refused; nothing else of them is looked at",
        |rules, value| put(&mut rules.firewall.is_enabled, switch(value)),
    ),
    Setting::both("firewall/errorCode", "400", "the status that answers them", |rules, value| {
        put(&mut rules.firewall.status, small(value, 400..=599))
    }),
    Setting::both(
        "referrerPolicy",
        "",
        "the Referrer-Policy of every answer, the router's own and the controller's, too; empty: as apps set it",
        |rules, value| {
            put(
                &mut rules.referrer_policy,
                header_value(value).map(|policy| Some(policy).filter(|policy| !policy.is_empty())),
            )
        },
    ),
    Setting::both(
        "framing/allowBareLf",
        "off",
        "on: lines of a request's head may end without a carriage return, as very old clients send them",
        |rules, value| put(&mut rules.allows_bare_lf, switch(value)),
    ),
];
