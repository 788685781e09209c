//! Saying why containers did not become ready, for the app's owner.

use deis_model::plan::Failure;
use deis_model::{ContainerName, ContainerStatus, ReleaseVersion, Workload};

use super::Reconciler;

/// How many of a failed container's last lines are shown.
const LAST_LINES: usize = 10;

impl Reconciler {
    /// Why this container ends again and again, with its last words.
    pub(super) async fn explain_failure(
        &self,
        name: &ContainerName,
        failure: &Failure,
        containers: &[ContainerStatus],
    ) -> String {
        if let Some(trouble) = trouble(name, containers) {
            return format!("{} cannot be started: {trouble}", name.short());
        }
        let cause = match failure {
            Failure::OutOfMemory => {
                "was killed for using more memory than its limit; raise it with deis limits:set".to_owned()
            }
            Failure::Crashed { exit_code } => format!("keeps exiting with status {exit_code}"),
        };
        let words = self.last_words(name, containers).await;
        format!("{} {cause}{words}", name.short())
    }

    /// Why these containers are not ready although their time is over.
    pub(super) async fn explain_delay(
        &self,
        names: &[ContainerName],
        workloads: &[Workload],
        containers: &[ContainerStatus],
    ) -> String {
        let seconds = self.shared.settings.ready_timeout.as_secs();
        // Of several, one that the engine says something of.
        if let Some((name, trouble)) = names.iter().find_map(|name| Some((name, trouble(name, containers)?)))
        {
            return format!("{} could not be started within {seconds} s: {trouble}", name.short());
        }
        let Some(name) = names.first() else { return format!("nothing became ready within {seconds} s") };
        let found = containers.iter().find(|container| container.name == *name);
        let reported = found.and_then(|container| self.shared.routing.reports.reason(container));
        let cause = reported.unwrap_or_else(|| unreported(name, workloads, found));
        let words = self.last_words(name, containers).await;
        format!("{} did not become ready within {seconds} s: {cause}{words}", name.short())
    }

    async fn last_words(&self, name: &ContainerName, containers: &[ContainerStatus]) -> String {
        let Some(found) = containers.iter().find(|container| container.name == *name) else {
            return String::new();
        };
        match self.shared.output.tail(&found.id, LAST_LINES).await {
            // The reason has a line to itself: what follows may look much like it.
            Ok(lines) if !lines.is_empty() => format!("\nits last output:\n    {}", lines.join("\n    ")),
            _ => "; it printed nothing".to_owned(),
        }
    }
}

/// What the engine says of a container that it has not started: it printed nothing then.
fn trouble<'a>(name: &ContainerName, containers: &'a [ContainerStatus]) -> Option<&'a str> {
    containers.iter().find(|container| container.name == *name)?.trouble.as_deref()
}

fn unreported(name: &ContainerName, workloads: &[Workload], found: Option<&ContainerStatus>) -> String {
    let port =
        workloads.iter().find(|workload| workload.id == name.workload).and_then(|workload| workload.port);
    match (found, port) {
        (None, _) => "the engine has not started it".to_owned(),
        (Some(_), Some(port)) => format!("no publisher reports that port {port} answers"),
        (Some(_), None) => "it does not stay up".to_owned(),
    }
}

/// The reason as lines of the app's log.
pub(super) fn log_lines(release: ReleaseVersion, reason: &str) -> Vec<String> {
    let mut lines = reason.lines();
    let first = format!("aborting, {release} failed: {}", lines.next().unwrap_or_default());
    std::iter::once(first).chain(lines.map(|line| format!("    {line}"))).collect()
}
