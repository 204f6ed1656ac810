//! `printf` and its verbs, as Go's package fmt documents them, for the values that templates have.

use std::fmt::Write;

use crate::value::Value;

/// The widest that a verb may pad. Templates count with it, as Go has no addition for them.
const MAX_WIDTH: usize = 65_536;

/// The shortest text that reads as `value` again, with an exponent where Go would write one.
pub(super) fn shortest(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) { format!("{value}") } else { format!("{mantissa}{}", go_exponent(exponent)) }
}

/// At least two digits and always a sign.
fn go_exponent(exponent: i32) -> String {
    format!("e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs())
}

#[derive(Default)]
struct Directive {
    flags: String,
    width: Option<usize>,
    precision: Option<usize>,
}

/// What `printf` writes; `None` when it is longer than `limit`.
pub(super) fn printf(format: &str, arguments: &[Value], limit: usize) -> Option<String> {
    let mut output = String::new();
    let mut arguments = Arguments { all: arguments, next: 0, reordered: false };
    let mut characters = format.chars().peekable();
    while let Some(character) = characters.next() {
        if output.len() > limit {
            return None;
        }
        if character != '%' {
            output.push(character);
            continue;
        }
        let mut directive = Directive::default();
        while let Some(flag) = characters.next_if(|next| "+-# 0".contains(*next)) {
            directive.flags.push(flag);
        }
        match arguments.number(&mut characters) {
            Ok(width) => {
                if width.is_some_and(i64::is_negative) {
                    directive.flags.push('-');
                }
                directive.width = width.map(clamp);
            }
            Err(BadNumber) => output.push_str("%!(BADWIDTH)"),
        }
        if characters.next_if_eq(&'.').is_some() {
            match arguments.number(&mut characters) {
                // A negative one is as good as none.
                Ok(Some(precision)) if precision < 0 => {}
                Ok(precision) => directive.precision = Some(precision.map_or(0, clamp)),
                Err(BadNumber) => output.push_str("%!(BADPREC)"),
            }
        }
        arguments.choose(&mut characters);
        match characters.next() {
            None => output.push_str("%!(NOVERB)"),
            Some('%') => output.push('%'),
            Some(verb) => match arguments.take() {
                None => {
                    let _ = write!(output, "%!{verb}({})", if arguments.reordered { "BADINDEX" } else { "MISSING" });
                }
                Some(value) => directive.write(verb, value, &mut output),
            },
        }
    }
    let rest = arguments.all.get(arguments.next..).unwrap_or_default();
    if !rest.is_empty() && !arguments.reordered {
        let extra: Vec<String> = rest.iter().map(|value| format!("{}={}", value.type_name(), plain(value))).collect();
        let _ = write!(output, "%!(EXTRA {})", extra.join(", "));
    }
    (output.len() <= limit).then_some(output)
}

fn clamp(number: i64) -> usize {
    usize::try_from(number.unsigned_abs()).unwrap_or(MAX_WIDTH).min(MAX_WIDTH)
}

type Characters<'f> = std::iter::Peekable<std::str::Chars<'f>>;

/// A width or a precision that is to come from an argument which is no number.
struct BadNumber;

/// The arguments, taken in their order unless the format names one.
struct Arguments<'a> {
    all: &'a [Value],
    next: usize,
    reordered: bool,
}

impl<'a> Arguments<'a> {
    fn take(&mut self) -> Option<&'a Value> {
        let value = self.all.get(self.next)?;
        self.next += 1;
        Some(value)
    }

    /// `[3]`: the third argument is next.
    fn choose(&mut self, characters: &mut Characters<'_>) {
        if characters.next_if_eq(&'[').is_some() {
            let index = digits(characters).and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
            characters.next_if_eq(&']');
            self.next = index.checked_sub(1).unwrap_or(usize::MAX);
            self.reordered = true;
        }
    }

    /// Digits, or `*` for the next argument.
    fn number(&mut self, characters: &mut Characters<'_>) -> Result<Option<i64>, BadNumber> {
        let mut ahead = characters.clone();
        if ahead.next_if_eq(&'[').is_some() {
            ahead.find(|next| *next == ']');
        }
        if ahead.next() != Some('*') {
            return Ok(digits(characters));
        }
        self.choose(characters);
        characters.next();
        match self.take() {
            Some(Value::Int(number)) => Ok(Some(*number)),
            _ => Err(BadNumber),
        }
    }
}

fn digits(characters: &mut Characters<'_>) -> Option<i64> {
    let mut value = None;
    while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10)) {
        characters.next();
        value = Some((value.unwrap_or(0) * 10 + i64::from(digit)).min(1 << 30));
    }
    value
}

fn plain(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Missing => text.push_str("<nil>"),
        value => value.write(&mut text),
    }
    text
}

impl Directive {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn write(&self, verb: char, value: &Value, output: &mut String) {
        let body = match (verb, value) {
            ('v' | 's', Value::Text(text)) => self.clipped(text),
            ('v' | 'd', Value::Int(number)) => return self.integer(*number, 10, output),
            ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'v', Value::Float(number)) => {
                return self.pad(&self.float(verb, *number), true, output);
            }
            ('v', value) | ('s', value @ (Value::List(_) | Value::Object(_))) => plain(value),
            ('q', Value::Text(text)) => quoted(&self.clipped(text)),
            ('q' | 'c', Value::Int(number)) => {
                let character =
                    u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                if verb == 'c' { character.to_string() } else { format!("'{character}'") }
            }
            ('U', Value::Int(number)) => format!("U+{number:04X}"),
            ('t', Value::Bool(value)) => value.to_string(),
            ('b', Value::Int(number)) => return self.integer(*number, 2, output),
            ('o', Value::Int(number)) => return self.integer(*number, 8, output),
            ('x', Value::Int(number)) => return self.integer(*number, 16, output),
            ('X', Value::Int(number)) => {
                let mut text = String::new();
                self.integer(*number, 16, &mut text);
                text.to_uppercase()
            }
            ('x' | 'X', Value::Text(text)) => text.bytes().fold(String::new(), |mut hex, byte| {
                let _ = if verb == 'x' { write!(hex, "{byte:02x}") } else { write!(hex, "{byte:02X}") };
                hex
            }),
            (verb, Value::Missing) => format!("%!{verb}(<nil>)"),
            (verb, value) => format!("%!{verb}({}={})", value.type_name(), plain(value)),
        };
        self.pad(&body, false, output);
    }

    /// No more characters than the precision says.
    fn clipped(&self, text: &str) -> String {
        self.precision.map_or_else(|| text.to_owned(), |precision| text.chars().take(precision).collect())
    }

    fn integer(&self, number: i64, radix: u32, output: &mut String) {
        let magnitude = number.unsigned_abs();
        let digits = match radix {
            2 => format!("{magnitude:b}"),
            8 => format!("{magnitude:o}"),
            16 => format!("{magnitude:x}"),
            _ => magnitude.to_string(),
        };
        let prefix = match (self.has('#'), radix) {
            (true, 2) => "0b",
            (true, 8) => "0",
            (true, 16) => "0x",
            _ => "",
        };
        let digits = format!("{prefix}{digits:0>width$}", width = self.precision.unwrap_or(0));
        let signed = if number < 0 { format!("-{digits}") } else { self.positive(digits) };
        self.pad(&signed, self.precision.is_none(), output);
    }

    fn positive(&self, digits: String) -> String {
        match (self.has('+'), self.has(' ')) {
            (true, _) => format!("+{digits}"),
            (false, true) => format!(" {digits}"),
            (false, false) => digits,
        }
    }

    fn sign(&self, number: f64, magnitude: String) -> String {
        if number.is_sign_negative() { format!("-{magnitude}") } else { self.positive(magnitude) }
    }

    fn float(&self, verb: char, number: f64) -> String {
        let magnitude = number.abs();
        if !magnitude.is_finite() {
            return shortest(number);
        }
        let scientific = |precision: usize| {
            let text = format!("{magnitude:.precision$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            format!("{mantissa}{}", go_exponent(exponent.parse().unwrap_or(0)))
        };
        let text = match (verb, self.precision) {
            ('f' | 'F', precision) => format!("{magnitude:.*}", precision.unwrap_or(6)),
            ('e' | 'E', precision) => scientific(precision.unwrap_or(6)),
            (_, None) => shortest(magnitude),
            (_, Some(precision)) => general(magnitude, precision.max(1)),
        };
        let text = if verb.is_uppercase() { text.to_uppercase() } else { text };
        self.sign(number, text)
    }

    fn pad(&self, body: &str, zeros: bool, output: &mut String) {
        let missing = self.width.unwrap_or(0).saturating_sub(body.chars().count());
        if missing == 0 {
            output.push_str(body);
        } else if self.has('-') {
            output.push_str(body);
            output.extend(std::iter::repeat_n(' ', missing));
        } else if self.has('0') && zeros {
            let digits = body.find(|character: char| character.is_alphanumeric()).unwrap_or(0);
            output.push_str(&body[..digits]);
            output.extend(std::iter::repeat_n('0', missing));
            output.push_str(&body[digits..]);
        } else {
            output.extend(std::iter::repeat_n(' ', missing));
            output.push_str(body);
        }
    }
}

/// `%g` with so many significant digits.
fn general(magnitude: f64, precision: usize) -> String {
    let text = format!("{magnitude:.*e}", precision - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| {
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
    };
    let limit = i32::try_from(precision).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= limit {
        return format!("{}{}", trimmed(mantissa), go_exponent(exponent));
    }
    let decimals = usize::try_from(limit - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{magnitude:.decimals$}"))
}

/// A string as Go's source would have it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            character if u32::from(character) < 0x20 || character == '\u{7f}' => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_as_short_as_in_go() {
        for (value, text) in [
            (1.0, "1"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn verbs_do_what_the_documentation_says() {
        let text = Value::text("go");
        for (format, arguments, expected) in [
            ("%s|%5s|%-5s|%.1s", vec![text.clone(), text.clone(), text.clone(), text.clone()], "go|   go|go   |g"),
            ("%q %v %d%%", vec![Value::text("a\"\n"), Value::Bool(true), Value::Int(7)], r#""a\"\n" true 7%"#),
            (
                "%05d|%+d|%x|%X|%b|%o|%c",
                vec![
                    Value::Int(-42),
                    Value::Int(1),
                    Value::Int(255),
                    Value::Int(255),
                    Value::Int(5),
                    Value::Int(8),
                    Value::Int(65),
                ],
                "-0042|+1|ff|FF|101|10|A",
            ),
            (
                "%f|%.2f|%8.3f|%e|%g|%v",
                [1.5, 1.005, -2.0, 1234.5, 1e6, 1e21].map(Value::Float).to_vec(),
                "1.500000|1.00|  -2.000|1.234500e+03|1e+06|1e+21",
            ),
            ("%d", vec![text.clone()], "%!d(string=go)"),
            ("%d", vec![], "%!d(MISSING)"),
            ("a", vec![Value::Int(1)], "a%!(EXTRA int=1)"),
            ("%", vec![], "%!(NOVERB)"),
            ("%x", vec![text.clone()], "676f"),
            ("a%*s|%-*s|", vec![Value::Int(3), text.clone(), Value::Int(3), text.clone()], "a go|go |"),
            ("%*s|%.*f", vec![Value::Int(-4), text.clone(), Value::Int(1), Value::Float(1.25)], "go  |1.2"),
            ("%[2]d %[1]d", vec![Value::Int(1), Value::Int(2)], "2 1"),
            ("%[2]*[1]d", vec![Value::Int(1), Value::Int(3)], "  1"),
            ("%[3]d", vec![Value::Int(1)], "%!d(BADINDEX)"),
            ("%U", vec![Value::Int(65)], "U+0041"),
            ("%*d", vec![text, Value::Int(1)], "%!(BADWIDTH)1"),
        ] {
            assert_eq!(printf(format, &arguments, 1_000).as_deref(), Some(expected), "{format}");
        }
    }

    #[test]
    fn widths_have_an_end() {
        assert_eq!(printf("%99999999999999999999d", &[Value::Int(1)], MAX_WIDTH).unwrap().len(), MAX_WIDTH);
        assert_eq!(printf("%99999999999999999999d", &[Value::Int(1)], MAX_WIDTH - 1), None);
        assert_eq!(printf("%*s", &[Value::Int(i64::MIN), Value::text("")], MAX_WIDTH).unwrap().len(), MAX_WIDTH);
    }
}
