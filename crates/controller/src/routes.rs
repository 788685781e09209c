//! Routes: what publishers report, what routers are told, and what they acknowledge.

mod book;
mod report;
mod routing;

pub use book::{ROUTER_GRACE, RouteBook};
pub use report::Reports;
pub use routing::{Routing, Source};
