//! What every request of one service passes, ready for use.

use std::sync::Arc;

use deis_model::routing::Rules;

/// The rules of one service.
pub(crate) struct Gate {
    /// What they are.
    pub(crate) rules: Arc<Rules>,
    /// Whether nothing is to be done about its requests and answers, but for compression.
    pub(crate) is_plain: bool,
}

impl Gate {
    /// The gate for `rules`.
    pub(crate) fn new(rules: &Arc<Rules>) -> Self {
        Self { rules: Arc::clone(rules), is_plain: is_plain(rules) }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

/// Whether all but what needs no look at requests is as if nobody had set anything. So a rule that is new counts, until
/// somebody says here that it does not.
fn is_plain(rules: &Rules) -> bool {
    let plain = Rules {
        timeouts: rules.timeouts,
        queue: rules.queue,
        body_bytes: rules.body_bytes,
        compression: rules.compression.clone(),
        allows_bare_lf: rules.allows_bare_lf,
        tcp_port: rules.tcp_port,
        slow_start: rules.slow_start,
        ejects_errors: rules.ejects_errors,
        canary_percent: rules.canary_percent,
        ..Rules::default()
    };
    plain == *rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_rules_of_his_own_is_not_plain() {
        let is_plain = |change: &dyn Fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            Gate::new(&Arc::new(rules)).is_plain
        };
        assert!(is_plain(&|_| {}) && is_plain(&|rules| rules.body_bytes = None));
        assert!(!is_plain(&|rules| rules.is_routable = false));
        assert!(!is_plain(&|rules| rules.request_start = false));
    }
}
