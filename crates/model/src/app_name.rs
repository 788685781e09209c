//! Names for apps that were created without one: `<adjective>-<noun>`, as in `golden-mountain`.

use crate::AppId;

const ADJECTIVES: [&str; 48] = [
    "active", "amused", "bright", "bouncy", "calmer", "candid", "daring", "dapper", "earthy", "elated",
    "fluent", "frosty", "gentle", "golden", "humble", "hearty", "iconic", "inland", "jaunty", "joyful",
    "kindly", "kosher", "lively", "loving", "mellow", "modern", "nimble", "native", "orange", "ornate",
    "placid", "polite", "quaint", "quirky", "rustic", "rising", "silver", "steady", "tender", "tidier",
    "unique", "upbeat", "velvet", "verbal", "warmer", "wooden", "yellow", "zanier",
];

const NOUNS: [&str; 48] = [
    "airplane", "aqueduct", "backpack", "building", "campfire", "cardinal", "daffodil", "dolphins",
    "elephant", "espresso", "fireside", "flamingo", "goldfish", "grandeur", "hedgerow", "headland",
    "icebergs", "incoming", "journeys", "jetliner", "keystone", "kangaroo", "lemonade", "landmark",
    "mandolin", "mushroom", "notebook", "nautilus", "overcoat", "obsidian", "parakeet", "pinecone",
    "quadrant", "quilting", "rainfall", "redwoods", "sandwich", "sunshine", "treetops", "tortoise",
    "umbrella", "universe", "vineyard", "vacation", "walkable", "windmill", "yearbook", "zeppelin",
];

/// A name chosen by two random numbers. The caller tries again while the name is taken.
pub fn app_name(first: u32, second: u32) -> AppId {
    let name = format!("{}-{}", pick(&ADJECTIVES, first), pick(&NOUNS, second));
    AppId::parse(&name).expect("the words are lower-case letters")
}

/// A name that also holds `number`, for platforms that have run out of plain ones.
pub fn numbered_app_name(first: u32, second: u32, number: u32) -> AppId {
    let name = format!("{}-{}-{number}", pick(&ADJECTIVES, first), pick(&NOUNS, second));
    AppId::parse(&name).expect("the words are lower-case letters")
}

fn pick(words: &[&'static str; 48], number: u32) -> &'static str {
    words[number as usize % words.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_leads_to_a_name() {
        for number in [0, 1, 47, 48, u32::MAX] {
            assert!(app_name(number, number).as_str().contains('-'));
        }
    }

    #[test]
    fn words_are_different_lower_case_letters() {
        for words in [ADJECTIVES, NOUNS] {
            let distinct: std::collections::BTreeSet<_> = words.iter().collect();
            assert_eq!(distinct.len(), words.len());
            assert!(words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase())));
        }
    }
}
