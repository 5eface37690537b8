//! Which cores a server and its clients run on.
//!
//! It starts nothing.

use std::process::{Command, Stdio};

/// The core of a server; clients, and whatever else it talks to, have the others.
const ITS_CORE: &str = "0";

/// Gives a server its core.
pub(crate) fn give_one(server: u32) {
    pin(ITS_CORE, server);
}

/// Puts this process, and what it starts from now on, on the other cores.
pub(crate) fn stand_aside() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(cores > 1, "a server and its clients need a core each");
    pin(&format!("1-{}", cores - 1), std::process::id());
}

/// Lets a process go before all others of the machine, where the user may say so: what they do would
/// decide the highest percentiles.
pub(crate) fn go_first(process: u32) {
    let mut chrt = Command::new("chrt");
    let chrt = chrt.args(["-a", "-f", "-p", "10", &process.to_string()]).stderr(Stdio::null());
    if !chrt.status().is_ok_and(|status| status.success()) {
        println!("without a real-time priority, which root may give");
    }
}

/// Keeps a process, with all its threads, on these cores.
fn pin(cores: &str, process: u32) {
    let process = process.to_string();
    let mut taskset = Command::new("taskset");
    let pinned = taskset.args(["-a", "-c", "-p", cores, &process]).stdout(Stdio::null()).status();
    assert!(pinned.is_ok_and(|status| status.success()), "taskset (util-linux) is needed");
}
