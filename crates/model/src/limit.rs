//! Limits: how much memory and CPU the containers of a process type may use.

/// A text that is not a memory limit. The message is part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Limit format: <number><unit>, where unit = B, K, M or G")]
pub struct MemoryError;

/// Why a text is not a CPU limit. The messages are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpuError {
    /// Not a whole number.
    #[error("CPU shares must be an integer")]
    NotInteger,
    /// Outside of 0–1024.
    #[error("CPU shares must be between 0 and 1024")]
    Range,
}

/// The bytes of a limit as users write it: `20MB`, `1G`, `512m`, `64KB`, `1024B`. K is 1,024.
pub fn parse_memory(text: &str) -> Result<u64, MemoryError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(MemoryError)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| MemoryError)?;
    let unit: u64 = match unit.to_ascii_uppercase().as_str() {
        "B" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return Err(MemoryError),
    };
    number.checked_mul(unit).filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or(MemoryError)
}

/// CPU shares: a relative weight of 0–1024; 0 leaves it to the engine.
pub fn parse_cpu(text: &str) -> Result<u16, CpuError> {
    let shares: i64 = text.trim().parse().map_err(|_| CpuError::NotInteger)?;
    u16::try_from(shares).ok().filter(|shares| *shares <= 1024).ok_or(CpuError::Range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_memory(text).ok(), expected, "{text:?}");
    }

    #[test]
    fn memory_is_a_number_with_a_unit() {
        check("20MB", Some(20 << 20));
        check("1G", Some(1 << 30));
        check("512m", Some(512 << 20));
        check("7B", Some(7));
        check("64kb", Some(64 << 10));
        for bad in ["20MK", "512", "", "M", "-1M", "1 G", "1.5G", "99999999999999999999G", "9999999999999G"] {
            check(bad, None);
        }
    }

    #[test]
    fn cpu_shares_are_0_to_1024() {
        assert_eq!(parse_cpu("1024"), Ok(1024));
        assert_eq!(parse_cpu("0"), Ok(0));
        assert_eq!(parse_cpu("1025"), Err(CpuError::Range));
        assert_eq!(parse_cpu("-1"), Err(CpuError::Range));
        assert_eq!(parse_cpu("this will fail"), Err(CpuError::NotInteger));
        assert_eq!(parse_cpu("1.5"), Err(CpuError::NotInteger));
    }
}
