//! Every bound of the language, in one place.

/// Longest template text in bytes; real ones are below 4 KiB, large ones are response bodies.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// Deepest nesting of an expression; bounds the recursion of parser and evaluator.
pub const DEPTH_MAX: usize = 96;

/// Most nodes of one expression.
pub const NODES_MAX: usize = 4096;

/// Most evaluation steps of one template; an element of a selection or projection counts as steps.
pub const STEPS_MAX: u32 = 100_000;

/// Longest text an expression may build, in bytes: above any body the gateway buffers by default.
pub const TEXT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest list or map an expression may build.
pub const ITEMS_MAX: usize = 100_000;

/// Longest regular expression, in bytes.
pub const REGEX_BYTES_MAX: usize = 4096;

/// Largest compiled regular expression, in bytes.
pub const REGEX_PROGRAM_BYTES_MAX: usize = 1024 * 1024;

/// Largest constant that folding may create, in bytes or items: folding must not bloat programs.
pub(crate) const FOLDED_SIZE_MAX: usize = 4096;
