//! The table of settings: what there is, for whom, what holds without it, what it means, and how it is taken over.

use super::access;
use super::acme;
use super::compression;
use super::header::HeaderRule;
use super::legacy;
use super::mesh::MeshSettings;
use super::network;
use super::rules::Rules;
use super::traffic;
use super::value::Must;

/// The longest value.
const LONGEST: usize = 64 * 1024;

/// One setting. `deis routing:list --all` and the manual are printed from these.
pub struct Setting {
    /// Its name; that of a family ends in a part in angle brackets.
    pub name: &'static str,
    /// Whose it is.
    pub scope: Scope,
    /// What holds if nobody sets it, written as a value; empty: none.
    pub default: &'static str,
    /// What it means, in a line.
    pub meaning: &'static str,
    /// Whether its value is for nobody's eyes.
    pub is_secret: bool,
    pub(super) set: Setter,
}

/// Whose a setting is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole mesh's.
    Mesh,
    /// A single app's.
    App,
    /// The mesh's for all apps, and each app's for itself, which counts more.
    Both,
}

/// How a value is taken over.
pub(super) enum Setter {
    /// Into what holds for the mesh.
    Mesh(fn(&mut MeshSettings, &str) -> Result<(), Must>),
    /// Into what holds for a service.
    Rules(fn(&mut Rules, &str) -> Result<(), Must>),
    /// Into what holds for the mesh, or for a service.
    Either(fn(&mut MeshSettings, &str) -> Result<(), Must>, fn(&mut Rules, &str) -> Result<(), Must>),
    /// Into the headers of requests or answers; the rest of the name is the header's.
    Header(fn(&mut Rules) -> &mut Vec<HeaderRule>),
    /// Not at all: it is known, and has no effect here.
    Nothing,
}

impl Setting {
    /// All there are, in the order in which they are taken over: coarse ones before those that refine them.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let tables = [
            access::SETTINGS,
            traffic::SETTINGS,
            compression::SETTINGS,
            network::SETTINGS,
            acme::SETTINGS,
            legacy::SETTINGS,
        ];
        tables.into_iter().flatten()
    }

    /// The one that `key` belongs to.
    pub fn find(key: &str) -> Option<&'static Self> {
        Self::place(key).map(|(_, setting)| setting)
    }

    /// The same, and where in the order it comes.
    pub(super) fn place(key: &str) -> Option<(usize, &'static Self)> {
        Self::all().enumerate().find(|(_, setting)| setting.is(key))
    }

    /// Whether it has an effect here, and is not just one of the original's that is accepted.
    pub fn has_effect(&self) -> bool {
        !matches!(self.set, Setter::Nothing)
    }

    /// Whether it keeps visitors out: a router that cannot read its value lets nobody in.
    pub(super) fn is_guard(&self) -> bool {
        access::GUARDS.contains(&self.name)
    }

    /// What a family's names begin with; none of a single setting.
    fn family(&self) -> Option<&'static str> {
        self.name.split_once('<').map(|(start, _)| start)
    }

    fn is(&self, key: &str) -> bool {
        match self.family() {
            Some(start) => key.starts_with(start),
            None => self.name == key,
        }
    }

    /// Sets it for the mesh.
    pub(super) fn set_mesh(&self, mesh: &mut MeshSettings, key: &str, value: &str) -> Result<(), Must> {
        check_length(value)?;
        match &self.set {
            Setter::Mesh(set) | Setter::Either(set, _) => set(mesh, value),
            Setter::Rules(_) | Setter::Header(_) | Setter::Nothing => {
                self.set_rules(std::sync::Arc::make_mut(&mut mesh.apps), key, value)
            }
        }
    }

    /// Sets it for a service.
    pub(super) fn set_rules(&self, rules: &mut Rules, key: &str, value: &str) -> Result<(), Must> {
        check_length(value)?;
        match &self.set {
            Setter::Rules(set) | Setter::Either(_, set) => set(rules, value),
            Setter::Header(of) => {
                let name = &key[self.family().map_or(0, str::len)..];
                HeaderRule::parse(name, value)?.join(of(rules));
                Ok(())
            }
            Setter::Mesh(_) | Setter::Nothing => Ok(()),
        }
    }

    /// One of the mesh.
    pub(super) const fn mesh(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
        set: fn(&mut MeshSettings, &str) -> Result<(), Must>,
    ) -> Self {
        Self { name, scope: Scope::Mesh, default, meaning, is_secret: false, set: Setter::Mesh(set) }
    }

    /// One of apps.
    pub(super) const fn app(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
        set: fn(&mut Rules, &str) -> Result<(), Must>,
    ) -> Self {
        Self { name, scope: Scope::App, default, meaning, is_secret: false, set: Setter::Rules(set) }
    }

    /// One of both.
    pub(super) const fn both(
        name: &'static str,
        default: &'static str,
        meaning: &'static str,
        set: fn(&mut Rules, &str) -> Result<(), Must>,
    ) -> Self {
        Self { name, scope: Scope::Both, default, meaning, is_secret: false, set: Setter::Rules(set) }
    }

    /// The same, for nobody's eyes.
    pub(super) const fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }
}

fn check_length(value: &str) -> Result<(), Must> {
    if value.len() <= LONGEST { Ok(()) } else { Err(Must::be(format!("at most {LONGEST} bytes long"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_there_once_and_has_a_meaning() {
        let names: Vec<_> = Setting::all().map(|setting| setting.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for setting in Setting::all() {
            let is_line = !setting.meaning.is_empty() && !setting.meaning.contains('\n');
            assert!(is_line && setting.meaning.len() < 160, "{}", setting.name);
        }
    }

    #[test]
    fn what_holds_without_a_setting_is_what_the_table_says() {
        for setting in
            Setting::all().filter(|setting| setting.scope != Scope::App && !setting.default.is_empty())
        {
            let mut mesh = MeshSettings::default();
            setting.set_mesh(&mut mesh, setting.name, setting.default).expect(setting.name);
            assert_eq!(mesh, MeshSettings::default(), "{}", setting.name);
        }
        // The mesh's access log and an app's are two things with one name.
        let is_of_apps = |setting: &&Setting| setting.scope != Scope::Mesh && setting.name != "accessLog";
        for setting in Setting::all().filter(is_of_apps).filter(|setting| !setting.default.is_empty()) {
            let mut rules = Rules::default();
            setting.set_rules(&mut rules, setting.name, setting.default).expect(setting.name);
            assert_eq!(rules, Rules::default(), "{}", setting.name);
        }
    }
}
