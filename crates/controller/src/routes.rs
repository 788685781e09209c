//! Routes: what publishers report, what routers are told, and what they acknowledge.

mod book;
mod endpoint;
mod report;

pub use book::{ROUTER_GRACE, RouteBook};
pub use endpoint::{RoutesState, routes_router};
pub use report::Reports;
