//! PostgreSQL on this host, asked over its socket.

use std::fs::File;
use std::io::Read;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::account::Account;
use crate::config::Config;
use crate::error::DatabaseError;
use crate::layout::Layout;
use crate::patroni::PLATFORM;
use crate::programs::Programs;

/// How long a statement may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The server on this host.
#[derive(Clone)]
pub(crate) struct Server {
    programs: Programs,
    account: Account,
    layout: Layout,
    port: u16,
}

impl Server {
    pub(crate) fn new(config: &Config, programs: &Programs, account: Account, layout: &Layout) -> Self {
        let port = config.ports.postgres;
        Self { programs: programs.clone(), account, layout: layout.clone(), port }
    }

    /// One of PostgreSQL's programs, told where the server is and where the passwords are.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = self.account.command(&self.programs.of_postgres(program));
        command.env("PGHOST", self.layout.run()).env("PGPORT", self.port.to_string());
        command.env("PGPASSFILE", self.layout.settings("passwords")).env("PGCONNECT_TIMEOUT", "5");
        command.env("PGAPPNAME", "deis").current_dir(self.layout.root());
        command
    }

    /// What the programs find the passwords in.
    pub(crate) fn passwords(config: &Config) -> String {
        let line = |account: &str, password: &str| format!("*:*:*:{account}:{password}\n");
        line("postgres", &config.passwords.superuser) + &line("replicator", &config.passwords.replication)
    }

    /// The number that tells this database from every other: the first bytes of its control file.
    pub(crate) fn system(&self) -> Result<u64, DatabaseError> {
        let path = self.layout.data().join("global/pg_control");
        let mut bytes = [0; 8];
        let read = File::open(&path).and_then(|mut file| file.read_exact(&mut bytes));
        read.map(|()| u64::from_ne_bytes(bytes)).map_err(|source| DatabaseError::File { path, source })
    }

    /// Makes the platform's account and database, or gives the account its password.
    pub(crate) async fn make_platform(&self, config: &Config) -> Result<(), DatabaseError> {
        let password = &config.passwords.platform;
        // Not to wait for a copy: the first may only come when this host is done. Passwords were checked to be letters
        // and digits, and must not be logged when a statement fails.
        let sql = format!(
            "SET synchronous_commit = local; SET log_min_error_statement = panic; SET log_statement = none;
             SELECT 'CREATE ROLE {PLATFORM}' WHERE NOT EXISTS
               (SELECT FROM pg_roles WHERE rolname = '{PLATFORM}') \\gexec
             ALTER ROLE {PLATFORM} WITH LOGIN PASSWORD '{password}';
             SELECT 'CREATE DATABASE {PLATFORM} OWNER {PLATFORM}' WHERE NOT EXISTS
               (SELECT FROM pg_database WHERE datname = '{PLATFORM}') \\gexec\n"
        );
        self.run_sql(&sql).await
    }

    /// Has the server read its certificates again.
    pub(crate) async fn reload(&self) -> Result<(), DatabaseError> {
        self.control(&["reload"]).await
    }

    /// Ends the server at once, when nobody watches over it: as after a crash, nothing acknowledged is lost.
    pub(crate) async fn end_now(&self) -> Result<(), DatabaseError> {
        self.control(&["stop", "--mode=immediate", "--timeout=10"]).await
    }

    async fn control(&self, order: &[&str]) -> Result<(), DatabaseError> {
        let mut command = self.command("pg_ctl");
        command.args(order).arg("--pgdata").arg(self.layout.data()).stdin(Stdio::null());
        let output = finish(command, "pg_ctl", None).await?;
        judge("pg_ctl", &output)
    }

    async fn run_sql(&self, sql: &str) -> Result<(), DatabaseError> {
        let mut command = self.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-password", "--set=ON_ERROR_STOP=1"]);
        command.args(["--username=postgres", "--dbname=postgres"]).stdin(Stdio::piped());
        let output = finish(command, "psql", Some(sql)).await?;
        judge("psql", &output)
    }
}

async fn finish(mut command: Command, program: &str, input: Option<&str>) -> Result<Output, DatabaseError> {
    let failed = |reason: String| DatabaseError::Run { program: program.to_owned(), reason };
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let write = async {
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            pipe.write_all(text.as_bytes()).await?;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(TIMEOUT, write).await {
        Ok(output) => output.map_err(|error| failed(error.to_string())),
        Err(_) => Err(failed(format!("it took longer than {} s", TIMEOUT.as_secs()))),
    }
}

fn judge(program: &str, output: &Output) -> Result<(), DatabaseError> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect();
    Err(DatabaseError::Run { program: program.to_owned(), reason: said })
}
