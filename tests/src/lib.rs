//! A platform of its own for every test: real `deisd`, real engine, real git and ssh.

mod command;
mod engine;
mod load;
mod platform;
mod ports;
mod repository;
mod user;

pub use command::Output;
pub use load::{Load, Tally};
pub use platform::{Options, Platform};
pub use repository::Repository;
pub use user::User;

/// Whether a real engine is there to test with; says so when not.
pub fn has_engine() -> bool {
    let has = std::env::var_os("DEIS_TEST_DOCKER_URL").is_some();
    if !has {
        eprintln!("skipped: DEIS_TEST_DOCKER_URL is not set; script/test sets it");
    }
    has
}
