//! The benchmark is the example of the same name.

#[path = "../examples/waits/main.rs"]
mod waits;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    waits::main()
}
