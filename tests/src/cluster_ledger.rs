//! Developers at work while a cluster suffers, and what they were told was done: all of it must be there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::command::Output;
use crate::repository::Repository;
use crate::site::Site;
use crate::user::User;

/// Between two commands of one developer: they also read what they wrote.
const PAUSE: Duration = Duration::from_secs(1);
/// Answers with the number that was pushed last.
const PUSHED_APP: [(&str, &str); 2] =
    [("Procfile", "web: cd www && exec python3 -m http.server $PORT\n"), ("www/index.html", "0")];
/// Tells the witness that a job ran.
const JOB: &str = "python3 -c 'import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=20).read()'";

/// Developers who set config, push and run jobs, each one thing after the other, until stopped.
pub struct Ledger {
    stop: Arc<AtomicBool>,
    done: Arc<Mutex<Done>>,
    witness: Witness,
    user: Arc<User>,
    config_app: PathBuf,
    pushed_app: Arc<Repository>,
    threads: Vec<JoinHandle<()>>,
}

/// What developers were told.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Config keys whose setting was acknowledged.
    pub config: BTreeSet<u32>,
    /// Commits whose push was acknowledged, by the number in them.
    pub pushes: BTreeMap<u32, String>,
    /// Jobs that were said to have ended well.
    pub jobs: BTreeSet<u32>,
    /// Commands that failed, and what they said.
    pub refused: Vec<String>,
}

impl Done {
    /// How many commands were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.config.len() + self.pushes.len() + self.jobs.len()
    }

    fn note(&mut self, said: &Output, entry: Entry) {
        match entry {
            _ if said.code != 0 => self.refused.push(said.all()),
            Entry::Config(number) => drop(self.config.insert(number)),
            Entry::Push(number, commit) => drop(self.pushes.insert(number, commit)),
            Entry::Job(number) => drop(self.jobs.insert(number)),
        }
    }
}

/// What a developer wants done.
enum Entry {
    Config(u32),
    Push(u32, String),
    Job(u32),
}

impl Ledger {
    /// Begins the work of a user on `site`. Jobs tell this machine at `here` that they ran.
    pub fn start(site: &impl Site, here: IpAddr) -> Self {
        let user = Arc::new(site.user("ledger"));
        let config_app = user.create_app_of("ledger-config", &[("notes.txt", "nothing to run\n")]);
        let pushed_app = Arc::new(user.create_app_of("ledger-push", &PUSHED_APP));
        pushed_app.push().succeeded();
        let mut ledger = Self {
            stop: Arc::default(),
            done: Arc::default(),
            witness: Witness::start(here),
            config_app: config_app.path().to_owned(),
            user,
            pushed_app,
            threads: Vec::new(),
        };
        ledger.begin();
        ledger
    }

    fn begin(&mut self) {
        let (user, directory) = (Arc::clone(&self.user), self.config_app.clone());
        self.repeat(move |number| {
            let said = user.deis_in(&directory, &["config:set", &format!("KEY_{number}=set")]);
            (said, Entry::Config(number))
        });
        let repository = Arc::clone(&self.pushed_app);
        self.repeat(move |number| {
            repository.write("www/index.html", &number.to_string());
            repository.commit("next");
            let commit = repository.git(&["rev-parse", "HEAD"]).succeeded().stdout.trim().to_owned();
            (repository.push(), Entry::Push(number, commit))
        });
        let (user, directory) = (Arc::clone(&self.user), self.pushed_app.path().to_owned());
        let witness = self.witness.address;
        self.repeat(move |number| {
            let job = format!("{JOB} http://{witness}/{number}");
            (user.deis_in(&directory, &["run", &job]), Entry::Job(number))
        });
    }

    /// Does `work` with rising numbers, from 1, until stopped, and notes what was said.
    fn repeat(&mut self, work: impl Fn(u32) -> (Output, Entry) + Send + 'static) {
        let (stop, done) = (Arc::clone(&self.stop), Arc::clone(&self.done));
        self.threads.push(std::thread::spawn(move || {
            let mut numbers = 1..;
            while let (false, Some(number)) = (stop.load(Ordering::Relaxed), numbers.next()) {
                let (said, entry) = work(number);
                done.lock().expect("no developer panics while it notes").note(&said, entry);
                std::thread::sleep(PAUSE);
            }
        }));
    }

    /// What was acknowledged and refused so far.
    pub fn done(&self) -> Done {
        self.done.lock().expect("no developer panics while it notes").clone()
    }

    /// Ends the work, and panics unless everything acknowledged is there and every job ran at most once.
    pub fn check(mut self, site: &impl Site) -> Done {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("no developer panics");
        }
        let done = self.done();
        self.check_config(&done);
        self.check_pushes(&done, site);
        self.check_jobs(&done);
        done
    }

    fn check_config(&self, done: &Done) {
        let listed = self.user.deis_in(&self.config_app, &["config:list"]).succeeded().stdout;
        let keys: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        let lost: Vec<_> =
            done.config.iter().filter(|number| !keys.contains(format!("KEY_{number}").as_str())).collect();
        assert!(lost.is_empty(), "acknowledged config is missing: {lost:?}");
    }

    /// The last commit is there, with all before it; and visitors are served by it, or by one that was not acknowledged.
    fn check_pushes(&self, done: &Done, site: &impl Site) {
        let Some((number, commit)) = done.pushes.last_key_value() else { return };
        self.pushed_app.git(&["fetch", "--quiet", "deis"]).succeeded();
        self.pushed_app.git(&["merge-base", "--is-ancestor", commit, "FETCH_HEAD"]).succeeded();
        let (status, body) = site.get(&site.name_of("ledger-push"), "/");
        let served: Option<u32> = body.trim().parse().ok();
        assert!(
            status == 200 && served >= Some(*number),
            "{number} was acknowledged, {status}: {body} is served"
        );
    }

    fn check_jobs(&self, done: &Done) {
        let runs = self.witness.runs();
        let again: Vec<_> = runs.iter().filter(|(_, count)| **count > 1).collect();
        assert!(again.is_empty(), "jobs ran more than once: {again:?}");
        let lost: Vec<_> = done.jobs.iter().filter(|number| !runs.contains_key(number)).collect();
        assert!(lost.is_empty(), "jobs are said to have run and did not: {lost:?}");
    }
}

/// Counts how often each job ran: each asks for a path that is its number.
struct Witness {
    address: SocketAddr,
    runs: Arc<Mutex<BTreeMap<u32, u32>>>,
}

impl Witness {
    fn start(here: IpAddr) -> Self {
        let listener = TcpListener::bind((here, 0)).expect("the lab's bridge has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let runs: Arc<Mutex<BTreeMap<u32, u32>>> = Arc::default();
        let noted = Arc::clone(&runs);
        // Ends with the test's process.
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| note(stream, &noted)));
        Self { address, runs }
    }

    fn runs(&self) -> BTreeMap<u32, u32> {
        self.runs.lock().expect("the witness does not panic while it notes").clone()
    }
}

/// Reads one request and answers it.
fn note(mut stream: TcpStream, runs: &Mutex<BTreeMap<u32, u32>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut line = String::new();
    if BufReader::new(&stream).read_line(&mut line).is_err() {
        return;
    }
    let path = line.split_whitespace().nth(1).and_then(|path| path.strip_prefix('/'));
    if let Some(number) = path.and_then(|path| path.parse().ok()) {
        *runs.lock().expect("the witness does not panic while it notes").entry(number).or_default() += 1;
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}
