//! The manual tells of every routing setting what the table of settings does.

#[cfg(test)]
mod tests {
    use deis_model::routing::{Scope, Setting};

    const MANUAL: &str = include_str!("../../../docs/settings.md");

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
    fn the_manual_has_every_setting_with_an_effect() {
        let rows = Setting::all().filter(|setting| setting.has_effect()).map(row);
        let missing: Vec<String> = rows.filter(|row| !MANUAL.contains(row.as_str())).collect();
        assert!(missing.is_empty(), "docs/settings.md lacks, or tells otherwise:\n{}", missing.join("\n"));
    }
}
