//! The registry from outside: over HTTP, and with the clients that people use.

#![cfg(test)]

mod access;
mod away;
mod blobs;
mod client;
mod docker;
mod garbage;
mod manifests;
mod oracle;
mod referrers;
mod skopeo;
mod uploads;
