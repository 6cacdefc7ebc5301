//! The same calls through this engine and through the crate `h2`, in both roles: what each side sees of a call is what the
//! other did, whatever the bytes are cut into.
//!
//! All is drawn from a seed, which a failure names.

mod ours;
mod script;
mod theirs;

use std::ops::Range;

use callwright_http2::Config;
use script::{Random, Script};
use tokio::runtime::Builder;

/// How many runs of each role there are, of 1 to 40 calls each.
const RUNS: Range<u64> = 0..30;

/// Settings of our side: as they are, or so small that windows, tables and limits are always in the way.
fn config(random: &mut Random) -> Config {
    let mut config = Config::default();
    if random.below(2) == 0 {
        config.stream_window = [200, 5000, 65_535, 1_000_000][random.below(4)];
        config.max_stream_window = config.stream_window * (1 + random.below(3) as u32);
        config.connection_window = [65_535, 100_000, 1_000_000][random.below(3)];
        config.max_concurrent_streams = 50;
        config.max_frame_size = [16_384, 20_000, 100_000][random.below(3)];
        config.max_send_buffer = [100, 10_000, 200_000][random.below(3)];
    }
    config
}

fn run(role: &str, test: impl AsyncFn(u64)) {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    for seed in RUNS {
        println!("{role}, seed {seed}");
        runtime.block_on(test(seed));
    }
}

#[test]
fn calls_from_ours_to_h2() {
    run("our client", async |seed| {
        let mut random = Random::new(seed);
        let script = Script::new(&mut random);
        let (near, far) = tokio::io::duplex([100, 5000, 100_000][random.below(3)]);
        let theirs = tokio::spawn(theirs::serve(far, script.clone(), Random::new(seed + 1)));
        let seen = ours::call(near, &script, config(&mut random), &mut random).await;
        assert_eq!(seen, script.responses(), "responses, seed {seed}");
        assert_eq!(theirs.await.unwrap(), script.requests(), "requests, seed {seed}");
    });
}

#[test]
fn calls_from_h2_to_ours() {
    run("our server", async |seed| {
        let mut random = Random::new(seed);
        let script = Script::new(&mut random);
        let (near, far) = tokio::io::duplex([100, 5000, 100_000][random.below(3)]);
        let theirs = tokio::spawn(theirs::call(far, script.clone(), Random::new(seed + 1)));
        let seen = ours::serve(near, &script, config(&mut random), &mut random).await;
        assert_eq!(theirs.await.unwrap(), script.responses(), "responses, seed {seed}");
        assert_eq!(seen, script.requests(), "requests, seed {seed}");
    });
}
