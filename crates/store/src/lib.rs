//! The one blob API of the platform: registry, backups, logs and caches keep their bytes behind [`ObjectStore`].
//!
//! A URL picks the adapter: `file:///absolute/directory` keeps blobs on this machine, `s3://BUCKET` in a bucket of an S3
//! server, `memory://` in this process. Objects are whole or absent: a crash never leaves half of one visible. What arrives in pieces, over
//! several requests or restarts, is an upload, invisible as an object until it is finished.

mod batches;
mod error;
mod file;
mod key;
mod memory;
mod object;
mod open;
mod s3;
mod store;

pub use batches::Batches;
pub use error::StoreError;
pub use file::FileStore;
pub use key::{KeyError, ObjectKey};
pub use memory::MemoryStore;
pub use object::{ByteStream, Object, ObjectList, ObjectMeta, once};
pub use open::{open, redacted};
pub use s3::S3Store;
pub use store::ObjectStore;
