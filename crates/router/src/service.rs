//! What answers for a set of hosts: an app, or the controllers.

use std::net::SocketAddr;
use std::sync::Arc;

use deis_model::routing::Rules;
use deis_model::{AppId, AppRoute, ContainerName};

use crate::clock::Millis;
use crate::ejection::{has_half, has_others};
use crate::endpoint::Endpoint;
use crate::metrics::Tallies;
use crate::reserve::Reserve;
use crate::rules::Gate;
use crate::tls::Certificates;

/// What answers for a set of hosts. Immutable: a change makes another one.
pub(crate) struct Service {
    /// Where; may be empty.
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    /// The same of the release that is tried out; may be empty.
    pub(crate) canary: Vec<Arc<Endpoint>>,
    /// What it keeps from table to table.
    pub(crate) reserve: Arc<Reserve>,
    /// What its requests are judged by.
    pub(crate) rules: Arc<Rules>,
    /// The same, ready for use.
    pub(crate) gate: Arc<Gate>,
    /// What its requests are counted in.
    pub(crate) tallies: Tallies,
    /// What visitors over TLS are shown.
    pub(crate) certificates: Arc<Certificates>,
    /// What the controller said of the app; none of the controllers themselves.
    pub(crate) route: Option<Arc<AppRoute>>,
}

impl Service {
    /// One that answers at `endpoints` whatever passes `gate`.
    pub(crate) fn new(
        route: Option<Arc<AppRoute>>,
        gate: Arc<Gate>,
        endpoints: Vec<Arc<Endpoint>>,
        tallies: Tallies,
    ) -> Self {
        let (rules, canary, reserve) = (Arc::clone(&gate.rules), Vec::new(), Arc::default());
        Self { endpoints, canary, reserve, rules, gate, tallies, certificates: Arc::default(), route }
    }

    /// The same, with these to show.
    pub(crate) fn certified(self, certificates: Arc<Certificates>) -> Self {
        Self { certificates, ..self }
    }

    /// The same, which tries a release out at `canary`, and goes on with `reserve`.
    pub(crate) fn trying(self, canary: Vec<Arc<Endpoint>>, reserve: Arc<Reserve>) -> Self {
        Self { canary, reserve, ..self }
    }

    /// All its endpoints.
    pub(crate) fn all_endpoints(&self) -> impl DoubleEndedIterator<Item = &Arc<Endpoint>> + Clone {
        self.endpoints.iter().chain(&self.canary)
    }

    /// Whether `endpoint` may be taken out although it accepts connections. One of a release that is tried out may as long
    /// as the others do without half of them: those are as many as all requests need.
    pub(crate) fn can_spare(&self, endpoint: &Arc<Endpoint>, now: Millis) -> bool {
        let is_tried_out = self.canary.iter().any(|canary| Arc::ptr_eq(canary, endpoint));
        if is_tried_out { has_half(&self.endpoints, now) } else { has_others(&self.endpoints, now) }
    }

    /// Whether something is to serve it, so that it is worth waiting for.
    pub(crate) fn is_wanted(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.release.is_some() && route.wanted.unwrap_or(0) > 0)
    }

    /// Whether common requests to it may take the short way, which passes them on without looking at its rules.
    pub(crate) fn is_plain(&self) -> bool {
        self.route.is_some() && self.gate.is_plain
    }

    /// Whose it is: none is the platform itself, which comes before all apps.
    pub(crate) fn app(&self) -> Option<&AppId> {
        self.route.as_ref().map(|route| &route.app)
    }

    /// Whether connections to it are passed on as they are, at a port of its own or by its hosts.
    pub(crate) fn is_passed_on(&self) -> bool {
        self.rules.tcp_port.is_some() || self.rules.tls_passthrough
    }

    /// Whether it is this route of an app, judged by the same rules.
    pub(crate) fn is_of(&self, route: &Arc<AppRoute>, gate: &Arc<Gate>) -> bool {
        let is_route = |held: &Arc<AppRoute>| Arc::ptr_eq(held, route) || held == route;
        Arc::ptr_eq(&self.gate, gate) && self.route.as_ref().is_some_and(is_route)
    }

    /// Whether its endpoints are exactly these, in this order.
    pub(crate) fn is_at<'a>(
        &self,
        wanted: impl ExactSizeIterator<Item = (SocketAddr, Option<&'a ContainerName>)>,
    ) -> bool {
        self.endpoints.len() == wanted.len()
            && self.endpoints.iter().zip(wanted).all(|(endpoint, (address, name))| endpoint.is(address, name))
    }

    /// The endpoints that `next`, which takes its place, does not have.
    pub(crate) fn left_by<'a>(
        &'a self,
        next: Option<&'a Arc<Self>>,
    ) -> impl Iterator<Item = Arc<Endpoint>> + 'a {
        let stays = move |endpoint: &Arc<Endpoint>| {
            next.is_some_and(|next| next.all_endpoints().any(|other| Arc::ptr_eq(other, endpoint)))
        };
        self.all_endpoints().filter(move |endpoint| !stays(endpoint)).cloned()
    }
}
