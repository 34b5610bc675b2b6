//! Numbers as people read them: grouped, rounded, with units, or drawn.
//!
//! How people write them is read in `units`.

/// A whole number in groups of three digits.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// So many of a thing, in its singular or plural.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", thousands(number as u64))
}

/// A part of a whole, with more digits the smaller it is.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent.abs() {
        0.0 => "0%".to_owned(),
        ..0.1 => format!("{percent:.4}%"),
        ..1.0 => format!("{percent:.3}%"),
        ..10.0 => format!("{percent:.2}%"),
        _ => format!("{percent:.1}%"),
    }
}

/// Bytes in the largest binary unit that leaves a whole part.
pub(crate) fn binary_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    let scaled = bytes as f64 / (1_u64 << (10 * power)) as f64;
    format!("{scaled:.1} {}", UNITS[power as usize - 1])
}

/// A span of time, in the two largest units that it has.
pub(crate) fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3600 => format!("{}m {}s", whole / 60, whole % 60),
        _ => format!("{}h {}m", whole / 3600, whole / 60 % 60),
    }
}

/// A bar that is `width` characters long at 1.0, drawn to an eighth of one.
pub(crate) fn bar(fraction: f64, width: u16) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (fraction.clamp(0.0, 1.0) * f64::from(width) * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let texts = [0, 7, 999, 1000, 65_536, 1_289_981].map(thousands);
        assert_eq!(texts, ["0", "7", "999", "1,000", "65,536", "1,289,981"]);
    }

    #[test]
    fn spans_have_two_units() {
        let texts = [-1.0, 0.4, 59.4, 59.6, 3599.0, 3600.0, 90_061.0].map(seconds);
        assert_eq!(texts, ["0s", "0s", "59s", "1m 0s", "59m 59s", "1h 0m", "25h 1m"]);
    }

    #[test]
    fn small_shares_keep_digits() {
        let texts = [0.0, 0.000_152, 0.001_52, 0.0152, 0.152, 1.0].map(percent);
        assert_eq!(texts, ["0%", "0.0152%", "0.152%", "1.52%", "15.2%", "100.0%"]);
    }

    #[test]
    fn bytes_take_binary_units() {
        let texts = [0, 1023, 1024, 3 << 20, (4 << 30) - 1, u64::MAX].map(binary_bytes);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "3.0 MiB", "4.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn bars_measure_eighths() {
        assert_eq!(
            [0.0, 0.5, 0.5625, 1.0, 7.0].map(|part| bar(part, 2)),
            ["", "█", "█▏", "██", "██"]
        );
    }
}
