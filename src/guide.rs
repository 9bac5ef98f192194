//! Pages about more than a single item.

#[doc = include_str!("../docs/states.md")]
pub mod states {}

#[doc = include_str!("../docs/costs.md")]
pub mod costs {}

#[doc = include_str!("../docs/scaling.md")]
pub mod scaling {}

#[doc = include_str!("../docs/mcp.md")]
pub mod mcp {}

// Its code is of several files, which examples/tutorial builds and runs.
#[cfg(not(doctest))]
#[doc = include_str!("../docs/tutorial.md")]
pub mod tutorial {}
