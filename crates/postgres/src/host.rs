//! What one member works with: its settings, its files, the programs on its host, and whom it can ask.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use deis_runtime::StatusBoard;

use crate::account::Account;
use crate::backup::Catalog;
use crate::config::{Config, Member};
use crate::error::DatabaseError;
use crate::etcd::EtcdClient;
use crate::http::Http;
use crate::layout::Layout;
use crate::patroni::PatroniClient;
use crate::programs::Programs;
use crate::server::Server;
use crate::tls::TlsFiles;

/// Everything that the parts of a keeper share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) account: Account,
    pub(crate) programs: Programs,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) http: Http,
    pub(crate) server: Server,
    pub(crate) patroni: PatroniClient,
    pub(crate) catalog: Catalog,
    pub(crate) status: StatusBoard,
}

impl Host {
    /// Checks the settings, finds the programs, makes folders, writes certificates and passwords.
    pub(crate) fn prepare(config: Config, status: StatusBoard) -> Result<Self, DatabaseError> {
        config.check()?;
        let (account, programs) = (Account::find(&config.account)?, Programs::find()?);
        let layout = Layout::new(&config.directory);
        make_folders(&layout, account)?;
        account.write(&layout.settings("passwords"), Server::passwords(&config).as_bytes())?;
        let tls = config.identity.as_ref().map(|_| TlsFiles::new(&layout));
        if let (Some(tls), Some(bundle)) = (&tls, &config.identity) {
            tls.renew(&config, bundle, account)?;
        }
        let http = Http::new(client(tls.as_ref())?)?;
        Ok(Self {
            server: Server::new(&config, &programs, account, &layout),
            patroni: PatroniClient::new(&http, &config),
            catalog: Catalog::new(config.store.clone()),
            config,
            layout,
            account,
            programs,
            tls,
            http,
            status,
        })
    }

    /// Makes new certificates and has everything that runs take them.
    pub(crate) async fn renew(&self) -> Result<(), DatabaseError> {
        let (Some(tls), Some(bundle)) = (&self.tls, &self.config.identity) else { return Ok(()) };
        tls.renew(&self.config, bundle, self.account)?;
        self.http.replace(tls.client()?)?;
        // etcd reads its files for each connection.
        self.patroni.reload().await?;
        self.server.reload().await
    }

    /// etcd on the host of `member`.
    pub(crate) fn etcd(&self, member: &Member) -> EtcdClient {
        EtcdClient::new(&self.http, &self.config, member)
    }
}

fn client(tls: Option<&TlsFiles>) -> Result<reqwest::ClientBuilder, DatabaseError> {
    match tls {
        Some(tls) => tls.client(),
        // No certificates are believed: nothing is asked over TLS.
        None => Ok(reqwest::Client::builder().tls_certs_only([])),
    }
}

/// The root and the settings stay this process's; the account may pass through, and reads what is its own.
fn make_folders(layout: &Layout, account: Account) -> Result<(), DatabaseError> {
    for directory in [layout.root().to_owned(), layout.settings("")] {
        let failed = |source| DatabaseError::File { path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(failed)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o711)).map_err(failed)?;
    }
    account.make_directory(&layout.run())?;
    account.make_directory(&layout.etcd())?;
    account.make_directory(&layout.postgres())
}
