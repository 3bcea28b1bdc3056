//! Sizes such as `2GiB`. Never: lengths of time.

/// The pattern of a size, for the published schema.
pub(super) const PATTERN: &str = r"^[0-9]+(\.[0-9]+)? ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";

const UNITS: [(&str, u64); 10] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// The bytes that a text such as `2GiB` or `1.5 MB` stands for; at least 1.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (unit, factor) = UNITS.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    let number = text.strip_suffix(unit)?;
    let number = number.strip_suffix(' ').unwrap_or(number);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let part =
        part.parse::<u64>().ok()?.checked_mul(factor.min(1 << 30))? / scale * (factor / factor.min(1 << 30));
    let bytes = whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(part)?;
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(bytes("2GiB"), Some(2 << 30));
        assert_eq!(bytes("1.5 MB"), Some(1_500_000));
        assert_eq!(bytes("0.5KiB"), Some(512));
        assert_eq!(bytes("10B"), Some(10));
        for wrong in ["", "2", "GiB", "2 GB GB", "-1MB", "1.MB", "0B", "99999999999TiB", "2gb", "1..5MB"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
