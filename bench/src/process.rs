//! What a process costs, as the kernel tells.

/// Clock ticks a second, as the kernel counts processor time.
const TICKS: f64 = 100.0;

/// Seconds of user and system time: fields 14 and 15 of `stat`, counted behind the name, which may hold spaces.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    let (_, rest) = stat.rsplit_once(')').expect("the name is in parentheses");
    let fields = rest.split_whitespace().skip(11).take(2);
    fields.map(|field| field.parse::<f64>().expect("a number")).sum::<f64>() / TICKS
}

/// Resident memory; none if the process has ended since it was listed.
pub(crate) fn resident_megabytes(process: u32) -> f64 {
    megabytes(process, "VmRSS:")
}

/// The most that it has ever been.
pub(crate) fn peak_megabytes(process: u32) -> f64 {
    megabytes(process, "VmHWM:")
}

fn megabytes(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let Some(line) = status.lines().find_map(|line| line.strip_prefix(field)) else { return 0.0 };
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kibibytes * 1024.0 / 1e6
}
