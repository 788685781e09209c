//! Pushes with real git and ssh.

use crate::fixture::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_built_launched_and_reported() {
    let platform = Platform::start().await;
    platform.controller.knows().config.insert("SECRET".to_owned(), "a 'b' \"c\" $d `e`\nf".to_owned());
    let client = platform.client().await;
    let sha = client.commit("serve", "#!/bin/sh\n").await;
    let printed = client.push().await.succeeded();
    let text = printed.text();
    for line in ["-----> Fake app detected", "-----> Launching...", "       done, blog:v2 deployed to Deis"] {
        assert!(text.contains(&format!("{line}\n")) || text.contains(line), "{line} in {text}");
    }
    printed.says("       http://blog.example.com");

    let build = platform.controller.knows().builds[0].clone();
    assert_eq!(build.sha, sha[..8]);
    assert!(build.image.ends_with(&format!("/blog:git-{}", &sha[..8])), "{}", build.image);
    assert_eq!(build.procfile["web"], "./serve 'with quotes'");
    assert_eq!(build.dockerfile, "");
    let push = platform.controller.knows().pushes[0].clone();
    assert_eq!((push.receive_user.as_str(), push.sha), ("ann", sha.clone()));
    assert!(platform.images.knows().pushed.contains(&build.image));

    let images = platform.images.knows();
    let built = &images.builds[0];
    assert_eq!(built.image, build.image);
    assert_eq!(built.files["tmp/build/Procfile"].owner, 2000);
    assert_eq!(built.files["runner/build"].mode, 0o755);
    let secret = &built.files["tmp/env/SECRET"];
    assert_eq!((secret.content.as_str(), secret.mode, secret.owner), ("a 'b' \"c\" $d `e`\nf", 0o600, 2000));
    assert!(!built.environment.contains_key("SECRET"), "config is no part of the container's description");
    assert_eq!(built.environment["SOURCE_VERSION"], sha);
    assert!(built.changes.contains(&format!("ENV GIT_SHA={sha}")));
    assert!(!built.changes.iter().any(|change| change.contains("SECRET")), "config is no part of the image");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_has_the_tag_that_the_controller_says_is_free() {
    let platform = Platform::start().await;
    platform.controller.knows().suffix = "-2".to_owned();
    let client = platform.client().await;
    let sha = client.commit("again", "").await;
    client.push().await.succeeded();
    let image = platform.controller.knows().builds[0].image.clone();
    assert!(image.ends_with(&format!("/blog:git-{}-2", &sha[..8])), "{image}");
    assert_eq!(platform.images.knows().builds[0].image, image);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_is_built_with_the_pushed_files_and_the_commit() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.commit("secret.txt", "not for images").await;
    client.commit(".dockerignore", "*.txt\n").await;
    let sha = client.commit("Dockerfile", "FROM scratch").await;
    client.push().await.succeeded().says("-----> Building Docker image").says("Step 1/2 : FROM scratch");

    let images = platform.images.knows();
    let files = &images.builds[0].files;
    assert_eq!(files["Dockerfile"].content, format!("FROM scratch\nENV GIT_SHA={sha}\n"));
    assert!(files.contains_key("Procfile") && !files.contains_key("secret.txt"));
    assert_eq!(platform.controller.knows().builds[0].dockerfile, "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_procfile_the_buildpack_names_the_processes() {
    let platform = Platform::start().await;
    platform.images.knows().release = "---\ndefault_process_types:\n  web: node server.js\n".to_owned();
    let client = platform.client().await;
    client.git(&["rm", "--quiet", "Procfile"]).await.succeeded();
    client.commit("server.js", "listen()").await;
    client.push().await.succeeded();
    assert_eq!(platform.controller.knows().builds[0].procfile["web"], "node server.js");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_modes_and_long_names_reach_the_build() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    let long = format!("{}/{}.txt", "d".repeat(90), "f".repeat(90));
    std::fs::create_dir(client.path(&"d".repeat(90))).unwrap();
    std::os::unix::fs::symlink("Procfile", client.path("link")).unwrap();
    client.commit(&long, "deep").await;
    client.commit("run", "#!/bin/sh").await;
    client.git(&["update-index", "--chmod=+x", "run"]).await.succeeded();
    client.git(&["commit", "--quiet", "--message", "mode"]).await.succeeded();
    client.push().await.succeeded();

    let images = platform.images.knows();
    let files = &images.builds[0].files;
    assert_eq!(files[&format!("tmp/build/{long}")].content, "deep");
    assert_eq!(files["tmp/build/link"].content, "Procfile");
    assert_eq!(files["tmp/build/run"].mode & 0o777, 0o755);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_branches_are_kept_and_both_main_branches_deploy_once() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client
        .git(&["push", "deis", "main:topic"])
        .await
        .succeeded()
        .says("topic is kept, but only main or master is deployed; to deploy it: git push deis topic:main");
    assert!(platform.controller.knows().builds.is_empty());
    client.git(&["push", "deis", "main:main", "main:master"]).await.succeeded();
    assert_eq!(platform.controller.knows().builds.len(), 1);
    client.git(&["push", "deis", ":topic"]).await.succeeded();
    client.git(&["push", "deis", ":main"]).await.failed().says("cannot be deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_a_branch_is_told_of_the_one_that_was_deployed() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    let with_topic = client.git(&["push", "deis", "main:master", "main:topic"]).await;
    with_topic.succeeded().says("git push deis topic:master");
    client.git(&["push", "deis", "main:other"]).await.succeeded().says("git push deis other:master");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_checks_out_what_was_deployed() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    client.git(&["push", "deis", "main:master"]).await.succeeded();
    let url = format!("ssh://git@127.0.0.1:{}/blog.git", platform.port);
    client.git(&["clone", "--quiet", &url, "copy"]).await.succeeded();
    assert!(client.path("copy/Procfile").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pusher_who_waits_is_told_for_what() {
    let platform = Platform::start().await;
    platform.controller.knows().launch = std::time::Duration::from_millis(700);
    let client = platform.client().await;
    client.push().await.succeeded().says("waiting for the release to serve (0 s)");
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_in_a_row_are_each_deployed() {
    let platform = Platform::start().await;
    let client = platform.client().await;
    for number in 0..3 {
        client.commit("count", &number.to_string()).await;
        client.push().await.succeeded().says(&format!("blog:v{} deployed", number + 2));
    }
    client.push().await.succeeded().says("Everything up-to-date");
}
