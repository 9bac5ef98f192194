//! The generated code is reviewed like any other: it is in no diff, so a snapshot pins it.

#[test]
fn the_generated_client_is_the_reviewed_one() {
    let code = include_str!(concat!(env!("OUT_DIR"), "/api.rs"));
    let file = syn::parse_file(code).expect("the generated code parses");
    insta::assert_snapshot!("api", prettyplease::unparse(&file));
}
