//! `Accept-Encoding`: nothing is sent in a coding that was refused or not named, however the field is written.

use deis_model::routing::{Compression, Encoding};
use http::StatusCode;

use crate::compress::{Asked, Offered, Verdict, wants};

pub(super) fn check(bytes: &[u8]) {
    let Ok(accept) = std::str::from_utf8(bytes) else { return };
    let chosen = choose(accept);
    assert_eq!(choose(&accept.to_ascii_uppercase()), chosen, "case tells nothing");
    assert_eq!(choose(&accept.replace(',', " ,\t")), chosen, "nor do blanks around items");
    assert_eq!(choose(&format!("{accept},")), chosen, "nor do empty items");
    if let Verdict::Compressed(encoding) = chosen {
        let named = accept.to_ascii_lowercase();
        let is_named =
            |name: &str| named.split(',').any(|item| item.split(';').next().unwrap_or(item).trim() == name);
        assert!(
            is_named(encoding.as_str())
                || is_named("*")
                || (encoding == Encoding::Gzip && is_named("x-gzip"))
        );
        // What is refused before anything else is said of it is never used.
        let refused = format!("{}; q=0.0, {accept}", encoding.as_str());
        assert_ne!(choose(&refused), chosen, "{refused}");
    }
}

fn choose(accept: &str) -> Verdict {
    let asked = Asked { accept: accept.to_owned(), ..Asked::default() };
    let offered = Offered {
        status: StatusCode::OK,
        content_type: "text/html",
        length: Some(1 << 20),
        is_settled: false,
    };
    wants(&Compression::default(), &asked, &offered)
}
