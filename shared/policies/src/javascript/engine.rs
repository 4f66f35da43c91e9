//! Runs one script in an engine of its own: nothing survives it, and it reaches nothing but its data.
//!
//! Memory, stack and time are limited. There are no modules, files or sockets: the engine has only the
//! language itself.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use rquickjs::context::EvalOptions;
use rquickjs::{CatchResultExt, Context, Ctx, Function, Runtime, Value};
use tidegate_expression::Ambient;

/// Most memory of a script in bytes, its data included.
const MEMORY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most stack of a script in bytes.
const STACK_BYTES_MAX: usize = 256 * 1024;

/// Longest run of a script. The worker serves nobody else meanwhile.
const TIME_MAX: Duration = Duration::from_millis(100);

/// Most times the engine may ask whether to go on, about every ten thousand steps: a bound that holds
/// whatever the clock says.
const QUESTIONS_MAX: u32 = 20_000;

const PRELUDE: &str = include_str!("prelude.js");

/// Checks that a script can be parsed, without running it.
pub(super) fn check(script: &str) -> Result<(), String> {
    with_engine(None, |ctx| {
        let constructor: Function<'_> = ctx.globals().get("Function").map_err(text)?;
        let parsed: rquickjs::Result<Function<'_>> = constructor.call((script,));
        parsed.catch(ctx).map(|_| ()).map_err(text)
    })
}

/// Runs a script on its data, JSON text as the prelude reads it, and returns what the prelude collected.
pub(super) fn run(script: &str, input: &str, ambient: &Arc<dyn Ambient>) -> Result<String, String> {
    with_engine(Some(ambient), |ctx| {
        let setup: Function<'_> = ctx.eval(PRELUDE).catch(ctx).map_err(text)?;
        let collect: Function<'_> = setup.call((input,)).catch(ctx).map_err(text)?;
        let mut options = EvalOptions::default();
        options.global = true;
        options.strict = false;
        let value: Value<'_> = ctx
            .eval_with_options(script, options)
            .catch(ctx)
            .map_err(text)?;
        collect.call((value,)).catch(ctx).map_err(text)
    })
}

fn with_engine<T>(
    ambient: Option<&Arc<dyn Ambient>>,
    work: impl FnOnce(&Ctx<'_>) -> Result<T, String>,
) -> Result<T, String> {
    let runtime = Runtime::new().map_err(text)?;
    runtime.set_memory_limit(MEMORY_BYTES_MAX);
    runtime.set_max_stack_size(STACK_BYTES_MAX);
    let questions = Cell::new(0_u32);
    let clock = ambient.map(|ambient| (Arc::clone(ambient), ambient.nanos()));
    runtime.set_interrupt_handler(Some(Box::new(move || {
        questions.set(questions.get() + 1);
        let is_late = clock.as_ref().is_some_and(|(ambient, begun)| {
            Duration::from_nanos(ambient.nanos().saturating_sub(*begun)) > TIME_MAX
        });
        is_late || questions.get() > QUESTIONS_MAX
    })));
    let context = Context::full(&runtime).map_err(text)?;
    context.with(|ctx| work(&ctx))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
