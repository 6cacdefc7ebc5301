//! A .proto that is imported by another path than it has.

use subpackage_rust_proto::moved::User;

#[test]
fn all_combinations_are_one_crate_each() {
    let user = User {
        prefixed: Some(Default::default()),
        stripped: Some(Default::default()),
        both: Some(Default::default()),
        plain: Some(Default::default()),
        generated: Some(Default::default()),
    };
    assert_eq!(user.generated.unwrap().text, "");
}
