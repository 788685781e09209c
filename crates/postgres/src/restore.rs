//! Going back to an earlier state.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::DatabaseError;
use crate::layout::Layout;

/// Prepares the member in `directory` to be restored from the store when it starts next: what it has is put aside into
/// a folder whose path is given back, if it has anything. To be called on every host while the role is ended on all.
///
/// `until` is the time to go back to; none is the newest state that the store has.
pub fn prepare_restore(
    directory: &Path,
    until: Option<OffsetDateTime>,
) -> Result<Option<PathBuf>, DatabaseError> {
    let layout = Layout::new(directory);
    let now = OffsetDateTime::now_utc();
    let aside = directory.join(format!("before-{}", now.unix_timestamp()));
    let failed = |source| DatabaseError::File { path: aside.clone(), source };
    let kept = [layout.postgres(), layout.etcd(), layout.founding()];
    let kept: Vec<_> = kept.into_iter().filter(|path| path.exists()).collect();
    if layout.is_served() {
        let reason = format!("PostgreSQL still runs in {}; end the role first", layout.data().display());
        return Err(DatabaseError::Settings { reason });
    }
    if !kept.is_empty() {
        fs::create_dir_all(&aside).map_err(failed)?;
    }
    for path in &kept {
        let name = path.file_name().ok_or_else(|| failed(io::Error::other("it has no name")))?;
        fs::rename(path, aside.join(name)).map_err(failed)?;
    }
    let until = until.map(|until| until.format(&Rfc3339)).transpose();
    let until = until.map_err(|error| DatabaseError::Settings { reason: error.to_string() })?;
    let mark = layout.restore_target();
    let written = deis_runtime::file::write_atomically(&mark, until.unwrap_or_default().as_bytes(), 0o644);
    written.map_err(|source| DatabaseError::File { path: mark, source })?;
    Ok((!kept.is_empty()).then_some(aside))
}

/// The time to restore to; none if nothing is to be restored, or the newest state is.
pub(crate) fn target(layout: &Layout) -> Result<Option<OffsetDateTime>, DatabaseError> {
    let path = layout.restore_target();
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DatabaseError::File { path, source }),
    };
    match text.trim() {
        "" => Ok(None),
        time => OffsetDateTime::parse(time, &Rfc3339)
            .map(Some)
            .map_err(|error| DatabaseError::File { path, source: io::Error::other(error) }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_was_there_is_put_aside_and_the_time_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        assert_eq!(target(&layout).unwrap(), None);
        fs::create_dir_all(layout.data().join("base")).unwrap();
        let until = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let aside = prepare_restore(directory.path(), Some(until)).unwrap().unwrap();
        assert!(aside.join("postgres/data/base").is_dir() && !layout.data().exists());
        assert_eq!(target(&layout).unwrap(), Some(until));
        assert_eq!(prepare_restore(directory.path(), None).unwrap(), None);
        assert_eq!(target(&layout).unwrap(), None);
    }

    #[test]
    fn a_database_at_work_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        fs::create_dir_all(layout.data()).unwrap();
        fs::create_dir_all(layout.run()).unwrap();
        let listener = UnixListener::bind(layout.run().join(".s.PGSQL.5432")).unwrap();
        assert!(prepare_restore(directory.path(), None).is_err());
        assert!(layout.data().is_dir());
        drop(listener);
        assert!(prepare_restore(directory.path(), None).unwrap().is_some());
    }
}
