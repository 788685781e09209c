//! The HTTP API, driven in process: a real database in memory, and a deploy side and a logger that work but run nothing.

#[cfg(test)]
#[path = "api/mod.rs"]
mod cases;
