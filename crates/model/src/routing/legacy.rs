//! Settings of the original's router that are known and have no effect: nothing here corresponds to them.

use super::setting::{Scope, Setter, Setting};

pub(super) const SETTINGS: &[Setting] = &[
    nothing(
        "controller/timeout/send",
        "no effect: controller/timeout/read counts from a request's first byte, so that it bounds sending, too",
    ),
    nothing("enableNginxStatus", "no effect: figures are at /metrics on the health port"),
    nothing(
        "errorLogLevel",
        "no effect: what routers log of themselves is chosen by log, DEIS_LOG on one machine, when they start",
    ),
    nothing("gzipDisable", "no effect: no client is left that asks for gzip and cannot read it"),
    nothing("image", "no effect: the router is a part of deisd"),
    nothing("serverNameHashBucketSize", "no effect: any number of domains of any length is found at once"),
    nothing("serverNameHashMaxSize", "no effect: any number of domains of any length is found at once"),
    nothing("serverTokens", "no effect: the router never tells its version"),
    nothing("sslBufferSize", "no effect: records are as long as what there is to send"),
    nothing("sslDhparam", "no effect: keys are agreed on elliptic curves"),
    nothing("sslSessionCache", "no effect: sessions go on by tickets, see sslSessionTickets"),
    nothing("trafficStatusZoneSize", "no effect: figures take the memory they need"),
];

const fn nothing(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, scope: Scope::Mesh, default: "", meaning, is_secret: false, set: Setter::Nothing }
}
