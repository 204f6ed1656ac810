//! Dates as templates ask for them, in the codes of C's `strftime`.

use minijinja::{Error, ErrorKind};
use stoa_model::Timestamp;
use time::OffsetDateTime;

/// `format` with its codes replaced by the parts of `now`, in UTC.
pub(super) fn format(now: Timestamp, format: &str) -> Result<String, Error> {
    let moment = OffsetDateTime::from_unix_timestamp(now.as_seconds())
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, "the date is out of range"))?;
    let (month, weekday) = (moment.month().to_string(), moment.weekday().to_string());
    let mut text = String::new();
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let part = match characters.next() {
            Some('Y') => moment.year().to_string(),
            Some('y') => format!("{:02}", moment.year().rem_euclid(100)),
            Some('m') => format!("{:02}", u8::from(moment.month())),
            Some('d') => format!("{:02}", moment.day()),
            Some('e') => format!("{:2}", moment.day()),
            Some('B') => month.clone(),
            Some('b' | 'h') => month[..3].to_owned(),
            Some('A') => weekday.clone(),
            Some('a') => weekday[..3].to_owned(),
            Some('j') => format!("{:03}", moment.ordinal()),
            Some('H') => format!("{:02}", moment.hour()),
            Some('M') => format!("{:02}", moment.minute()),
            Some('S') => format!("{:02}", moment.second()),
            Some('Z') => "UTC".to_owned(),
            Some('%') => "%".to_owned(),
            code => {
                let detail = format!("strftime_now does not know %{}", code.map_or(String::new(), String::from));
                return Err(Error::new(ErrorKind::InvalidOperation, detail));
            }
        };
        text.push_str(&part);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_c_writes_them() {
        let now = Timestamp::from_millis(1_767_225_600_123);
        assert_eq!(format(now, "%d %b %Y, %A %H:%M, 100%%").unwrap(), "01 Jan 2026, Thursday 00:00, 100%");
        assert!(format(now, "%Q").is_err());
        assert!(format(now, "%").is_err());
    }
}
