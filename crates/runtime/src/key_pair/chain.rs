//! The order of a chain: each certificate vouched for by the next.

use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;

use super::{PairError, subject};

/// Places of certificates in the order in which servers send them.
pub(super) struct Chain(pub(super) Vec<usize>);

impl Chain {
    /// The order of all of `certificates` from the one at `leaf` on.
    ///
    /// Copies are left out, and so is a root at the end: visitors have their own, or none that they trust. Refused are
    /// certificates that vouch for none of the others, as whoever put them there meant something else.
    pub(super) fn from(certificates: &[X509Certificate<'_>], leaf: usize) -> Result<Self, PairError> {
        let mut left: Vec<usize> = Vec::new();
        for (index, certificate) in certificates.iter().enumerate() {
            let is_known = |other: &usize| certificates[*other].as_raw() == certificate.as_raw();
            if !is_known(&leaf) && !left.iter().any(is_known) {
                left.push(index);
            }
        }
        let mut order = vec![leaf];
        while let Some(last) = order.last().map(|last| &certificates[*last]).filter(|last| !is_root(last)) {
            let Some(next) = left.iter().position(|index| vouches(&certificates[*index], last)) else {
                break;
            };
            order.push(left.remove(next));
        }
        if let Some(stranger) = left.first() {
            return Err(PairError::Stranger {
                number: stranger + 1,
                name: subject(&certificates[*stranger]),
                last: order.last().map(|last| subject(&certificates[*last])).unwrap_or_default(),
            });
        }
        if order.len() > 1 && order.last().is_some_and(|last| is_root(&certificates[*last])) {
            order.pop();
        }
        Ok(Self(order))
    }
}

fn is_root(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject() == certificate.issuer()
}

/// Whether `issuer` signed `certificate`. Where it is signed in a way of the past, which cannot be checked, the name of
/// the issuer decides.
fn vouches(issuer: &X509Certificate<'_>, certificate: &X509Certificate<'_>) -> bool {
    issuer.subject() == certificate.issuer()
        && matches!(
            certificate.verify_signature(Some(issuer.public_key())),
            Ok(()) | Err(X509Error::SignatureUnsupportedAlgorithm)
        )
}
