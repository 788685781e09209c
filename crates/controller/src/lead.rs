//! Leading: of several controllers on one database, one at a time runs the apps and tells routers.
//!
//! It leads for a [`Term`], under a lease in the database that it renews. Everything else a controller does, it does
//! whether it leads or not.

mod caretaker;
mod engine;
mod gate;
mod leadership;
mod lease;
mod seat;
mod term;

pub use engine::LedScheduler;
pub use gate::Gate;
pub(crate) use leadership::{Leadership, OpenTerm};
pub(crate) use lease::{DatabaseLeases, Pace};
pub use seat::{Dial, Seat, Seats};
pub use term::{Term, TermParts};
