//! What a container is made of.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, RestartPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::CreateContainerOptionsBuilder;

use deis_model::{Command, ContainerName, Environment, HostAccess, Job, Limits, Mount, Workload};

use super::Docker;
use crate::labels;

/// What apps may not do although the engine would let them: raw packets, device files, the audit log, file capabilities.
pub(crate) const DROPPED_CAPABILITIES: [&str; 4] = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"];

/// Processes and threads in one container: a fork bomb ends here.
pub(crate) const PROCESS_LIMIT: i64 = 4096;

impl Docker {
    /// The description of one replica.
    pub(super) fn replica(&self, workload: &Workload, number: u32) -> ContainerCreateBody {
        let labels = labels::of_replica(&self.options.platform, workload, number);
        let body = self.body(&workload.image, &workload.command, &workload.environment, labels);
        // It comes back with the engine after a reboot, without us.
        let restart = RestartPolicyNameEnum::UNLESS_STOPPED;
        let host_config = self.host_config(workload.limits, restart);
        let host_config = match &workload.host {
            Some(access) => with_access(host_config, access),
            None => host_config,
        };
        ContainerCreateBody { host_config: Some(host_config), ..body }
    }

    /// The description of a job's container, which nobody waits for after `deadline`.
    pub(super) fn job(&self, job: &Job, deadline: u64, reads: bool) -> ContainerCreateBody {
        let labels = labels::of_job(&self.options.platform, &job.name, deadline);
        let body = self.body(&job.image, &job.command, &job.environment, labels);
        let restart = RestartPolicyNameEnum::NO;
        ContainerCreateBody {
            host_config: Some(self.host_config(job.limits, restart)),
            attach_stdin: Some(reads),
            open_stdin: Some(reads),
            // Or the process would never be told that its input has ended.
            stdin_once: Some(reads),
            ..body
        }
    }

    fn body(
        &self,
        image: &str,
        command: &Command,
        environment: &Environment,
        labels: HashMap<String, String>,
    ) -> ContainerCreateBody {
        // Words go in as entrypoint: with it set, the engine takes neither entrypoint nor command from the image.
        let entrypoint = match command {
            Command::Image => None,
            Command::Words(words) => Some(words.clone()),
        };
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint,
            env: Some(variables(environment)),
            labels: Some(labels),
            // The publisher judges health; the image's own check would only cost.
            healthcheck: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
            ..Default::default()
        }
    }

    fn host_config(&self, limits: Limits, restart: RestartPolicyNameEnum) -> HostConfig {
        let memory = limits.memory_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
        HostConfig {
            memory,
            // Equal to the memory limit: no swap, so that the limit is what it says.
            memory_swap: memory,
            cpu_shares: limits.cpu_shares.map(i64::from),
            restart_policy: Some(RestartPolicy { name: Some(restart), maximum_retry_count: None }),
            network_mode: Some(self.options.network.clone()),
            log_config: self.output.clone(),
            // An init process reaps zombies and hands signals on to commands that install no handler.
            init: Some(true),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            cap_drop: Some(DROPPED_CAPABILITIES.map(str::to_owned).into()),
            pids_limit: Some(PROCESS_LIMIT),
            ..Default::default()
        }
    }

    /// Makes a container and answers its id.
    pub(super) async fn create(
        &self,
        name: &ContainerName,
        body: ContainerCreateBody,
    ) -> Result<String, bollard::errors::Error> {
        let options = CreateContainerOptionsBuilder::new().name(&self.engine_name(name)).build();
        self.client.create_container(Some(options), body).await.map(|created| created.id)
    }
}

/// What a role may do with its host besides what apps may. A folder of the host that is missing is made by the engine.
fn with_access(config: HostConfig, access: &HostAccess) -> HostConfig {
    let bind = |mount: &Mount| {
        format!("{}:{}:{}", mount.source, mount.target, if mount.read_only { "ro" } else { "rw" })
    };
    let dropped =
        DROPPED_CAPABILITIES.iter().filter(|name| !access.capabilities.iter().any(|kept| kept == *name));
    HostConfig {
        network_mode: if access.network { Some("host".to_owned()) } else { config.network_mode },
        binds: Some(access.mounts.iter().map(bind).collect()),
        cap_add: Some(access.capabilities.clone()),
        cap_drop: Some(dropped.map(|name| (*name).to_owned()).collect()),
        // Roles bound themselves.
        pids_limit: None,
        ..config
    }
}

/// `KEY=value` for each variable.
pub(crate) fn variables(environment: &Environment) -> Vec<String> {
    environment.0.iter().map(|(key, value)| format!("{key}={value}")).collect()
}
