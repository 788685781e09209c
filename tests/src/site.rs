//! A running platform as developers and visitors meet it, wherever it runs.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::user::User;

/// A platform that scenarios are lived through on.
pub trait Site {
    /// Apps are at `APP.DOMAIN`.
    fn domain(&self) -> &str;

    /// Where visitors go.
    fn router(&self) -> SocketAddr;

    /// A registered, logged in user with a key.
    fn user(&self, name: &str) -> User;

    /// Names of the containers of apps, as `blog_v2.web.1`, sorted.
    fn containers(&self) -> Vec<String>;

    /// What its roles have logged, for those who look into a failure.
    fn journal(&self) -> String;

    /// What the router answers for `host`: status and body; 0 and the error if nothing.
    fn get(&self, host: &str, path: &str) -> (u16, String) {
        get(self.router(), host, path)
    }

    /// The name under which visitors know `app`.
    fn name_of(&self, app: &str) -> String {
        format!("{app}.{}", self.domain())
    }

    /// Panics unless `app` answers with 200 and `part` in the body.
    #[track_caller]
    fn answers(&self, app: &str, part: &str) {
        let (status, body) = self.get(&self.name_of(app), "/");
        assert!(status == 200 && body.contains(part), "{app} answered {status} without {part:?}: {body}");
    }

    /// Waits until `holds`, at most for `timeout`; panics with `what` and the journal otherwise.
    #[track_caller]
    fn eventually(&self, what: &str, timeout: Duration, holds: impl Fn(&Self) -> bool)
    where
        Self: Sized,
    {
        let deadline = Instant::now() + timeout;
        while !holds(self) {
            assert!(Instant::now() < deadline, "not within {timeout:?}: {what}\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What the router at `router` answers for `host`: status and body; 0 and the error if nothing.
pub(crate) fn get(router: SocketAddr, host: &str, path: &str) -> (u16, String) {
    let client = reqwest::blocking::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = client.timeout(Duration::from_secs(30)).build();
    let client = client.expect("a plain client always builds");
    match client.get(format!("http://{router}{path}")).header("Host", host).send() {
        Ok(response) => (response.status().as_u16(), response.text().unwrap_or_default()),
        Err(error) => (0, format!("{error:?}")),
    }
}
