//! When a line of the log was said, as it stands before the line; unless the journal says so.

use rustix::fs::fstat;
use std::env;
use std::os::fd::AsFd;
use std::time::SystemTime;
use time::OffsetDateTime;

/// Where systemd says which device and inode the journal's end of a process's output is.
const JOURNAL_VARIABLE: &str = "JOURNAL_STREAM";

/// Whether what is written here goes to the journal, which has a time of its own for each line.
///
/// That the variable is set says nothing: whoever is started by a service has it too, wherever
/// his own output goes.
pub(super) fn goes_to_journal(output: impl AsFd) -> bool {
    let Ok(of) = fstat(output) else { return false };
    env::var(JOURNAL_VARIABLE).is_ok_and(|named| named == format!("{}:{}", of.st_dev, of.st_ino))
}

/// In UTC and by RFC 3339, so that lines of many nodes sort by it and all tools read it.
pub(super) fn written(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, ms) = at.to_hms_milli();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_all_tools_read_them() {
        let written = |ms| written(SystemTime::UNIX_EPOCH + Duration::from_millis(ms));
        assert_eq!(written(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(written(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(written(1_798_761_599_999), "2026-12-31T23:59:59.999Z");
    }
}
