//! The pre-receive hook on its own, as `deisd hook pre-receive` runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    deis_builder::hook::pre_receive()
}
