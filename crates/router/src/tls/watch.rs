//! Tells operators in time when the platform's certificate is about to expire, or cannot be used.

use std::time::{Duration, SystemTime};

use deis_runtime::StatusBoard;

use super::platform::PlatformCertificate;
use crate::shared::Shared;

/// How often it is looked at if nothing changes.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How long before its end.
const WARNING: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What it is called on the status board.
const SUBJECT: &str = "platform certificate";

const CURE: &str = "set another one with `deisctl config router set sslCert=<file> sslKey=<file>`";

/// Keeps `status` true to the certificate in force. Never ends.
pub(crate) async fn watch(shared: &Shared, status: &StatusBoard) {
    let mut changed = shared.changed.subscribe();
    loop {
        match trouble(&shared.table.load().platform_certificate, SystemTime::now()) {
            Some(cause) => status.trouble(SUBJECT, cause, CURE),
            None => status.well(SUBJECT),
        }
        // It changes with the table, or by the passing of time.
        let _ = tokio::time::timeout(INTERVAL, changed.changed()).await;
    }
}

/// What an operator should know of `certificate` at this time.
fn trouble(certificate: &PlatformCertificate, now: SystemTime) -> Option<String> {
    let pair = match certificate.pair.as_ref()? {
        Ok(pair) => pair,
        Err(error) => return Some(format!("the platform's certificate cannot be used: {error}")),
    };
    let Ok(left) = pair.ends().duration_since(now) else {
        return Some("the platform's certificate has expired".to_owned());
    };
    if !pair.is_valid_at(now) {
        return Some("the platform's certificate is not valid yet".to_owned());
    }
    let days = left.as_secs() / (24 * 60 * 60);
    (left < WARNING).then(|| format!("the platform's certificate expires in {days} days"))
}
