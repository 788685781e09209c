//! HTTPS only: redirection, and `Strict-Transport-Security`.

/// Whether a service is for HTTPS only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Https {
    /// Whether other requests are sent to HTTPS; if nobody has said so, they are if HSTS is on.
    pub enforced: Option<bool>,
    /// What browsers are told.
    pub hsts: Hsts,
}

/// What browsers are told to remember. Source: RFC 6797 section 6.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsts {
    /// Whether they are told anything.
    pub is_enabled: bool,
    /// For how long, in seconds.
    pub max_age_seconds: u32,
    /// Whether for all names below, too.
    pub includes_subdomains: bool,
    /// Whether makers of browsers may ship it.
    pub is_preloaded: bool,
}

impl Https {
    /// Whether requests that did not come by HTTPS are sent there.
    pub fn is_enforced(&self) -> bool {
        self.enforced.unwrap_or(self.hsts.is_enabled)
    }
}

impl Hsts {
    /// The value of `Strict-Transport-Security`; none if there is to be none.
    pub fn header(&self) -> Option<String> {
        let part = |is_there: bool, text| if is_there { text } else { "" };
        self.is_enabled.then(|| {
            let subdomains = part(self.includes_subdomains, "; includeSubDomains");
            let preload = part(self.is_preloaded, "; preload");
            format!("max-age={}{subdomains}{preload}", self.max_age_seconds)
        })
    }
}

impl Default for Hsts {
    fn default() -> Self {
        let max_age_seconds = 10_886_400;
        Self { is_enabled: false, max_age_seconds, includes_subdomains: false, is_preloaded: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hsts_implies_https_unless_somebody_says_otherwise() {
        let check = |enforced, is_enabled, expected| {
            let https = Https { enforced, hsts: Hsts { is_enabled, ..Hsts::default() } };
            assert_eq!(https.is_enforced(), expected, "{https:?}");
        };
        check(None, false, false);
        check(None, true, true);
        check(Some(false), true, false);
        check(Some(true), false, true);
    }

    #[test]
    fn browsers_are_told_what_is_set() {
        let mut hsts = Hsts::default();
        assert_eq!(hsts.header(), None);
        hsts.is_enabled = true;
        assert_eq!(hsts.header().unwrap(), "max-age=10886400");
        (hsts.includes_subdomains, hsts.is_preloaded) = (true, true);
        assert_eq!(hsts.header().unwrap(), "max-age=10886400; includeSubDomains; preload");
    }
}
