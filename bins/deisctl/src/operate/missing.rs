//! Commands of the original that are not offered.

/// Why a command of the original is not offered, and what to do instead.
pub(super) fn not_offered(command: &str, words: &[String]) -> String {
    let unit = words.first().map_or("UNIT", String::as_str);
    format!(
        "deisctl has no {command}: it talks to the engine and holds no keys of hosts. Look with `deisctl status {unit}` \
         and `deisctl journal {unit}`; for more, log in to the host itself: its address is in `deisctl hosts`"
    )
}
