//! What a client prints: lines of `key: value`, for people and for `cargo xtask bench`.

use std::process::ExitCode;

use crate::load::Outcome;

/// Prints all of it; a run with a failed call has failed.
pub fn print(outcome: &Outcome) -> ExitCode {
    let Outcome { totals, size, failures: (failed, first), elapsed, used } = outcome;
    let (seconds, calls) = (elapsed.as_secs_f64(), totals.calls.max(1) as f64);
    let per_second = |count: u64| count as f64 / seconds;
    println!("calls: {}", totals.calls);
    println!("messages: {}", totals.messages);
    println!("errors: {failed}");
    println!("seconds: {seconds:.3}");
    println!("calls/s: {:.1}", per_second(totals.calls));
    println!("messages/s: {:.1}", per_second(totals.messages));
    println!("bytes/s: {:.0}", per_second(totals.messages) * *size as f64);
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)] {
        println!("{name}: {:.1} us", totals.latencies.value_at_quantile(quantile) as f64 / 1e3);
    }
    println!("cpu_ns: {}", used.cpu.as_nanos());
    println!("cpu: {:.3} us/call", used.cpu.as_nanos() as f64 / 1e3 / calls);
    if cfg!(feature = "allocations") {
        println!("allocations: {}", used.allocations);
        println!("allocations/call: {:.2}", used.allocations as f64 / calls);
    }
    println!("rss_kib: {}", used.rss_kib);
    match first {
        None => ExitCode::SUCCESS,
        Some(first) => {
            eprintln!("{failed} calls failed; the first: {first}");
            ExitCode::FAILURE
        }
    }
}
