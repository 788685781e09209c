//! Routes: what publishers report, what routers are told, and what they acknowledge.

mod book;
mod certificates;
mod mesh;
mod report;
mod routing;

pub use book::{ROUTER_GRACE, RouteBook};
pub use certificates::Certificates;
pub use mesh::Mesh;
pub(crate) use mesh::open_settings;
pub use report::Reports;
pub use routing::{Routing, Source};
