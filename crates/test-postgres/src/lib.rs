//! PostgreSQL servers of tests' own, run from the programs in the directory `DEIS_TEST_POSTGRES`.

mod server;

pub use server::Server;
