//! A server with limits, for clients that want it to run out of memory: a service whose calls take no end and read nothing.
//!
//! | method of `test.Siege` | what it does |
//! |---|---|
//! | `Flood` | streams responses without end, as large as they may be |
//! | `Wait` | reads no request, and never answers |
//! | `Read` | reads all requests |
//! | `Report` | answers with how many calls there have been, and how many bytes `Flood` has sent |

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callwright::server::{Methods, Service};
use callwright::{KeepaliveEnforcement, Method, MethodLimits, Server};
use callwright_tests::interop::flags::{Flag, Flags};
use callwright_tests::interop::lifetime;

const FLOOD: Method<String, String> = Method::new("/test.Siege/Flood");
const WAIT: Method<String, String> = Method::new("/test.Siege/Wait");
const READ: Method<String, String> = Method::new("/test.Siege/Read");
const REPORT: Method<String, String> = Method::new("/test.Siege/Report");

const FLAGS: [Flag; 6] = [
    Flag { name: "connections", default: "1", help: "max_connections" },
    Flag { name: "streams", default: "1", help: "max_concurrent_streams" },
    Flag { name: "receive", default: "1", help: "max_receive_message_size" },
    Flag { name: "send", default: "1", help: "max_send_message_size" },
    Flag { name: "metadata", default: "1", help: "max_metadata_size" },
    Flag { name: "unread", default: "1", help: "max_unread_size" },
];

#[derive(Default)]
struct Siege {
    calls: AtomicUsize,
    sent: AtomicUsize,
    /// How large responses are.
    size: usize,
}

impl Service for Siege {
    fn register(self, methods: &mut Methods) {
        let methods = methods.service("test.Siege", Arc::new(self));
        let methods = methods.server_streaming(FLOOD, |siege, _, responses, _| {
            Box::pin(async move {
                siege.calls.fetch_add(1, Ordering::Relaxed);
                loop {
                    responses.send("x".repeat(siege.size)).await?;
                    siege.sent.fetch_add(siege.size, Ordering::Relaxed);
                }
            })
        });
        let methods = methods.client_streaming(WAIT, |siege, _requests, _| {
            siege.calls.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                // Held, or what arrives would be dropped.
                let _requests = _requests;
                std::future::pending().await
            })
        });
        let methods = methods.client_streaming(READ, |siege, mut requests, _| {
            siege.calls.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                while requests.message().await?.is_some() {}
                Ok(String::new())
            })
        });
        methods.unary(REPORT, |siege, _, _| {
            let (calls, sent) = (siege.calls.load(Ordering::Relaxed), siege.sent.load(Ordering::Relaxed));
            Box::pin(std::future::ready(Ok(format!("{calls} {sent}"))))
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse(&FLAGS, std::env::args().skip(1))?;
    let number = |name| flags.number(name, 1..).map(|number| number as usize);
    let send = number("send")?;
    let siege = Siege { size: send - 8, ..Siege::default() };
    let sizes = MethodLimits::new().max_receive_message_size(number("receive")?).max_send_message_size(send);
    let running = Server::builder()
        .add_service(siege)
        .method_limits("test.Siege", sizes)
        .max_connections(number("connections")?)
        .max_concurrent_streams(flags.number("streams", 1..)?)
        .max_metadata_size(flags.number("metadata", 1..)?)
        .max_unread_size(number("unread")?)
        // The clients ask whether what they have sent was taken.
        .keepalive_enforcement(KeepaliveEnforcement::none())
        .bind("127.0.0.1:0")
        .await?;
    println!("listening on {}", running.local_addr());
    lifetime::serve(running, true).await;
    Ok(())
}
