//! Access to a bucket of an S3 server.

/// Who may use which bucket where.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's name.
    pub key: &'static str,
    /// Its password.
    pub secret: &'static str,
    /// The bucket.
    pub bucket: &'static str,
    /// The server, as `http://address:port`.
    pub endpoint: String,
}

impl Account {
    /// All of it as the platform is told.
    pub fn url(&self) -> String {
        format!("s3://{}:{}@{}?endpoint={}", self.key, self.secret, self.bucket, self.endpoint)
    }
}
