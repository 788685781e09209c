//! The client as users run it.

mod access;
mod accounts;
mod apps;
mod command_line;
mod releases;
mod routing;
mod user;
