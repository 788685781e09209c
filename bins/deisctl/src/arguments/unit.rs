//! The command line: units of the platform.

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub(crate) enum UnitsCommand {
    /// Adds units to the cluster, without starting them
    Install(Install),
    /// Stops units and forgets them
    Uninstall(Targets),
    /// Starts units
    Start(Targets),
    /// Stops units
    Stop(Targets),
    /// Starts units anew
    Restart(Targets),
    /// Runs so many of a component: router=3 registry=2; router=all for one on every host of its plane
    Scale(Scale),
    /// The units of the platform
    List,
    /// Not offered
    #[command(hide = true)]
    Ssh(Words),
    /// Not offered
    #[command(hide = true)]
    Dock(Words),
}

#[derive(Args)]
pub(crate) struct Install {
    /// platform, stateless-platform, router, controller, …
    pub(crate) targets: Vec<String>,
    /// How many routers; without it there is one on every host of the router mesh
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=255))]
    pub(crate) router_mesh_size: Option<u32>,
}

#[derive(Args)]
pub(crate) struct Targets {
    /// platform, stateless-platform, router, controller@lab1, registry@*, …
    pub(crate) targets: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Scale {
    /// As router=3, router=all
    #[arg(required = true, value_name = "COMPONENT=NUMBER")]
    pub(crate) components: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Words {
    /// Unit or host, and a command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}
