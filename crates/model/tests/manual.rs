//! The manual tells of every routing setting what the table of settings does, and sets only what there is.

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use deis_model::routing::{AppSettings, MeshSettings, Scope, Setting};

    const MANUAL: &str = include_str!("../../../docs/settings.md");

    /// Pages that show how something is set.
    const PAGES: [&str; 5] = [
        include_str!("../../../docs/canary.md"),
        include_str!("../../../docs/certificates.md"),
        include_str!("../../../docs/load-balancers.md"),
        include_str!("../../../docs/rate-limits.md"),
        include_str!("../../../docs/tcp.md"),
    ];

    /// What the commands of all pages that begin with `command` set, each by itself. What a shell puts in is left out.
    fn set_by(command: &str) -> Vec<BTreeMap<String, String>> {
        let lines = PAGES.iter().flat_map(|page| page.lines());
        let pair = |word: &str| {
            let (key, value) = word.split_once('=').filter(|(_, value)| !value.starts_with('"'))?;
            Some((key.to_owned(), value.to_owned()))
        };
        let commands = lines.filter_map(|line| line.strip_prefix(command));
        commands.map(|rest| rest.split_whitespace().filter_map(pair).collect()).collect()
    }

    fn row(setting: &Setting) -> String {
        let of = match setting.scope {
            Scope::Mesh => "mesh",
            Scope::App => "app",
            Scope::Both => "mesh, app",
        };
        let default = match setting.default {
            "" => "none".to_owned(),
            default => format!("`{default}`"),
        };
        format!("| `{}` | {of} | {default} | {} |", setting.name, setting.meaning)
    }

    #[test]
    fn the_manual_says_why_others_have_none() {
        let reasons = Setting::all().filter(|setting| !setting.has_effect()).map(|setting| {
            let reason = setting.meaning.strip_prefix("no effect: ").expect("that is what it has to say");
            format!("| `{}` | {reason} |", setting.name)
        });
        let missing: Vec<String> = reasons.filter(|row| !MANUAL.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/settings.md lacks, or tells otherwise:\n{}", missing.join("\n"));
    }

    #[test]
    fn what_the_pages_set_can_be_set() {
        let (mesh, app) = (set_by("deisctl config router set "), set_by("deis routing:set "));
        assert!(mesh.len() > 5 && app.len() > 3, "{mesh:?} {app:?}");
        for settings in &mesh {
            assert!(
                MeshSettings::parse(settings).is_ok(),
                "{settings:?}: {:?}",
                MeshSettings::parse(settings).err()
            );
        }
        for settings in &app {
            assert!(
                AppSettings::parse(settings).is_ok(),
                "{settings:?}: {:?}",
                AppSettings::parse(settings).err()
            );
        }
    }

    #[test]
    fn the_manual_has_every_setting_with_an_effect() {
        let rows = Setting::all().filter(|setting| setting.has_effect()).map(row);
        let missing: Vec<String> = rows.filter(|row| !MANUAL.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/settings.md lacks, or tells otherwise:\n{}", missing.join("\n"));
    }
}
