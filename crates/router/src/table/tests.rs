//! Tables by what they lead to, and what they keep of the one before.

use super::*;
use deis_model::Endpoint as RoutedEndpoint;

fn maker() -> Maker {
    Maker::new(&Config::new("key", "/nowhere"), Arc::default())
}

/// Routes of one app, `blog`, to containers given as `v2.web.1@5001`.
fn routes(containers: &[&str]) -> Routes {
    let endpoint = |text: &&str| {
        let (container, port) = text.split_once('@').unwrap();
        let container = ContainerName::parse(&format!("blog_{container}")).unwrap();
        RoutedEndpoint { container, address: ([127, 0, 0, 1], port.parse::<u16>().unwrap()).into() }
    };
    let app = AppId::parse("blog").unwrap();
    let route = AppRoute {
        hosts: vec!["blog.example.com".to_owned(), "WWW.example.org".to_owned()],
        endpoints: containers.iter().map(endpoint).collect(),
        ..AppRoute::new(app.clone())
    };
    Routes { apps: [(app, Arc::new(route))].into(), ..Routes::default() }
}

#[test]
fn every_name_of_an_app_leads_to_it_and_no_other() {
    let table = maker().build(&routes(&["v2.web.1@5001"]), &Table::default());
    assert_eq!(table.find("blog.example.com").unwrap().endpoints.len(), 1);
    assert!(table.find("www.example.org").is_some());
    assert!(table.find("blog.example.org").is_none());
}

#[test]
fn the_platforms_own_names_cannot_be_taken() {
    let mut routes = routes(&["v2.web.1@5001"]);
    routes.platform.controller_hosts = vec!["blog.example.com".to_owned()];
    routes.platform.controllers = vec![([127, 0, 0, 1], 8000).into()];
    let table = maker().build(&routes, &Table::default());
    assert_eq!(table.find("blog.example.com").unwrap().endpoints[0].address.port(), 8000);
}

#[test]
fn endpoints_that_stay_keep_their_connections_and_counts() {
    let first = maker().build(&routes(&["v2.web.1@5001", "v2.web.2@5002"]), &Table::default());
    let second = maker().build(&routes(&["v2.web.2@5002", "v2.web.3@5003"]), &first);
    let of =
        |table: &Table, index: usize| Arc::clone(&table.find("blog.example.com").unwrap().endpoints[index]);
    assert!(Arc::ptr_eq(&of(&first, 1), &of(&second, 0)));
    let left: Vec<_> = first.left_by(&second).iter().map(|endpoint| endpoint.address.port()).collect();
    assert_eq!(left, [5001]);
}

#[test]
fn another_container_at_the_same_address_is_another_endpoint() {
    let first = maker().build(&routes(&["v2.web.1@5001"]), &Table::default());
    let second = maker().build(&routes(&["v3.web.1@5001"]), &first);
    assert_eq!(first.left_by(&second).len(), 1);
}

#[test]
fn an_update_is_the_same_as_building_anew() {
    let first = maker().build(&routes(&["v2.web.1@5001", "v2.web.2@5002"]), &Table::default());
    let next = Routes { generation: 7, ..routes(&["v2.web.2@5002", "v2.web.3@5003"]) };
    let (second, left) = maker().update(&next, &first, &[AppId::parse("blog").unwrap()]);
    let ports = |endpoints: &[Arc<Endpoint>]| -> Vec<u16> {
        endpoints.iter().map(|endpoint| endpoint.address.port()).collect()
    };
    assert_eq!((second.generation, second.app_count(), ports(&left)), (7, 1, vec![5001]));
    for host in ["blog.example.com", "www.example.org"] {
        assert_eq!(ports(&second.find(host).unwrap().endpoints), [5002, 5003]);
        assert_eq!(
            ports(&first.find(host).unwrap().endpoints),
            [5001, 5002],
            "the old table stays as it was"
        );
    }
    let of =
        |table: &Table, index: usize| Arc::clone(&table.find("blog.example.com").unwrap().endpoints[index]);
    assert!(Arc::ptr_eq(&of(&first, 1), &of(&second, 0)), "what stays keeps its connections");
}

#[test]
fn an_update_takes_no_name_of_another() {
    let mut held = routes(&["v2.web.1@5001"]);
    held.platform.controller_hosts = vec!["blog.example.com".to_owned()];
    held.platform.controllers = vec![([127, 0, 0, 1], 8000).into()];
    let first = maker().build(&held, &Table::default());
    held.apps.extend(routes(&["v2.web.1@5009"]).apps);
    let (second, _) = maker().update(&held, &first, &[AppId::parse("blog").unwrap()]);
    assert_eq!(second.find("blog.example.com").unwrap().endpoints[0].address.port(), 8000);
    assert_eq!(second.find("www.example.org").unwrap().endpoints[0].address.port(), 5009);
}
