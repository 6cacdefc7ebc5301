//! Two targets whose labels read the same as a name in Rust (`a-b` and `a_b`) are two crates.

use both_rust_proto::both::Both;

#[test]
fn both_are_there() {
    let one = all_rust_proto::one::Message { text: "one".into() };
    let two = all_rust_proto::two::Message { text: "two".into() };
    let both = Both { one: Some(one), two: Some(two) };
    assert_eq!(both.one.unwrap().text + &both.two.unwrap().text, "onetwo");
}
