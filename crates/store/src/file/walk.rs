//! Lists a tree in the order of its keys' bytes, a page at a time.

use super::{
    attempt::{Attempt, blocking, is_absent},
    tree::{Tree, meta_of},
};
use crate::{
    error::StoreError,
    key::{ObjectKey, folder_of},
    object::{ObjectList, ObjectMeta},
};
use futures::{StreamExt, TryStreamExt, stream};
use std::{fs, io};

/// How many files are looked at per trip to the blocking pool.
const PAGE_LENGTH: usize = 512;

/// The files of `tree` whose keys begin with `prefix` and come after `after`.
pub(super) fn list(tree: &Tree, prefix: &str, after: Option<&ObjectKey>) -> ObjectList {
    let walk = match Walk::new(tree.clone(), prefix, after) {
        Ok(walk) => walk,
        Err(error) => return stream::once(async { Err(error) }).boxed(),
    };
    stream::try_unfold(walk, |mut walk| async move {
        let attempt = Attempt::new("list", &walk.prefix, walk.tree.directory());
        let (walk, page) = blocking(attempt, move || walk.next_page().map(|page| (walk, page))).await?;
        Ok((!page.is_empty()).then(|| (stream::iter(page).map(Ok), walk)))
    })
    .try_flatten()
    .boxed()
}

/// A walk under way.
struct Walk {
    tree: Tree,
    prefix: String,
    after: String,
    /// What is still to be visited, the next one last. Folders end with `/`.
    pending: Vec<String>,
}

impl Walk {
    fn new(tree: Tree, prefix: &str, after: Option<&ObjectKey>) -> Result<Self, StoreError> {
        let start = folder_of(prefix)?.to_owned();
        let after = after.map(ToString::to_string).unwrap_or_default();
        Ok(Self { tree, prefix: prefix.to_owned(), after, pending: vec![start] })
    }

    fn next_page(&mut self) -> io::Result<Vec<ObjectMeta>> {
        let mut page = Vec::new();
        while page.len() < PAGE_LENGTH {
            match self.pending.pop() {
                None => break,
                Some(folder) if folder.is_empty() || folder.ends_with('/') => self.enter(&folder)?,
                Some(name) => page.extend(self.visit(&name)?),
            }
        }
        Ok(page)
    }

    /// Puts what the folder contains before everything else that is pending.
    fn enter(&mut self, folder: &str) -> io::Result<()> {
        let entries = match fs::read_dir(self.tree.directory().join(folder)) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let slash = if entry.file_type()?.is_dir() { "/" } else { "" };
            let name = format!("{folder}{}{slash}", entry.file_name().to_string_lossy());
            if self.is_wanted(&name) {
                names.push(name);
            }
        }
        names.sort_unstable_by(|left, right| right.cmp(left));
        self.pending.append(&mut names);
        Ok(())
    }

    /// Whether `name` is, or may contain, something to list.
    fn is_wanted(&self, name: &str) -> bool {
        let holds = |inner: &str| name.ends_with('/') && inner.starts_with(name);
        let begins = name.starts_with(&self.prefix) || holds(&self.prefix);
        begins && (name > self.after.as_str() || holds(&self.after))
    }

    /// The facts about a file; nothing when it is gone by now, or not one of ours.
    fn visit(&self, name: &str) -> io::Result<Option<ObjectMeta>> {
        let Ok(key) = ObjectKey::parse(name) else {
            return Ok(None);
        };
        match fs::metadata(self.tree.path(&key)).and_then(|metadata| meta_of(key, &metadata)) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
