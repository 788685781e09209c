//! Compressing answers for clients that understand it: which, in which coding, and doing so as they stream.
//!
//! What is asked and answered decides, see [`wants`]; nothing is ever held back for the sake of compressing better: what
//! an app has sent so far goes out before anybody waits for the rest.

mod accept;
mod encoder;
mod encoders;
mod offer;
mod stream;

pub(crate) use accept::preferred;
pub(crate) use encoder::Encoder;
pub(crate) use encoders::Encoders;
pub(crate) use offer::{Asked, Offered, Verdict, apply, forbid_change, settling, wants};
pub(crate) use stream::{Coded, CompressError, TURN_BYTES};
