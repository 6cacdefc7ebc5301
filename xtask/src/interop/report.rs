//! One line a case, and the total.

use std::fmt::Display;
use std::process::ExitCode;

/// How many of the last lines of a failed case's output are shown.
const SHOWN_LINES: usize = 20;

/// Who calls whom.
#[derive(Clone, Copy)]
pub(super) enum Direction {
    OursToOurs,
    OursToTheirs,
    TheirsToOurs,
    /// The command `callwright` calls a server of theirs.
    CommandToTheirs,
    /// The command `callwright` calls a server of ours.
    CommandToOurs,
    /// Nobody calls: two things are compared.
    OursAndTheirs,
}

impl Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Direction::OursToOurs => "ours->ours",
            Direction::OursToTheirs => "ours->theirs",
            Direction::TheirsToOurs => "theirs->ours",
            Direction::CommandToTheirs => "callwright->theirs",
            Direction::CommandToOurs => "callwright->ours",
            Direction::OursAndTheirs => "ours=theirs",
        })
    }
}

/// Counts the cases as they end.
pub(super) struct Report {
    case: Option<String>,
    passed: usize,
    failed: usize,
}

impl Report {
    /// A report of this case, or of all.
    pub(super) fn new(case: Option<String>) -> Report {
        Report { case, passed: 0, failed: 0 }
    }

    /// What `--case` asked for.
    pub(super) fn case(&self) -> Option<&str> {
        self.case.as_deref()
    }

    /// Whether a case is to be run: all, the one that is named, or those of the group that is.
    pub(super) fn wants(&self, case: &str) -> bool {
        self.case
            .as_deref()
            .is_none_or(|wanted| case.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Whether a group of cases has any that is to be run.
    pub(super) fn wants_group(&self, group: &str) -> bool {
        self.case.as_deref().is_none_or(|wanted| wanted.split('/').next() == Some(group))
    }

    /// Notes how a case ended, and prints it.
    pub(super) fn note(&mut self, peer: &str, direction: Direction, case: &str, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("PASS {peer} {direction} {case}");
            }
            Err(output) => {
                self.failed += 1;
                println!("FAIL {peer} {direction} {case}");
                let lines: Vec<_> = output.lines().collect();
                for line in &lines[lines.len().saturating_sub(SHOWN_LINES)..] {
                    println!("    {line}");
                }
            }
        }
    }

    /// Notes that a peer could not be set up, which fails everything that it was for.
    pub(super) fn broken(&mut self, peer: &str, why: &str) {
        self.failed += 1;
        println!("FAIL {peer} cannot be set up");
        for line in why.lines() {
            println!("    {line}");
        }
    }

    /// Prints the total.
    pub(super) fn total(&self) -> Result<ExitCode, String> {
        if self.passed + self.failed == 0 {
            return Err(format!("no case is called {:?}", self.case.as_deref().unwrap_or_default()));
        }
        println!("{} passed, {} failed", self.passed, self.failed);
        Ok(if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_named_whole_or_by_its_group() {
        let report = |case: &str| Report::new(Some(case.to_owned()));
        assert!(Report::new(None).wants("large_unary"));
        assert!(report("large_unary").wants("large_unary"));
        assert!(!report("large_unary").wants("concurrent_large_unary"));
        assert!(report("compression").wants("compression/aio_stream"));
        assert!(report("compression/aio_stream").wants_group("compression"));
        assert!(!report("compression").wants("compression_other"));
    }
}
