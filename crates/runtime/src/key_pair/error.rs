//! What can be wrong with a certificate and its key, told to whoever holds the files.

use time::OffsetDateTime;
use time::macros::format_description;

/// Why a pair cannot be served with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// No certificate can be read.
    #[error("Could not load certificate: {reason}")]
    ChainUnreadable {
        /// Why.
        reason: String,
    },
    /// It was valid once.
    #[error("The certificate {name} expired on {}.", date(expires))]
    Expired {
        /// Whose.
        name: String,
        /// The last second in which it was valid.
        expires: OffsetDateTime,
    },
    /// It will be valid.
    #[error("The certificate {name} is not valid before {}.", date(begins))]
    Early {
        /// Whose.
        name: String,
        /// The first second in which it is valid.
        begins: OffsetDateTime,
    },
    /// It is for something else than serving.
    #[error("The certificate {name} is not for servers.")]
    Purpose {
        /// Whose.
        name: String,
    },
    /// A certificate has no part in the chain.
    #[error(
        "Certificate number {number}, {name}, does not belong here: it vouches for none of the others. \
         The chain ends with {last}."
    )]
    Stranger {
        /// Its place in the file, from 1.
        number: usize,
        /// Whose.
        name: String,
        /// The last certificate that has a part in it.
        last: String,
    },
    /// No key can be read.
    #[error("No private key in PEM form can be read.")]
    KeyUnreadable,
    /// The key is locked with a passphrase.
    #[error("The key is encrypted. Unlock it first: openssl pkey -in <file> -out <file without passphrase>")]
    KeyEncrypted,
    /// The key is of a kind that nobody here can use.
    #[error(
        "The key is of a kind that is not supported. Use RSA with 2048 to 8192 bits, ECDSA (P-256, P-384) or Ed25519."
    )]
    KeyKind,
    /// The key belongs to none of the certificates.
    #[error("The key does not belong to the certificate {name}.")]
    OtherKey {
        /// Of the first certificate.
        name: String,
    },
}

impl PairError {
    /// Whether it is the key that has to be mended.
    pub fn is_about_key(&self) -> bool {
        matches!(self, Self::KeyUnreadable | Self::KeyEncrypted | Self::KeyKind | Self::OtherKey { .. })
    }
}

fn date(time: &OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    time.format(format).expect("every time has these parts")
}
