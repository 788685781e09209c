//! The router from outside: real sockets on loopback, apps and a controller made for the purpose.

mod deploys;
mod framing;
mod protocol;
mod retries;
mod routing;
mod support;
mod survival;
mod tunnels;
