//! PostgreSQL's keeper.

use anyhow::Context;
use deis_runtime::StatusBoard;

use super::{Parts, Running};

impl Parts {
    pub(super) async fn database(&self, status: StatusBoard) -> anyhow::Result<Running> {
        let settings = &self.settings;
        let password = |name: &str| {
            let path = settings.secrets_dir.join(name);
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()));
            text.map(|text| text.trim().to_owned())
        };
        let passwords = deis_postgres::Passwords {
            superuser: password("database.superuser")?,
            replication: password("database.replication")?,
            platform: password("database.password")?,
        };
        let (directory, members) = (settings.database_dir.clone(), settings.database_members.clone());
        let store = deis_store::open(&settings.store).await?;
        let mut config = deis_postgres::Config::new(directory, &settings.host, members, passwords, store);
        config.identity.clone_from(&settings.identity);
        let keeper = deis_postgres::Keeper::bind(config, status).await?;
        Ok(Box::pin(keeper.run(self.shutdown.clone())))
    }
}
