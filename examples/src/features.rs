//! The features that the route guide knows, and the geometry of its routes.

use crate::routeguide::{Feature, Point, Rectangle};

const KNOWN: [(&str, i32, i32); 6] = [
    ("Patriots Path, Mendham, NJ 07945, USA", 407838351, -746143763),
    ("101 New Jersey 10, Whippany, NJ 07981, USA", 408122808, -743999179),
    ("U.S. 6, Shohola, PA 18458, USA", 413628156, -749015468),
    ("5 Conners Road, Kingston, NY 12401, USA", 419999544, -740371136),
    ("Mid Hudson Psychiatric Center, New Hampton, NY 10958, USA", 414008389, -743951297),
    ("Berkshire Valley Management Area Trail, Jefferson, NJ, USA", 409146138, -746188906),
];

/// Metres.
const EARTH_RADIUS: f64 = 6_371_000.0;

/// All features.
pub fn all() -> impl Iterator<Item = Feature> {
    KNOWN
        .into_iter()
        .map(|(name, latitude, longitude)| Feature { name: name.into(), location: Some(Point { latitude, longitude }) })
}

/// The feature at a point; one without a name where there is none.
pub fn at(point: Point) -> Feature {
    all()
        .find(|feature| feature.location == Some(point))
        .unwrap_or(Feature { name: String::new(), location: Some(point) })
}

/// Whether a point lies in an area; the corners count.
pub fn contains(area: &Rectangle, point: Point) -> bool {
    let (Some(lo), Some(hi)) = (area.lo, area.hi) else { return false };
    let between = |value: i32, one: i32, other: i32| (one.min(other)..=one.max(other)).contains(&value);
    between(point.latitude, lo.latitude, hi.latitude) && between(point.longitude, lo.longitude, hi.longitude)
}

/// The distance between two points in metres, by the haversine formula.
pub fn distance(from: Point, to: Point) -> f64 {
    let radians = |degrees: i32| (f64::from(degrees) / 1e7).to_radians();
    let half = |one: i32, other: i32| ((radians(other) - radians(one)) / 2.0).sin().powi(2);
    let longitude = half(from.longitude, to.longitude) * radians(from.latitude).cos() * radians(to.latitude).cos();
    2.0 * EARTH_RADIUS * (half(from.latitude, to.latitude) + longitude).sqrt().asin()
}
