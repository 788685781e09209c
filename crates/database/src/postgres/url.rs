//! URLs of PostgreSQL, as libpq reads them: several servers in one, TLS by `sslmode` and its companions.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::DatabaseError;

/// The schemes.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What may stand after `?`. Others are refused: a misspelt `sslmode` must not go without TLS.
const PARAMETERS: [&str; 9] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
    "host",
    "port",
    "options",
    "target_session_attrs",
];

/// The one parameter that is understood here: which server is meant is no choice.
const SESSION_ATTRIBUTES: &str = "target_session_attrs";

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `host:port`, or the directory of a socket.
    pub(crate) address: String,
    /// How to connect.
    pub(crate) options: PgConnectOptions,
}

/// The servers of one database; one of them is the primary.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    servers: Vec<Server>,
    name: String,
}

impl Servers {
    /// Parses `postgres://user:password@host1:5432,host2:5432/name?sslmode=…`.
    pub(crate) fn parse(url: &str) -> Result<Self, DatabaseError> {
        let parts = Parts::split(url);
        parse(&parts).map_err(|reason| DatabaseError::Url { url: parts.public(), reason })
    }

    /// The servers, in the order of the URL.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter()
    }

    /// `host1:5432,host2:5432/name`: all of the URL that is no secret.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// A URL in pieces: the usual parsers know one host only.
struct Parts<'a> {
    credentials: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    parameters: &'a str,
}

impl<'a> Parts<'a> {
    fn split(url: &'a str) -> Self {
        let rest = SCHEMES.iter().find_map(|scheme| url.strip_prefix(scheme)).unwrap_or(url);
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        Self { credentials, hosts, path, parameters }
    }

    /// The URL without user, password and parameters.
    fn public(&self) -> String {
        format!("postgres://{}/{}", self.hosts, self.path)
    }

    /// The URL of one of the hosts.
    fn with_host(&self, host: &str) -> String {
        let credentials = self.credentials.map(|credentials| format!("{credentials}@")).unwrap_or_default();
        let kept = self.parameters.split('&').filter(|parameter| name_of(parameter) != SESSION_ATTRIBUTES);
        let kept: Vec<&str> = kept.collect();
        format!("postgres://{credentials}{host}/{}?{}", self.path, kept.join("&"))
    }
}

fn parse(parts: &Parts<'_>) -> Result<Servers, String> {
    for parameter in parts.parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        check_parameter(parameter)?;
    }
    if parts.path.is_empty() {
        return Err("the name of the database is missing".to_owned());
    }
    let servers = parts.hosts.split(',').map(|host| server(parts, host)).collect::<Result<Vec<_>, _>>()?;
    let addresses: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
    let name = format!("{}/{}", addresses.join(","), parts.path);
    Ok(Servers { servers, name })
}

fn check_parameter(parameter: &str) -> Result<(), String> {
    let name = name_of(parameter);
    if !PARAMETERS.contains(&name) {
        return Err(format!("{name:?} is none of the parameters {}", PARAMETERS.join(", ")));
    }
    match parameter.split_once('=') {
        Some((SESSION_ATTRIBUTES, "read-write" | "primary")) => Ok(()),
        Some((SESSION_ATTRIBUTES, _)) => Err("target_session_attrs can only be read-write".to_owned()),
        Some(_) => Ok(()),
        None => Err(format!("{name:?} has no value")),
    }
}

fn name_of(parameter: &str) -> &str {
    parameter.split_once('=').map_or(parameter, |(name, _)| name)
}

fn server(parts: &Parts<'_>, host: &str) -> Result<Server, String> {
    let url = parts.with_host(host);
    let options = PgConnectOptions::from_str(&url).map_err(|error| error.to_string())?;
    let address = match options.get_socket() {
        Some(directory) => directory.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    // As in libpq: whoever names a root certificate wants it checked.
    let names_root = parts.parameters.split('&').any(|parameter| name_of(parameter) == "sslrootcert");
    let options = match options.get_ssl_mode() {
        PgSslMode::Require if names_root => options.ssl_mode(PgSslMode::VerifyCa),
        _ => options,
    };
    Ok(Server { address, options: options.application_name("deis") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let servers = Servers::parse(url).expect("the URL is valid");
        let each = servers.iter().map(|server| {
            let options = &server.options;
            let database = options.get_database().unwrap_or_default();
            format!("{}@{}/{database} {:?}", options.get_username(), server.address, options.get_ssl_mode())
        });
        assert_eq!(each.collect::<Vec<_>>().join(", "), expected);
    }

    fn refuse(url: &str, expected: &str) {
        let error = Servers::parse(url).expect_err("the URL is not valid").to_string();
        assert!(error.contains(expected) && !error.contains("secret"), "{error}");
    }

    #[test]
    fn urls_name_one_server_or_several() {
        check("postgres://ann:s%40cret@one/deis", "ann@one:5432/deis Prefer");
        check(
            "postgresql://ann:x@one:1,two,[::1]:3/deis?sslmode=verify-full&target_session_attrs=read-write",
            "ann@one:1/deis VerifyFull, ann@two:5432/deis VerifyFull, ann@[::1]:3/deis VerifyFull",
        );
        check("postgres://ann@%2Frun%2Fpg/deis?sslmode=disable", "ann@/run/pg/deis Disable");
    }

    #[test]
    fn a_root_certificate_is_never_ignored() {
        check("postgres://ann@one/deis?sslmode=require&sslrootcert=/ca.pem", "ann@one:5432/deis VerifyCa");
        check("postgres://ann@one/deis?sslmode=require", "ann@one:5432/deis Require");
    }

    #[test]
    fn what_is_not_understood_is_refused_without_naming_secrets() {
        refuse("postgres://ann:secret@one/deis?ssl_mode=require", "ssl_mode");
        refuse("postgres://ann:secret@one/deis?sslmode=sometimes", "sometimes");
        refuse("postgres://ann:secret@one/deis?target_session_attrs=any", "read-write");
        refuse("postgres://ann:secret@one", "name of the database");
        refuse("postgres://ann:secret@one:99999,two/deis", "port");
    }
}
