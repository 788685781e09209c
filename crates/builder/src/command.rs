//! What a client asks to be executed: git's two services, or `ping`. Nothing of it ever reaches a shell.

use deis_model::AppId;

/// A command that the builder knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Answered with `pong`.
    Ping,
    /// A service of git on an app's repository.
    Git {
        /// Which service.
        service: Service,
        /// Whose repository.
        app: AppId,
    },
}

/// A service of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// Takes a push.
    ReceivePack,
    /// Serves a fetch.
    UploadPack,
}

impl Service {
    /// The subcommand of git.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReceivePack => "receive-pack",
            Self::UploadPack => "upload-pack",
        }
    }
}

/// A text that is no command of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("only git push and git fetch work here; the `deis` client does everything else")]
    Unknown,
    #[error("{0:?} is not an app; the remote's URL ends in <app>.git, with an app of a-z, 0-9 and -")]
    BadApp(String),
}

impl Command {
    /// Parses an SSH `exec` request, as in `git-receive-pack '/blog.git'`.
    pub(crate) fn parse(request: &[u8]) -> Result<Self, CommandError> {
        let text = std::str::from_utf8(request).map_err(|_| CommandError::Unknown)?.trim();
        if text == "ping" {
            return Ok(Self::Ping);
        }
        let (service, rest) = split_service(text).ok_or(CommandError::Unknown)?;
        Ok(Self::Git { service, app: parse_app(rest)? })
    }
}

fn split_service(text: &str) -> Option<(Service, &str)> {
    let rest = text.strip_prefix("git-").or_else(|| text.strip_prefix("git "))?;
    let (name, argument) = rest.trim_start().split_once(' ')?;
    let service = [Service::ReceivePack, Service::UploadPack].into_iter().find(|it| it.as_str() == name)?;
    Some((service, argument.trim()))
}

fn parse_app(argument: &str) -> Result<AppId, CommandError> {
    let bare = argument.trim_matches(['\'', '"']).trim_start_matches('/');
    let bare = bare.trim_end_matches('/');
    let name = bare.strip_suffix(".git").unwrap_or(bare);
    AppId::parse(name).map_err(|_| CommandError::BadApp(name.chars().take(100).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(request: &str, expected: Result<(Service, &str), CommandError>) {
        let expected =
            expected.map(|(service, app)| Command::Git { service, app: AppId::parse(app).unwrap() });
        assert_eq!(Command::parse(request.as_bytes()), expected, "{request:?}");
    }

    #[test]
    fn git_services_name_an_app() {
        check("git-receive-pack 'blog.git'", Ok((Service::ReceivePack, "blog")));
        check("git-receive-pack '/blog.git'", Ok((Service::ReceivePack, "blog")));
        check("git receive-pack 'blog'", Ok((Service::ReceivePack, "blog")));
        check("git-upload-pack \"/my-app.git/\"", Ok((Service::UploadPack, "my-app")));
    }

    #[test]
    fn ping_is_a_command() {
        assert_eq!(Command::parse(b"ping"), Ok(Command::Ping));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "ls", "git-receive-pack", "git-shell 'x'", "git-upload-archive 'blog.git'", "scp -t x"]
        {
            check(text, Err(CommandError::Unknown));
        }
        assert_eq!(Command::parse(b"git-receive-pack '\xff'"), Err(CommandError::Unknown));
    }

    #[test]
    fn names_that_could_leave_the_repositories_are_refused() {
        for name in ["../etc", "a/b", "blog'; rm -rf ~; '", "$(id)", "`id`", "Blog", ""] {
            check(
                &format!("git-receive-pack '{name}'"),
                Err(CommandError::BadApp(name.trim_matches('\'').to_owned())),
            );
        }
    }
}
