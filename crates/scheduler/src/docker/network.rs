//! The network that apps are attached to.

use std::collections::HashMap;
use std::fs;

use bollard::models::{NetworkCreateRequest, NetworkInspect};

use super::Docker;
use super::failure::present;
use crate::SchedulerError;

/// Marks the network as ours. Platforms on one engine that name the same network share it.
const LABEL: &str = "io.deis.network";

/// The name of a network device is at most this long.
const DEVICE_NAME_LIMIT: usize = 15;

impl Docker {
    /// Makes the network if it is missing. Asked before every change: networks are pruned by operators.
    pub(super) async fn ensure_network(&self) -> Result<(), SchedulerError> {
        if self.find_network().await? {
            return Ok(());
        }
        let created = self.client.create_network(description(&self.options.network, uplink_mtu())).await;
        match created {
            Ok(_) => Ok(()),
            // Another role may have made it at the same time: the bridge's name lets only one of them succeed.
            Err(_) if self.find_network().await? => Ok(()),
            Err(error) => Err(self.failed("create network", &self.options.network, &error)),
        }
    }

    async fn find_network(&self) -> Result<bool, SchedulerError> {
        let name = &self.options.network;
        let found = present(self.client.inspect_network(name, None).await);
        match found.map_err(|error| self.failed("inspect network", name, &error))? {
            None => Ok(false),
            Some(network) if is_ours(&network) => Ok(true),
            Some(_) => Err(SchedulerError::Engine {
                action: "use network",
                subject: name.clone(),
                reason: format!("it exists but lacks the label {LABEL}; remove it or name another network"),
            }),
        }
    }
}

fn is_ours(network: &NetworkInspect) -> bool {
    network.labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL))
}

/// A bridge on which containers reach the world and the host reaches them, but they not each other.
fn description(name: &str, mtu: Option<u32>) -> NetworkCreateRequest {
    let mut options = HashMap::from([
        ("com.docker.network.bridge.name".to_owned(), device_name(name)),
        ("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned()),
    ]);
    // A larger MTU than the uplink's loses the replies of servers whose packets may not be fragmented.
    options.extend(mtu.map(|mtu| ("com.docker.network.driver.mtu".to_owned(), mtu.to_string())));
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        options: Some(options),
        labels: Some(HashMap::from([(LABEL.to_owned(), String::new())])),
        ..Default::default()
    }
}

/// `br-` and the name; one too long is cut and told from others that begin alike by a checksum.
fn device_name(name: &str) -> String {
    let device = format!("br-{name}");
    if device.len() <= DEVICE_NAME_LIMIT {
        return device;
    }
    // FNV-1a, because the name must stay the same with every version of the platform.
    let sum =
        name.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let sum = format!("{sum:08x}");
    let start: String = device.chars().filter(char::is_ascii).take(DEVICE_NAME_LIMIT - sum.len()).collect();
    format!("{start}{sum}")
}

/// The MTU of the device that holds the default route; none if there is no such route.
fn uplink_mtu() -> Option<u32> {
    let routes = fs::read_to_string("/proc/net/route").ok()?;
    let mtu = fs::read_to_string(format!("/sys/class/net/{}/mtu", default_device(&routes)?)).ok()?;
    mtu.trim().parse().ok()
}

/// The device of the default route with the lowest metric in the kernel's table (`/proc/net/route`).
fn default_device(routes: &str) -> Option<&str> {
    let rows = routes.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let defaults = rows.filter(|row| row.len() > 7 && row[1] == "00000000" && row[7] == "00000000");
    defaults.min_by_key(|row| row[6].parse::<u32>().unwrap_or(u32::MAX)).map(|row| row[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

    fn check(rows: &str, expected: Option<&str>) {
        assert_eq!(default_device(&format!("{HEADER}{rows}")), expected);
    }

    #[test]
    fn the_uplink_is_the_default_route_with_the_lowest_metric() {
        let wifi = "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n";
        let wire = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n";
        let local = "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        check(&format!("{wifi}{local}{wire}"), Some("eth0"));
        check(local, None);
        check("", None);
    }

    #[test]
    fn the_bridge_keeps_apps_apart_and_its_device_name_fits() {
        let network = description("a-network-with-a-long-name", Some(1400));
        let options = network.options.expect("options");
        assert_eq!(options["com.docker.network.bridge.enable_icc"], "false");
        assert_eq!(options["com.docker.network.driver.mtu"], "1400");
        assert_eq!(options["com.docker.network.bridge.name"].len(), DEVICE_NAME_LIMIT);
    }

    #[test]
    fn networks_that_begin_alike_have_devices_of_their_own() {
        assert_eq!(device_name("deis"), "br-deis");
        assert_eq!(device_name("deis-twelve1"), "br-deis-twelve1");
        assert_ne!(device_name("deis-production-one"), device_name("deis-production-two"));
    }
}
