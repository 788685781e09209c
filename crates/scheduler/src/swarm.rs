//! `swarm://`: Docker Swarm mode, API 1.41 or later, over the socket of a manager.
//!
//! Each container of a workload is a service of its own with one replica, because Docker Swarm chooses by itself which
//! replicas of a service go when it shrinks: the one that was drained must go, and no other. A workload with one
//! container on every host is one global service. The engine restarts containers and moves them off lost hosts without
//! us; images and output of the manager's own host come from its engine.

mod apply;
mod balance;
mod cluster;
mod connect;
mod document;
mod each;
mod failure;
mod history;
mod input;
mod job;
mod member;
mod node;
mod observe;
mod output;
mod plan;
mod remove;
mod secret;
mod service;
mod spec;
mod spread;
mod trouble;
mod watch;

pub(crate) use connect::Swarm;
