//! Publisher and logspout on engines, talking to a controller and a logger that take notes.

mod host;
mod logspout;
mod platform;
mod publisher;
