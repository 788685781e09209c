//! Lines in one piece: the engine hands out long ones in parts.

use deis_scheduler::{OutputFrame, OutputStream};

use super::position::Position;

/// The most that is kept of a line, in bytes. What is longer is cut and ends in `...`.
///
/// With the time, the app and the source in front, it still fits the largest datagram that a drain can be sent.
pub(super) const LINE_LIMIT: usize = 60_000;

/// A line as a container printed it, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WholeLine {
    /// When the engine saw it: Unix time in nanoseconds.
    pub(super) timestamp: i64,
    /// At most [`LINE_LIMIT`].
    pub(super) bytes: Vec<u8>,
    /// Whether it was longer.
    pub(super) is_cut: bool,
}

/// Joins the parts of one container's lines; each of its streams is in a line of its own.
///
/// Parts of a line share a time, so a frame of another time begins a new one. That matters where a container ended within
/// a line and was started again.
#[derive(Default)]
pub(super) struct Joiner {
    stdout: Place,
    stderr: Place,
}

/// Where in its lines a stream is.
#[derive(Default)]
enum Place {
    /// Between two.
    #[default]
    Between,
    /// Within one.
    Within(Begun),
    /// Within one of this time that is over the limit: it was handed on, for its end may never come.
    Beyond(i64),
}

/// The parts of a line so far.
struct Begun {
    line: WholeLine,
    /// Where reading was before the first.
    before: Position,
    /// Whether the newest was handed on in an earlier reading.
    is_known: bool,
}

impl Joiner {
    /// The line that `stream` is within, if what comes next is of another time or nothing (none), so that its end is missing.
    pub(super) fn break_off(&mut self, stream: OutputStream, next: Option<i64>) -> Option<WholeLine> {
        let place = self.place(stream);
        if next.is_some() && place.timestamp() == next {
            return None;
        }
        match std::mem::take(place) {
            Place::Within(begun) => begun.finished(),
            Place::Between | Place::Beyond(_) => None,
        }
    }

    /// Takes `frame`, before which reading was at `before`. The line that it ends, or takes over the limit.
    ///
    /// A frame that `is_known` was handed on in an earlier reading: what it ends is not handed on again.
    pub(super) fn join(
        &mut self,
        frame: &OutputFrame,
        before: Position,
        is_known: bool,
    ) -> Option<WholeLine> {
        let place = self.place(frame.stream);
        let mut begun = match std::mem::take(place) {
            Place::Between => Begun::new(frame.timestamp, before),
            Place::Within(begun) => begun,
            Place::Beyond(timestamp) => {
                if frame.is_partial {
                    *place = Place::Beyond(timestamp);
                }
                return None;
            }
        };
        begun.line.push(&frame.bytes);
        begun.is_known = is_known;
        match (frame.is_partial, begun.line.is_cut) {
            (true, false) => {
                *place = Place::Within(begun);
                return None;
            }
            (true, true) => *place = Place::Beyond(frame.timestamp),
            (false, _) => {}
        }
        begun.finished()
    }

    /// Where reading was before the first line that is not complete: to be read from there again after a restart.
    pub(super) fn held_at(&self) -> Option<Position> {
        let begun = [&self.stdout, &self.stderr].into_iter().filter_map(|place| match place {
            Place::Within(begun) => Some(begun.before),
            Place::Between | Place::Beyond(_) => None,
        });
        begun.min()
    }

    fn place(&mut self, stream: OutputStream) -> &mut Place {
        match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        }
    }
}

impl Place {
    fn timestamp(&self) -> Option<i64> {
        match self {
            Self::Between => None,
            Self::Within(begun) => Some(begun.line.timestamp),
            Self::Beyond(timestamp) => Some(*timestamp),
        }
    }
}

impl Begun {
    fn new(timestamp: i64, before: Position) -> Self {
        let line = WholeLine { timestamp, bytes: Vec::new(), is_cut: false };
        Self { line, before, is_known: false }
    }

    fn finished(self) -> Option<WholeLine> {
        (!self.is_known).then_some(self.line)
    }
}

impl WholeLine {
    fn push(&mut self, part: &[u8]) {
        let room = LINE_LIMIT - self.bytes.len();
        self.is_cut |= part.len() > room;
        self.bytes.extend_from_slice(&part[..part.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// `1 out text` is a line printed at 1, `1 out text+` a part of one; `known` in front: it was handed on before.
    fn frame(text: &str) -> (OutputFrame, bool) {
        let (rest, is_known) = text.strip_prefix("known ").map_or((text, false), |rest| (rest, true));
        let words: Vec<&str> = rest.splitn(3, ' ').collect();
        let stream = if words[1] == "err" { OutputStream::Stderr } else { OutputStream::Stdout };
        let (bytes, is_partial) = words[2].strip_suffix('+').map_or((words[2], false), |part| (part, true));
        let bytes = bytes.replace("long", &"x".repeat(25_000));
        (
            OutputFrame {
                stream,
                timestamp: words[0].parse().unwrap(),
                bytes: Bytes::from(bytes),
                is_partial,
            },
            is_known,
        )
    }

    /// Lines in the order in which they are handed on; of long ones, their length.
    fn check(frames: &[&str], expected: &[&str]) {
        let (mut joiner, mut lines, mut position) = (Joiner::default(), Vec::new(), Position::default());
        for (frame, is_known) in frames.iter().map(|text| frame(text)) {
            lines.extend(joiner.break_off(frame.stream, Some(frame.timestamp)));
            lines.extend(joiner.join(&frame, position, is_known));
            position = position.after(frame.timestamp);
        }
        lines.extend(joiner.break_off(OutputStream::Stdout, None));
        lines.extend(joiner.break_off(OutputStream::Stderr, None));
        let shown = lines.iter().map(|line| match line.bytes.len() {
            0..100 => String::from_utf8(line.bytes.clone()).unwrap(),
            length => format!("{length}{}", if line.is_cut { " cut" } else { "" }),
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{frames:?}");
    }

    #[test]
    fn parts_are_joined_per_stream() {
        check(&["1 out a", "2 out b"], &["a", "b"]);
        check(&["1 out a", "2 out b+", "2 out c+", "2 out d", "3 out e"], &["a", "bcd", "e"]);
        check(&["1 out a+", "2 err x", "1 out b"], &["x", "ab"]);
    }

    #[test]
    fn a_line_over_the_limit_is_cut_once() {
        check(&["1 out long+", "1 out long", "2 out b"], &["50000", "b"]);
        check(
            &["1 out long+", "1 out long+", "1 out long+", "1 out long+", "1 out end", "2 out b"],
            &["60000 cut", "b"],
        );
        check(&["1 out longlonglong", "2 out b"], &["60000 cut", "b"]);
        check(&["1 out longlonglong+", "2 out b"], &["60000 cut", "b"]);
    }

    #[test]
    fn a_line_without_an_end_does_not_run_into_the_next() {
        check(&["1 out a+", "2 out b"], &["a", "b"]);
        check(&["1 out a+", "2 err b+"], &["a", "b"]);
    }

    #[test]
    fn what_was_handed_on_before_is_not_again() {
        check(&["known 1 out a", "1 out b"], &["b"]);
        check(&["known 1 out a+", "2 out b"], &["b"]);
        check(&["known 1 out a+"], &[]);
        check(&["known 1 out longlonglong+", "1 out rest", "2 out b"], &["b"]);
        check(&["known 1 out a+", "1 out b"], &["ab"]);
    }

    #[test]
    fn reading_is_held_before_the_first_line_that_is_not_complete() {
        let mut joiner = Joiner::default();
        let at = |timestamp| Position::default().after(timestamp);
        let mut join = |text: &str, before| {
            joiner.join(&frame(text).0, before, false);
            joiner.held_at()
        };
        assert_eq!(join("1 out a", Position::default()), None);
        assert_eq!(join("2 out b+", at(1)), Some(at(1)));
        assert_eq!(join("3 err c+", at(2)), Some(at(1)));
        assert_eq!(join("2 out d", at(3)), Some(at(2)));
        assert_eq!(join("3 err longlonglong+", at(3)), None, "the rest is dropped anyway");
    }
}
