//! Makes one call to the tests' Echo, at the target that it is told.

use callwright::Channel;
use callwright_tests::support::say;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1).ok_or("usage: say_hello TARGET")?;
    println!("{}", say(&Channel::new(target)?, "hello").await?);
    Ok(())
}
