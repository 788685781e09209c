//! What operators are told of automatic certificates, on the controller's board.

use deis_database::AcmeState;
use deis_runtime::StatusBoard;
use time::OffsetDateTime;
use time::macros::format_description;

use super::standing::Standing;

/// What the board's entries are about.
const CERTIFICATES: &str = "automatic certificates";
const AUTHORITY: &str = "certificate authority";
const SETTINGS: &str = "settings of automatic certificates";

/// From how many failures in a row on an authority is an operator's concern.
const PATIENCE: u32 = 3;

/// Shows how everything stands at `now`.
pub(super) fn show(board: &StatusBoard, standing: &Standing, now: OffsetDateTime) {
    board.well(SETTINGS);
    show_authority(board, standing);
    show_ends(board, standing, now);
    let held = standing.states.values().filter(|state| state.progress.certificate.is_some()).count();
    if held > 0 {
        board.note(CERTIFICATES, format!("automatic certificates: {held}"));
    }
}

/// Shows that settings break a rule.
pub(super) fn show_settings(board: &StatusBoard, error: impl ToString) {
    let cure =
        "correct it with deisctl config router set; certificates that are served stay, and none is renewed";
    board.trouble(SETTINGS, error, cure);
}

/// Says nothing more: another controller leads.
pub(super) fn clear(board: &StatusBoard) {
    [CERTIFICATES, AUTHORITY, SETTINGS].into_iter().for_each(|subject| board.well(subject));
}

fn show_authority(board: &StatusBoard, standing: &Standing) {
    let failing = standing.account.as_ref().filter(|account| account.failures >= PATIENCE);
    match failing.filter(|_| standing.settings.enabled) {
        None => board.well(AUTHORITY),
        Some(account) => {
            let reason = account.problem.as_deref().unwrap_or("no reason is known");
            let cause = format!("no certificate can be had from {}: {reason}", standing.settings.directory);
            let cure = "see that controllers reach it, and that acme/directory, acme/caCertificates and acme/eab/* are right";
            board.trouble(AUTHORITY, cause, cure);
        }
    }
}

/// Certificates that should have been renewed for long, the first to end named.
fn show_ends(board: &StatusBoard, standing: &Standing, now: OffsetDateTime) {
    let wanted = |host: &str| standing.names.get(host).is_some_and(|name| name.proof.is_some());
    let states = standing.states.iter().filter(|(host, _)| wanted(host));
    let ending = states.filter_map(|(host, state)| Some((end_of_concern(state, now)?, host, state)));
    let mut ending: Vec<_> = ending.collect();
    ending.sort_by_key(|(end, host, _)| (*end, *host));
    let Some((end, host, state)) = ending.first() else { return board.well(CERTIFICATES) };
    let reason = state.problem.as_deref().unwrap_or("no order was made yet");
    let ends = if *end <= now { "ended" } else { "ends" };
    let others = match ending.len() - 1 {
        0 => String::new(),
        others => format!(" ({others} more end soon)"),
    };
    let cause =
        format!("the certificate for {host} {ends} on {} and is not renewed: {reason}{others}", date(*end));
    board.trouble(
        CERTIFICATES,
        cause,
        "see that the name leads to the routers, or remove the domain from its app",
    );
}

/// When the certificate of a name ends, if that is an operator's concern by now.
fn end_of_concern(state: &AcmeState, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let validity = state.progress.certificate.as_ref()?.validity;
    (validity.warning() <= now).then_some(validity.not_after)
}

/// A moment, for people.
pub(super) fn date(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    moment.to_offset(time::UtcOffset::UTC).format(format).unwrap_or_default()
}
