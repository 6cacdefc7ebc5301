//! The route guide's server: one method of each kind.
//!
//! `cargo run -p callwright-examples --bin routeguide_server [ADDRESS]`, and `routeguide_client` beside it; ctrl-c
//! ends it gracefully.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use callwright::{Requests, Responses, Server, ServerContext, Status};
use callwright_examples::features;
use callwright_examples::routeguide::{
    Feature, Point, Rectangle, RouteGuideServer, RouteGuideServicer, RouteNote, RouteSummary,
};

#[derive(Default)]
struct Guide {
    notes: Mutex<HashMap<(i32, i32), Vec<RouteNote>>>,
}

impl RouteGuideServicer for Guide {
    async fn get_feature(&self, point: Point, _context: &mut ServerContext) -> Result<Feature, Status> {
        Ok(features::at(point))
    }

    async fn list_features(
        &self,
        area: Rectangle,
        responses: &mut Responses<Feature>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        for feature in features::all() {
            if feature.location.is_some_and(|location| features::contains(&area, location)) {
                responses.send(feature).await?;
            }
        }
        Ok(())
    }

    async fn record_route(
        &self,
        mut points: Requests<Point>,
        context: &mut ServerContext,
    ) -> Result<RouteSummary, Status> {
        let started = Instant::now();
        let (mut summary, mut metres, mut last) = (RouteSummary::default(), 0.0, None);
        while let Some(point) = points.message().await? {
            summary.point_count += 1;
            summary.feature_count += i32::from(!features::at(point).name.is_empty());
            metres += last.map_or(0.0, |last| features::distance(last, point));
            last = Some(point);
        }
        summary.distance = metres as i32;
        summary.elapsed_time = started.elapsed().as_secs() as i32;
        context.set_trailing_metadata("points", summary.point_count.to_string())?;
        Ok(summary)
    }

    async fn route_chat(
        &self,
        mut notes: Requests<RouteNote>,
        responses: &mut Responses<RouteNote>,
        _context: &mut ServerContext,
    ) -> Result<(), Status> {
        while let Some(note) = notes.message().await? {
            let place = note.location.ok_or_else(|| Status::invalid_argument("a note needs a location"))?;
            for earlier in self.leave(place, note) {
                responses.send(earlier).await?;
            }
        }
        Ok(())
    }
}

impl Guide {
    /// Leaves a note at a place, and returns those that were there before.
    fn leave(&self, place: Point, note: RouteNote) -> Vec<RouteNote> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let here = notes.entry((place.latitude, place.longitude)).or_default();
        let earlier = here.clone();
        here.push(note);
        earlier
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:50051".into());
    let server = Server::builder().add_service(RouteGuideServer::new(Guide::default())).bind(address).await?;
    println!("listening on {}", server.local_addr());
    tokio::signal::ctrl_c().await?;
    println!("finishing the calls that are under way");
    server.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
