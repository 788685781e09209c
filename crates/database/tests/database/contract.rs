//! The cases that hold on both engines, and how they get their databases.

use std::sync::Arc;

use deis_database::Database;

use deis_test_postgres::Server;

/// Where a case gets empty databases from.
#[derive(Clone)]
pub(crate) enum Databases {
    /// SQLite in memory.
    Memory,
    /// PostgreSQL.
    Server(Arc<Server>),
}

impl Databases {
    /// PostgreSQL, if it is there to test with.
    pub(crate) async fn server() -> Option<Self> {
        Server::start().await.map(Arc::new).map(Self::Server)
    }

    /// An empty database.
    pub(crate) async fn open(&self) -> Database {
        Database::open(&self.url().await).await.expect("it can be opened")
    }

    /// An empty database as two processes have it.
    pub(crate) async fn open_twice(&self) -> (Database, Database) {
        let url = self.url().await;
        let first = Database::open(&url).await.expect("it can be opened");
        let second = match self {
            Self::Memory => first.clone(),
            Self::Server(_) => Database::open(&url).await.expect("it can be opened"),
        };
        (first, second)
    }

    async fn url(&self) -> String {
        match self {
            Self::Memory => "sqlite::memory:".to_owned(),
            Self::Server(server) => server.schema().await,
        }
    }
}

/// Makes each case a test on SQLite, and all of them one on PostgreSQL, so that they share a server.
macro_rules! on_both_engines {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(crate::contract::Databases::Memory).await;
                }
            )*
        }

        #[tokio::test]
        async fn all_that_holds_on_sqlite_holds_on_postgresql() {
            let Some(server) = crate::contract::Databases::server().await else { return };
            let mut failed = Vec::new();
            $(
                let case = std::panic::AssertUnwindSafe($case(server.clone()));
                if futures::FutureExt::catch_unwind(case).await.is_err() {
                    failed.push(stringify!($case));
                }
            )*
            assert!(failed.is_empty(), "failed on PostgreSQL: {failed:?}");
        }
    };
}

pub(crate) use on_both_engines;
