//! Pairs as people have them, right and wrong.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair as Key,
    PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
};
use time::Duration;

use super::*;

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("it is in range")
}

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("the names are valid");
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (now() - Duration::DAY, now() + Duration::DAY);
    params
}

/// Signs others.
struct Signer {
    issuer: Issuer<'static, Key>,
    text: String,
}

fn signer(name: &str, by: Option<&Signer>) -> Signer {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = Key::generate().expect("a key");
    let certificate = match by {
        Some(by) => params.signed_by(&key, &by.issuer),
        None => params.self_signed(&key),
    };
    let text = certificate.expect("signed").pem();
    Signer { issuer: Issuer::new(params, key), text }
}

/// A certificate of a site, and its key.
fn site(params: &CertificateParams, by: &Signer) -> (String, String) {
    let key = Key::generate().expect("a key");
    (params.signed_by(&key, &by.issuer).expect("signed").pem(), key.serialize_pem())
}

fn alone(params: &CertificateParams) -> (String, String) {
    let key = Key::generate().expect("a key");
    (params.self_signed(&key).expect("signed").pem(), key.serialize_pem())
}

/// The common names of a checked chain.
fn order(chain: &str, key: &str) -> Result<Vec<String>, PairError> {
    let checked = check(chain, key, now())?;
    let certificates = read_chain(&checked.pair.chain)?;
    certificates.iter().map(|der| Ok(common_name(&parse(der)?).unwrap_or_default())).collect()
}

#[test]
fn names_and_dates_are_those_of_the_certificate() {
    let (chain, key) = alone(&params("Shop", &["WWW.Example.com", "*.example.com"]));
    let checked = check(&chain, &key, now()).expect("it is right");
    assert_eq!(checked.names, ["*.example.com", "www.example.com"]);
    assert_eq!((checked.common_name.as_deref(), checked.expires), (Some("Shop"), now() + Duration::DAY));
    assert_eq!((checked.pair.chain, checked.pair.key), (chain.replace('\r', ""), key.replace('\r', "")));
}

#[test]
fn a_certificate_of_the_past_is_for_its_common_name() {
    let (chain, key) = alone(&params("Www.example.com", &[]));
    assert_eq!(check(&chain, &key, now()).expect("it is right").names, ["www.example.com"]);
}

#[test]
fn a_chain_is_put_in_order_without_its_root() {
    let root = signer("root", None);
    let (upper, lower) = {
        let upper = signer("upper", Some(&root));
        let lower = signer("lower", Some(&upper));
        (upper, lower)
    };
    let (leaf, key) = site(&params("site", &["a.example.com"]), &lower);
    let expected = Ok(["site", "lower", "upper"].map(str::to_owned).to_vec());
    let (root, upper, lower) = (&root.text, &upper.text, &lower.text);
    assert_eq!(order(&format!("{leaf}{lower}{upper}"), &key), expected);
    assert_eq!(order(&format!("{root}{upper}{lower}{leaf}{leaf}"), &key), expected);
    assert_eq!(order(&leaf, &key), Ok(vec!["site".to_owned()]));
}

#[test]
fn what_the_authority_says_of_a_certificate_stays_with_it() {
    let (chain, key) = alone(&params("site", &["a.example.com"]));
    let status = encode(STATUS, b"fresh");
    let checked = check(&format!("{status}{chain}"), &key, now()).expect("it is right");
    assert_eq!(checked.pair.chain, format!("{chain}{status}").replace('\r', ""));
}

#[test]
fn a_certificate_that_vouches_for_nobody_is_named() {
    let (root, other) = (signer("root", None), signer("other", None));
    let (leaf, key) = site(&params("site", &["a.example.com"]), &root);
    let refused = order(&format!("{leaf}{}", other.text), &key).expect_err("a stranger");
    let (number, name, last) = (2, "CN=other".to_owned(), "CN=site".to_owned());
    assert_eq!(refused, PairError::Stranger { number, name, last });
    // The same name, but another key: a renewed authority that this certificate is not from.
    let namesake = signer("root", None);
    assert!(matches!(order(&format!("{leaf}{}", namesake.text), &key), Err(PairError::Stranger { .. })));
}

#[test]
fn a_key_must_be_the_certificates_own() {
    let (chain, _) = alone(&params("one", &["one.example.com"]));
    let (_, key) = alone(&params("two", &["two.example.com"]));
    let refused = check(&chain, &key, now()).expect_err("another key");
    assert_eq!(refused.to_string(), "The key does not belong to the certificate CN=one.");
    assert!(refused.is_about_key());
}

#[test]
fn dates_are_told() {
    let mut old = params("old", &["old.example.com"]);
    old.not_after = now() - Duration::HOUR;
    let (chain, key) = alone(&old);
    let refused = check(&chain, &key, now()).expect_err("too late").to_string();
    assert_eq!(refused, "The certificate CN=old expired on 2023-11-14 21:13:20 UTC.");
    let mut young = params("young", &["young.example.com"]);
    young.not_before = now() + Duration::HOUR;
    let (chain, key) = alone(&young);
    let refused = check(&chain, &key, now()).expect_err("too early").to_string();
    assert_eq!(refused, "The certificate CN=young is not valid before 2023-11-14 23:13:20 UTC.");
}

#[test]
fn a_certificate_for_clients_serves_nobody() {
    let mut client = params("client", &["a.example.com"]);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let (chain, key) = alone(&client);
    let refused = check(&chain, &key, now()).expect_err("not for servers");
    assert_eq!(refused, PairError::Purpose { name: "CN=client".to_owned() });
}

#[test]
fn every_usual_kind_of_key_is_taken() {
    for kind in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = Key::generate_for(kind).expect("a key");
        let chain = params("site", &["a.example.com"]).self_signed(&key).expect("signed").pem();
        assert!(check(&chain, &key.serialize_pem(), now()).is_ok(), "{kind:?}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_the_right_place() {
    let (chain, key) = alone(&params("site", &["a.example.com"]));
    let told = |chain: &str, key: &str| {
        let refused = check(chain, key, now()).expect_err("it cannot be read");
        (refused.is_about_key(), refused.to_string())
    };
    let none = "Could not load certificate: there is none in PEM form";
    assert_eq!(told("hello", &key), (false, none.to_owned()));
    assert_eq!(told("", &key), (false, none.to_owned()));
    let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert!(told(garbage, &key).1.starts_with("Could not load certificate: "));
    assert_eq!(told(&chain, "hello"), (true, "No private key in PEM form can be read.".to_owned()));
    let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(told(&chain, &locked).1.starts_with("The key is encrypted."));
    let odd = "-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n";
    assert!(told(&chain, odd).1.starts_with("The key is of a kind"));
    let many = chain.repeat(MAX_CERTIFICATES + 1);
    assert_eq!(told(&many, &key).1, "Could not load certificate: there are more than 10");
}
