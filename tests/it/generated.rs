//! The generated code is in no diff, so a snapshot pins it for the review.

#[test]
fn generated_client_equals_reviewed_snapshot() {
    let code = include_str!(concat!(env!("OUT_DIR"), "/api.rs"));
    let file = syn::parse_file(code).expect("the generated code parses");
    insta::assert_snapshot!("api", prettyplease::unparse(&file));
}
