//! Relative weights of processor time for containers of Docker Swarm, which has no word for them: whoever watches the
//! engine of a host gives them to the containers there.

use std::collections::HashMap;

use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::ListContainersOptionsBuilder;
use tracing::debug;

use crate::labels;

/// Gives the containers that run already what they lack.
pub(super) async fn weigh_present(client: &bollard::Docker, platform: &str) {
    let filters = labels::filters(platform, &[]);
    let options = ListContainersOptionsBuilder::new().filters(&filters).build();
    for container in client.list_containers(Some(options)).await.unwrap_or_default() {
        let labels = container.labels.unwrap_or_default();
        let name = container.names.iter().flatten().next();
        if let (Some(id), Some(name)) = (container.id, name) {
            weigh(client, platform, &id, name, &labels).await;
        }
    }
}

/// Gives a container of ours the weight that its labels tell.
pub(super) async fn weigh(
    client: &bollard::Docker,
    platform: &str,
    id: &str,
    name: &str,
    labels: &HashMap<String, String>,
) {
    let Some(shares) = shares(platform, name, labels) else { return };
    let update = ContainerUpdateBody { cpu_shares: Some(shares), ..Default::default() };
    if let Err(error) = client.update_container(id, update).await {
        // It ended meanwhile; the next one is told of, too.
        debug!(%error, container = id, "failed to set the weight of a container");
    }
}

/// The weight that a container of Docker Swarm should have; none if it is not ours or needs none.
fn shares(platform: &str, name: &str, labels: &HashMap<String, String>) -> Option<i64> {
    let shares = labels.get(labels::SHARES)?.parse().ok()?;
    let ours = labels::is_swarms(Some(labels)) && labels::own_name(platform, name, labels).is_some();
    (ours && (1..=1024).contains(&shares)).then_some(shares)
}
