//! Requests that belong together go to one endpoint, whichever router they come through.
//!
//! By cookie: the router gives it, and it names an endpoint by a mark that says nothing about it to strangers. By a query
//! argument: of all endpoints the one which scores highest with the value (rendezvous hashing), so that an endpoint that
//! comes or goes moves only the values that are or were its own.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;
use sha2::{Digest, Sha256};

use deis_model::ContainerName;
use deis_model::routing::Affinity;

use crate::endpoint::Endpoint;

/// Which endpoint a request belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    /// None in particular.
    #[default]
    Any,
    /// That of this mark, which came in a cookie; without one, any, and then the client is given a cookie.
    Mark(Option<u64>),
    /// The one that scores highest with this hash of an argument.
    Hash(u64),
}

impl Wish {
    /// What a request with this query and these `Cookie` headers asks for where `affinity` holds.
    pub(crate) fn of<'a>(
        affinity: Option<&Affinity>,
        query: Option<&str>,
        cookies: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        match affinity {
            None => Self::Any,
            Some(Affinity::Argument(name)) => {
                argument(query.unwrap_or_default(), name).map_or(Self::Any, Self::Hash)
            }
            Some(Affinity::Cookie(name)) => {
                let named = cookies.into_iter().find_map(|cookies| cookie(cookies, name.as_bytes()));
                Self::Mark(named.and_then(parse_mark))
            }
        }
    }

    /// Which of `endpoints` it is.
    pub(crate) fn choose<'a>(
        self,
        endpoints: impl Iterator<Item = &'a Arc<Endpoint>>,
    ) -> Option<&'a Arc<Endpoint>> {
        match self {
            Self::Any | Self::Mark(None) => None,
            Self::Mark(Some(mark)) => endpoints.into_iter().find(|endpoint| endpoint.mark == mark),
            Self::Hash(hash) => endpoints.max_by_key(|endpoint| mix(endpoint.mark ^ hash)),
        }
    }

    /// A number below 100 that is the same for all requests that belong together; none if nothing else does.
    pub(crate) fn lot(self) -> Option<u8> {
        match self {
            Self::Hash(hash) => u8::try_from(mix(hash) % 100).ok(),
            Self::Any | Self::Mark(_) => None,
        }
    }
}

/// The cookie that brings a client back to `endpoint`. Lasts as long as the browser is open.
pub(crate) fn set_cookie(name: &str, endpoint: &Endpoint, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={:016x}; Path=/; HttpOnly; SameSite=Lax{secure}", endpoint.mark);
    HeaderValue::from_str(&text).ok()
}

/// Makes marks.
pub(crate) struct Marker([u8; 32]);

impl Marker {
    /// One whose marks only they know who know `key`. The same key makes the same marks.
    pub(crate) fn new(key: &str) -> Self {
        Self(Sha256::new_with_prefix(b"deis affinity\0").chain_update(key).finalize().into())
    }

    /// The mark of this container at this address.
    pub(crate) fn mark(&self, container: Option<&ContainerName>, address: SocketAddr) -> u64 {
        let name = container.map(ContainerName::to_string).unwrap_or_default();
        let digest: [u8; 32] =
            Sha256::new_with_prefix(self.0).chain_update(format!("{name}\0{address}")).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The hash of the first value of the argument `name`, as it is written.
fn argument(query: &str, name: &str) -> Option<u64> {
    let value = query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((found, value)) => (found == name).then_some(value),
        None => None,
    });
    value.map(|value| hash(value.as_bytes()))
}

/// The value of the cookie `name` in a `Cookie` header. Source: RFC 6265 section 4.2.1.
fn cookie<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    header
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii().strip_prefix(name)?.strip_prefix(b"="))
}

fn parse_mark(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() == 16)?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

/// FNV-1a: routers of any version must agree. Source: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finish of `SplitMix64`: every bit of `value` moves every bit of the result.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(key: &str, numbers: std::ops::Range<u16>) -> Vec<Arc<Endpoint>> {
        let marker = Marker::new(key);
        let endpoint = |number: u16| {
            let (name, address) = (format!("blog_v2.web.{number}"), ([10, 0, 0, 1], number).into());
            let container = ContainerName::parse(&name).ok();
            let mark = marker.mark(container.as_ref(), address);
            Arc::new(Endpoint::new(address, container, 1, Arc::default()).awaited(mark, &Arc::default()))
        };
        numbers.map(endpoint).collect()
    }

    fn wish(affinity: &Affinity, query: &str, cookie: &str) -> Wish {
        Wish::of(Some(affinity), Some(query), [cookie.as_bytes()])
    }

    fn port(wish: Wish, endpoints: &[Arc<Endpoint>]) -> Option<u16> {
        wish.choose(endpoints.iter()).map(|endpoint| endpoint.address.port())
    }

    #[test]
    fn a_cookie_leads_back_to_the_endpoint_that_it_names() {
        let (affinity, endpoints) = (Affinity::Cookie("stick".to_owned()), endpoints("key", 1..9));
        for endpoint in &endpoints {
            let given = set_cookie("stick", endpoint, true).unwrap();
            let given = given.to_str().unwrap();
            assert!(given.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{given}");
            let back = format!("a=b; {}; c=d", given.split(';').next().unwrap());
            assert_eq!(port(wish(&affinity, "", &back), &endpoints), Some(endpoint.address.port()));
        }
    }

    #[test]
    fn a_cookie_that_names_nothing_leads_anywhere() {
        let affinity = Affinity::Cookie("stick".to_owned());
        for cookie in ["", "stick", "stick=", "stick=12", "stick=+123456789abcdef", "xstick=0123456789abcdef"]
        {
            assert_eq!(wish(&affinity, "", cookie), Wish::Mark(None), "{cookie}");
        }
        let unknown = wish(&affinity, "", "stick=0123456789abcdef");
        assert_eq!(
            (unknown, port(unknown, &endpoints("key", 1..9))),
            (Wish::Mark(Some(0x0123_4567_89ab_cdef)), None)
        );
    }

    #[test]
    fn marks_are_the_same_in_every_router_and_told_by_nobody_else() {
        let marks = |key| endpoints(key, 1..9).iter().map(|endpoint| endpoint.mark).collect::<Vec<_>>();
        assert_eq!(marks("key"), marks("key"));
        assert!(marks("key").iter().all(|mark| !marks("other").contains(mark)));
    }

    #[test]
    fn an_endpoint_that_leaves_moves_only_its_own_and_one_that_comes_takes_its_share() {
        let affinity = Affinity::Argument("user".to_owned());
        let (nine, ten) = (endpoints("key", 1..10), endpoints("key", 1..11));
        let mut taken = 0;
        for user in 0..2_000 {
            let wish = wish(&affinity, &format!("a=1&user={user}&b"), "");
            let (before, after) = (port(wish, &nine).unwrap(), port(wish, &ten).unwrap());
            assert!(after == before || after == 10, "{user} moved from {before} to {after}");
            taken += u32::from(after == 10);
        }
        assert!((120..280).contains(&taken), "{taken} of 2000 moved to the tenth");
    }

    #[test]
    fn requests_without_the_argument_go_anywhere() {
        let affinity = Affinity::Argument("user".to_owned());
        for query in ["", "a=1", "user", "xuser=1"] {
            assert_eq!(wish(&affinity, query, ""), Wish::Any, "{query}");
        }
    }

    #[test]
    fn lots_are_even() {
        let affinity = Affinity::Argument("user".to_owned());
        let lots = (0..2_000).filter_map(|user| wish(&affinity, &format!("user={user}"), "").lot());
        let low = lots.inspect(|lot| assert!(*lot < 100)).filter(|lot| *lot < 10).count();
        assert!((120..280).contains(&low), "{low} of 2000 below 10");
    }
}
