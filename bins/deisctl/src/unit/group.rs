//! Groups: units that are started and stopped together, in the original's order and words.

use super::Unit;

/// What starts before the next group does.
pub(crate) struct Group {
    /// What is printed above its units.
    pub(crate) title: &'static str,
    /// In the order in which they start.
    pub(crate) units: &'static [Unit],
}

/// In the order in which they start; they stop in reverse.
///
/// The database goes first, which every controller needs; routers last, so that visitors come when all is there. Stopped
/// in reverse, visitors go first.
pub(crate) const GROUPS: [Group; 5] = [
    Group { title: "Storage subsystem...", units: &[Unit::Database] },
    Group { title: "Logging subsystem...", units: &[Unit::Logger, Unit::Logspout] },
    Group { title: "Control plane...", units: &[Unit::Registry, Unit::Controller, Unit::Builder] },
    Group { title: "Data plane...", units: &[Unit::Publisher] },
    Group { title: "Router mesh...", units: &[Unit::Router] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_every_unit_in_the_order_in_which_they_start() {
        let grouped: Vec<_> = GROUPS.iter().flat_map(|group| group.units).copied().collect();
        assert_eq!(grouped, Unit::ALL);
    }
}
