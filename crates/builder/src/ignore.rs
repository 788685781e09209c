//! `.dockerignore`: which files of a source are no part of a Docker build.
//!
//! Source: Docker's reference of `.dockerignore`: patterns of `*`, `?`, `[…]` and `**` against paths from the root, `!`
//! for exceptions, `#` for comments; the last match decides, and a folder takes its content along.

use std::path::Path;

/// The patterns of a `.dockerignore`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    exception: bool,
    segments: Vec<String>,
}

impl Ignore {
    /// Parses the file's text; every text is one.
    pub(crate) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self { rules: lines.filter_map(Rule::parse).collect() }
    }

    /// Whether the file at `path` is left out.
    pub(crate) fn covers(&self, path: &Path) -> bool {
        let parts: Vec<_> =
            path.components().map(|it| it.as_os_str().to_string_lossy().into_owned()).collect();
        let last = self.rules.iter().rev().find(|rule| rule.matches(&parts));
        last.is_some_and(|rule| !rule.exception)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let (exception, pattern) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let segments = pattern.split('/').filter(|it| !it.is_empty() && *it != ".").map(str::to_owned);
        let segments: Vec<_> = segments.collect();
        (!segments.is_empty()).then_some(Self { exception, segments })
    }

    /// Whether it matches the path or a folder above it.
    fn matches(&self, parts: &[String]) -> bool {
        (1..=parts.len()).any(|length| matches_all(&self.segments, &parts[..length]))
    }
}

fn matches_all(segments: &[String], parts: &[String]) -> bool {
    match segments.split_first() {
        None => parts.is_empty(),
        Some((first, rest)) if first == "**" => {
            (0..=parts.len()).any(|skipped| matches_all(rest, &parts[skipped..]))
        }
        Some((first, rest)) => parts.split_first().is_some_and(|(part, others)| {
            matches_one(&first.chars().collect::<Vec<_>>(), &part.chars().collect::<Vec<_>>())
                && matches_all(rest, others)
        }),
    }
}

/// A pattern of one segment against one name. Stars are tried greedily with one step back, so it takes at most
/// pattern times name steps.
fn matches_one(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, read));
            at += 1;
        } else if let Some(length) = matches_char(&pattern[at..], name[read]) {
            at += length;
            read += 1;
        } else if let Some((star_at, star_read)) = star {
            (at, read) = (star_at + 1, star_read + 1);
            star = Some((star_at, star_read + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|left| *left == '*')
}

/// How many characters of the pattern match `found`, if they do.
fn matches_char(pattern: &[char], found: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == found).then_some(2),
        ['[', class @ ..] => {
            let end = class.iter().skip(1).position(|it| *it == ']')? + 1;
            let (negated, set) = match class[0] {
                '^' | '!' => (true, &class[1..end]),
                _ => (false, &class[..end]),
            };
            (in_set(set, found) != negated).then_some(end + 2)
        }
        [plain, ..] => (*plain == found).then_some(1),
        [] => None,
    }
}

fn in_set(set: &[char], found: char) -> bool {
    match set {
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&found) || in_set(rest, found),
        [one, rest @ ..] => *one == found || in_set(rest, found),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patterns: &str, ignored: &[&str], taken: &[&str]) {
        let ignore = Ignore::parse(patterns);
        for path in ignored {
            assert!(ignore.covers(Path::new(path)), "{path} under {patterns:?}");
        }
        for path in taken {
            assert!(!ignore.covers(Path::new(path)), "{path} under {patterns:?}");
        }
    }

    #[test]
    fn patterns_are_paths_from_the_root() {
        check(
            "node_modules\n",
            &["node_modules", "node_modules/a/b"],
            &["web/node_modules", "node_modules2"],
        );
        check("/tmp/\n", &["tmp", "tmp/x"], &["a/tmp"]);
        check("*.md", &["README.md"], &["docs/README.md"]);
        check("*/temp*", &["a/temp", "a/temporary.txt"], &["temp", "a/b/temp"]);
        check("te?t.[ch]", &["test.c", "text.h"], &["test.o", "teest.c"]);
        check("[^a]x", &["bx"], &["ax"]);
    }

    #[test]
    fn two_stars_match_any_depth() {
        check("**/*.log", &["a.log", "a/b.log", "a/b/c.log"], &["a.txt"]);
        check("docs/**", &["docs/a", "docs/a/b"], &["src/docs"]);
    }

    #[test]
    fn the_last_match_decides() {
        check("*.md\n!README.md", &["CHANGES.md"], &["README.md"]);
        check("*.md\n!README*.md\nREADME-secret.md", &["README-secret.md"], &["README.md"]);
    }

    #[test]
    fn comments_blank_lines_and_odd_patterns_are_harmless() {
        check("# a comment\n\n   \n!\n/\n[\n\\\n", &[], &["a", "# a comment"]);
        check(&"*a".repeat(200), &[], &[&"b".repeat(200)]);
    }
}
