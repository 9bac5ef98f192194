# The daily commands. `just` alone lists them.

_list:
    @just --list

# Everything, offline, against the embedded simulator.
test *arguments:
    cargo test --all-features {{arguments}}

# A video without a token.
quickstart:
    cargo run --example quickstart

# What a reviewer would say first.
check:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings

# The documentation, in a browser.
docs:
    cargo doc --no-deps --all-features --open

# Accept the snapshots that changed, after a look at `git diff`.
accept *arguments:
    INSTA_UPDATE=always cargo test --all-features {{arguments}}

# The simulator as a server.
simulate *arguments:
    cargo run --quiet --features cli -- simulate {{arguments}}

# How a newer document of the vendor differs from the spec.
spec-diff document:
    cargo run --quiet --example spec_diff -- {{document}}

# The whole gate.
gate:
    .ci/run
