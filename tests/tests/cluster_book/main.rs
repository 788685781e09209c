//! The operators' manual, done as it says: from bare hosts to the end of a cluster, while visitors ask an app.

mod stand_in;

use std::time::{Duration, Instant};

use deis_tests::{
    Book, Cluster, Database, Host, Plan, Repository, Seen, Site, User, Visitors, Words, has_lab, has_time,
};

/// How many hosts make the cluster at first; another one takes the place of a lost one.
const HOSTS: usize = 3;
/// How long the platform may take to be well again after a change.
const SETTLES: Duration = Duration::from_secs(300);
/// Below which the platform and its apps have names.
const DOMAIN: &str = "cluster.test";
/// Who has the manual, and hosts to try it on.
struct Operator {
    book: Book,
    cluster: Cluster,
    words: Words,
    begun: Instant,
}

impl Operator {
    fn start() -> Self {
        let plan =
            Plan { planes: vec![""; HOSTS], spares: 1, database: Database::External, ..Plan::default() };
        let begun = Instant::now();
        let cluster = Cluster::prepare(&plan);
        let store = cluster.backends().store_account();
        let servers =
            [cluster.lab().host(1).address().to_string(), cluster.lab().outside().address().to_string()];
        let [without_server, server] = servers;
        let words = Words::from([
            ("DOMAIN", DOMAIN.to_owned()),
            ("KEY", store.key.to_owned()),
            ("SECRET", store.secret.to_owned()),
            ("BUCKET", store.bucket.to_owned()),
            ("ENDPOINT", store.endpoint),
            ("USER", "deis".to_owned()),
            ("PASSWORD", "secret".to_owned()),
            ("HOST1", without_server),
            ("HOST2", server),
        ]);
        Self { book: Book::open(), cluster, words, begun }
    }

    /// Says what was done by when.
    fn told(&self, what: &str) {
        eprintln!("{:4} s  {what}", self.begun.elapsed().as_secs());
    }

    /// Does what the section says at `place`, on the hosts of these numbers.
    #[track_caller]
    fn does(&mut self, section: &str, place: &str, hosts: &[usize]) -> String {
        let hosts: Vec<&Host> = hosts.iter().map(|number| self.cluster.lab().host(*number)).collect();
        self.book.run(section, place, &hosts, &self.words)
    }

    fn knows(&mut self, word: &'static str, value: &str) {
        self.words.insert(word, value.to_owned());
    }

    /// Notes the ticket that was printed.
    #[track_caller]
    fn knows_ticket_of(&mut self, said: &str) {
        let ticket = said.split_whitespace().find(|word| word.starts_with("deis1-"));
        self.knows("TICKET", ticket.unwrap_or_else(|| panic!("no ticket was printed:\n{said}")));
    }

    fn prepares_hosts(&mut self) {
        stand_in::put_on(self.cluster.lab().hosts());
        self.does("What every host needs", "every", &[1, 2, 3, 4]);
        stand_in::take_from(self.cluster.lab().hosts());
    }

    fn stands_up(&mut self) {
        let said = self.does("Make the cluster", "first", &[1]);
        self.knows_ticket_of(&said);
        self.does("Make the cluster", "others", &[2, 3]);
        let hosts = self.does("Make the cluster", "any", &[2]);
        assert!(!hosts.contains("cure"), "three hosts need no advice:\n{hosts}");
        self.told("hosts form a cluster");
        // The manual tells of it later; hosts need not make an image for a database of the platform's own.
        if let Some(url) = self.cluster.backends().database_url() {
            self.cluster.deisctl(&["config", "database", "set", &format!("url={url}")]).succeeded();
        }
        self.does("Start the platform", "every", &[1, 2, 3]);
        let said = self.does("Start the platform", "any", &[1]);
        assert!(said.contains("admin is an administrator"), "{said}");
        self.does("DNS and a load balancer", "every", &[1, 2, 3]);
        self.told("the platform runs");
    }

    /// An app with two containers, and who looks at it.
    fn ships(&self) -> (User, Repository, Visitors) {
        let user = self.cluster.user("ann");
        let app = user.create_app("two", "worker-python");
        app.push().succeeded();
        user.deis_in(app.path(), &["ps:scale", "web=2"]).succeeded();
        let visitors = Visitors::start(&self.cluster.routers(), &self.cluster.name_of("two"), 4);
        self.told("visitors are served");
        (user, app, visitors)
    }

    fn looks(&mut self) {
        self.is_well();
        let said = self.does("Looking", "any", &[3]);
        assert!(said.contains("\"well\": true") && said.contains("deis-controller@lab"), "{said}");
    }

    /// Routers have another setting, and have it no more.
    fn sets(&mut self) {
        let said = self.does("Settings", "any", &[2]);
        assert!(said.contains("deis-router@lab1.service: active/running"), "{said}");
        self.is_well();
        self.told("routers had other settings");
    }

    /// Hosts are for something else, and units more and fewer.
    fn labels_and_scales(&mut self) {
        self.knows("HOST", "lab3");
        self.does("Planes of their own", "any", &[1]);
        self.does("Planes of their own", "any", &[1]);
        let said = self.does("Planes of their own", "any", &[1]);
        assert!(said.contains("deis-router@2.service"), "{said}");
        self.cluster.deisctl(&["label", "lab3", "dataPlane=true", "disk-"]).succeeded();
        self.is_well();
        self.told("planes and numbers are others");
    }

    fn works_on_a_host(&mut self) {
        self.knows("HOST", "lab2");
        self.does("Work on a host", "any", &[1]);
        let host = self.cluster.lab().host(2);
        let containers = ["ps", "--quiet", "--filter", "label=io.deis.app=two"];
        host.eventually("nothing of the app is on it", SETTLES, |host| {
            host.docker(&containers).stdout.is_empty()
        });
        self.does("Work on a host", "any", &[1]);
        self.is_well();
        self.told("a host was drained and is back");
    }

    /// A host is lost, another comes in its place, and it comes back.
    fn loses_a_host(&mut self) {
        self.knows("HOST", "lab3");
        self.cluster.lab().host(3).kill();
        self.cluster.eventually("the loss is told", SETTLES, |cluster| {
            let said = cluster.deisctl(&["status"]);
            said.code == 1 && said.stdout.contains("`deisctl remove lab3`")
        });
        let said = self.does("A lost host", "any", &[1]);
        self.knows_ticket_of(&said);
        self.does("A lost host", "new", &[4]);
        self.is_well();
        self.told("another host is in the place of the lost one");
        self.cluster.lab().host(3).start();
        self.does("A lost host", "removed", &[3]);
        self.is_well();
        self.told("the lost one is back");
    }

    /// All hosts get other programs, and roles run from them without a visitor noticing.
    fn upgrades(&mut self, visitors: &Visitors) {
        for host in self.cluster.lab().hosts() {
            host.run(["sh", "-c", "printf x >>/usr/local/bin/deisd"]).succeeded();
        }
        let said = self.does("Another version", "every", &[1, 2, 3, 4]);
        let image = said.lines().find(|line| line.starts_with("deis/platform:"));
        let image = image.unwrap_or_else(|| panic!("no image was named:\n{said}")).to_owned();
        self.knows("IMAGE", &image);
        drop(visitors.take());
        self.does("Another version", "any", &[1]);
        self.is_well();
        let seen = visitors.take();
        assert!(seen.failures.is_empty(), "{} failed: {}", seen.failures.len(), seen.examples());
        self.told(&format!("another version runs; served meanwhile: {}", seen.served));
        self.does("Another version", "any", &[1]);
        let images =
            self.cluster.lab().host(1).docker(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout;
        assert!(images.contains(&format!("127.0.0.1:5000/{image}")), "{images}");
        self.told("its image is in the registry");
    }

    fn uses_a_database_of_others(&mut self) {
        self.does("The end", "any", &[1]);
        let said = self.does("External database", "any", &[1]);
        assert!(said.contains("deis-controller@lab1.service: active/running"), "{said}");
        self.is_well();
        self.told("the platform runs on another database");
    }

    fn ends(&mut self) {
        self.does("The end", "any", &[1]);
        self.does("The end", "every", &[1, 2, 3, 4]);
        for host in self.cluster.lab().hosts() {
            let left = host.docker(&["ps", "--quiet"]).succeeded().stdout;
            assert!(left.is_empty(), "{} still runs {left}", host.name());
        }
        self.told("the cluster is no more");
    }

    /// The same hosts, each for something else.
    fn isolates_planes(&mut self) {
        let said = self.does("Planes of their own", "first", &[1]);
        self.knows_ticket_of(&said);
        self.does("Planes of their own", "others", &[2]);
        let hosts = self.cluster.deisctl(&["hosts"]).succeeded().stdout;
        let of = |name: &str| hosts.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(of("lab1").contains(" leader   controlPlane "), "{hosts}");
        assert!(of("lab2").contains(" worker   dataPlane "), "{hosts}");
    }

    #[track_caller]
    fn is_well(&self) {
        self.cluster
            .eventually("every role is well", SETTLES, |cluster| cluster.deisctl(&["status"]).code == 0);
    }
}

/// What visitors noticed, for those who read on.
fn tell(what: &str, seen: &Seen) {
    eprintln!("{what}: {} served, {} failed: {}", seen.served, seen.failures.len(), seen.examples());
}

#[test]
fn every_command_of_the_manual_does_what_it_says() {
    if !has_lab() || !has_time() {
        return;
    }
    let mut operator = Operator::start();
    operator.prepares_hosts();
    operator.stands_up();
    let (_user, _app, visitors) = operator.ships();
    operator.looks();
    operator.sets();
    tell("settings", &visitors.take());
    operator.labels_and_scales();
    tell("labels and numbers", &visitors.take());
    operator.works_on_a_host();
    tell("a host drained", &visitors.take());
    operator.loses_a_host();
    tell("a host lost", &visitors.take());
    operator.upgrades(&visitors);
    drop(visitors);
    operator.uses_a_database_of_others();
    operator.ends();
    operator.isolates_planes();
    operator.book.finish();
}
