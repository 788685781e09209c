//! Pushes with real git and ssh.

mod fixture;

use fixture::Platform;

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
    assert_eq!(platform.images.knows().pushed, [build.image]);

    let images = platform.images.knows();
    let built = &images.builds[0];
    assert_eq!(built.files["tmp/build/Procfile"].owner, 2000);
    assert_eq!(built.files["runner/build"].mode, 0o755);
    assert_eq!(built.environment["SECRET"], "a 'b' \"c\" $d `e`\nf");
    assert_eq!(built.environment["SOURCE_VERSION"], sha);
    assert!(built.changes.contains(&format!("ENV GIT_SHA={sha}")));
    assert!(!built.changes.iter().any(|change| change.contains("SECRET")), "config is no part of the image");
}
