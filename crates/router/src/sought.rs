//! What a request or a connection is for, as the table is asked.

use deis_model::AppId;

use crate::host::Host;
use crate::passthrough;
use crate::service::Service;
use crate::table::Table;

/// Which service is sought.
#[derive(Clone, Copy)]
pub(crate) enum Sought<'a> {
    /// That for a host, as the table names it.
    Host(&'a str),
    /// That of an app, at a port of its own.
    App(&'a AppId),
    /// That for a host, if it answers TLS itself.
    Unopened(&'a Host),
}

impl Sought<'_> {
    /// It, as `table` has it.
    pub(crate) fn find(self, table: &Table) -> Option<&Service> {
        match self {
            Self::Host(host) => table.find(host),
            Self::App(app) => table.apps.get(app).map(AsRef::as_ref),
            Self::Unopened(host) => passthrough::service(table, host).map(AsRef::as_ref),
        }
    }
}
