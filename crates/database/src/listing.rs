//! One part of a list.

use crate::DatabaseError;
use crate::row::Row;

/// Which part is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How many to leave out at the start.
    pub offset: u32,
    /// How many to return at most.
    pub limit: u32,
}

impl Slice {
    /// The first `limit`.
    pub fn first(limit: u32) -> Self {
        Self { offset: 0, limit }
    }

    pub(crate) fn limit(self) -> i64 {
        i64::from(self.limit)
    }

    pub(crate) fn offset(self) -> i64 {
        i64::from(self.offset)
    }
}

/// A part of a list, and how long the whole is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing<T> {
    /// How many there are in all.
    pub total: u64,
    /// The part asked for.
    pub items: Vec<T>,
}

impl<T> Listing<T> {
    /// Reads the parts of a list from rows; `count` has the whole length in column `total`.
    pub(crate) fn read(
        count: Option<Row>,
        rows: &[Row],
        read: fn(&Row) -> Result<T, DatabaseError>,
    ) -> Result<Self, DatabaseError> {
        let total = count.map_or(Ok(0), |row| row.number("total"))?;
        let items = rows.iter().map(read).collect::<Result<_, _>>()?;
        Ok(Self { total: u64::try_from(total).unwrap_or(0), items })
    }

    /// The list with every item changed by `change`.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Listing<U> {
        Listing { total: self.total, items: self.items.into_iter().map(change).collect() }
    }
}
