//! `router=3 registry=2`, in the original's words, and `router=all`.

use anyhow::{Context, bail};

use crate::fleet::State;
use crate::unit::Unit;

/// What stands for one on every host of the plane, however many these are.
const ALL: &str = "all";

/// The units and their numbers; refuses more than there are hosts for, since two would want the same port.
pub(super) fn parse(words: &[String], state: &State) -> anyhow::Result<Vec<(Unit, Option<u32>)>> {
    words.iter().map(|word| one(word, state)).collect()
}

fn one(word: &str, state: &State) -> anyhow::Result<(Unit, Option<u32>)> {
    let (name, number) = word.split_once('=').with_context(|| format!("Could not parse: {word}"))?;
    let unit = name.parse::<Unit>().ok().filter(|unit| unit.scales());
    let unit = unit.with_context(|| format!("cannot scale {name} component"))?;
    if number == ALL {
        return Ok((unit, None));
    }
    if number.starts_with('-') {
        bail!("cannot scale below 0");
    }
    let number: u32 = number.parse().ok().with_context(|| format!("Could not parse: {word}"))?;
    let hosts = state.hosts_of(unit).count();
    if number as usize > hosts {
        bail!(
            "cannot scale {unit} to {number}: the {} has {hosts} hosts, each for one; add one with {}",
            unit.place(),
            unit.cure()
        );
    }
    Ok((unit, Some(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::test_state;

    fn check(word: &str, expected: Result<(Unit, Option<u32>), &str>) {
        let found = one(word, &test_state(&["lab1", "lab2", "lab3"])).map_err(|error| error.to_string());
        assert_eq!(found.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text), "{word}");
    }

    #[test]
    fn components_are_scaled_in_the_originals_words() {
        check("router=3", Ok((Unit::Router, Some(3))));
        check("registry=0", Ok((Unit::Registry, Some(0))));
        check("router=all", Ok((Unit::Router, None)));
        check("controller=2", Err("cannot scale controller component"));
        check("controller2", Err("Could not parse: controller2"));
        check("router=many", Err("Could not parse: router=many"));
        check("router=-1", Err("cannot scale below 0"));
    }

    #[test]
    fn more_than_one_per_host_is_refused() {
        assert!(one("router=4", &test_state(&["lab1", "lab2", "lab3"])).is_err());
    }
}
