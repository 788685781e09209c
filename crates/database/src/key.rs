//! Keys: SSH public keys with which users push.

use deis_model::Key;

use crate::query::query;
use crate::row::{Row, microseconds, new_uuid, now};
use crate::{Database, DatabaseError, Listing, Slice};

impl Database {
    /// Adds a key. `Taken` if any user has it, whatever its comment.
    pub async fn add_key(
        &self,
        owner: &str,
        id: &str,
        public: &str,
        fingerprint: &str,
    ) -> Result<Key, DatabaseError> {
        let now = now();
        let key = Key {
            uuid: new_uuid(),
            id: id.to_owned(),
            owner: owner.to_owned(),
            public: public.to_owned(),
            fingerprint: fingerprint.to_owned(),
            created: now,
            updated: now,
        };
        let insert = "INSERT INTO keys (uuid, id, owner, public, fingerprint, created, updated) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let insert = query(insert)
            .bind(&key.uuid)
            .bind(id)
            .bind(owner)
            .bind(public)
            .bind(fingerprint)
            .bind(microseconds(now))
            .bind(microseconds(now));
        self.execute(insert).await?;
        Ok(key)
    }

    /// The keys of a user, by id.
    pub async fn keys(&self, owner: &str, slice: Slice) -> Result<Listing<Key>, DatabaseError> {
        let count =
            self.row(query("SELECT COUNT(*) AS total FROM keys WHERE owner = $1").bind(owner)).await?;
        let page = query("SELECT * FROM keys WHERE owner = $1 ORDER BY id, created LIMIT $2 OFFSET $3");
        let rows = self.rows(page.bind(owner).bind(slice.limit()).bind(slice.offset())).await?;
        Listing::read(count, &rows, read_key)
    }

    /// The newest key of a user with that id.
    pub async fn key(&self, owner: &str, id: &str) -> Result<Option<Key>, DatabaseError> {
        let select = query("SELECT * FROM keys WHERE owner = $1 AND id = $2 ORDER BY created DESC LIMIT 1");
        let row = self.row(select.bind(owner).bind(id)).await?;
        row.as_ref().map(read_key).transpose()
    }

    /// Removes all keys of a user with that id; tells whether there were any.
    pub async fn delete_key(&self, owner: &str, id: &str) -> Result<bool, DatabaseError> {
        let delete = query("DELETE FROM keys WHERE owner = $1 AND id = $2");
        Ok(self.execute(delete.bind(owner).bind(id)).await? > 0)
    }

    /// The key with that fingerprint, if its owner may log in.
    pub async fn key_by_fingerprint(&self, fingerprint: &str) -> Result<Option<Key>, DatabaseError> {
        let select = "SELECT keys.* FROM keys JOIN users ON users.username = keys.owner \
                      WHERE keys.fingerprint = $1 AND users.is_active = 1";
        let row = self.row(query(select).bind(fingerprint)).await?;
        row.as_ref().map(read_key).transpose()
    }
}

fn read_key(row: &Row) -> Result<Key, DatabaseError> {
    Ok(Key {
        uuid: row.text("uuid")?,
        id: row.text("id")?,
        owner: row.text("owner")?,
        public: row.text("public")?,
        fingerprint: row.text("fingerprint")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
