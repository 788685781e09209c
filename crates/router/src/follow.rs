//! Following the controller's routes: asking for the next ones acknowledges the last.
//!
//! While the controller is away, or says what cannot be used, the table in force stays: routes are only ever
//! withdrawn by the controller's word.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use deis_api::client::{CallError, Credential, InternalClient};
use deis_api::internal::{RoutesRequest, RoutesResponse};
use deis_runtime::{Shutdown, StatusBoard};

use crate::drain::Progress;
use crate::routes::{ForeignChange, News, Routes};
use crate::shared::Shared;

/// The first pause after a failed call; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: another controller may lead at any moment.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The pause after an answer without news, which normally has taken long enough.
const PAUSE_WITHOUT_NEWS: Duration = Duration::from_millis(20);

/// How long a report of drained containers may take before the next news are read.
const REPORT_PATIENCE: Duration = Duration::from_secs(2);

/// Keeps a router's table equal to the controller's.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    client: InternalClient,
    status: StatusBoard,
    name: String,
    /// The routes in force, which others keep.
    routes: watch::Sender<Routes>,
    failures: u32,
    /// Cancelled once the controller has been heard, or could not be.
    heard: CancellationToken,
}

impl Follower {
    /// Goes on from `routes`, which are in force already, and tells them of all that comes into force.
    pub(crate) fn new(
        shared: Arc<Shared>,
        status: StatusBoard,
        routes: watch::Sender<Routes>,
        heard: CancellationToken,
    ) -> Self {
        let config = &shared.config;
        let key = Credential::Key(config.internal_key.clone());
        let client = InternalClient::over(config.controllers.clone(), key);
        // A router that takes over from another is another one.
        let name = format!("{}-{}-{:08x}", config.name, std::process::id(), rand::random::<u32>());
        Self { shared, client, status, name, routes, failures: 0, heard }
    }

    /// Follows until `shutdown`.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        loop {
            match self.ask().await {
                Ok(response) => self.take(response).await,
                Err(error) => self.wait(&error).await,
            }
            self.heard.cancel();
        }
    }

    /// Asks for news, and while the controller has none, reports containers as they drain.
    async fn ask(&self) -> Result<RoutesResponse, CallError> {
        let (epoch, generation) = self.held();
        let mut reported = self.shared.drain.progress(generation);
        // Visitors wait for the first answer: whether there is news or not, it comes at once.
        let request = self.request(&epoch, generation, &reported, self.heard.is_cancelled());
        let mut news = pin!(self.client.routes(&request));
        loop {
            tokio::select! {
                news = &mut news => return news,
                () = self.shared.drain.changed.notified() => {}
            }
            let progress = self.shared.drain.progress(generation);
            // One report at a time and none overtaken by the next request: the controller sees progress only.
            if progress != reported && self.report(&self.request(&epoch, generation, &progress, false)).await
            {
                reported = progress;
            }
        }
    }

    /// Which routes are in force: of which table of the controller's, and how new.
    fn held(&self) -> (String, u64) {
        let routes = self.routes.borrow();
        (routes.epoch.clone(), routes.generation)
    }

    async fn report(&self, request: &RoutesRequest) -> bool {
        let answered = tokio::time::timeout(REPORT_PATIENCE, self.client.routes(request)).await;
        // What it says is left for the request that is held, which gets the same.
        matches!(answered, Ok(Ok(_)))
    }

    fn request(&self, epoch: &str, generation: u64, progress: &Progress, hold: bool) -> RoutesRequest {
        RoutesRequest {
            router: self.name.clone(),
            epoch: epoch.to_owned(),
            applied: generation,
            drained: progress.drained,
            draining: progress.draining.clone(),
            hold,
        }
    }

    async fn take(&mut self, response: RoutesResponse) {
        self.note_answer();
        let (epoch, generation) = self.held();
        let last = (response.epoch == epoch).then_some(generation);
        match self.apply(response) {
            // Nothing came of it: not again at once, whatever the controller's reason was.
            Ok(News::Nothing) => tokio::time::sleep(PAUSE_WITHOUT_NEWS).await,
            Ok(news) => self.enforce(last, &news),
            Err(error) => {
                tracing::warn!(%error, "asking the controller for the whole table");
                tokio::time::sleep(FIRST_PAUSE).await;
            }
        }
    }

    /// Takes over what the controller says. What cannot be used makes the next answer a whole table.
    fn apply(&self, response: RoutesResponse) -> Result<News, ForeignChange> {
        let mut applied = Ok(News::Nothing);
        self.routes.send_if_modified(|routes| {
            applied = routes.apply(response);
            if applied.is_err() {
                (routes.epoch, routes.generation) = (String::new(), 0);
            }
            applied.as_ref().is_ok_and(|news| *news != News::Nothing)
        });
        applied
    }

    /// Puts the routes in force; `last` is the generation they follow on, none if they count anew.
    fn enforce(&self, last: Option<u64>, news: &News) {
        if last.is_none() {
            self.shared.drain.recount();
        }
        let routes = self.routes.borrow();
        self.shared.enforce(&routes, last.unwrap_or(0), news);
        tracing::debug!(generation = routes.generation, "routes in force");
    }

    fn note_answer(&mut self) {
        self.shared.hear_controller();
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(controller = self.client.base(), "the controller answers again");
        }
        self.status.well("controller");
    }

    async fn wait(&mut self, error: &CallError) {
        // The first few times, and then ever more seldom: the reason may change.
        if self.failures.saturating_add(1).is_power_of_two() {
            tracing::warn!(%error, failures = self.failures, "serving the last routes while the controller does not give any");
        }
        let cure = match error {
            CallError::Unreachable { .. } => {
                "start the controller; requests are served by the last routes meanwhile"
            }
            CallError::Refused { status: StatusCode::MISDIRECTED_REQUEST, .. } => {
                "wait until one of the controllers leads, which takes seconds"
            }
            CallError::Refused { .. } => "give router and controller the same internal key and version",
            CallError::Garbled { .. } => "run router and controller of the same version",
        };
        self.status.trouble("controller", error, cure);
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
        self.failures += 1;
        tokio::time::sleep(pause).await;
    }
}
