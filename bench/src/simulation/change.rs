//! From one change to every router.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deis_model::AppId;
use serde_json::{Value, json};

use super::hosts::Hosts;
use super::processes::Routers;
use super::seed::Seed;
use super::size::app;
use super::visitor::Visitor;
use crate::series::Series;

/// How often each kind of change is measured.
const CHANGES: usize = 100;
/// How often a deploy is.
const DEPLOYS: usize = 20;
/// How long visitors ask before the change.
const LEAD: Duration = Duration::from_millis(20);

/// What changes are made with.
pub(super) struct Changes<'a> {
    pub(super) hosts: &'a Arc<Hosts>,
    pub(super) seed: &'a Seed,
    pub(super) controller: SocketAddr,
    pub(super) routers: &'a Routers,
}

impl Changes<'_> {
    /// Makes them and prints how long they took; `meanwhile` says what else goes on.
    pub(super) fn measure(&self, meanwhile: &str) {
        let mut endpoints = Series::new(format!("a container gets ready: to every router{meanwhile}"), "ms");
        endpoints.extend((0..CHANGES).map(|round| self.endpoint_appears(&app(round))));
        endpoints.print_tail();
        let mut domains = Series::new(format!("a domain is added: to every router{meanwhile}"), "ms");
        domains.extend((0..CHANGES).map(|round| self.domain_is_added(&app(round), meanwhile.len())));
        domains.print_tail();
        let mut deploys = Series::new(format!("an app of five containers is deployed{meanwhile}"), "ms");
        deploys.extend((0..DEPLOYS).map(|round| self.deploy(&app(round), meanwhile.len())));
        deploys.print_tail();
    }

    /// The only container of an app that is ready: from its publisher's report.
    fn endpoint_appears(&self, app: &AppId) -> f64 {
        let host = format!("{app}.localhost");
        let containers = self.hosts.containers(app);
        containers.iter().for_each(|container| self.hosts.judge(container, false));
        for router in self.routers.addresses() {
            Visitor::new(router).ask_until(&host, |status| status != 200);
        }
        let taken = self.until_served(&host, || self.hosts.judge(&containers[0], true));
        containers.iter().for_each(|container| self.hosts.judge(container, true));
        taken
    }

    /// From the call, which is answered when routers have it.
    fn domain_is_added(&self, app: &AppId, series: usize) -> f64 {
        let domain = format!("{app}-{series}.example.org");
        self.until_served(&domain, || self.post(app, "domains", &json!({ "domain": domain })))
    }

    /// From the call to its answer: five new containers serve in every router.
    fn deploy(&self, app: &AppId, series: usize) -> f64 {
        let begun = Instant::now();
        self.post(app, "config", &json!({ "values": { "SERIES": series } }));
        begun.elapsed().as_secs_f64() * 1000.0
    }

    /// Milliseconds from `change` until the last router answers requests for `host`.
    fn until_served(&self, host: &str, change: impl FnOnce()) -> f64 {
        std::thread::scope(|scope| {
            let ask = |router| move || Visitor::new(router).ask_until(host, |status| status == 200);
            let asking: Vec<_> =
                self.routers.addresses().into_iter().map(|router| scope.spawn(ask(router))).collect();
            std::thread::sleep(LEAD);
            let begun = Instant::now();
            change();
            let served = asking.into_iter().map(|asks| asks.join().expect("every router serves it"));
            let last = served.max().expect("there are routers");
            last.checked_duration_since(begun).expect("it did not serve before").as_secs_f64() * 1000.0
        })
    }

    fn post(&self, app: &AppId, what: &str, body: &Value) {
        let url = format!("http://{}/v1/apps/{app}/{what}/", self.controller);
        let client = reqwest::blocking::Client::new();
        let request = client.post(url).header("Authorization", format!("token {}", self.seed.token));
        let answer = request.json(body).send().expect("the controller answers");
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().unwrap_or_default());
    }
}
