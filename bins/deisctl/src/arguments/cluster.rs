//! The command line: clusters, their hosts, and the image that roles run from.

use std::net::IpAddr;

use clap::{Args, Subcommand};

use crate::plane::Plane;

#[derive(Subcommand)]
pub(crate) enum ClusterCommand {
    /// Makes this host the first of a cluster
    Init(Init),
    /// Makes this host part of a cluster
    Join(Join),
    /// Takes this host out of its cluster, whatever runs on it
    Leave,
    /// Prints a ticket that lets one more host in
    Ticket {
        /// Let it in as a worker
        #[arg(long)]
        worker: bool,
    },
    /// The hosts of the cluster
    #[command(visible_alias = "machines")]
    Hosts,
    /// Gives a host no further work and moves what it has elsewhere
    Drain(Host),
    /// Gives a drained host work again
    Undrain(Host),
    /// Forgets a host, a dead one too
    Remove(Host),
    /// Sets labels of a host, or takes them away
    Label(Label),
}

#[derive(Args)]
pub(crate) struct Init {
    /// Where other hosts reach this one; needed where it has several addresses
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    /// The API is deis.DOMAIN, an app APP.DOMAIN
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    #[command(flatten)]
    pub(crate) planes: Planes,
}

#[derive(Args)]
pub(crate) struct Join {
    /// What `deisctl init` or `deisctl ticket` printed
    pub(crate) ticket: String,
    /// Where other hosts reach this one; needed where it has several addresses
    #[arg(long, value_name = "IP")]
    pub(crate) address: Option<IpAddr>,
    #[command(flatten)]
    pub(crate) planes: Planes,
    /// Take no part in the cluster's own decisions: for the fourth host and those after it
    #[arg(long)]
    pub(crate) worker: bool,
}

#[derive(Args)]
pub(crate) struct Planes {
    /// What the host is for: control, data, router [default: all; of a worker: data]
    #[arg(long, value_name = "PLANE,…", value_delimiter = ',')]
    pub(crate) planes: Vec<Plane>,
}

#[derive(Args)]
pub(crate) struct Host {
    /// Its name in `deisctl hosts`
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct Label {
    /// Its name in `deisctl hosts`
    pub(crate) host: String,
    /// KEY=VALUE sets, KEY- takes away
    #[arg(required = true, value_name = "KEY=VALUE|KEY-", allow_hyphen_values = true)]
    pub(crate) changes: Vec<String>,
}

#[derive(Subcommand)]
pub(crate) enum ImageCommand {
    /// Makes it from the programs of this host, unless it is there already; on hosts of the control plane the
    /// database's, too
    Build {
        /// Make it anew even if it is there
        #[arg(long)]
        force: bool,
    },
    /// Makes the image that the platform's own database runs from, unless it is there already
    Database {
        /// Make it anew even if it is there
        #[arg(long)]
        force: bool,
    },
    /// Puts it into the platform's registry, for hosts that lack it
    Push,
}
