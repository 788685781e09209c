//! `deisctl label`: what a host is for.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;

use crate::arguments::Label;
use crate::fleet::Fleet;
use crate::operate::Operation;
use crate::plane::Plane;
use crate::platform::Platform;
use crate::unit::Unit;

use super::host;

/// `deisctl label`.
pub(super) async fn label(
    platform: &Platform,
    command: &Label,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let operation = Operation::open(platform).await?;
    label_in(&operation, command, out).await
}

pub(super) async fn label_in(
    operation: &Operation,
    command: &Label,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let changes = command.changes.iter().map(|text| change(text)).collect::<anyhow::Result<Vec<_>>>()?;
    host(&operation.fleet, &command.host).await?;
    for (key, value) in &changes {
        operation.fleet.cluster.label(&command.host, key, *value).await?;
        writeln!(
            out,
            "{}: {key}{}",
            command.host,
            value.map_or("-".to_owned(), |value| format!("={value}"))
        )?;
    }
    let of_planes = |key: &str| Plane::ALL.iter().any(|plane| plane.label() == key);
    match changes.iter().any(|(key, _)| of_planes(key)) {
        true => operation.settle(&Unit::ALL, out).await,
        false => Ok(ExitCode::SUCCESS),
    }
}

/// `KEY=VALUE`, or `KEY-` to take it away.
fn change(text: &str) -> anyhow::Result<(&str, Option<&str>)> {
    let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => (key, Some(value)),
        (None, Some(key)) => (key, None),
        (None, None) => bail!("'{text}' is neither KEY=VALUE nor KEY-"),
    };
    let is_fine = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c));
    if key.is_empty() || !is_fine(key) || !value.is_none_or(|value| !value.is_empty() && is_fine(value)) {
        bail!("'{text}' is no label: keys and values are letters, digits and -._/");
    }
    Ok((key, value))
}

/// Makes the host belong to `planes` and to no other. Unchanged labels are not touched: each change may move containers.
pub(super) async fn give_planes(fleet: &Fleet, name: &str, planes: &[Plane]) -> anyhow::Result<()> {
    let labels = host(fleet, name).await?.labels;
    for plane in Plane::ALL {
        let wanted = planes.contains(&plane).then_some("true");
        if labels.get(plane.label()).map(String::as_str) != wanted {
            fleet.cluster.label(name, plane.label(), wanted).await?;
        }
    }
    Ok(())
}
