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

    /// Adds several.
    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        self.values.extend(values);
    }

    /// The one in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.sorted().get(self.values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The greatest.
    pub(crate) fn greatest(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Prints a row of the table.
    pub(crate) fn print(&self) {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let (median, most, unit) = (self.median(), self.greatest(), self.unit);
        println!("| {} | {median:.2} {unit} | {least:.2}–{most:.2} | {} |", self.what, self.values.len());
    }

    /// Prints a row of a table that has the 99th percentile and the greatest in place of the range.
    pub(crate) fn print_tail(&self) {
        let rank = (self.values.len() * 99).div_ceil(100).max(1);
        let p99 = self.sorted().get(rank - 1).copied().unwrap_or(f64::NAN);
        let (median, most, unit) = (self.median(), self.greatest(), self.unit);
        println!("| {} | {median:.2} {unit} | {p99:.2} | {most:.2} | {} |", self.what, self.values.len());
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}
