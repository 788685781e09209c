//! How roles reach one another: addresses, credentials and this process's identity.

use std::net::SocketAddr;

use deis_api::client::{Credential, InternalClient, Peers};
use deis_runtime::Role;
use deis_scheduler::Credentials;

use super::Parts;

/// The registry account that components use.
const REGISTRY_USER: &str = "deis";

impl Parts {
    /// Those who play `role`, at one of `addresses`.
    pub(super) fn peers(&self, addresses: &[SocketAddr], role: Role) -> Peers {
        Peers::new(addresses, self.identity.as_ref().map(|identity| identity.client(role)))
    }

    pub(super) fn client(&self, addresses: &[SocketAddr], role: Role) -> InternalClient {
        let key = Credential::Key(self.secrets.internal_key.clone());
        InternalClient::over(self.peers(addresses, role), key)
    }

    pub(super) fn registry_client(&self) -> InternalClient {
        let Credentials { username, password } = self.registry_credentials();
        let account = Credential::Account { username, password };
        InternalClient::over(self.peers(&self.settings.registries, Role::Registry), account)
    }

    pub(super) fn registry_credentials(&self) -> Credentials {
        Credentials { username: REGISTRY_USER.to_owned(), password: self.secrets.registry_password.clone() }
    }

    /// The base URL of the role at `address`.
    pub(super) fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.identity.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}
