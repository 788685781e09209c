//! What containers print.

use std::time::Duration;

use deis_scheduler::OutputFrame;
use futures::StreamExt;

use crate::fixture::{Fixture, words};

const NOW: Duration = Duration::ZERO;

#[tokio::test]
async fn output_is_followed_from_a_position_and_ends_with_the_container() {
    let Some(fixture) = Fixture::docker().await else { return };
    let mut workload = fixture.web("talker", 1, 1);
    let script = "for i in 1 2 3; do echo line $i; sleep 0.2; done; echo oops >&2; busybox head -c 40000 /dev/zero | busybox tr '\\0' x; echo; sleep 60";
    workload.command = words(&["busybox", "sh", "-c", script]);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let id = fixture.observe("talker").await.remove(0).id;
    let output = &fixture.engine.output;
    let frames: Vec<OutputFrame> = output
        .follow(&id, 0)
        .await
        .expect("follow")
        .take(7)
        .map(|frame| frame.expect("frame"))
        .collect()
        .await;
    let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(&frame.bytes)).collect();
    assert_eq!(texts[..4], ["line 1", "line 2", "line 3", "oops"]);
    let long: Vec<_> = texts[4..].iter().map(|text| text.len()).collect();
    assert_eq!(long, [16384, 16384, 40000 - 2 * 16384], "a long line comes in parts");
    let partial: Vec<_> = frames.iter().map(|frame| frame.is_partial).collect();
    assert_eq!(partial, [false, false, false, false, true, true, false]);
    assert!(frames[4..].iter().all(|part| part.timestamp == frames[4].timestamp), "of one time");
    assert!(frames.windows(2).all(|pair| pair[0].timestamp <= pair[1].timestamp), "in order");
    let later: Vec<_> =
        output.follow(&id, frames[1].timestamp).await.expect("follow").take(1).collect().await;
    assert_eq!(later[0].as_ref().expect("frame"), &frames[2]);
    assert_eq!(output.tail(&id, 2).await.expect("tail").len(), 2);
    let follow = output.follow(&id, frames[6].timestamp).await.expect("follow");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("remove");
    assert!(follow.collect::<Vec<_>>().await.iter().all(Result::is_ok), "removal ends it without a failure");
    fixture.clean().await;
}
