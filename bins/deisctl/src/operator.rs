//! Who `deisctl` is to the platform's roles: one with an identity and the internal key.

use std::io::Write;

use anyhow::Context;
use tempfile::NamedTempFile;

use deis_api::client::{Credential, InternalClient};
use deis_runtime::Identity;

use crate::fleet::{OPERATOR, State};
use crate::unit::Unit;

/// The identity of operators, as it is in the cluster's memory.
pub(crate) struct Operator {
    identity: Identity,
    internal_key: String,
    /// Holds the identity, which is read again whenever it changes.
    _bundle: NamedTempFile,
}

impl Operator {
    pub(crate) fn of(state: &State) -> anyhow::Result<Self> {
        let mut bundle = NamedTempFile::new().context("failed to make a temporary file")?;
        bundle
            .write_all(state.identities.bundle(OPERATOR)?.as_bytes())
            .context("failed to write a temporary file")?;
        let identity = Identity::load(bundle.path(), OPERATOR)?;
        Ok(Self { identity, internal_key: state.secrets.internal_key.clone(), _bundle: bundle })
    }

    /// A client of `unit` at any of `addresses` (`host:port`).
    pub(crate) fn client<A: ToString>(
        &self,
        unit: Unit,
        addresses: impl IntoIterator<Item = A>,
    ) -> InternalClient {
        let peers = self.identity.peers(addresses, unit.as_str());
        InternalClient::over(peers, Credential::Key(self.internal_key.clone()))
    }
}
