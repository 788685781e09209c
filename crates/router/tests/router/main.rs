//! The router from outside: real sockets on loopback, apps and a controller made for the purpose.

#[cfg(test)]
mod access;
#[cfg(test)]
mod announced;
#[cfg(test)]
mod buffering;
#[cfg(test)]
mod churn;
#[cfg(test)]
mod compression;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod deploys;
#[cfg(test)]
mod framing;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod passages;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod routing;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod slowness;
#[cfg(test)]
mod spreading;
#[cfg(test)]
mod streams;
#[cfg(test)]
pub(crate) mod support;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tunnels;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod ways;
