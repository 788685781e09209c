//! Ends of the outputs of several containers, merged by time.

/// What one container printed at last.
pub(super) struct Tail {
    pub(super) name: String,
    pub(super) lines: Vec<String>,
}

/// All lines with the names of those who printed them, the oldest first.
///
/// A line without a time of its own stays behind the one before it.
pub(super) fn in_order(tails: &[Tail]) -> Vec<(&str, &str)> {
    let mut stamped = Vec::new();
    for tail in tails {
        let mut time = String::new();
        for line in &tail.lines {
            time = time_of(line).unwrap_or(time);
            stamped.push((time.clone(), tail.name.as_str(), line.as_str()));
        }
    }
    stamped.sort_by(|one, other| one.0.cmp(&other.0));
    stamped.into_iter().map(|(_, name, line)| (name, line)).collect()
}

/// The time that a line begins with, in digits alone: the programs of the platform all begin so, with separators of their own.
fn time_of(line: &str) -> Option<String> {
    const SHAPE: &str = "dddd-dd-ddTdd:dd:dd";
    let fits = |(shape, found): (char, char)| match shape {
        'd' => found.is_ascii_digit(),
        'T' => found == 'T' || found == ' ',
        other => found == other,
    };
    let whole = line.get(..SHAPE.len())?;
    if !SHAPE.chars().zip(whole.chars()).all(fits) {
        return None;
    }
    let fraction = line[SHAPE.len()..].strip_prefix(['.', ',']).unwrap_or_default();
    let fraction: String = fraction.chars().take_while(char::is_ascii_digit).collect();
    Some(whole.chars().filter(char::is_ascii_digit).collect::<String>() + &fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, time: Option<&str>) {
        assert_eq!(time_of(line).as_deref(), time, "{line}");
    }

    #[test]
    fn times_are_read_as_each_program_writes_them() {
        check("2026-11-22T22:57:46.906476Z  INFO started", Some("20261122225746906476"));
        check("2026-11-22 22:57:46,906 INFO: no action", Some("20261122225746906"));
        check("2026-11-22 22:57:46 UTC [7] LOG:  ready", Some("20261122225746"));
        check("thread 'main' panicked", None);
        check("2026-11-22", None);
        check("2026-11-22T22:57:4é and more", None);
    }

    #[test]
    fn lines_of_several_containers_are_merged_by_time() {
        let tail = |name: &str, lines: &[&str]| Tail {
            name: name.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let tails = [
            tail("a", &["2026-01-01T00:00:03.5Z late", "  with more of it"]),
            tail("b", &["2026-01-01 00:00:03,1 early", "2026-01-01 00:00:09,1 last"]),
            tail("c", &["no time", "2026-01-01T00:00:03.4Z middle"]),
        ];
        let lines: Vec<_> = in_order(&tails).into_iter().map(|(name, line)| (name, &line[..2])).collect();
        assert_eq!(lines, [("c", "no"), ("b", "20"), ("c", "20"), ("a", "20"), ("a", "  "), ("b", "20")]);
    }
}
