//! Why a setting is refused: what, why and what to do instead.

use super::value::Must;

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting has this name.
    #[error(
        "{key:?} is not a routing setting; `deis routing:list --all` shows those of apps, docs/settings.md all"
    )]
    Unknown {
        /// The name.
        key: String,
    },
    /// It is a setting of the mesh, given to an app.
    #[error("{key} holds for the whole platform; its operators set it with `deisctl config router set`")]
    MeshOnly {
        /// The name.
        key: String,
    },
    /// It is a setting of apps, given to the mesh.
    #[error("{key} holds for a single app; set it with `deis routing:set` there")]
    AppOnly {
        /// The name.
        key: String,
    },
    /// Its value means nothing. The value is not shown: it may be a secret.
    #[error("the value of {key} cannot be used: it must be {must}")]
    Value {
        /// The name.
        key: String,
        /// What a value has to be.
        must: String,
    },
    /// It needs another one.
    #[error("{key} has no effect without {missing}; set both")]
    Incomplete {
        /// The name.
        key: &'static str,
        /// The other's.
        missing: &'static str,
    },
    /// It says the contrary of another one.
    #[error("{key} cannot hold along with {other}; unset one of them first")]
    Contrary {
        /// The name.
        key: &'static str,
        /// The other's.
        other: &'static str,
    },
    /// More than anybody needs.
    #[error("there may be at most {most} settings of headers; unset some first")]
    TooMany {
        /// How many there may be.
        most: usize,
    },
}

impl SettingError {
    /// The value of `key` is not what it has to be.
    pub(super) fn value(key: &str, must: Must) -> Self {
        Self::Value { key: key.to_owned(), must: must.0 }
    }

    /// The setting that is refused.
    pub fn key(&self) -> &str {
        match self {
            Self::Unknown { key }
            | Self::MeshOnly { key }
            | Self::AppOnly { key }
            | Self::Value { key, .. } => key,
            Self::Incomplete { key, .. } | Self::Contrary { key, .. } => key,
            Self::TooMany { .. } => "header/",
        }
    }
}
