//! Names of images: repository, and tag or digest.

/// A name taken apart. Source: the reference grammar of the OCI distribution specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// With the registry's host, if any: `127.0.0.1:5000/blog`.
    pub(super) repository: &'a str,
    /// The tag, or the digest (`sha256:…`); `latest` if the name has neither.
    pub(super) tag: &'a str,
}

impl<'a> Reference<'a> {
    /// Takes `name` apart; the engine judges whether it is valid.
    pub(super) fn split(name: &'a str) -> Self {
        if let Some((repository, tag)) = name.split_once('@') {
            return Self { repository, tag };
        }
        let path = name.rfind('/').map_or(0, |slash| slash + 1);
        match name[path..].find(':') {
            Some(colon) => Self { repository: &name[..path + colon], tag: &name[path + colon + 1..] },
            None => Self { repository: name, tag: "latest" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, repository: &str, tag: &str) {
        assert_eq!(Reference::split(name), Reference { repository, tag }, "{name}");
    }

    #[test]
    fn a_port_is_not_a_tag() {
        check("blog", "blog", "latest");
        check("blog:v2", "blog", "v2");
        check("127.0.0.1:5000/blog", "127.0.0.1:5000/blog", "latest");
        check("127.0.0.1:5000/team/blog:git-1a2b", "127.0.0.1:5000/team/blog", "git-1a2b");
        check("host/blog@sha256:00ff", "host/blog", "sha256:00ff");
    }
}
