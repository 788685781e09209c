//! One file per noun; `platform` is what they start, `deploys` and `logger` are what it works with.

mod accounts;
mod apps;
mod builds;
mod canary;
mod certificates;
mod config;
mod containers;
mod deploys;
mod domains;
mod envelope;
mod hooks;
mod internal;
mod keys;
mod load;
mod logger;
mod logs;
mod perms;
mod platform;
mod releases;
mod routing;
mod run;
mod scale;
