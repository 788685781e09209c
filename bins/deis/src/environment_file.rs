//! `.env` files, pulled and pushed: one `KEY=value` per line, taken literally; blank lines and those beginning with `#` are skipped.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::session::Session;
use crate::{config, output, prompt};

/// The file that pulls write and pushes read.
pub(crate) const FILE: &str = ".env";

/// Writes the variables of `app` to the file; those that the file has are kept where the user wants it.
pub(crate) async fn pull(session: &Session, app: &str, interactive: bool, overwrite: bool) -> Result<()> {
    let here = read_file(Path::new(FILE))?;
    if here.is_some() && !interactive && !overwrite {
        bail!("{FILE} already exists, pass -o to overwrite");
    }
    let mut values = config::read(session, app).await?.values;
    if let Some(text) = here.filter(|_| interactive) {
        values = merge(parse(&text).values, values).await?;
    }
    let (text, left_out) = write(&values);
    save(Path::new(FILE), &text).with_context(|| format!("failed to write {FILE}"))?;
    for key in left_out {
        eprintln!("{key} is left out: its value has several lines, which {FILE} cannot hold");
    }
    Ok(())
}

/// What is in the file, with what the app has; where they differ, the user decides.
async fn merge(
    mut kept: BTreeMap<String, String>,
    values: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    for (key, value) in values {
        let differs = kept.get(&key).filter(|here| **here != value);
        let question = differs.map(|here| format!("{key}: overwrite {here} with {value}? (y/N) "));
        match question {
            Some(question) if !prompt::agrees(&question).await? => {}
            _ => {
                kept.insert(key, value);
            }
        }
    }
    Ok(kept)
}

/// Sets the variables in the file at `path`.
pub(crate) async fn push(session: &Session, app: &str, path: &Path) -> Result<()> {
    let text =
        read_file(path)?.with_context(|| format!("failed to read {}: it does not exist", path.display()))?;
    let parsed = parse(&text);
    for line in &parsed.refused {
        output::line(format_args!("'{line}' does not match the pattern 'key=var', ex: MODE=test"))?;
    }
    let values = parsed
        .values
        .into_iter()
        .map(|(key, value)| Ok((key.clone(), config::final_value(&key, &value)?.into())));
    config::create(session, app, values.collect::<Result<_>>()?).await
}

fn read_file(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
    }
}

/// What a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    /// Variables; of several of one name the last.
    values: BTreeMap<String, String>,
    /// Lines that set no variable.
    refused: Vec<String>,
}

/// Reads the text of a file.
fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        match config::parse(line) {
            Some((key, value)) => {
                parsed.values.insert(key.to_owned(), value.to_owned());
            }
            None => parsed.refused.push(line.to_owned()),
        }
    }
    parsed
}

/// The text of a file with `values`, and the names of those that no line can hold.
fn write(values: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let (long, short): (Vec<_>, Vec<_>) = values.iter().partition(|(_, value)| value.contains(['\n', '\r']));
    let text = short.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    (text, long.into_iter().map(|(key, _)| key.clone()).collect())
}

/// Replaces the file at `path`; only its owner can read it, since values are often secrets.
fn save(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_without_a_line_end() {
        let parsed = parse("# a comment\nA=1\n\nB=x=y\nEMPTY=\nnonsense\nPOWERED_BY=Deis");
        let expected = [("A", "1"), ("B", "x=y"), ("EMPTY", ""), ("POWERED_BY", "Deis")];
        assert_eq!(parsed.values, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
        assert_eq!(parsed.refused, ["nonsense"]);
    }

    #[test]
    fn what_is_written_reads_back() {
        let values =
            [("A", "1"), ("B", "two words"), ("C", "a\nb")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let (text, left_out) = write(&values.clone().into());
        assert_eq!(parse(&text).values, values[..2].iter().cloned().collect());
        assert_eq!(left_out, ["C"]);
    }
}
