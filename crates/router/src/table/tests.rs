//! Tables by what they lead to, and what they keep of the one before.

use super::*;
use deis_model::{AppRoute, ContainerName, Endpoint as RoutedEndpoint};

use crate::config::Config;
use crate::maker::Maker;
use crate::routes::{Changes, Routes};

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

fn blog() -> Changes {
    Changes { apps: vec![AppId::parse("blog").unwrap()], platform: false }
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
    let (second, left) = maker().update(&next, &first, &blog());
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
    let (second, _) = maker().update(&held, &first, &blog());
    assert_eq!(second.find("blog.example.com").unwrap().endpoints[0].address.port(), 8000);
    assert_eq!(second.find("www.example.org").unwrap().endpoints[0].address.port(), 5009);
}

/// Routes of apps by name and hosts, in one line: `a: x.test *.y.test, b: y.test`.
fn named(text: &str) -> Routes {
    let route = |line: &str| {
        let (app, hosts) = line.trim().split_once(':').unwrap();
        let app = AppId::parse(app).unwrap();
        let hosts = hosts.split_whitespace().map(str::to_owned).collect();
        (app.clone(), Arc::new(AppRoute { hosts, ..AppRoute::new(app) }))
    };
    Routes { apps: text.split(',').map(route).collect(), ..Routes::default() }
}

fn owner(table: &Table, host: &str) -> String {
    table.find(host).and_then(Service::app).map_or("nobody".to_owned(), ToString::to_string)
}

#[test]
fn an_exact_name_comes_before_wildcards_and_the_longest_of_those_first() {
    let routes =
        named("aa: *.example.com, bb: *.eu.example.com, cc: www.eu.example.com EXAMPLE.org, dd: *.Org");
    let table = maker().build(&routes, &Table::default());
    let check = |host: &str, expected: &str| assert_eq!(owner(&table, host), expected, "{host}");
    check("www.example.com", "aa");
    check("a.b.c.example.com", "aa");
    check("www.eu.example.com", "cc");
    check("shop.eu.example.com", "bb");
    check("a.www.eu.example.com", "bb");
    check("eu.example.com", "aa");
    check("example.com", "nobody");
    check("notexample.com", "nobody");
    check("example.com.evil.test", "nobody");
    check("example.org", "cc");
    check("www.example.org", "dd");
    check("org", "nobody");
    check("", "nobody");
}

#[test]
fn a_name_goes_from_app_to_app_whichever_is_told_first() {
    let (before, after) = (named("aa: x.test, bb: y.test"), named("aa: z.test, bb: y.test x.test"));
    for order in [["aa", "bb"], ["bb", "aa"]] {
        let mut table = maker().build(&before, &Table::default());
        for app in order {
            let apps = vec![AppId::parse(app).unwrap()];
            table = maker().update(&after, &table, &Changes { apps, platform: false }).0;
        }
        assert_eq!((owner(&table, "x.test"), owner(&table, "z.test")), ("bb".to_owned(), "aa".to_owned()));
    }
}

#[test]
fn an_app_that_is_gone_takes_its_names_and_endpoints_along() {
    let first = maker().build(&routes(&["v2.web.1@5001"]), &Table::default());
    let (second, left) = maker().update(&Routes::default(), &first, &blog());
    assert_eq!((second.app_count(), left.len()), (0, 1));
    assert!(second.find("blog.example.com").is_none());
}

#[test]
fn settings_of_mesh_and_app_come_into_force_without_building_anew() {
    let maker = maker();
    let mut held = named("aa: x.test, bb: y.test");
    let first = maker.build(&held, &Table::default());
    let set = |routes: &mut Routes, key: &str, value: &str| {
        routes.platform.settings.insert(key.to_owned(), value.to_owned())
    };
    set(&mut held, "proxyRealIpCidr", "10.0.0.0/8");
    let (second, _) = maker.update(&held, &first, &Changes { apps: vec![], platform: true });
    assert!(second.mesh.trusted[0].contains("10.0.0.1".parse().unwrap()));
    assert!(std::ptr::eq(first.find("x.test").unwrap(), second.find("x.test").unwrap()), "services stay");
    set(&mut held, "bodySize", "2m");
    let (third, _) = maker.update(&held, &second, &Changes { apps: vec![], platform: true });
    assert_eq!(third.find("x.test").unwrap().rules.body_bytes, Some(2 << 20));
    let app = AppId::parse("aa").unwrap();
    let mut route = (*held.apps[&app]).clone();
    route.settings.insert("bodySize".to_owned(), "3m".to_owned());
    held.apps.insert(app.clone(), Arc::new(route));
    let (fourth, _) = maker.update(&held, &third, &Changes { apps: vec![app], platform: false });
    let body = |host: &str| fourth.find(host).unwrap().rules.body_bytes;
    assert_eq!((body("x.test"), body("y.test")), (Some(3 << 20), Some(2 << 20)));
}
