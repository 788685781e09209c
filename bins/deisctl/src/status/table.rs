//! The report as people read it.

use std::fmt::Write;

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use super::report::{Report, RoleReport};
use crate::table::aligned;

const TIME: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");

/// The report at `now` (Unix seconds): roles, what they say, host, then what is wrong and what to do.
pub(super) fn render(report: &Report, now: i64) -> String {
    let mut rows = vec![["ROLE", "STATE", "SINCE", "VERSION", "PID", "ADDRESS"].map(str::to_owned)];
    rows.extend(report.roles.iter().map(|role| row(role, now)));
    let mut text = aligned(&rows);
    let notes = report.roles.iter().flat_map(|role| role.notes.iter().map(move |note| (&role.role, note)));
    let notes: String = notes.map(|(role, note)| format!("{role}: {note}\n")).collect();
    if !notes.is_empty() {
        text += &format!("\n{notes}");
    }
    text.push('\n');
    let checks: Vec<_> =
        report.host.iter().map(|check| [check.subject.to_owned(), check.found.clone()]).collect();
    text += &aligned(&checks);
    for (subject, problem) in report.problems() {
        // Writing to a string never fails.
        let _ = write!(text, "\n{subject}: {}\n  cure: {}\n", problem.cause, problem.cure);
    }
    text
}

fn row(role: &RoleReport, now: i64) -> [String; 6] {
    let state = match (role.up, role.problems.is_empty()) {
        (true, true) => "up",
        (true, false) => "trouble",
        (false, _) => "down",
    };
    let nothing = || "-".to_owned();
    let [since, version, pid, address] = role.facts.as_ref().map_or_else(
        || [nothing(), nothing(), nothing(), nothing()],
        |facts| {
            let address = if facts.address.is_empty() { nothing() } else { facts.address.clone() };
            [since(facts.up_since, now), facts.version.clone(), facts.pid.to_string(), address]
        },
    );
    [role.role.clone(), state.to_owned(), since, version, pid, address]
}

/// `2026-11-22 16:40:05Z (3 min)`
pub(super) fn since(start: i64, now: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(start).ok().and_then(|time| time.format(TIME).ok());
    format!("{} ({})", time.unwrap_or_else(|| "unknown".to_owned()), span(now.saturating_sub(start).max(0)))
}

/// The largest unit that counts at least two, or seconds.
fn span(seconds: i64) -> String {
    match seconds {
        172_800.. => format!("{} d", seconds / 86_400),
        7_200.. => format!("{} h", seconds / 3_600),
        120.. => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use deis_api::status::{Problem, RoleStatus};
    use deis_runtime::Role;

    use super::super::report::Check;
    use super::*;

    fn status(role: Role, problems: Vec<Problem>) -> RoleStatus {
        RoleStatus {
            role: role.to_string(),
            version: "0.1.0".into(),
            pid: 42,
            up_since: 1_000_000_000,
            address: "127.0.0.1:8080".into(),
            notes: Vec::new(),
            problems,
        }
    }

    #[test]
    fn problems_stand_below_the_table_with_their_cures() {
        let problem = Problem { cause: "the controller is away".into(), cure: "start it".into() };
        let notes = vec!["HTTPS is at 127.0.0.1:8443".to_owned()];
        let roles = vec![
            RoleReport::up(Role::Logger, status(Role::Logger, Vec::new())),
            RoleReport::up(Role::Router, RoleStatus { notes, ..status(Role::Router, vec![problem]) }),
            RoleReport::down(Role::Builder, &anyhow::anyhow!("connection refused")),
        ];
        let host = vec![Check { subject: "disk", found: "5 GB free".into(), problems: Vec::new() }];
        let text = render(&Report::new(roles, host), 1_000_000_200);
        assert_eq!(
            text,
            "ROLE     STATE    SINCE                         VERSION  PID  ADDRESS\n\
             logger   up       2001-09-09 01:46:40Z (3 min)  0.1.0    42   127.0.0.1:8080\n\
             router   trouble  2001-09-09 01:46:40Z (3 min)  0.1.0    42   127.0.0.1:8080\n\
             builder  down     -                             -        -    -\n\
             \n\
             router: HTTPS is at 127.0.0.1:8443\n\
             \n\
             disk  5 GB free\n\
             \n\
             router: the controller is away\n  cure: start it\n\
             \n\
             builder: does not answer: connection refused\n  \
             cure: see why it ended with `deisctl journal builder`; start it with `deisd run builder`\n"
        );
    }

    #[test]
    fn all_is_well_only_without_any_problem() {
        let well =
            Report::new(vec![RoleReport::up(Role::Logger, status(Role::Logger, Vec::new()))], Vec::new());
        assert!(well.well);
        let down = Report::new(vec![RoleReport::down(Role::Logger, &anyhow::anyhow!("gone"))], Vec::new());
        assert!(!down.well);
    }

    #[test]
    fn a_role_that_should_listen_but_does_not_yet_is_not_well() {
        let starting =
            |role| RoleReport::up(role, RoleStatus { address: String::new(), ..status(role, Vec::new()) });
        assert!(!Report::new(vec![starting(Role::Builder)], Vec::new()).well);
        assert!(Report::new(vec![starting(Role::Publisher), starting(Role::Logspout)], Vec::new()).well);
    }

    #[test]
    fn spans_are_in_the_largest_unit_that_counts_two() {
        for (seconds, text) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")]
        {
            assert_eq!(span(seconds), text);
        }
    }
}
