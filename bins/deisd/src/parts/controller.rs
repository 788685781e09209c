//! The controller, with the others of its cluster.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use deis_api::client::{Credential, InternalClient, Peers};
use deis_runtime::identity::IdentityFiles;
use deis_runtime::{Role, StatusBoard};
use deis_scheduler::Engine;

use super::address::is_here;
use super::{Parts, Running};

/// How long a one-off command may run.
const JOB_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How long an app must be well before one of its containers moves to a better host: one that came back may go again.
const MOVE_PAUSE: Duration = Duration::from_secs(60);

/// The file with the key that seals what the database must not give away.
const SEALING_KEY: &str = "sealing.key";

impl Parts {
    pub(super) async fn controller(&self, engine: Engine, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let files = self.identity_files()?;
        let here = settings.controllers.iter().find(|address| is_here(**address));
        let others = settings.controllers.iter().filter(|address| Some(*address) != here);
        let controller = deis_controller::Controller::bind(deis_controller::Config {
            listen: settings.controller,
            name: settings.host.clone(),
            url: here.map(|address| self.url(*address)),
            peers: others.map(|address| self.url(*address)).collect(),
            dial: self.dial(),
            controllers: settings.controllers.clone(),
            database: deis_database::Database::open(&settings.database).await?,
            engine,
            deploys: self.deploy_settings(),
            internal_key: self.secrets.internal_key.clone(),
            vault: self.vault()?,
            registry: settings.registry.to_string(),
            registry_client: self.registry_client(),
            logger: self.client(&settings.loggers, Role::Logger),
            builders: settings.builders.clone(),
            identity: self.identity.clone(),
            status,
        });
        let controller = controller.await?;
        let shutdown = self.shutdown.clone();
        Ok(Box::pin(async move {
            let keeping = async {
                if let Some(files) = files {
                    files.keep(shutdown.clone()).await;
                }
            };
            let (ended, ()) = tokio::join!(controller.run(shutdown.clone()), keeping);
            Ok(ended?)
        }))
    }

    /// What seals the keys of certificates. On several hosts `deisctl` gives every controller the same key.
    fn vault(&self) -> anyhow::Result<deis_controller::Vault> {
        let path = self.settings.secrets_dir.join(SEALING_KEY);
        let key = deis_runtime::secrets::read_or_make(&path)?;
        let vault = deis_controller::Vault::open(&key);
        vault.with_context(|| format!("failed to use the key in {}", path.display()))
    }

    /// This process's certificate as PostgreSQL's client reads it: `identity/{roots.crt,leaf.crt,leaf.key}`.
    fn identity_files(&self) -> anyhow::Result<Option<IdentityFiles>> {
        let Some(identity) = self.identity.clone() else { return Ok(None) };
        let directory = self.data.directory("identity")?;
        let files = IdentityFiles::write(identity, &directory);
        files.map(Some).with_context(|| format!("failed to write certificates to {}", directory.display()))
    }

    /// Makes clients of other controllers from their base URLs.
    fn dial(&self) -> Arc<dyn Fn(&str) -> InternalClient + Send + Sync> {
        let key = Credential::Key(self.secrets.internal_key.clone());
        let tls = self.identity.as_ref().map(|identity| identity.client(Role::Controller));
        Arc::new(move |url| {
            let address = url.split_once("://").map_or(url, |(_, address)| address);
            InternalClient::over(Peers::new([address], tls.clone()), key.clone())
        })
    }

    fn deploy_settings(&self) -> deis_controller::reconcile::DeploySettings {
        deis_controller::reconcile::DeploySettings {
            domain: self.settings.domain.clone(),
            ready_timeout: self.settings.ready_timeout,
            drain_timeout: self.settings.drain_timeout,
            stop_grace: self.settings.stop_grace,
            job_timeout: JOB_TIMEOUT,
            move_pause: MOVE_PAUSE,
        }
    }
}
