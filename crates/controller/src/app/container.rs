//! Containers: who they are from the database, what they do from the engine.

use deis_database::App;
use deis_database::Container;
use deis_model::permission::Action;
use deis_model::{ContainerState, ContainerStatus, ProcessType, User};

use super::{Platform, Refusal};

/// One container as the API shows it.
#[derive(Clone, Debug)]
pub struct ContainerView {
    /// Its identity.
    pub container: Container,
    /// What it does now.
    pub state: ContainerState,
}

impl Platform {
    /// The containers of an app, oldest first: of one process type, or of all but `run`.
    pub async fn containers(
        &self,
        caller: &User,
        id: &str,
        process: Option<&str>,
    ) -> Result<(App, Vec<ContainerView>), Refusal> {
        let app = self.app(caller, id, Action::View).await?;
        let wanted = |container: &Container| match process {
            Some(process) => container.process.as_str() == process,
            None => container.process != ProcessType::run(),
        };
        let views = self.views(&app).await?.into_iter().filter(|view| wanted(&view.container)).collect();
        Ok((app, views))
    }

    /// Starts the matching containers anew; returns them. No match is no error.
    pub async fn restart(
        &self,
        caller: &User,
        id: &str,
        process: Option<&str>,
        number: Option<u32>,
    ) -> Result<(App, Vec<ContainerView>), Refusal> {
        let app = self.app(caller, id, Action::Change).await?;
        let Ok(process) = process.map(ProcessType::parse).transpose() else { return Ok((app, Vec::new())) };
        let restarted = self.deploys.restart(&app.id, process.as_ref(), number).await?;
        let is_restarted =
            |view: &ContainerView| restarted.iter().any(|status| is_of(status, &view.container));
        let views = self.views(&app).await?.into_iter().filter(is_restarted).collect();
        Ok((app, views))
    }

    async fn views(&self, app: &App) -> Result<Vec<ContainerView>, Refusal> {
        let containers = self.database.containers(&app.id).await?;
        let observed = self.deploys.containers(&app.id).await;
        let view = |container: Container| {
            let state =
                observed.as_ref().map_or(ContainerState::Error, |observed| state(&container, observed));
            ContainerView { state, container }
        };
        Ok(containers.into_iter().map(view).collect())
    }
}

/// A container that no engine knows is yet to be made, but a job is over.
fn state(container: &Container, observed: &[ContainerStatus]) -> ContainerState {
    let unknown = match container.process == ProcessType::run() {
        true => ContainerState::Destroyed,
        false => ContainerState::Initialized,
    };
    observed.iter().find(|status| is_of(status, container)).map_or(unknown, |status| status.state)
}

fn is_of(status: &ContainerStatus, container: &Container) -> bool {
    let workload = &status.name.workload;
    status.name.number == container.num
        && workload.process == container.process
        && workload.release == container.version
}
