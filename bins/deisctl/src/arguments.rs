//! The command line.

mod cluster;
mod unit;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use deis_runtime::data_dir;

#[cfg(test)]
pub(crate) use cluster::Planes;
pub(crate) use cluster::{ClusterCommand, ImageCommand, Init, Join, Label};
pub(crate) use unit::{Install, Scale, Targets, UnitsCommand};

/// Prepares, looks at and sets up a Deis platform.
#[derive(Parser)]
#[command(name = "deisctl", version = deis_api::PLATFORM_VERSION, max_term_width = 110)]
pub(crate) struct Arguments {
    /// Where the platform keeps its data
    #[arg(long, global = true, value_name = "DIR", env = "DEIS_DATA_DIR", default_value_os_t = usual_data_dir())]
    pub(crate) data_dir: PathBuf,

    /// The container engine
    #[arg(long, global = true, value_name = "URL", env = "DEIS_SCHEDULER", default_value = "docker://")]
    pub(crate) scheduler: String,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// The image that apps are built and run in
    #[command(subcommand)]
    Stack(StackCommand),
    /// Administrators of the platform
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Settings of the platform: get, set, rm, list
    Config(ConfigCommand),
    /// Whether every role is well, on this machine or on all hosts of its cluster
    Status(StatusCommand),
    /// What roles wrote into their journal
    Journal(JournalCommand),

    /// The image that the platform's roles run from
    #[command(subcommand)]
    Image(ImageCommand),
    #[command(flatten)]
    Cluster(ClusterCommand),
    #[command(flatten)]
    Units(UnitsCommand),
}

#[derive(Subcommand)]
pub(crate) enum StackCommand {
    /// Makes the stack image from the distribution's packages, unless it is there already; on hosts that keep the
    /// platform's own database its image, too
    Build(StackBuild),
}

#[derive(Args)]
pub(crate) struct StackBuild {
    /// Name of the image
    #[arg(long, value_name = "NAME", env = "DEIS_STACK_IMAGE", default_value = "deis/stack:latest")]
    pub(crate) image: String,
    /// Make it anew even if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Creates an administrator, or makes an existing user one
    Create(AdminCreate),
}

#[derive(Args)]
pub(crate) struct AdminCreate {
    /// Login name
    pub(crate) username: String,
    /// Email address
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub(crate) email: String,
    /// Take the password from this file; where there is none, write the generated one into it
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Give an existing user this password too
    #[arg(long)]
    pub(crate) reset_password: bool,
}

#[derive(Args)]
pub(crate) struct ConfigCommand {
    /// Whose settings: platform, store, database, controller, builder, registry, logger, router, …
    pub(crate) target: String,
    /// What to do with them
    #[command(subcommand)]
    pub(crate) action: ConfigAction,
}

#[derive(Subcommand)]
pub(crate) enum ConfigAction {
    /// Prints values, one per line; without keys all of them as key=value
    Get {
        /// Which
        keys: Vec<String>,
    },
    /// Sets values and prints them
    Set {
        /// key=value, or key=path for certificates and keys
        #[arg(required = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
    /// Removes keys and prints their names
    Rm {
        /// Which
        #[arg(required = true)]
        keys: Vec<String>,
    },
    /// Prints all of them as key=value
    List,
}

#[derive(Args)]
pub(crate) struct StatusCommand {
    /// Only these: router, controller@lab1, registry@*, …
    pub(crate) units: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct JournalCommand {
    /// Only these: router, controller@lab1, registry@*, …; without any the whole journal
    pub(crate) units: Vec<String>,
    /// How many lines from the end
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100)]
    pub(crate) lines: usize,
    /// Go on printing what comes
    #[arg(short, long)]
    pub(crate) follow: bool,
}

fn usual_data_dir() -> PathBuf {
    data_dir::default_root(|name| std::env::var(name).ok())
}
