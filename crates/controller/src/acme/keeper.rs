//! The keeper: looks at how everything stands, has done what the plan says, and looks again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use deis_database::{Change, DatabaseError};
use deis_model::acme::{AcmeSettings, Held, Plan, plan};
use futures::StreamExt;
use futures::stream::BoxStream;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::answers::Answers;
use super::job::Job;
use super::standing::{Standing, StandingError, hour};
use super::survey::Survey;
use super::{AcmeParts, report};

/// How soon everything is looked at again at the soonest: changes come in crowds.
const CALM: Duration = Duration::from_secs(1);
/// And how soon after it could not be.
const RETRY: Duration = Duration::from_secs(5);

/// Keeps certificates, as long as it runs.
pub struct Keeper {
    parts: AcmeParts,
    answers: Answers,
    opening: Arc<Mutex<()>>,
    jobs: JoinSet<()>,
    /// The names that are worked on, and what ends that.
    busy: BTreeMap<String, CancellationToken>,
    /// The name that each job is about.
    hosts: HashMap<Id, String>,
    /// The survey that is under way.
    survey: Option<Id>,
}

impl Keeper {
    /// One at rest.
    pub fn new(parts: AcmeParts) -> Self {
        let answers = Answers::new(Arc::clone(&parts.routers));
        Self {
            parts,
            answers,
            opening: Arc::default(),
            jobs: JoinSet::new(),
            busy: BTreeMap::new(),
            hosts: HashMap::new(),
            survey: None,
        }
    }

    /// Works for ever. Dropped, it leaves orders to whoever runs next.
    pub async fn run(mut self) {
        let mut changes = self.parts.database.changes();
        loop {
            let pause = match self.pass().await {
                Ok(next) => Duration::try_from(next - (self.parts.clock)()).unwrap_or_default(),
                Err(StandingError::Settings(error)) => {
                    report::show_settings(&self.parts.status, error);
                    Duration::MAX
                }
                Err(StandingError::Database(error)) => {
                    warn!(%error, "failed to look after certificates; trying again");
                    RETRY
                }
            };
            self.wait(&mut changes, pause).await;
            tokio::time::sleep(CALM).await;
            while let Some(ended) = self.jobs.try_join_next_with_id() {
                self.note_end(&ended);
            }
        }
    }

    /// Waits until something may be to be done.
    async fn wait(&mut self, changes: &mut BoxStream<'static, Change>, pause: Duration) {
        tokio::select! {
            Some(ended) = self.jobs.join_next_with_id() => self.note_end(&ended),
            _ = changes.next() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// Has done what is due now. When something is to be done next.
    async fn pass(&mut self) -> Result<OffsetDateTime, StandingError> {
        let now = (self.parts.clock)();
        if !self.parts.gate.is_open() {
            return Ok(now + RETRY);
        }
        let standing = Standing::read(&self.parts).await?;
        let busy: BTreeSet<String> = self.busy.keys().cloned().collect();
        let plan = plan(now, &standing.names, &standing.progress(), &busy, &standing.capacity(now));
        self.tidy(&plan, now).await?;
        for host in &plan.begin {
            let directory = &standing.settings.directory;
            self.parts.database.begin_acme_order(host, directory, hour(now)).await?;
        }
        let settings = Arc::new(standing.settings.clone());
        for host in plan.resume.iter().chain(&plan.begin) {
            self.start(host, &standing, &settings);
        }
        self.ask(&plan, &settings);
        report::show(&self.parts.status, &standing, now);
        Ok(plan.look_again)
    }

    async fn tidy(&mut self, plan: &Plan, now: OffsetDateTime) -> Result<(), DatabaseError> {
        plan.stop.iter().filter_map(|host| self.busy.get(host)).for_each(CancellationToken::cancel);
        let database = &self.parts.database;
        if !plan.idle.is_empty() {
            database.set_acme_idle(&plan.idle, Some(now), &self.parts.domain).await?;
        }
        if !plan.revive.is_empty() {
            database.set_acme_idle(&plan.revive, None, &self.parts.domain).await?;
        }
        if !plan.forget.is_empty() {
            database.forget_acme(&plan.forget).await?;
        }
        Ok(())
    }

    fn start(&mut self, host: &str, standing: &Standing, settings: &Arc<AcmeSettings>) {
        let Some(name) = standing.names.get(host) else { return };
        let Some(proof) = name.proof else { return };
        let progress = standing.states.get(host).map(|state| &state.progress);
        let held = progress.and_then(|found| found.certificate.as_ref());
        let is_suggested = |held: &&Held| held.renewal.suggestion.is_some();
        let stopped = CancellationToken::new();
        let job = Job {
            parts: self.parts.clone(),
            settings: Arc::clone(settings),
            answers: self.answers.clone(),
            opening: Arc::clone(&self.opening),
            host: host.to_owned(),
            proof,
            served_until: held.map(|held| held.validity.not_after),
            replaces: held.filter(is_suggested).is_some_and(|held| held.directory == settings.directory),
            failures: progress.map_or(0, |found| found.failures),
            authority_failures: standing.account.as_ref().map_or(0, |account| account.failures),
            stopped: stopped.clone(),
        };
        self.busy.insert(host.to_owned(), stopped);
        let task = self.jobs.spawn(job.run());
        self.hosts.insert(task.id(), host.to_owned());
    }

    /// Has the authority asked when certificates are to be renewed, unless it is being asked.
    fn ask(&mut self, plan: &Plan, settings: &Arc<AcmeSettings>) {
        if plan.ask.is_empty() || self.survey.is_some() {
            return;
        }
        let survey = Survey {
            parts: self.parts.clone(),
            settings: Arc::clone(settings),
            opening: Arc::clone(&self.opening),
            hosts: plan.ask.clone(),
        };
        self.survey = Some(self.jobs.spawn(survey.run()).id());
    }

    fn note_end(&mut self, ended: &Result<(Id, ()), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.survey = self.survey.filter(|survey| *survey != id);
        if let Some(host) = self.hosts.remove(&id) {
            self.busy.remove(&host);
        }
        if let Err(error) = ended {
            error!(%error, "work on a certificate broke off");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        report::clear(&self.parts.status);
    }
}
