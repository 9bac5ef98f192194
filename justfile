# The daily commands. `just` lists them.

_list:
    @just --list

# Everything, offline, against the simulator.
test *arguments:
    cargo test --workspace --all-features {{arguments}}

# A video without a token.
quickstart:
    cargo run --example quickstart

# Formatting and lints.
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# The documentation, in a browser.
docs:
    cargo doc --workspace --no-deps --all-features --open

# Accept changed snapshots, after a look at `git diff`.
accept *arguments:
    INSTA_UPDATE=always cargo test --workspace --all-features {{arguments}}

# The simulator as a server.
simulate *arguments:
    cargo run --quiet -p luma-cli -- simulate {{arguments}}

# How a newer document of the vendor differs from the spec.
spec-diff document:
    cargo run --quiet --example spec_diff -- {{document}}

# The whole gate.
gate:
    .ci/run
