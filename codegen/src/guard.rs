//! Nothing that the parsers below us do with a strange input may take the process down.
//!
//! prost-build and protox panic on some inputs, and both walk types recursively: a chain of a few thousand messages, each
//! in the next, is deeper than the 2 MiB of a thread. So the work runs on a thread with a large stack (its pages are
//! only taken when they are touched), and its panic becomes an error.

use std::any::Any;
use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::thread;

use crate::error::Error;

const STACK: usize = 512 << 20;

/// Runs `work` where it can neither exhaust the stack nor panic through its caller.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    thread::scope(|scope| {
        let quiet = move || {
            silence_this_thread();
            work()
        };
        let started =
            thread::Builder::new().name("callwright-build".to_owned()).stack_size(STACK).spawn_scoped(scope, quiet);
        let thread = started.map_err(|error| Error::Backend(format!("cannot start a thread: {error}")))?;
        thread.join().unwrap_or_else(|panic| {
            Err(Error::Backend(format!("the parser or prost-build gave up on this input: {}", text(&*panic))))
        })
    })
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The panic is reported as an error, with its text; a backtrace on stderr beside that would only frighten. The hook
/// that was there is kept and called for every other thread.
fn silence_this_thread() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    QUIET.set(true);
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::error::Error;

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        let result: Result<(), Error> = run(|| panic!("unknown syntax: {}", 7));
        let Err(error) = result else { panic!("it did not fail") };
        assert_eq!(error.to_string(), "the parser or prost-build gave up on this input: unknown syntax: 7");
    }

    #[test]
    fn the_stack_is_deep() {
        fn depth(left: u32) -> u32 {
            let frame = std::hint::black_box([left; 256]);
            if left == 0 { 0 } else { depth(left - 1) + frame[0] / left.max(1) }
        }
        assert_eq!(run(|| Ok(depth(100_000))).ok(), Some(100_000));
    }
}
