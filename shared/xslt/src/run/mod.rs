//! Running a stylesheet on a document.

mod builder;
mod execute;
mod keys;
mod number;
mod output;
mod sort;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use self::builder::Builder;
use self::keys::KeyIndex;
use crate::error::TransformError;
use crate::number::Signs;
use crate::stylesheet::{Binding, Content, Stylesheet};
use crate::tree::{self, Document, Name, NodeRef};
use crate::xpath::{Context, Machine, Value};

/// Templates within templates need stack; it is reserved, not used up.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// The clock is read once for so many steps.
const STEPS_PER_LOOK: u64 = 4096;

/// Bounds of a transformation.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nodes looked at, values made and instructions run, about.
    pub steps: u64,
    /// Templates within templates.
    pub depth: usize,
    /// Bytes of the result, and of all values with content together.
    pub bytes: usize,
    /// Time for all of it.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 20_000_000,
            depth: 1_000,
            bytes: 16 * 1024 * 1024,
            time: Duration::from_millis(1_000),
        }
    }
}

/// What a transformation made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The text, in UTF-8.
    pub text: String,
    /// Its media type, by the stylesheet or its method of output.
    pub media_type: String,
}

type Outcome<T> = Result<T, TransformError>;

/// Transforms on a thread with enough stack.
pub(crate) fn transform(
    stylesheet: &Stylesheet,
    document: &str,
    parameters: &[(String, String)],
    limits: &Limits,
) -> Outcome<Output> {
    std::thread::scope(|scope| {
        let work = || run(stylesheet, document, parameters, limits);
        let thread = std::thread::Builder::new()
            .name("xslt".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_panic)) => Err(TransformError::Dynamic(
                "the transformation failed".to_owned(),
            )),
            Err(_no_thread) => Err(TransformError::Limit("threads")),
        }
    })
}

fn run(
    stylesheet: &Stylesheet,
    document: &str,
    parameters: &[(String, String)],
    limits: &Limits,
) -> Outcome<Output> {
    let strips = |parent: &Name| !stylesheet.strips_space(parent);
    let source = tree::parse(document, &strips).map_err(TransformError::Source)?;
    let runner = Runner {
        stylesheet,
        limits: *limits,
        parameters,
        started: Instant::now(),
        steps: Cell::new(0),
        bytes: Cell::new(0),
        documents: RefCell::new(vec![Rc::new(source)]),
        variables: RefCell::default(),
        frame: Cell::new(0),
        globals: RefCell::default(),
        keys: RefCell::default(),
    };
    runner.charge(u64::from(runner.len_of(0)))?;
    let mut out = Builder::default();
    let root = NodeRef {
        document: 0,
        index: 0,
    };
    runner.apply(&[root], "", &[], &mut out, 0)?;
    let result = out.finish();
    output::write(&result, &stylesheet.output, limits.bytes)
}

impl Stylesheet {
    /// Whether text of blanks alone below an element is dropped; the last of the most exact rules decides.
    fn strips_space(&self, name: &Name) -> bool {
        let exactness = |rule: &&crate::stylesheet::SpaceRule| {
            u8::from(rule.uri.is_some()) + u8::from(rule.local.is_some())
        };
        let fits = |rule: &&crate::stylesheet::SpaceRule| {
            rule.uri.as_ref().is_none_or(|uri| *uri == name.uri)
                && rule.local.as_ref().is_none_or(|local| *local == name.local)
        };
        let best = self.spaces.iter().filter(fits).max_by_key(exactness);
        best.is_some_and(|rule| rule.strips)
    }
}

/// A global variable on its way to a value.
#[derive(Clone, Debug)]
enum GlobalState {
    InWork,
    Known(Value),
}

struct Runner<'s> {
    stylesheet: &'s Stylesheet,
    limits: Limits,
    parameters: &'s [(String, String)],
    started: Instant,
    steps: Cell<u64>,
    bytes: Cell<usize>,
    /// The source, and the values of variables with content.
    documents: RefCell<Vec<Rc<Document>>>,
    /// Variables in scope, the innermost last; those of the template that runs begin at `frame`.
    variables: RefCell<Vec<(Name, Value)>>,
    frame: Cell<usize>,
    globals: RefCell<BTreeMap<usize, GlobalState>>,
    keys: RefCell<HashMap<u32, Rc<KeyIndex>>>,
}

impl Runner<'_> {
    fn len_of(&self, document: u32) -> u32 {
        self.document(document).map_or(0, |document| document.len())
    }

    /// Counts bytes that are kept.
    fn keep(&self, bytes: usize) -> Outcome<()> {
        let all = self.bytes.get().saturating_add(bytes);
        self.bytes.set(all);
        if all > self.limits.bytes {
            return Err(TransformError::Limit("size of the result"));
        }
        Ok(())
    }

    /// Makes a document of its own of what instructions built.
    fn add_document(&self, document: Document) -> Value {
        let mut documents = self.documents.borrow_mut();
        let number = u32::try_from(documents.len()).unwrap_or(u32::MAX);
        documents.push(Rc::new(document));
        Value::Fragment(number)
    }

    /// The value of a variable, parameter or argument.
    fn value(&self, binding: &Binding, context: &Context, depth: usize) -> Outcome<Value> {
        match &binding.value {
            Content::Select(select) => select.evaluate(context, self),
            Content::Body(body) if body.is_empty() => Ok(Value::text("")),
            Content::Body(body) => {
                let mut out = Builder::default();
                self.body(body, context, &mut out, depth)?;
                Ok(self.add_document(out.finish()))
            }
        }
    }

    fn bind(&self, name: &Name, value: Value) {
        self.variables.borrow_mut().push((name.clone(), value));
    }

    /// Runs with no variables but the global ones in scope, and puts the scope back.
    fn in_new_frame<T>(&self, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let (frame, mark) = (self.frame.get(), self.variables.borrow().len());
        self.frame.set(mark);
        let outcome = work();
        self.frame.set(frame);
        self.variables.borrow_mut().truncate(mark);
        outcome
    }

    fn global(&self, name: &Name) -> Outcome<Value> {
        let globals = self.stylesheet.globals.iter().enumerate();
        let found = globals
            .rev()
            .find(|(_, global)| global.binding.name == *name);
        let Some((index, global)) = found else {
            let reason = format!("the variable ${} has no value", name.written());
            return Err(TransformError::Dynamic(reason));
        };
        let state = self.globals.borrow().get(&index).cloned();
        match state {
            Some(GlobalState::Known(value)) => return Ok(value),
            Some(GlobalState::InWork) => {
                let reason = format!("the variable ${} depends on itself", name.written());
                return Err(TransformError::Dynamic(reason));
            }
            None => {}
        }
        self.globals.borrow_mut().insert(index, GlobalState::InWork);
        let given = self
            .parameters
            .iter()
            .find(|(known, _)| *known == *name.local);
        let value = match given.filter(|_| global.is_parameter && name.uri.is_empty()) {
            Some((_, text)) => Value::text(text.as_str()),
            None => {
                let root = NodeRef {
                    document: 0,
                    index: 0,
                };
                self.in_new_frame(|| self.value(&global.binding, &Context::at(root), 0))?
            }
        };
        let known = GlobalState::Known(value.clone());
        self.globals.borrow_mut().insert(index, known);
        Ok(value)
    }
}

impl Machine for Runner<'_> {
    fn charge(&self, steps: u64) -> Outcome<()> {
        let before = self.steps.get();
        let after = before.saturating_add(steps);
        self.steps.set(after);
        if after > self.limits.steps {
            return Err(TransformError::Limit("work"));
        }
        let is_time_to_look = before / STEPS_PER_LOOK != after / STEPS_PER_LOOK;
        if is_time_to_look && self.started.elapsed() > self.limits.time {
            return Err(TransformError::Limit("time"));
        }
        Ok(())
    }

    fn document(&self, number: u32) -> Option<Rc<Document>> {
        self.documents.borrow().get(number as usize).cloned()
    }

    fn variable(&self, name: &Name) -> Outcome<Value> {
        let local = {
            let variables = self.variables.borrow();
            let own = variables.get(self.frame.get()..).unwrap_or_default();
            let found = own.iter().rev().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        match local {
            Some(value) => Ok(value),
            None => self.global(name),
        }
    }

    fn key(&self, name: &str, value: &str, context: &Context) -> Outcome<Vec<NodeRef>> {
        let index = self.key_index(context.node.document)?;
        index.find(name, value)
    }

    fn signs(&self, name: Option<&str>) -> Outcome<Signs> {
        let known = self.stylesheet.formats.get(name.unwrap_or_default());
        match (known, name) {
            (Some(signs), _) => Ok(signs.clone()),
            (None, None) => Ok(Signs::default()),
            (None, Some(name)) => {
                let reason = format!("there is no decimal format {name}");
                Err(TransformError::Dynamic(reason))
            }
        }
    }
}
