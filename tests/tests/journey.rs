//! A developer's way through the platform, from registration to the end of an app.

use deis_tests::scenario::journey;
use deis_tests::{Options, Platform, has_engine};

#[test]
fn a_developer_ships_configures_scales_and_rolls_back() {
    if !has_engine() {
        return;
    }
    journey::ships_configures_scales_and_rolls_back(&Platform::start());
}

#[test]
fn a_broken_push_changes_nothing() {
    if !has_engine() {
        return;
    }
    let settings = vec![("DEIS_READY_TIMEOUT_SECONDS", "15".to_owned())];
    let platform = Platform::start_with(Options { settings, ..Options::default() });
    journey::a_broken_push_changes_nothing(&platform, 15);
}

#[test]
fn what_cannot_be_built_is_refused_with_the_reason() {
    if !has_engine() {
        return;
    }
    let platform = Platform::start();
    journey::what_cannot_be_built_is_refused_with_the_reason(&platform, &platform.controller.to_string());
}
