//! Ports of apps' own, at which connections are passed on as they are: opened and closed as the table says.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use deis_model::AppId;
use deis_runtime::{Shutdown, StatusBoard};

use crate::error::RouterError;
use crate::handover::Estate;
use crate::listener::{Acceptor, Sockets};
use crate::shared::Shared;
use crate::sought::Sought;
use crate::table::Table;
use crate::{announced, passage};

/// How soon a port is tried again that somebody else holds.
const RETRY: Duration = Duration::from_secs(5);

/// What is noted of those that are open.
const OPEN: &str = "open ports";

/// Keeps ports of apps' own.
pub(crate) struct Ports {
    shared: Arc<Shared>,
    sockets: Sockets,
    estate: Arc<Estate>,
    status: StatusBoard,
    /// Ports of the router itself: an app at one of them would be given some of everybody's visitors.
    own: BTreeSet<u16>,
    /// Connections at all of them together.
    places: Arc<Semaphore>,
    open: BTreeMap<u16, Port>,
}

/// One that is open.
struct Port {
    app: AppId,
    /// Where it is.
    addresses: Vec<SocketAddr>,
    /// Closes it.
    closing: Shutdown,
}

impl Ports {
    /// None is open yet. Those that `sockets` were left are taken over, and all are offered in `estate`. The ports in
    /// `own` are the router's, and no app's.
    pub(crate) fn new(
        shared: Arc<Shared>,
        sockets: Sockets,
        estate: Arc<Estate>,
        status: StatusBoard,
        own: BTreeSet<u16>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(shared.config.limits.passages.min(Semaphore::MAX_PERMITS)));
        Self { shared, sockets, estate, status, own, places, open: BTreeMap::new() }
    }

    /// Opens and closes ports until the router lets nobody in any more.
    pub(crate) async fn keep(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut changed = shared.changed.subscribe();
        while !shared.shut.is_cancelled() {
            changed.mark_unchanged();
            let is_settled = self.settle(&wanted(&shared.table.load()));
            // What nobody has asked for by now must not stay open without being accepted from.
            self.sockets.disclaim();
            tokio::select! {
                _ = changed.changed() => {}
                () = tokio::time::sleep(RETRY), if !is_settled => {}
                () = shared.shut.cancelled() => {}
            }
        }
    }

    /// Makes what is open equal to `wanted`. Whether that worked.
    fn settle(&mut self, wanted: &BTreeMap<u16, AppId>) -> bool {
        let gone: Vec<u16> = self
            .open
            .iter()
            .filter(|(port, held)| wanted.get(port) != Some(&held.app))
            .map(|(port, _)| *port)
            .collect();
        for port in gone.into_iter().filter_map(|port| self.open.remove(&port)) {
            port.addresses.iter().for_each(|address| self.estate.remove(*address));
            port.closing.cancel();
        }
        let missing = wanted.iter().filter(|(port, _)| !self.open.contains_key(port));
        let mut failure = None;
        for (port, app) in missing.map(|(port, app)| (*port, app.clone())).collect::<Vec<_>>() {
            match self.open(port, &app) {
                Ok(opened) => drop(self.open.insert(port, opened)),
                Err(error) => failure = Some((app, error)),
            }
        }
        match &failure {
            None => self.status.well("ports of apps"),
            Some((app, error)) => {
                let cure = "end what else listens there, or give the app another port (`deis routing:set tcp/port=…`)";
                self.status.trouble(
                    "ports of apps",
                    format!("{app} cannot be reached at its port: {error}"),
                    cure,
                );
            }
        }
        self.tell_open();
        failure.is_none()
    }

    /// Tells operators which are open.
    fn tell_open(&self) {
        let ports: Vec<_> =
            self.open.iter().map(|(port, held)| format!("{port} leads to {}", held.app)).collect();
        match ports.is_empty() {
            true => self.status.forget(OPEN),
            false => self.status.note(OPEN, format!("of apps' own ports, {}", ports.join(", "))),
        }
    }

    /// Opens `port` at every address of this host that visitors come to; all of them, or none.
    fn open(&mut self, port: u16, app: &AppId) -> Result<Port, RouterError> {
        let hosts: BTreeSet<IpAddr> = self.shared.config.http.iter().map(SocketAddr::ip).collect();
        let addresses: Vec<_> = hosts.into_iter().map(|host| SocketAddr::new(host, port)).collect();
        if addresses.contains(&SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port)) {
            self.sockets.split(port);
        }
        let closing = self.shared.shut.child_token();
        let opened = addresses.iter().try_for_each(|address| self.open_at(*address, app, &closing));
        if let Err(error) = opened {
            closing.cancel();
            addresses.iter().for_each(|address| self.estate.remove(*address));
            return Err(error);
        }
        tracing::info!(%app, ?addresses, "passes connections on");
        Ok(Port { app: app.clone(), addresses, closing })
    }

    fn open_at(&mut self, address: SocketAddr, app: &AppId, closing: &Shutdown) -> Result<(), RouterError> {
        let failed = |source| RouterError::Bind { address, purpose: "an app's own port", source };
        if self.own.contains(&address.port()) {
            return Err(failed(io::ErrorKind::AddrInUse.into()));
        }
        let socket = self.sockets.one(address, "an app's own port")?;
        self.estate.add(&socket).map_err(failed)?;
        self.accept(socket, app.clone(), closing.clone()).map_err(failed)
    }

    fn accept(&self, socket: TcpListener, app: AppId, closing: Shutdown) -> io::Result<()> {
        let acceptor = Acceptor::sharing(socket, Arc::clone(&self.places))?;
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let serve = |mut stream, peer, place| {
                let (shared, app, tasks) = (Arc::clone(&shared), app.clone(), &shared.tasks);
                tasks.spawn(async move {
                    if let Some(ends) = announced::ends(&shared, &mut stream, peer).await
                        && let Some(member) =
                            shared.count_in(&shared.callers, ends.client.ip(), ends.is_announced)
                    {
                        passage::serve(&shared, stream, ends, Sought::App(&app)).await;
                        drop(member);
                    }
                    drop(place);
                });
            };
            acceptor.run(&closing, |_| {}, serve).await;
        });
        Ok(())
    }
}

/// Which app each port is for. Of several that want one the first in order has it; the controller lets only one ask.
fn wanted(table: &Table) -> BTreeMap<u16, AppId> {
    let Some(allowed) = &table.mesh.tcp_ports else { return BTreeMap::new() };
    let port = |app: &AppId| table.apps.get(app)?.rules.tcp_port.filter(|port| allowed.contains(port));
    table.passed_on.iter().rev().filter_map(|app| Some((port(app)?, app.clone()))).collect()
}
