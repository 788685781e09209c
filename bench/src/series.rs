//! Several measurements of one thing.

/// Measurements in one unit.
pub(crate) struct Series {
    what: String,
    unit: &'static str,
    values: Vec<f64>,
}

impl Series {
    /// Measurements of `what` in `unit`.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str) -> Self {
        Self { what: what.into(), unit, values: Vec::new() }
    }

    /// Adds one.
    pub(crate) fn add(&mut self, value: f64) {
        self.values.push(value);
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Prints a row of the table.
    pub(crate) fn print(&self) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (median, unit) = (self.median(), self.unit);
        println!("| {} | {median:.2} {unit} | {least:.2}–{most:.2} | {} |", self.what, self.values.len());
    }
}
