//! examples/other_builds.

use super::Report;
use super::machine::Machine;

pub(super) fn rows(_machine: &Machine, _report: &mut Report) {}
