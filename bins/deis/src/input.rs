//! What this program is given to read, for a command that runs elsewhere.

use std::io::{self, Read};

use anyhow::{Context, Result, bail};

use deis_model::Job;

/// The most that a command is given, in bytes.
const LIMIT: usize = Job::INPUT_LIMIT;

/// All of standard input, up to its end.
pub(crate) async fn read() -> Result<String> {
    // On another thread: Ctrl-C must be able to end us meanwhile.
    tokio::task::spawn_blocking(|| understand(io::stdin().lock())).await?
}

fn understand(source: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    // One more than may be, to tell what is too much from what just fits.
    let room = u64::try_from(LIMIT + 1).unwrap_or(u64::MAX);
    source.take(room).read_to_end(&mut bytes).context("failed to read standard input")?;
    if bytes.len() > LIMIT {
        bail!(
            "standard input has more than {LIMIT} bytes: have the command fetch what it needs from elsewhere"
        );
    }
    String::from_utf8(bytes).ok().context("standard input is no text in UTF-8: encode it, as with base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_fits_is_taken_as_it_is() {
        assert_eq!(understand(&b""[..]).unwrap(), "");
        assert_eq!(understand("a\0b\r\n\u{4e16}".as_bytes()).unwrap(), "a\0b\r\n\u{4e16}");
        assert_eq!(understand(&vec![b'x'; LIMIT][..]).unwrap().len(), LIMIT);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_with_a_cure() {
        let refused = |bytes: &[u8]| understand(bytes).unwrap_err().to_string();
        assert!(refused(&vec![b'x'; LIMIT + 1]).contains("more than 1048576 bytes"));
        assert!(refused(&[0xff]).contains("base64"));
    }
}
