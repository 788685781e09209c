use super::*;

fn map(settings: &[(&str, &str)]) -> BTreeMap<String, String> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn nothing_set_is_what_holds_by_default() {
    assert_eq!(MeshSettings::parse(&map(&[])), Ok(MeshSettings::default()));
}

#[test]
fn the_mesh_logs_for_itself_and_an_app_for_itself() {
    let mesh = MeshSettings::parse(&map(&[("accessLog", "json"), ("accessLog/sample", "5")])).unwrap();
    assert_eq!(mesh.access_log, AccessLog { form: LogForm::Json, per_ten_thousand: 500 });
    assert_eq!(mesh.apps.access_log.form, LogForm::Off);
    let app = AppSettings::parse(&map(&[("accessLog", "combined")])).unwrap();
    let expected = AccessLog { form: LogForm::Combined, per_ten_thousand: 10_000 };
    assert_eq!(mesh.rules(&app).access_log, expected);
}

#[test]
fn finer_settings_beat_coarse_ones_in_any_order() {
    let set = [("timeout/answer", "5s"), ("defaultTimeout", "60"), ("timeout/connect", "200ms")];
    let mesh = MeshSettings::parse(&map(&set)).unwrap();
    assert_eq!(mesh.apps.timeouts.answer, Duration::from_secs(5));
    assert_eq!(mesh.apps.timeouts.connect, Duration::from_millis(200));
    assert_eq!(mesh.clients.idle, Duration::from_secs(70));
}

#[test]
fn how_long_nothing_may_move_is_no_matter_of_how_soon_an_answer_begins() {
    let check = |mesh: &[(&str, &str)], app: &[(&str, &str)], answer: u64, idle: u64| {
        let rules = MeshSettings::parse(&map(mesh)).unwrap().rules(&AppSettings::parse(&map(app)).unwrap());
        let expected = (Duration::from_secs(answer), Duration::from_secs(idle));
        assert_eq!((rules.timeouts.answer, rules.timeouts.idle), expected, "{mesh:?} {app:?}");
    };
    check(&[], &[], 1300, 1310);
    check(&[], &[("timeout/answer", "10s")], 10, 1310);
    check(&[], &[("timeout/idle", "2h")], 1300, 7200);
    check(&[], &[("defaultTimeout", "1h")], 3600, 3610);
    check(&[("timeout/idle", "60s")], &[("timeout/answer", "10s")], 10, 60);
    check(&[("timeout/idle", "60s")], &[("timeout/idle", "90s")], 1300, 90);
    let mesh = MeshSettings::parse(&map(&[("timeout/idle", "60s")])).unwrap();
    assert_eq!(
        (mesh.clients.idle, mesh.controller.timeouts.idle),
        (Duration::from_secs(60), Duration::from_secs(60))
    );
}

#[test]
fn what_holds_for_all_hosts_holds_for_the_controllers() {
    let set = [("hsts/enabled", "true"), ("enforceWhitelist", "true"), ("controller/whitelist", "1.2.3.4")];
    let mesh = MeshSettings::parse(&map(&set)).unwrap();
    assert!(mesh.controller.https.is_enforced());
    assert!(mesh.controller.allowance.permits("1.2.3.4".parse().unwrap()));
    assert!(!mesh.controller.allowance.permits("1.2.3.5".parse().unwrap()));
    assert!(!mesh.apps.allowance.permits("1.2.3.4".parse().unwrap()));
}

#[test]
fn a_bad_setting_is_refused_with_its_name_and_the_rule() {
    let check = |key: &str, value: &str, expected: &str| {
        let error = MeshSettings::parse(&map(&[(key, value)])).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.key(), key);
    };
    check("bodySize", "big", "bodySize cannot be used: it must be a size in bytes, like");
    check("bodysize", "1m", "\"bodysize\" is not a routing setting");
    check("tcp/port", "8000", "`deis routing:set`");
    check("sslCert", "-----BEGIN CERTIFICATE-----", "no effect without sslKey");
    check("header/response/", "x", "for a header");
}

#[test]
fn settings_of_the_original_without_effect_are_taken() {
    let set = [("errorLogLevel", "warn"), ("serverNameHashMaxSize", "1024")];
    assert_eq!(MeshSettings::parse(&map(&set)), Ok(MeshSettings::default()));
}

#[test]
fn a_router_leaves_out_what_it_cannot_use() {
    let set = [("fromTheFuture", "x"), ("bodySize", "big"), ("gzip", "off")];
    let (mesh, errors) = MeshSettings::default().with(&map(&set));
    assert_eq!(errors.iter().map(SettingError::key).collect::<Vec<_>>(), ["fromTheFuture", "bodySize"]);
    assert_eq!(mesh.apps.body_bytes, Some(1 << 20));
    assert!(mesh.apps.compression.encodings.is_empty());
}
