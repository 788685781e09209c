//! What goes wrong with identities.

use std::io;
use std::path::PathBuf;

/// Why an authority, a bundle or an identity cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The bundle's file cannot be read.
    #[error("failed to read the identity in {}: {source}; give this process the bundle of its role", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A text is not what it should be.
    #[error("failed to use {what}: {reason}")]
    Unusable {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that was another role's bundle before.
    #[error(
        "the identity of the {held} cannot become that of the {offered}; start a process anew for another role"
    )]
    OtherRole {
        /// What the process is.
        held: String,
        /// What the file now says.
        offered: String,
    },
    /// A text that cannot be a role.
    #[error(
        "{0:?} cannot be a role: a letter, then letters, digits and hyphens, all in lower case, at most 30"
    )]
    Role(String),
    /// A certificate or key cannot be made.
    #[error("failed to make {what}: {source}")]
    Make {
        /// What.
        what: &'static str,
        /// Why not.
        source: rcgen::Error,
    },
    /// The process would not be believed: its own certificates do not hold.
    #[error(
        "failed to prove the identity of the {role} by its own bundle: {source}; issue it anew and check this host's clock"
    )]
    Unproven {
        /// Which role.
        role: String,
        /// Why not.
        source: rustls::Error,
    },
}
