//! The route guide's client: calls of all four kinds.
//!
//! `cargo run -p callwright-examples --bin routeguide_client [TARGET]`; it may be started before the server.

use std::error::Error;
use std::time::Duration;

use callwright::Channel;
use callwright_examples::features;
use callwright_examples::routeguide::{Point, Rectangle, RouteGuideStub, RouteNote};
use futures_util::stream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "dns:///127.0.0.1:50051".into());
    let guide = RouteGuideStub::new(Channel::new(target)?);

    println!("-- one request, one response");
    let point = Point { latitude: 409146138, longitude: -746188906 };
    let feature = guide.get_feature(point).wait_for_ready(true).timeout(Duration::from_secs(30)).await?;
    println!("at {point:?}: {}", feature.name);

    println!("-- one request, a stream of responses");
    let area = Rectangle {
        lo: Some(Point { latitude: 400000000, longitude: -750000000 }),
        hi: Some(Point { latitude: 420000000, longitude: -743000000 }),
    };
    let mut found = guide.list_features(area).await?;
    while let Some(feature) = found.message().await? {
        println!("found {}", feature.name);
    }

    println!("-- a stream of requests, one response");
    let points: Vec<_> = features::all().filter_map(|feature| feature.location).collect();
    let summary = guide.record_route().send_all(stream::iter(points)).await?;
    println!("{} points, {} features, {} m", summary.point_count, summary.feature_count, summary.distance);

    println!("-- a stream both ways");
    let (mut notes, mut replies) = guide.route_chat().timeout(Duration::from_secs(5)).start();
    for message in ["first", "second", "third"] {
        notes.send(RouteNote { location: Some(point), message: message.into() }).await?;
    }
    notes.finish();
    while let Some(note) = replies.message().await? {
        println!("left here before: {}", note.message);
    }
    Ok(())
}
