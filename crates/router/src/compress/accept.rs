//! `Accept-Encoding`: which of the codings that may be used a client likes best. Source: RFC 9110 section 12.5.3.

use deis_model::routing::Encoding;

/// Weights are counted in thousandths.
const FULL: u16 = 1000;

/// The first of `encodings` among those that `accept` weighs highest; none if it prefers none at all.
pub(crate) fn preferred(accept: &str, encodings: &[Encoding]) -> Option<Encoding> {
    let weight = |name: &str| weight(accept, name);
    // What is not said of no coding at all counts less than what is said of any.
    let plain = listed(accept, "identity").unwrap_or(0);
    let mut best: Option<(u16, Encoding)> = None;
    for encoding in encodings {
        let weight = weight(encoding.as_str());
        if weight > 0 && weight >= plain && best.is_none_or(|(heaviest, _)| weight > heaviest) {
            best = Some((weight, *encoding));
        }
    }
    best.map(|(_, encoding)| encoding)
}

/// How much `accept` wants the coding `name`; 0 if not at all.
fn weight(accept: &str, name: &str) -> u16 {
    let alias = if name == "gzip" { listed(accept, "x-gzip") } else { None };
    listed(accept, name).or(alias).or_else(|| listed(accept, "*")).unwrap_or(0)
}

fn listed(accept: &str, name: &str) -> Option<u16> {
    accept.split(',').find_map(|item| {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        coding.trim().eq_ignore_ascii_case(name).then(|| quality(parameters))
    })
}

/// The weight among `parameters`; one that cannot be read counts as a refusal.
fn quality(parameters: &str) -> u16 {
    let parameter = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    match parameter {
        None => FULL,
        Some(value) => thousandths(value).unwrap_or(0),
    }
}

/// `0.5` is 500. One digit, then up to three after a point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = is_plain.then(|| format!("{part:0<3}").parse().ok())??;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Brotli, Gzip, Zstd};

    fn check(accept: &str, expected: Option<Encoding>) {
        assert_eq!(preferred(accept, &[Zstd, Brotli, Gzip]), expected, "{accept:?}");
    }

    #[test]
    fn the_heaviest_counts_and_among_equals_the_routers_choice() {
        check("gzip, deflate, br, zstd", Some(Zstd));
        check("gzip, deflate, br", Some(Brotli));
        check("gzip", Some(Gzip));
        check("x-gzip", Some(Gzip));
        check("br;q=0.5, gzip;q=0.8", Some(Gzip));
        check("br ; Q=1.0 , GZIP;q=1.000", Some(Brotli));
        check("*", Some(Zstd));
        check("*;q=0.1, gzip", Some(Gzip));
        check("gzip;q=0.001", Some(Gzip));
    }

    #[test]
    fn what_is_not_wanted_is_not_used() {
        check("", None);
        check("deflate", None);
        check("gzip;q=0", None);
        check("gzip;q=0.000, *;q=0", None);
        check("identity", None);
        check("identity, gzip;q=0.5", None);
        check("identity;q=0.5, gzip;q=0.5", Some(Gzip));
        check("*, zstd;q=0, br;q=0", Some(Gzip));
    }

    #[test]
    fn weights_that_are_none_are_refusals() {
        for bad in
            ["gzip;q=", "gzip;q=2", "gzip;q=0.1234", "gzip;q=-1", "gzip;q=1.5", "gzip;q=0.x", "gzip;q=+1"]
        {
            check(bad, None);
        }
    }
}
