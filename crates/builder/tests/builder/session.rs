//! SSH beyond pushes: what is answered, what is refused, and with which status.

use std::time::Duration;

use tokio::io::AsyncReadExt;

use crate::fixture::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn ping_answers_pong() {
    let platform = Platform::start().await;
    let printed = platform.client().await.ssh(&["ping"]).await.succeeded();
    assert_eq!(printed.stdout, "pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_and_other_commands_are_refused_in_words() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    for command in
        [&[][..], &["ls"], &["-t"], &["git-upload-archive 'blog.git'"], &["git-receive-pack '$(id)'"]]
    {
        let printed = client.ssh(command).await;
        assert_eq!(printed.status, 1, "{command:?}: {}", printed.text());
        assert!(printed.text().contains(" !     "), "{command:?}: {}", printed.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_before_the_first_push_finds_an_empty_repository() {
    let platform = Platform::start().await;
    platform.client().await.git(&["fetch", "deis"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn gits_own_failures_keep_their_status() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.push().await.succeeded();
    // A client that says nothing of the protocol.
    let printed = client.ssh(&["git-receive-pack 'blog.git'"]).await;
    assert_ne!(printed.status, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_authenticate_is_closed() {
    let platform =
        Platform::start_with(|config| config.limits.login_grace = Duration::from_millis(300)).await;
    let mut silent = tokio::net::TcpStream::connect(("127.0.0.1", platform.port)).await.unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_strangers_are_turned_away_and_make_room_again() {
    let platform = Platform::start_with(|config| config.limits.unauthenticated = 2).await;
    let client = platform.client().await;
    let strangers = [
        tokio::net::TcpStream::connect(("127.0.0.1", platform.port)).await.unwrap(),
        tokio::net::TcpStream::connect(("127.0.0.1", platform.port)).await.unwrap(),
    ];
    client.ssh(&["ping"]).await.failed();
    drop(strangers);
    tokio::time::sleep(Duration::from_millis(200)).await;
    client.ssh(&["ping"]).await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_key_is_private_and_survives_a_restart() {
    use std::os::unix::fs::PermissionsExt;
    let platform = Platform::start().await;
    let key = platform.data.path().join("secrets/ssh_host_ed25519_key");
    let made = std::fs::read(&key).unwrap();
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let platform = platform.restart().await;
    assert_eq!(std::fs::read(&key).unwrap(), made);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_which_nothing_happens_frees_the_app() {
    let platform = Platform::start_with(|config| config.limits.stalled = Duration::from_millis(300)).await;
    let client = platform.client().await;
    let mut silent = client.ssh_command(&["git-receive-pack 'blog.git'"]);
    let mut silent =
        silent.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let _stdin = silent.stdin.take();
    let ended = tokio::time::timeout(Duration::from_secs(5), silent.wait()).await.expect("it is ended");
    assert!(!ended.unwrap().success());
    client.push().await.succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pushes_and_clones_go_through() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    let mut seed = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed.to_be_bytes()[0]
    })
    .take(20_000_000)
    .collect();
    std::fs::write(client.path("noise"), noise).unwrap();
    client.git(&["add", "noise"]).await.succeeded();
    client.git(&["commit", "--quiet", "--message", "noise"]).await.succeeded();
    client.git(&["push", "deis", "main:topic"]).await.succeeded();
    let url = format!("ssh://git@127.0.0.1:{}/blog.git", platform.port);
    client.git(&["clone", "--quiet", "--branch", "topic", &url, "copy"]).await.succeeded();
    assert_eq!(std::fs::metadata(client.path("copy/noise")).unwrap().len(), 20_000_000);
}
