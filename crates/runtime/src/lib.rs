//! What every role shares: the data directory, secrets, identities, serving HTTP, status, telemetry, shutdown.

pub mod auth;
pub mod claim;
pub mod data_dir;
pub mod file;
pub mod identity;
pub mod journal;
pub mod key_pair;
pub mod mesh_settings;
pub mod probe;
pub mod proxy_protocol;
pub mod role;
pub mod secrets;
pub mod serve;
pub mod status;
pub mod telemetry;

pub use auth::{Allowed, require_internal_key, require_role};
pub use claim::Claim;
pub use data_dir::DataDir;
pub use identity::{Identity, Peer};
pub use journal::Journal;
pub use probe::{ProbeError, probe};
pub use role::Role;
pub use secrets::Secrets;
pub use serve::{bind, serve, serve_as};
pub use status::StatusBoard;

/// Cancelled when the process is asked to end; every `run(shutdown)` then finishes what is under way and returns.
pub type Shutdown = tokio_util::sync::CancellationToken;

/// The version of the executable.
pub const VERSION: &str = deis_api::PLATFORM_VERSION;
