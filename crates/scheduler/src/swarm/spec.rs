//! What a service is made of.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    EndpointPortConfig, EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum, EndpointSpec,
    EndpointSpecModeEnum, HealthConfig, Limit, Mount as EngineMount, MountBindOptions, MountType,
    NetworkAttachmentConfig, ResourceObject, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated,
    ServiceSpecUpdateConfig, ServiceSpecUpdateConfigFailureActionEnum as OnFailure,
    ServiceSpecUpdateConfigOrderEnum as Order, TaskSpec, TaskSpecContainerSpec,
    TaskSpecContainerSpecPrivileges, TaskSpecContainerSpecSecrets, TaskSpecLogDriver, TaskSpecPlacement,
    TaskSpecResources, TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum as Restart,
};

use deis_model::{Command, Environment, HostAccess, Job, Limits, Mount, Workload};

use super::Swarm;
use super::service::Runs;
use crate::docker::{DROPPED_CAPABILITIES, PROCESS_LIMIT, variables};
use crate::labels;

/// How long a job may take to end after it was asked to: nobody waits for what it would still do.
const JOB_GRACE: Duration = Duration::from_secs(1);

/// What containers of apps attach to: the bridge that every engine makes for itself and makes anew when it starts. Of a
/// bridge that the cluster describes an engine keeps a record, which stands in its own way after it ended without warning.
const APPS_NETWORK: &str = "bridge";

/// Every container of a service that runs one.
const ONE: ServiceSpecModeReplicated = ServiceSpecModeReplicated { replicas: Some(1) };

impl Swarm {
    /// The service for container `number` of the workload, kept off the hosts `avoided`.
    pub(super) fn one(
        &self,
        workload: &Workload,
        number: u32,
        secrets: &[TaskSpecContainerSpecSecrets],
        avoided: &[String],
    ) -> ServiceSpec {
        let labels = weighed(labels::of_replica(self.platform(), workload, number), workload.limits);
        let mode = ServiceSpecMode { replicated: Some(ONE), ..Default::default() };
        let mut constraints = tagged(&workload.tags);
        constraints.extend(avoided.iter().map(|host| avoid(host)));
        self.kept_up(workload, labels, mode, secrets, constraints)
    }

    /// The service for a workload that has a container on every host.
    pub(super) fn each(&self, workload: &Workload, secrets: &[TaskSpecContainerSpecSecrets]) -> ServiceSpec {
        let labels = weighed(labels::of_each(self.platform(), workload), workload.limits);
        let mode = ServiceSpecMode { global: Some(HashMap::new()), ..Default::default() };
        self.kept_up(workload, labels, mode, secrets, tagged(&workload.tags))
    }

    /// The service of a job that nobody waits for after `deadline`, kept off the hosts `avoided`.
    pub(super) fn once(
        &self,
        job: &Job,
        deadline: u64,
        secrets: &[TaskSpecContainerSpecSecrets],
        avoided: &[String],
    ) -> ServiceSpec {
        let mut constraints = tagged(&job.tags);
        constraints.extend(avoided.iter().map(|host| avoid(host)));
        let labels = weighed(labels::of_job(self.platform(), &job.name, deadline), job.limits);
        let container = container(&job.image, &job.command, &job.environment, labels.clone(), JOB_GRACE);
        let task_template = TaskSpec {
            container_spec: Some(TaskSpecContainerSpec { secrets: Some(secrets.to_vec()), ..container }),
            resources: Some(resources(job.limits, true)),
            // A task that is never followed by another runs at most once, whatever becomes of hosts and leaders.
            restart_policy: Some(TaskSpecRestartPolicy {
                condition: Some(Restart::NONE),
                ..Default::default()
            }),
            placement: Some(placement(constraints)),
            networks: Some(vec![attachment(APPS_NETWORK)]),
            log_driver: self.log_driver(),
            ..Default::default()
        };
        ServiceSpec {
            name: Some(Runs::One(job.name.clone()).service_name(self.platform())),
            labels: Some(labels),
            task_template: Some(task_template),
            mode: Some(ServiceSpecMode { replicated: Some(ONE), ..Default::default() }),
            endpoint_spec: Some(endpoint(None)),
            ..Default::default()
        }
    }

    fn kept_up(
        &self,
        workload: &Workload,
        labels: HashMap<String, String>,
        mode: ServiceSpecMode,
        secrets: &[TaskSpecContainerSpecSecrets],
        constraints: Vec<String>,
    ) -> ServiceSpec {
        let access = workload.host.as_ref();
        let on_host_network = access.is_some_and(|access| access.network);
        let Workload { image, command, environment, .. } = workload;
        let container = container(image, command, environment, labels.clone(), self.grace(access));
        let network = if on_host_network { "host" } else { APPS_NETWORK };
        let task_template = TaskSpec {
            container_spec: Some(with_access(container, access, secrets)),
            resources: Some(resources(workload.limits, access.is_none())),
            restart_policy: Some(restart()),
            placement: Some(placement(constraints)),
            networks: Some(vec![attachment(network)]),
            log_driver: self.log_driver(),
            ..Default::default()
        };
        let runs = match labels::number(&labels) {
            Some(number) => labels::service_name(self.platform(), &format!("{}.{number}", workload.id)),
            None => labels::service_name(self.platform(), &workload.id.to_string()),
        };
        ServiceSpec {
            name: Some(runs),
            labels: Some(labels),
            task_template: Some(task_template),
            mode: Some(mode),
            update_config: Some(one_after_another(access.is_some_and(|access| access.overlaps))),
            endpoint_spec: Some(endpoint(workload.port.filter(|_| !on_host_network))),
            ..Default::default()
        }
    }

    /// How long a workload's containers may take to end.
    fn grace(&self, access: Option<&HostAccess>) -> Duration {
        let own = access.and_then(|access| access.stop_grace_seconds);
        own.map_or_else(|| self.stop_grace(), |seconds| Duration::from_secs(seconds.into()))
    }

    fn log_driver(&self) -> Option<TaskSpecLogDriver> {
        let output = self.local.output.clone()?;
        Some(TaskSpecLogDriver { name: output.typ, options: output.config })
    }
}

fn weighed(mut labels: HashMap<String, String>, limits: Limits) -> HashMap<String, String> {
    let shares = limits.cpu_shares.map(|shares| shares.to_string());
    labels.insert(labels::SHARES.to_owned(), shares.unwrap_or_default());
    labels
}

/// Constraints that only hosts with all `tags` meet.
pub(super) fn tagged(tags: &BTreeMap<String, String>) -> Vec<String> {
    tags.iter().map(|(key, value)| format!("node.labels.{key}=={value}")).collect()
}

/// The constraint that keeps a container off a host.
pub(super) fn avoid(host: &str) -> String {
    format!("node.id!={host}")
}

fn container(
    image: &str,
    command: &Command,
    environment: &Environment,
    labels: HashMap<String, String>,
    grace: Duration,
) -> TaskSpecContainerSpec {
    TaskSpecContainerSpec {
        image: Some(image.to_owned()),
        labels: Some(labels),
        // With these set, the engine takes neither entrypoint nor command from the image.
        command: match command {
            Command::Image => None,
            Command::Words(words) => Some(words.clone()),
        },
        env: Some(variables(environment)),
        init: Some(true),
        stop_grace_period: Some(nanos(grace)),
        // The publisher judges health; the image's own check would only cost.
        health_check: Some(unchecked()),
        capability_drop: Some(DROPPED_CAPABILITIES.map(str::to_owned).into()),
        // Engines before API 1.46 pass over it.
        privileges: Some(TaskSpecContainerSpecPrivileges {
            no_new_privileges: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn with_access(
    container: TaskSpecContainerSpec,
    access: Option<&HostAccess>,
    secrets: &[TaskSpecContainerSpecSecrets],
) -> TaskSpecContainerSpec {
    let Some(access) = access else { return container };
    let dropped =
        DROPPED_CAPABILITIES.iter().filter(|name| !access.capabilities.iter().any(|kept| kept == *name));
    TaskSpecContainerSpec {
        mounts: Some(access.mounts.iter().map(mount).collect()),
        secrets: Some(secrets.to_vec()),
        capability_add: Some(access.capabilities.clone()),
        capability_drop: Some(dropped.map(|name| (*name).to_owned()).collect()),
        ..container
    }
}

/// A missing folder is made by engines of API 1.42; older ones refuse the task.
fn mount(mount: &Mount) -> EngineMount {
    EngineMount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        bind_options: Some(MountBindOptions { create_mountpoint: Some(true), ..Default::default() }),
        ..Default::default()
    }
}

/// Docker Swarm knows no relative weights of processor time: a cap would slow an app on an idle host, and a reservation
/// would refuse hosts that have time to spare. A label tells the weight to whoever watches the host's engine.
///
/// Half of the memory limit is reserved: while a release replaces another both stand side by side, and the two halves
/// are what one of them may use.
fn resources(limits: Limits, bounded: bool) -> TaskSpecResources {
    let memory = limits.memory_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let reserved = memory.map(|bytes| ResourceObject { memory_bytes: Some(bytes / 2), ..Default::default() });
    TaskSpecResources {
        limits: Some(Limit {
            memory_bytes: memory,
            pids: bounded.then_some(PROCESS_LIMIT),
            ..Default::default()
        }),
        reservations: reserved,
        ..Default::default()
    }
}

/// No health check, not even the image's own.
pub(super) fn unchecked() -> HealthConfig {
    HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }
}

/// At once, because the same delay comes before a lost host's containers are made elsewhere. Containers that end as soon
/// as they start are made about once a second.
fn restart() -> TaskSpecRestartPolicy {
    TaskSpecRestartPolicy { condition: Some(Restart::ANY), delay: Some(0), ..Default::default() }
}

fn placement(constraints: Vec<String>) -> TaskSpecPlacement {
    TaskSpecPlacement { constraints: Some(constraints), ..Default::default() }
}

fn attachment(network: &str) -> NetworkAttachmentConfig {
    NetworkAttachmentConfig { target: Some(network.to_owned()), ..Default::default() }
}

/// What is changed goes host by host, and stops where the new does not stay up.
fn one_after_another(overlaps: bool) -> ServiceSpecUpdateConfig {
    ServiceSpecUpdateConfig {
        parallelism: Some(1),
        failure_action: Some(OnFailure::PAUSE),
        // The old one may hold ports that the new one needs.
        order: Some(if overlaps { Order::START_FIRST } else { Order::STOP_FIRST }),
        ..Default::default()
    }
}

/// Without virtual addresses, which need a part of the kernel that many lack. The engine chooses the host's port.
fn endpoint(port: Option<u16>) -> EndpointSpec {
    let published = |port: u16| EndpointPortConfig {
        protocol: Some(EndpointPortConfigProtocolEnum::TCP),
        target_port: Some(i64::from(port)),
        publish_mode: Some(EndpointPortConfigPublishModeEnum::HOST),
        ..Default::default()
    };
    EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ports: port.map(|port| vec![published(port)]) }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
