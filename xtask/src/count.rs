//! Adding up the results of all test suites.

use std::fmt;
use std::fs;
use std::ops::AddAssign;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Results of one suite or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Count {
    /// A suite that broke before it could count is one failure.
    const BROKEN: Self = Self { passed: 0, failed: 1, skipped: 0 };

    pub(crate) fn is_good(self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The sum over arguments of the form `SUITE=FILE`.
pub(crate) fn total(suites: &[String]) -> anyhow::Result<Count> {
    let mut total = Count::default();
    for suite in suites {
        let (kind, file) = suite.split_once('=').context("an argument is SUITE=FILE")?;
        // A file that is not there or not readable is a suite that broke.
        let text = fs::read_to_string(file).unwrap_or_default();
        let count = match kind {
            "nextest" => nextest(&text),
            "vitest" => vitest(&text),
            "summary" => summary(&text),
            other => bail!("`{other}` is no kind of suite"),
        };
        total += count.unwrap_or(Count::BROKEN);
    }
    Ok(total)
}

/// From `Summary [ 4.2s] 25 tests run: 23 passed (1 slow), 1 failed, 1 timed out, 2 skipped`. A flaky test, one that
/// passed after it had failed, is a failed test.
fn nextest(output: &str) -> Option<Count> {
    let (_, results) = output
        .lines()
        .rev()
        .find_map(|line| line.trim_start().starts_with("Summary").then(|| line.split_once("run:")).flatten())?;
    let mut count = Count::default();
    for part in split_outside_parentheses(results) {
        let mut words = part.split_whitespace();
        let number: u64 = words.next()?.parse().ok()?;
        match words.next()? {
            "passed" => {
                let flaky = flaky(part);
                count += Count { passed: number.saturating_sub(flaky), failed: flaky, skipped: 0 };
            }
            "skipped" => count.skipped += number,
            _ => count.failed += number,
        }
    }
    Some(count)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    text.split(|character| {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    })
    .collect()
}

fn flaky(part: &str) -> u64 {
    part.split(['(', ',', ')'])
        .find_map(|remark| remark.trim().strip_suffix(" flaky")?.parse().ok())
        .unwrap_or_default()
}

/// Vitest's JSON report (the format of Jest).
#[derive(Deserialize)]
struct VitestReport {
    #[serde(rename = "numPassedTests")]
    passed: u64,
    #[serde(rename = "numFailedTests")]
    failed: u64,
    #[serde(rename = "numFailedTestSuites")]
    failed_suites: u64,
    #[serde(rename = "numPendingTests")]
    pending: u64,
    #[serde(rename = "numTodoTests")]
    planned: u64,
}

fn vitest(report: &str) -> Option<Count> {
    let report: VitestReport = serde_json::from_str(report).ok()?;
    // A file that cannot even be loaded fails as a suite without failing a test.
    let failed = report.failed.max(report.failed_suites.min(1));
    Some(Count { passed: report.passed, failed, skipped: report.pending + report.planned })
}

/// From the last line of the form `N passed, M failed, K skipped`.
fn summary(output: &str) -> Option<Count> {
    output.lines().rev().find_map(|line| {
        let mut parts = line.trim().split(", ");
        let mut number = |word: &str| parts.next()?.strip_suffix(word)?.trim_end().parse::<u64>().ok();
        Some(Count { passed: number("passed")?, failed: number("failed")?, skipped: number("skipped")? })
    })
}

#[cfg(test)]
mod tests {
    use super::{Count, nextest, summary, total, vitest};

    const fn count(passed: u64, failed: u64, skipped: u64) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn nextest_summaries_are_read_in_all_their_forms() {
        let good = "        PASS [   0.016s] a\n     Summary [   4.253s] 25 tests run: 25 passed, 0 skipped\n";
        assert_eq!(nextest(good), Some(count(25, 0, 0)));
        let bad = "     Summary [   1.0s] 9/25 tests run: 5 passed (1 slow, 2 flaky), 3 failed, 1 timed out, 4 skipped\nerror: test run failed\n";
        assert_eq!(nextest(bad), Some(count(3, 6, 4)));
        assert_eq!(nextest("error: could not compile `stoa-chat`\n"), None);
    }

    #[test]
    fn vitest_counts_a_file_that_does_not_load() {
        let report = r#"{"numTotalTestSuites":3,"numPassedTests":7,"numFailedTests":0,"numFailedTestSuites":1,"numPendingTests":2,"numTodoTests":1}"#;
        assert_eq!(vitest(report), Some(count(7, 1, 3)));
        assert_eq!(vitest("{"), None);
    }

    #[test]
    fn the_last_summary_line_counts() {
        assert_eq!(
            summary("1 passed, 1 failed, 0 skipped\nnoise\n12 passed, 0 failed, 3 skipped\n\n"),
            Some(count(12, 0, 3))
        );
        assert_eq!(summary("twelve passed, 0 failed, 3 skipped"), None);
    }

    #[test]
    fn a_suite_without_a_result_is_a_failure() {
        let total = total(&["summary=/nonexistent".to_owned()]).unwrap();
        assert_eq!(total, count(0, 1, 0));
        assert!(!total.is_good());
    }
}
