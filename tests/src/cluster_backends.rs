//! What a cluster may leave to others: an S3 server and a PostgreSQL server, on the host outside.

use std::cell::{RefCell, RefMut};
use std::fs::File;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::ceph::Ceph;
use crate::command::run;
use crate::lab::Lab;
use crate::lab_host::Host;
use crate::program::target;

/// Where the S3 server listens.
const S3_PORT: u16 = 9000;
/// Where the PostgreSQL server listens.
const POSTGRES_PORT: u16 = 5432;
/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long installing the S3 server may take, once per target directory.
const INSTALL_TIMEOUT: Duration = Duration::from_secs(300);
/// The bucket of the platform.
const BUCKET: &str = "deis";
/// Makes a server with a certificate and an empty database from nothing, and runs it. Its files are in memory: what is
/// measured is the platform.
const POSTGRES: &str = r#"
programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
mkdir -p /run/postgresql
chown postgres: /run/postgresql
cd /run/postgresql
as_postgres="setpriv --reuid postgres --regid postgres --clear-groups"
$as_postgres "$programs/initdb" --username deis --auth trust data
echo 'host all all all trust' >>data/pg_hba.conf
$as_postgres openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=database -keyout data/key.pem -out data/cert.pem
echo 'create database deis' | $as_postgres "$programs/postgres" --single -D data postgres
exec $as_postgres "$programs/postgres" -D data -k /run/postgresql -c listen_addresses='*' -c fsync=off \
  -c ssl=on -c ssl_key_file=key.pem -c ssl_cert_file=cert.pem
"#;

/// Who keeps the platform's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// The platform itself.
    Own,
    /// A PostgreSQL server outside of it.
    External,
}

/// Who keeps the platform's blobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// A server that keeps all in memory, on the host outside.
    Memory,
    /// A Ceph cluster on this machine.
    Ceph,
}

/// Servers of others. Dropped, they end.
pub struct Backends {
    host: Host,
    store: StoreServer,
    database: Option<Server>,
}

enum StoreServer {
    Memory(Server),
    // Its parts are killed and started by who only looks at the cluster otherwise.
    Ceph(RefCell<Ceph>),
}

impl Backends {
    pub(crate) fn start(lab: &Lab, store: Store, database: Database) -> Self {
        let host = lab.outside();
        let store = match store {
            Store::Memory => StoreServer::Memory(start_memory_store(host)),
            Store::Ceph => StoreServer::Ceph(RefCell::new(Ceph::start_at(lab.machine()))),
        };
        let external = (database == Database::External)
            .then(|| Server::start(host, POSTGRES_PORT, &["bash", "-euc", POSTGRES]));
        Self { host: host.clone(), store, database: external }
    }

    /// What `deisctl config store set url=…` is given.
    pub fn store_url(&self) -> String {
        self.store_account().url()
    }

    /// Who may use the store.
    pub fn store_account(&self) -> Account {
        match &self.store {
            StoreServer::Memory(_) => {
                let endpoint = format!("http://{}", self.host.socket(S3_PORT));
                Account { key: "test", secret: "secret", bucket: BUCKET, endpoint }
            }
            StoreServer::Ceph(ceph) => ceph.borrow().account(),
        }
    }

    /// The Ceph cluster that is the store.
    pub fn ceph(&self) -> RefMut<'_, Ceph> {
        match &self.store {
            StoreServer::Ceph(ceph) => ceph.borrow_mut(),
            StoreServer::Memory(_) => panic!("the plan has no store on Ceph"),
        }
    }

    /// What `deisctl config database set url=…` is given, if there is a server of others.
    pub fn database_url(&self) -> Option<String> {
        let address = self.host.socket(POSTGRES_PORT);
        self.database.is_some().then(|| format!("postgres://deis@{address}/postgres"))
    }

    /// The store answers nobody until it is resumed; connections to it stay open.
    pub fn pause_store(&self) {
        self.signal(self.memory_store(), "STOP");
    }

    /// The store answers again.
    pub fn resume_store(&self) {
        self.signal(self.memory_store(), "CONT");
    }

    /// The database of others answers nobody until it is resumed; connections to it stay open.
    pub fn pause_database(&self) {
        self.signal(self.database(), "STOP");
    }

    /// The database of others answers again.
    pub fn resume_database(&self) {
        self.signal(self.database(), "CONT");
    }

    fn memory_store(&self) -> &Server {
        match &self.store {
            StoreServer::Memory(server) => server,
            StoreServer::Ceph(_) => {
                panic!("the plan has its store on Ceph, whose parts are killed one by one")
            }
        }
    }

    fn database(&self) -> &Server {
        self.database.as_ref().expect("the plan has a database of others")
    }

    /// Sends a signal to the processes of a server: all that hold its port.
    fn signal(&self, server: &Server, name: &str) {
        let port = format!("{}/tcp", server.port);
        self.host.run(["fuser", "--silent", "--kill", &format!("-{name}"), &port]).succeeded();
    }
}

/// One server on a host.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts it, and waits until it listens.
    fn start(host: &Host, port: u16, words: &[&str]) -> Self {
        let log = tempfile::NamedTempFile::new().expect("a temporary file can be made");
        let output =
            || File::options().append(true).open(log.path()).expect("a temporary file can be opened");
        let mut command = host.command(words);
        let child = command.current_dir("/").stdin(Stdio::null()).stdout(output()).stderr(output()).spawn();
        let mut server = Self { process: child.expect("a command can be started"), port };
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect_timeout(&host.socket(port), Duration::from_secs(1)).is_err() {
            let ended = server.process.try_wait().expect("a child can be waited for").is_some();
            let said = || std::fs::read_to_string(log.path()).unwrap_or_default();
            assert!(!ended && Instant::now() < deadline, "{words:?} does not listen:\n{}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts the S3 server and makes the platform's bucket.
fn start_memory_store(host: &Host) -> Server {
    let program = s3_server().display().to_string();
    let server = Server::start(host, S3_PORT, &[&program, "-H", "0.0.0.0", "-p", &S3_PORT.to_string()]);
    let bucket = format!("http://127.0.0.1:{S3_PORT}/{BUCKET}");
    host.run(["curl", "--silent", "--fail", "--request", "PUT", &bucket]).succeeded();
    server
}

/// The program of an S3 server that keeps all in memory: moto, from the Python package index.
fn s3_server() -> PathBuf {
    let directory = target().join("tmp/moto");
    let program = directory.join("bin/moto_server");
    if !program.exists() {
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&directory), INSTALL_TIMEOUT);
        made.succeeded();
        let mut install = Command::new(directory.join("bin/pip"));
        run(install.args(["install", "--quiet", "moto[server]==5.2.5"]), INSTALL_TIMEOUT).succeeded();
    }
    program
}
