//! Every example is pushed and answers.

use deis_tests::scenario::examples;
use deis_tests::{Platform, has_engine};

#[test]
fn every_example_is_pushed_answers_and_is_destroyed() {
    if !has_engine() {
        return;
    }
    examples::every_example_is_pushed_answers_and_is_destroyed(&Platform::start());
}

#[test]
fn an_app_of_several_process_types_runs_them_all() {
    if !has_engine() {
        return;
    }
    examples::an_app_of_several_process_types_runs_them_all(&Platform::start());
}
