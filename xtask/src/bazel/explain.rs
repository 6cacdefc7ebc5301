//! Bazel's own log of what it ran and why (`--explain`).

/// What is ours among the actions that a log says were run: generating, compiling, the descriptor sets aside. Sorted.
pub(super) fn ours(log: &str) -> Vec<&str> {
    let mut actions = actions(log);
    actions.retain(|action| ["Compiling ", "Generating Rust "].iter().any(|kind| action.starts_with(kind)));
    actions.sort_unstable();
    actions
}

/// Every action that a log says was run.
pub(super) fn actions(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.strip_prefix("Executing action '")?.split('\'').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_names_what_was_run() {
        let log = "\
            Build options: --explain=x --action_env=PATH\n\
            Executing action 'BazelWorkspaceStatusAction stable-status.txt': action is executed unconditionally.\n\
            Executing action 'Generating Rust into a.callwright from //:a': One of the files has changed.\n\
            Executing action 'Compiling the crate a': One of the files has changed.\n";
        assert_eq!(actions(log).len(), 3);
        assert_eq!(ours(log), ["Compiling the crate a", "Generating Rust into a.callwright from //:a"]);
    }
}
