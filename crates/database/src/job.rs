//! Jobs: numbers of one-off containers, never reused within an app.

use deis_model::{AppId, ProcessType, ReleaseVersion};

use crate::container::insert_container;
use crate::query::query;
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// How many finished jobs of an app stay listed.
const KEPT_JOBS: i64 = 100;

impl Database {
    /// Takes the app's next job number and lists the job among its containers. `Missing` if there is no such app.
    pub async fn next_job(&self, app: &AppId, version: ReleaseVersion) -> Result<u32, DatabaseError> {
        self.write(|mut transaction| async move {
            let exists = query("SELECT 1 FROM apps WHERE id = $1").bind(app.as_str());
            if transaction.row(exists).await?.is_none() {
                return Err(DatabaseError::Missing);
            }
            let number = take_number(&mut transaction, app).await?;
            insert_container(&mut transaction, app, &(version, ProcessType::run(), number)).await?;
            let old = query("DELETE FROM containers WHERE app = $1 AND process = 'run' AND num <= $2");
            transaction.execute(old.bind(app.as_str()).bind(i64::from(number) - KEPT_JOBS)).await?;
            transaction.commit().await?;
            Ok(number)
        })
        .await
    }
}

async fn take_number(transaction: &mut Transaction, app: &AppId) -> Result<u32, DatabaseError> {
    let count = "INSERT INTO job_numbers (app, last) VALUES ($1, 1) \
                 ON CONFLICT (app) DO UPDATE SET last = job_numbers.last + 1";
    transaction.execute(query(count).bind(app.as_str())).await?;
    let last = query("SELECT last FROM job_numbers WHERE app = $1").bind(app.as_str());
    transaction.row(last).await?.ok_or(DatabaseError::Missing)?.count("last")
}
