//! How long a server serves: until it is killed, or for as long as whoever started it lives.

use callwright::RunningServer;
use tokio::io::AsyncReadExt as _;

use super::flags::Flag;

/// Ends a server with its parent, even one that was killed itself: its standard input closes then.
pub const UNTIL_STDIN_CLOSES: Flag = Flag {
    name: "until_stdin_closes",
    default: "false",
    help: "end when the standard input does, so that a parent which was killed leaves nothing behind",
};

/// Serves until the process is killed or, if asked for, until the standard input is at its end.
pub async fn serve(mut running: RunningServer, until_stdin_closes: bool) {
    if !until_stdin_closes {
        return running.wait().await;
    }
    // What is written there does not matter; an error means that it is gone.
    let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    running.stop().await;
}
