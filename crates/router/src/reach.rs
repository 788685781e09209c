//! Opening connections to endpoints, and whose fault it is when that fails.

use std::io;
use std::sync::Arc;

use crate::course::Course;
use crate::endpoint::Endpoint;
use crate::page::Failure;
use crate::room::is_full;
use crate::shared::Shared;

/// A connection to `endpoint`, which is on `course`, as `open` opens it; none if it accepts none.
pub(crate) async fn reach<T, O>(
    shared: &Shared,
    course: &mut Course<'_>,
    endpoint: &Arc<Endpoint>,
    open: impl Fn() -> O,
) -> Result<Option<T>, Failure>
where
    O: Future<Output = io::Result<T>>,
{
    match connect(shared, open).await {
        Ok(connection) => {
            course.accepted(endpoint);
            Ok(Some(connection))
        }
        Err(error) => {
            tracing::debug!(address = %endpoint.address, %error, "failed to open a connection to an endpoint");
            course.refused(endpoint, &error).map(|()| None)
        }
    }
}

/// What `open` opens; tried once more, after idle connections have been closed, if the system has no room for it.
pub(crate) async fn connect<T, O>(shared: &Shared, open: impl Fn() -> O) -> io::Result<T>
where
    O: Future<Output = io::Result<T>>,
{
    match open().await {
        Err(error) if is_full(&error) => {
            shared.make_room(&error);
            open().await
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    use deis_api::internal::PlatformRoutes;
    use rustix::io::Errno;
    use tokio::net::TcpListener;

    use crate::config::Config;
    use crate::link::Link;
    use crate::routes::Routes;

    const HOST: &str = "deis.example.com";

    async fn scene() -> (Shared, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = PlatformRoutes {
            controller_hosts: vec![HOST.to_owned()],
            controllers: vec![listener.local_addr().unwrap()],
            ..PlatformRoutes::default()
        };
        let routes = Routes { platform, ..Routes::default() };
        (Shared::new(Config::new("key", "/nowhere"), &routes), listener)
    }

    #[tokio::test]
    async fn idle_connections_make_room_for_others() {
        let (shared, _listener) = scene().await;
        let mut course = Course::new(&shared, HOST, true);
        let place = course.place().unwrap().expect("a place");
        let endpoint = place.flight.endpoint();
        let link = Link::connect(endpoint.address, None, Duration::from_secs(20)).await.unwrap();
        endpoint.pool.put(link, shared.clock.now());
        assert_eq!(shared.kept_links(), 1);
        let open = || async { if shared.kept_links() > 0 { Err(Errno::MFILE.into()) } else { Ok(()) } };
        assert!(matches!(reach(&shared, &mut course, endpoint, open).await, Ok(Some(()))));
    }

    #[tokio::test]
    async fn an_endpoint_is_not_to_blame_when_the_router_has_no_room() {
        let (shared, _listener) = scene().await;
        let mut course = Course::new(&shared, HOST, true);
        let place = course.place().unwrap().expect("a place");
        let endpoint = place.flight.endpoint();
        let fail = |errno: Errno| move || async move { io::Result::<()>::Err(errno.into()) };
        for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL] {
            let reached = reach(&shared, &mut course, endpoint, fail(errno)).await;
            assert!(matches!(reached, Err(Failure::NoRoom)), "{errno}");
        }
        assert_eq!(endpoint.ejection.until(), 0);
        assert!(matches!(reach(&shared, &mut course, endpoint, fail(Errno::CONNREFUSED)).await, Ok(None)));
        assert_ne!(endpoint.ejection.until(), 0);
    }
}
