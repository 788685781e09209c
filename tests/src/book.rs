//! The operators' manual as a program: its blocks of commands are run on the hosts that it names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::command::{Output, run};
use crate::lab_host::Host;

/// The page, below the workspace.
const PAGE: &str = "docs/operating.md";
/// What a block of commands begins with; where it is to be run follows.
const FENCE: &str = "```sh";
/// Where commands may be said to run.
const PLACES: [&str; 6] = ["every", "first", "others", "any", "new", "removed"];
/// How long all commands of a block may take on one host.
const TIMEOUT: Duration = Duration::from_secs(900);

/// What an operator fills in: the names after `$`, and what they stand for.
pub type Words = BTreeMap<&'static str, String>;

/// The manual, and what of it was done.
pub struct Book {
    blocks: Vec<Block>,
}

/// Commands that are run one after the other in one place.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    section: String,
    line: usize,
    place: String,
    commands: String,
    runs: usize,
}

impl Book {
    /// Reads the manual.
    pub fn open() -> Self {
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the workspace");
        let text = std::fs::read_to_string(workspace.join(PAGE)).expect("the manual can be read");
        Self { blocks: blocks(&text) }
    }

    /// Does on `hosts` what the section says is done at `place`; of several such blocks the one done least often.
    #[track_caller]
    pub fn run(&mut self, section: &str, place: &str, hosts: &[&Host], words: &Words) -> String {
        let fits = |block: &&mut Block| block.section == section && block.place == place;
        let block = self.blocks.iter_mut().filter(fits).min_by_key(|block| block.runs);
        let block = block.unwrap_or_else(|| panic!("{PAGE} has nothing under {section:?} with on={place}"));
        block.runs += 1;
        let said = hosts.iter().map(|host| block.run(host, words).succeeded().stdout);
        said.collect::<Vec<_>>().concat()
    }

    /// Panics unless everything that the manual says was done.
    #[track_caller]
    pub fn finish(self) {
        let left = self.blocks.iter().filter(|block| block.runs == 0);
        let left: Vec<_> = left.map(|block| format!("{PAGE}:{}\n{}", block.line, block.commands)).collect();
        assert!(left.is_empty(), "nobody has tried these commands:\n{}", left.join("\n"));
    }
}

impl Block {
    /// Runs its commands as an operator does who is logged in at `host`, and shows what they print.
    fn run(&self, host: &Host, words: &Words) -> Output {
        let mut command = host.command(["env"]);
        command.args(words.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(format!("ADDRESS={}", host.address()));
        let said = run(command.args(["bash", "-euxc", &self.commands]), TIMEOUT);
        eprintln!("{PAGE}:{} on {}:\n{}", self.line, host.name(), said.all());
        said
    }
}

/// The blocks of a page; panics if one does not say where it is run.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut section, mut is_open) = (String::new(), false);
    for (index, line) in text.lines().enumerate() {
        match line.strip_prefix(FENCE) {
            _ if is_open && line == "```" => is_open = false,
            _ if is_open => {
                let block = blocks.last_mut().expect("a block is open");
                block.commands += &format!("{line}\n");
            }
            Some(place) => {
                let place = place.trim().strip_prefix("on=").filter(|place| PLACES.contains(place));
                let place = place.unwrap_or_else(|| panic!("line {} names no place: {line}", index + 1));
                let (section, place, commands) = (section.clone(), place.to_owned(), String::new());
                blocks.push(Block { section, line: index + 2, place, commands, runs: 0 });
                is_open = true;
            }
            None => {
                let title = line.strip_prefix('#').map(|line| line.trim_start_matches('#').trim());
                section = title.map_or(section, str::to_owned);
            }
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_section_place_and_line() {
        let found = blocks(
            "# Page\n\ntext\n\n## One\n\n```sh on=any\nfirst\nsecond # no title\n```\n\n## Two\n```sh on=new\n```\n",
        );
        let of = |section: &str, line, place: &str, commands: &str| Block {
            section: section.to_owned(),
            line,
            place: place.to_owned(),
            commands: commands.to_owned(),
            runs: 0,
        };
        assert_eq!(found, [of("One", 8, "any", "first\nsecond # no title\n"), of("Two", 14, "new", "")]);
    }

    #[test]
    #[should_panic(expected = "line 1 names no place")]
    fn a_block_that_says_not_where_is_refused() {
        blocks("```sh\nls\n```\n");
    }

    #[test]
    fn the_manual_can_be_read() {
        assert!(Book::open().blocks.len() > 20);
    }

    #[test]
    #[should_panic(expected = "nobody has tried")]
    fn what_nobody_did_is_told() {
        Book::open().finish();
    }
}
