//! The builder as its users meet it: real git and ssh, a controller and an engine that live in the test.

mod announced;
mod cleanup;
mod copies;
mod engine;
mod fixture;
mod push;
mod rebirth;
mod refusal;
mod session;
