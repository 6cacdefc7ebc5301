//! The attribute `imports`: one crate by two names.

use again::top::Top as Again;
use top_rust_proto::top::Top;

#[test]
fn both_names_are_one_crate() {
    let top: Again = Top::default();
    assert!(top.middle.is_none());
}
