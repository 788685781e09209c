//! `keys:…`: SSH keys with which a developer pushes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::{Value, json};

use deis_api::v1::Key;

use crate::client::segment;
use crate::options::ListOptions;
use crate::progress::announced;
use crate::session::Session;
use crate::{output, prompt, settings};

/// Commands of keys.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// List your keys
    #[command(name = "keys:list")]
    List {
        #[command(flatten)]
        list: ListOptions,
    },
    /// Add a key
    #[command(
        name = "keys:add",
        after_help = "Examples:\n  deis keys:add\n  deis keys:add ~/.ssh/id_ed25519.pub"
    )]
    Add {
        /// The public key's file; if not given, you choose one of ~/.ssh
        key: Option<PathBuf>,
    },
    /// Remove a key
    #[command(name = "keys:remove")]
    Remove {
        /// Its name, as listed
        key: String,
    },
}

impl Keys {
    /// Does it.
    pub(crate) async fn run(self) -> Result<()> {
        let session = Session::open()?;
        match self {
            Self::List { list } => self::list(&session, &list).await,
            Self::Add { key: Some(path) } => add(&session, &path).await,
            Self::Add { key: None } => add(&session, &choose().await?).await,
            Self::Remove { key } => remove(&session, &key).await,
        }
    }
}

async fn list(session: &Session, list: &ListOptions) -> Result<()> {
    let listing = session.client.list("/v1/keys/", list.limit(&session.settings)).await?;
    if list.format.json {
        return Ok(output::json(&listing.results)?);
    }
    let total = listing.total;
    let mut keys: Vec<Key> = listing.items()?;
    keys.sort_by(|a, b| a.id.cmp(&b.id));
    output::title(&format!("{} Keys", session.settings.username), keys.len(), total)?;
    Ok(output::lines(keys.iter().map(|key| format!("{} {}", key.id, shortened(&key.public))))?)
}

/// The first 16 characters and the last 10.
fn shortened(public: &str) -> String {
    let characters: Vec<char> = public.trim_end().chars().collect();
    let head: String = characters.iter().take(16).collect();
    let tail: String = characters[characters.len().saturating_sub(10)..].iter().collect();
    format!("{head}...{tail}")
}

async fn add(session: &Session, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let key = PublicKey::parse(&text).ok_or_else(|| anyhow!("{} is not a valid ssh key", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let body = json!({ "id": key.id(&name), "public": key.text });
    announced(&format!("Uploading {name} to deis... "), async {
        session.client.post("/v1/keys/", &body).await.map(drop)
    })
    .await
}

async fn remove(session: &Session, id: &str) -> Result<()> {
    let path = format!("/v1/keys/{}", segment(id));
    announced(&format!("Removing {id} SSH Key... "), session.client.delete(&path, &Value::Null)).await
}

/// Lets the user choose one of the keys in `~/.ssh`, or name another.
async fn choose() -> Result<PathBuf> {
    let found = found_keys(&settings::home()?.join(".ssh"));
    output::line("Found the following SSH public keys:")?;
    for (index, (path, key)) in found.iter().enumerate() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        output::line(format_args!("{}) {name} {}", index + 1, key.id(&name)))?;
    }
    output::line("0) Enter path to pubfile (or use keys:add <key_path>)")?;
    let answer = prompt::ask("Which would you like to use with Deis? ").await?;
    match answer.trim().parse::<usize>() {
        Ok(0) => Ok(PathBuf::from(prompt::ask("Enter the path to the pubkey file: ").await?)),
        Ok(number) if number <= found.len() => Ok(found[number - 1].0.clone()),
        _ => bail!("{answer:?} is none of the numbers shown"),
    }
}

fn found_keys(directory: &Path) -> Vec<(PathBuf, PublicKey)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "pub")).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let key = PublicKey::parse(&fs::read_to_string(&path).ok()?)?;
        Some((path, key))
    };
    paths.into_iter().filter_map(read).collect()
}

/// A public key as in a `.pub` file: `<type> <base64> [<comment>]`.
#[derive(Debug, PartialEq, Eq)]
struct PublicKey {
    text: String,
    comment: String,
}

impl PublicKey {
    /// Parses `text`; none if it is no public key, above all if it is a private one.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut words = text.splitn(3, ' ');
        let (kind, body) = (words.next()?, words.next()?);
        let known = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| kind.starts_with(start));
        let blob = STANDARD.decode(body).ok()?;
        // The type is repeated inside, after its length in four bytes.
        let inner = blob.get(4..4 + kind.len())?;
        let whole = known && inner == kind.as_bytes() && !text.contains('\n');
        let comment = words.next().unwrap_or_default().trim().to_owned();
        whole.then(|| Self { text: text.to_owned(), comment })
    }

    /// Its comment, or else the name of its file up to the first dot.
    fn id<'a>(&'a self, file: &'a str) -> &'a str {
        match self.comment.is_empty() {
            true => file.split('.').next().unwrap_or(file),
            false => &self.comment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, comment: &str) -> String {
        let blob = [&[0, 0, 0, u8::try_from(kind.len()).unwrap()], kind.as_bytes(), &[7; 40]].concat();
        format!("{kind} {}{comment}\n", STANDARD.encode(blob))
    }

    #[test]
    fn every_current_type_of_key_is_accepted() {
        for kind in ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"] {
            assert!(PublicKey::parse(&key(kind, " ann@laptop")).is_some(), "{kind}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let (rsa, two) = (key("ssh-rsa", ""), key("ssh-rsa", "").repeat(2));
        for text in ["", "ssh-rsa", "ssh-rsa !!!", "-----BEGIN RSA PRIVATE KEY-----", "ssh-rsa AAAA", &two] {
            assert_eq!(PublicKey::parse(text), None, "{text:?}");
        }
        assert_eq!(PublicKey::parse(&rsa.replace("ssh-rsa", "ssh-dss")), None);
    }

    #[test]
    fn a_key_is_named_by_its_comment_or_its_file() {
        assert_eq!(PublicKey::parse(&key("ssh-rsa", " ann@laptop")).unwrap().id("id_rsa.pub"), "ann@laptop");
        assert_eq!(PublicKey::parse(&key("ssh-rsa", "")).unwrap().id("id_rsa.pub"), "id_rsa");
    }

    #[test]
    fn long_keys_are_shown_shortened() {
        assert_eq!(shortened("ssh-rsa AAAAB3NzaC1yc2E... ann@laptop"), "ssh-rsa AAAAB3Nz...ann@laptop");
        assert_eq!(shortened("short"), "short...short");
    }
}
