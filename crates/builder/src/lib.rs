//! The builder: git over SSH in, images and releases out.
//!
//! A connection (`connection`) names its user by an SSH key; a session (`session`) runs the system's git on the app's
//! repository (`repository`) under its lock (`lock`). While git holds a push back in its pre-receive phase, the hook
//! (`hook`) asks this process (`receive`) to build and launch it (`push`); only when visitors are served, and when the
//! next builder would find the push in the store (`mirror`), does git move the branch.

mod app_uuid;
mod attendance;
mod builder;
mod cleanup;
mod command;
mod config;
mod connection;
mod dockerfile;
mod door;
mod error;
mod git;
pub mod hook;
mod host_key;
mod ignore;
mod kept;
mod key;
mod launch;
mod lock;
mod mirror;
mod output;
mod push;
mod receive;
mod reference;
mod repository;
mod session;
mod slug;
mod source;
mod stack;
mod user;

pub use builder::{Builder, BuilderError};
pub use config::{Config, HostKey, Limits, Routers};
