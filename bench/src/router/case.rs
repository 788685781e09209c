//! What visitors do to a router.

/// One kind of work.
pub(super) struct Case {
    /// As in the table.
    pub(super) name: &'static str,
    /// What is asked for.
    pub(super) path: &'static str,
    /// How many visitors ask at a time.
    pub(super) connections: usize,
    /// How many apps have routes.
    pub(super) apps: usize,
    /// How many of them are asked, in turn.
    pub(super) asked: usize,
    /// How many requests they send in a second, all together; none if each sends its next once it has the answer.
    pub(super) per_second: Option<usize>,
    /// Over TLS.
    pub(super) is_tls: bool,
    /// Over HTTP/2, ten requests at a time on each connection.
    pub(super) is_http_2: bool,
    /// Over a new connection for every request.
    pub(super) is_new_each_time: bool,
    /// Over TLS: with what the visitor remembers of the connection before.
    pub(super) is_resumed: bool,
}

const KEPT: Case = Case {
    name: "1 KiB, kept alive",
    path: "/small",
    connections: 50,
    apps: 1,
    asked: 1,
    per_second: None,
    is_tls: false,
    is_http_2: false,
    is_new_each_time: false,
    is_resumed: false,
};

/// All of it.
pub(super) const CASES: [Case; 10] = [
    KEPT,
    Case { name: "10,000 a second, kept alive", per_second: Some(10_000), ..KEPT },
    Case { name: "64 KiB, kept alive", path: "/large", ..KEPT },
    Case { name: "1 KiB over TLS, kept alive", is_tls: true, ..KEPT },
    Case { name: "64 KiB over TLS, kept alive", path: "/large", is_tls: true, ..KEPT },
    Case { name: "new connection each", is_new_each_time: true, ..KEPT },
    Case { name: "new TLS connection each", is_tls: true, is_new_each_time: true, ..KEPT },
    Case {
        name: "TLS resumed by a new connection each",
        is_tls: true,
        is_new_each_time: true,
        is_resumed: true,
        ..KEPT
    },
    Case { name: "HTTP/2 over TLS", is_tls: true, is_http_2: true, ..KEPT },
    Case { name: "100 of 10,000 apps in turn", apps: 10_000, asked: 100, ..KEPT },
];
