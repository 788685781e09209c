//! A coarse sieve for attacks: what never is in an honest request's target, and who only ever attacks.
//!
//! It takes the place of the original's firewall and is meant to spare apps the noise of scanners. It makes no unsafe app
//! safe. Bodies are not looked at. How much there is to look through is bounded by how long heads may be.

use http::header::{COOKIE, HeaderName, REFERER, USER_AGENT};

use super::head::Head;

/// What attacks contain, in lower case, with blanks for all that separates.
const PATTERNS: [&str; 40] = [
    // SQL
    "union select",
    "union all select",
    "' or '",
    "' or 1=1",
    "\" or \"",
    "' and 1=1",
    "or 1=1--",
    "';--",
    "sleep(",
    "benchmark(",
    "waitfor delay",
    "information_schema",
    "into outfile",
    "load_file(",
    "xp_cmdshell",
    "; drop table",
    // Scripts in pages
    "<script",
    "javascript:",
    " onerror=",
    " onload=",
    "<iframe",
    "document.cookie",
    // Files
    "../",
    "..\\",
    "/etc/passwd",
    "/etc/shadow",
    "/proc/self/",
    "win.ini",
    "\0",
    // Other sources
    "php://",
    "file://",
    "expect://",
    "data:text/html",
    // Shells and templates
    "${jndi:",
    "$(",
    ";wget ",
    ";curl ",
    "|sh ",
    "() {",
    "<?php",
];

/// Programs that look for weak spots.
const SCANNERS: [&str; 14] = [
    "sqlmap",
    "nikto",
    "nessus",
    "acunetix",
    "masscan",
    "nmap scripting",
    "dirbuster",
    "gobuster",
    "w3af",
    "havij",
    "wpscan",
    "nuclei",
    "openvas",
    "zmeu",
];

/// Whether `head` looks like an attack.
pub(crate) fn is_attack(head: &impl Head) -> bool {
    let contains = |text: &[u8], patterns: &[&str]| {
        let text = plain(text);
        patterns.iter().any(|pattern| text.contains(pattern))
    };
    let any = |name: &HeaderName, patterns| head.fields(name).any(|value| contains(value, patterns));
    contains(head.target().as_bytes(), &PATTERNS)
        || [REFERER, COOKIE].iter().any(|name| any(name, &PATTERNS))
        || any(&USER_AGENT, &SCANNERS)
        || any(&USER_AGENT, &["${jndi:", "() {"])
}

/// `text` in lower case, unescaped twice (attacks hide behind escaped escapes), with single blanks.
fn plain(text: &[u8]) -> String {
    let text = unescaped(&unescaped(text));
    let text = String::from_utf8_lossy(&text).to_lowercase().replace("/**/", " ");
    let mut plain = String::with_capacity(text.len());
    for character in text.chars().map(|c| if c.is_ascii_whitespace() || c == '+' { ' ' } else { c }) {
        if character != ' ' || !plain.ends_with(' ') {
            plain.push(character);
        }
    }
    plain
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let escape =
            if byte == b'%' { after.get(..2).and_then(|digits| hex::decode(digits).ok()) } else { None };
        match escape {
            Some(decoded) => {
                plain.extend(decoded);
                rest = &after[2..];
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn check(target: &str, agent: &str, expected: bool) {
        let request = Request::builder().uri(target).header(USER_AGENT, agent).body(()).unwrap();
        assert_eq!(is_attack(&request.into_parts().0), expected, "{target} {agent}");
    }

    #[test]
    fn honest_requests_pass() {
        for target in
            ["/", "/a/b.css?v=1.2", "/search?q=union+station&select=1", "/caf%C3%A9?x=%25", "/o'neill"]
        {
            check(target, "Mozilla/5.0 (X11; Linux x86_64)", false);
        }
    }

    #[test]
    fn no_line_of_a_field_is_left_out_nor_the_end_of_a_long_one() {
        let long = format!("/?{}&id=1+union+select+1", "a".repeat(30_000));
        check(&long, "Mozilla/5.0", true);
        for name in [COOKIE, REFERER] {
            let request = Request::builder().uri("/").header(&name, "a=b").header(&name, "a=<script>");
            assert!(is_attack(&request.body(()).unwrap().into_parts().0), "{name}");
        }
        let request = Request::builder().header(USER_AGENT, "Mozilla/5.0").header(USER_AGENT, "sqlmap");
        assert!(is_attack(&request.body(()).unwrap().into_parts().0));
    }

    #[test]
    fn attacks_do_not_however_they_are_written() {
        for target in [
            "/?id=1+UNION+SELECT+password",
            "/?id=1%20union/**/select%201",
            "/?id=1%2520union%2520select",
            "/%2e%2e/etc/passwd",
            "/?q=%3CScRiPt%3E",
            "/?x=$%7Bjndi:ldap://a%7D",
            "/a%00.php",
        ] {
            check(target, "Mozilla/5.0", true);
        }
        check("/", "sqlmap/1.5", true);
    }
}
