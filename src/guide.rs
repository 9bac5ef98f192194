//! Pages about more than a single item, and full programs.

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

/// A page with the source of an example. The examples are built as such, so they are no doctests.
macro_rules! examples {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $($(#[$doc])*
        ///
        /// ```
        #[doc = include_str!(concat!("../examples/", stringify!($name), ".rs"))]
        /// ```
        pub mod $name {})*
    };
}

/// Full programs, from the folder `examples/` of the crate. `cargo run --example NAME` runs one against an embedded
/// simulator, without token and network.
#[cfg(not(doctest))]
pub mod examples {
    examples! {
        /// From a prompt to a file. With a token it calls the real service.
        quickstart,
        /// A video between two images.
        image_to_video,
        /// A video that is extended twice.
        longer_film,
        /// Many prompts: three submits at a time, and every video as it finishes.
        many,
        /// A process is killed while it waits, and the next one gets the video.
        resume,
        /// Callbacks end waits, and polling finds the videos whose callback was lost.
        webhook,
        /// A model calls the tools until it has its video. Needs the feature `mcp`.
        tool_loop,
        /// The tools in the format of a host. Needs the feature `mcp`.
        export_tools,
    }
}
