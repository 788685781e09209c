//! Times in words: as PostgreSQL reads them in its settings, and people in a status.

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

/// Without a letter for the zone, which PostgreSQL does not take.
const FORM: &[FormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]+00");

/// The moment so many seconds after 1970 began, as `2026-11-22 10:00:00+00`.
pub(crate) fn in_words(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(FORM).expect("a whole date has every part of the form")
}
