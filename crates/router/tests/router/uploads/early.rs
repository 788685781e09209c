//! Apps that answer before they have all of a body.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::unbounded_channel;

use super::{halves, next, stage};
use crate::support::{App, read_head, respond};

#[tokio::test]
async fn an_app_that_answers_early_still_gets_the_rest() {
    let (sender, mut rests) = unbounded_channel();
    let app = App::raw(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            while read_head(&mut stream).await.is_some() {
                respond(&mut stream, "early").await;
                let mut body = [0; 10];
                if stream.read_exact(&mut body).await.is_ok() {
                    let _ = sender.send(body);
                }
            }
        }
    })
    .await;
    let scene = stage(&app).await;
    let mut client = scene.client().await;
    for _ in 0..2 {
        client.send(&halves()[0]).await;
        assert_eq!(client.answer().await.text(), "early");
        client.send("world").await;
        assert_eq!(&next(&mut rests).await, b"helloworld");
    }
}

#[tokio::test]
async fn an_app_that_answers_early_and_leaves_is_heard() {
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        let answer = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    let scene = stage(&app).await;
    for half in halves() {
        let mut client = scene.client().await;
        client.send(half).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (403, "no"));
        assert_eq!(client.rest().await, b"", "what is still to come has nowhere to go");
    }
}

#[tokio::test]
async fn what_an_app_says_beyond_an_early_answer_reaches_nobody() {
    let app = App::raw(async |_, mut stream| {
        read_head(&mut stream).await;
        respond(&mut stream, "early").await;
        let _ = stream.read_exact(&mut [0; 5]).await;
        respond(&mut stream, "evil").await;
        let _ = stream.read(&mut [0]).await;
    })
    .await;
    let scene = stage(&app).await;
    for _ in 0..5 {
        let mut client = scene.client().await;
        client.send(&halves()[0]).await;
        assert_eq!(client.answer().await.text(), "early");
        client.send("world").await;
        let mut other = scene.client().await;
        other.send(&halves()[0]).await;
        assert_eq!(other.answer().await.text(), "early");
    }
}
