//! etcd: remembers who is the primary, in the majority of the members.

mod care;
mod client;
mod keep;
mod membership;
mod settings;

pub(crate) use care::care;
pub(crate) use client::EtcdClient;
pub(crate) use keep::keep;
pub(crate) use membership::Peer;
