//! Only `top` is listed; what it imports comes along, and its types are shared.

use leaf_proto::shared::HttpLeaf;
use leaf_proto::shared::http_leaf::Inner;
use middle_proto::shared::Middle;
use top_rust_proto::top::Top;

#[test]
fn types_are_shared() {
    let inner = Some(Inner { number: 7, ..Default::default() });
    let top = Top { middle: Some(Middle { leaf: Some(HttpLeaf { inner }), inner, ..Default::default() }), ..Default::default() };
    assert_eq!(top.middle.unwrap().leaf.unwrap().inner.unwrap().number, 7);
}
