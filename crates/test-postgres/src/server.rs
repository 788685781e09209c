//! A PostgreSQL server of a test's own: no other process knows of it, and it ends with the test.

use std::fs::File;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::time::{Instant, sleep};

/// Who the tests log in as.
const USER: &str = "deis";
const PASSWORD: &str = "s3cr@t";

/// How long a server may take for anything, on the slowest machine.
const LIMIT: Duration = Duration::from_secs(90);

/// How long to wait between looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What holds for every server. Nothing has to survive a power cut.
const SETTINGS: [&str; 8] = [
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=16MB",
    "max_connections=100",
    "wal_level=replica",
    "wal_receiver_timeout=5s",
    "log_min_messages=log",
];

/// Who may connect: anybody on this machine who knows the password.
const ACCESS: &str =
    "host all all 127.0.0.0/8 scram-sha-256\nhost replication all 127.0.0.0/8 scram-sha-256\n";

/// Runs a server until the test's end of the pipe closes, whatever ends the test, then removes the directory too; on a
/// line it stops the server but leaves the directory. Ends as soon as the server does.
const GUARD: &str = r#"directory=$1; shift
exec 3<&0
"$@" </dev/null & server=$!
(
  if read -r order; then directory=; fi
  while kill -QUIT "$server" 2>/dev/null; do sleep 0.1; done
  [ -z "$directory" ] || rm -rf -- "$directory"
) <&3 &
exec 3<&-
wait "$server""#;

static SERVERS: AtomicU16 = AtomicU16::new(0);

/// A server, running or not.
pub struct Server {
    programs: PathBuf,
    directory: PathBuf,
    address: SocketAddr,
    settings: Vec<String>,
    guard: Option<Child>,
    databases: AtomicU16,
}

impl Server {
    /// A new server that runs; none, and a line that says so, without its programs.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// Likewise, with settings as `ssl=on`.
    pub async fn start_with(settings: &[String]) -> Option<Self> {
        let mut server = Self::prepare(settings)?;
        let password = server.directory.join("password");
        std::fs::write(&password, PASSWORD).expect("the directory is writable");
        let mut initdb = server.command("initdb");
        initdb.arg("--pgdata").arg(server.data()).arg(format!("--username={USER}"));
        initdb.arg("--pwfile").arg(password).args(["--auth=scram-sha-256", "--no-locale", "--encoding=UTF8"]);
        server.run(initdb.args(["--no-sync", "--wal-segsize=1"]));
        server.allow(ACCESS);
        server.run_again().await;
        Some(server)
    }

    fn prepare(settings: &[String]) -> Option<Self> {
        let Some(programs) = std::env::var_os("DEIS_TEST_POSTGRES") else {
            eprintln!("skipped: DEIS_TEST_POSTGRES is not set; script/test sets it");
            return None;
        };
        let directory =
            tempfile::Builder::new().prefix("postgres").tempdir().expect("a directory can be made");
        let server = Self {
            programs: programs.into(),
            directory: directory.keep(),
            address: own_address(),
            settings: settings.to_vec(),
            guard: None,
            databases: AtomicU16::new(0),
        };
        Some(server)
    }

    /// A second server that follows this one, which from then on acknowledges only what both have.
    pub async fn follower(&self) -> Self {
        let mut follower = Self::prepare(&[]).expect("this server has its programs from the same place");
        let mut copy = follower.command("pg_basebackup");
        copy.arg("--pgdata").arg(follower.data()).arg("--dbname").arg(self.url("postgres"));
        follower.run(copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]));
        follower.run_again().await;
        let mut connection = self.connect().await;
        let streams = "SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming'";
        while sqlx::query_scalar::<_, i64>(streams).fetch_one(&mut connection).await.expect("it answers") == 0
        {
            sleep(PAUSE).await;
        }
        for sql in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            connection.execute(sql).await.expect("it can be set");
        }
        let synchronous = "SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while sqlx::query_scalar::<_, i64>(synchronous).fetch_one(&mut connection).await.expect("it answers")
            == 0
        {
            sleep(PAUSE).await;
        }
        follower
    }

    /// Makes this server, which followed another one, the primary.
    pub async fn promote(&self) {
        let mut connection = self.connect().await;
        connection.execute("SELECT pg_promote()").await.expect("it follows another server");
    }

    /// Decides who may connect, as lines of `pg_hba.conf`, from when it runs again.
    pub fn allow(&self, lines: &str) {
        std::fs::write(self.data().join("pg_hba.conf"), lines).expect("initdb made the directory");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("deis{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.expect("the name is free");
        self.url(&name)
    }

    /// The URL of a new, empty schema within one database: much sooner there than a database.
    pub async fn schema(&self) -> String {
        let name = format!("schema{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect().await;
        let create = AssertSqlSafe(format!("CREATE SCHEMA {name}"));
        connection.execute(create).await.expect("the name is free");
        format!("{}?options=-csearch_path%3D{name}", self.url("postgres"))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:s3cr%40t@{}/{database}", self.address)
    }

    /// Ends every process of it at once, as a crash does.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.end_guard();
    }

    /// Stops it in order, ending its sessions.
    pub fn stop(&mut self) {
        self.signal(Signal::INT);
        self.end_guard();
    }

    fn signal(&self, signal: Signal) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("it runs");
        let pid = file.lines().next().and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("the first line is its process id"), signal).expect("it runs");
    }

    fn end_guard(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        // The guard may have ended with its server, then nobody reads this.
        let _ = guard.stdin.take().expect("it is piped").write_all(b"keep\n");
        guard.wait().expect("it is our child");
    }

    /// Runs it on the data that it has, and waits until it answers.
    pub async fn run_again(&mut self) {
        let deadline = Instant::now() + LIMIT;
        self.spawn();
        while self.try_connect().await.is_err() {
            assert!(Instant::now() < deadline, "the server does not start: {}", self.log());
            // Processes of a server that was killed may hold its memory for a moment longer: then it gives up.
            if self.has_ended() {
                self.end_guard();
                self.spawn();
            }
            sleep(PAUSE).await;
        }
    }

    fn spawn(&mut self) {
        let log = File::options().append(true).create(true).open(self.log_path()).expect("it can be made");
        let mut guard = self.unprivileged("sh");
        guard.args(["-c", GUARD, "guard"]).arg(&self.directory).arg(self.programs.join("postgres"));
        guard.arg("-D").arg(self.data());
        guard.args(["-c", &format!("listen_addresses={}", self.address.ip())]);
        guard.args(["-c", &format!("port={}", self.address.port())]);
        for setting in SETTINGS.into_iter().chain(self.settings.iter().map(String::as_str)) {
            guard.args(["-c", setting]);
        }
        let stderr = log.try_clone().expect("a file can be opened twice");
        guard.stdin(Stdio::piped()).stdout(log).stderr(stderr);
        self.guard = Some(guard.spawn().expect("there is a shell"));
    }

    /// Whether the server that was last started has ended.
    fn has_ended(&mut self) -> bool {
        let guard = self.guard.as_mut().expect("it was started");
        guard.try_wait().expect("it is our child").is_some()
    }

    async fn connect(&self) -> PgConnection {
        self.try_connect().await.expect("the server runs")
    }

    async fn try_connect(&self) -> Result<PgConnection, sqlx::Error> {
        let options: PgConnectOptions = self.url("postgres").parse().expect("the URL is valid");
        PgConnection::connect_with(&options).await
    }

    fn run(&self, command: &mut Command) {
        let output = command.stdin(Stdio::null()).output().expect("the program is there");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn command(&self, program: &str) -> Command {
        self.unprivileged(&self.programs.join(program).display().to_string())
    }

    /// A command that is not root, which the server refuses to be: by a name for this user that says so.
    fn unprivileged(&self, program: &str) -> Command {
        if !rustix::process::geteuid().is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-user=1000", "--map-group=1000", "--", program]);
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

/// An address on the loopback network that no other process uses: made from our process id, which is ours alone.
fn own_address() -> SocketAddr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let port = 5432 + SERVERS.fetch_add(1, Ordering::Relaxed);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 64 | (high & 63), middle, low)), port)
}
