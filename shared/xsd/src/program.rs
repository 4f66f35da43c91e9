//! The order of elements in a type, as a machine that reads names one by one.
//!
//! It follows all ways at once, so that its work is bounded by its size for each element, whatever the schema. An
//! element that may be repeated is counted, a group is unrolled.

use crate::name::Name;
use crate::schema::{ElementId, Schema, Wildcard};

/// Most steps of one machine.
const STEPS_MAX: usize = 8192;

/// Most ways followed at once.
const WAYS_MAX: usize = 4096;

/// Most elements that a message names.
const EXPECTED_MAX: usize = 8;

/// How often something may stand in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occurs {
    pub(crate) least: u32,
    /// `None` is without end.
    pub(crate) most: Option<u32>,
}

/// A part of a content model.
#[derive(Clone, Debug)]
pub(crate) struct Particle {
    pub(crate) occurs: Occurs,
    pub(crate) term: Term,
}

/// What is repeated.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Element(ElementId),
    Any(Wildcard),
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    All(Vec<Particle>),
}

impl Particle {
    /// How many parts it has, itself included.
    pub(crate) fn size(&self) -> usize {
        match &self.term {
            Term::Element(_) | Term::Any(_) => 1,
            Term::Sequence(parts) | Term::Choice(parts) | Term::All(parts) => {
                1 + parts.iter().map(Self::size).sum::<usize>()
            }
        }
    }
}

/// What one element may be.
#[derive(Clone, Debug)]
pub(crate) enum Leaf {
    Element(ElementId),
    Any(Wildcard),
}

#[derive(Debug)]
enum Step {
    /// Takes elements, then goes on.
    Take(Leaf, Occurs, usize),
    /// Goes on at all of these.
    Split(Vec<usize>),
    Accept,
}

/// A compiled content model.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Vec<Step>,
    start: usize,
}

/// The ways that fit what was read, each with how often its element was taken.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    ways: Vec<(usize, u32)>,
    /// Whether the content may end here.
    pub(crate) may_end: bool,
}

impl Program {
    /// Compiles a content model.
    ///
    /// # Errors
    /// It becomes too large.
    pub(crate) fn compile(particle: &Particle) -> Result<Self, String> {
        let mut program = Self {
            steps: vec![Step::Accept],
            start: 0,
        };
        program.start = program.repeat(particle, 0)?;
        Ok(program)
    }

    /// Builds backwards: the steps of a particle, before those it goes on with.
    fn repeat(&mut self, particle: &Particle, next: usize) -> Result<usize, String> {
        let Occurs { least, most } = particle.occurs;
        if most == Some(0) {
            return Ok(next);
        }
        let leaf = match &particle.term {
            Term::Element(id) => Some(Leaf::Element(*id)),
            Term::Any(wildcard) => Some(Leaf::Any(wildcard.clone())),
            _ => None,
        };
        if let Some(leaf) = leaf {
            let take = self.add(Step::Take(leaf, particle.occurs, next))?;
            return if least == 0 {
                self.add(Step::Split(vec![take, next]))
            } else {
                Ok(take)
            };
        }
        let mut entry = next;
        match most {
            None => {
                // A loop: its split is known before its body.
                let split = self.add(Step::Split(Vec::new()))?;
                let body = self.once(&particle.term, split)?;
                self.steps[split] = Step::Split(vec![body, next]);
                entry = split;
                if least > 0 {
                    entry = body;
                    entry = self.times(&particle.term, least - 1, entry)?;
                }
            }
            Some(most) => {
                for _ in least..most {
                    let body = self.once(&particle.term, entry)?;
                    if body == entry {
                        break;
                    }
                    entry = self.add(Step::Split(vec![body, next]))?;
                }
                entry = self.times(&particle.term, least, entry)?;
            }
        }
        Ok(entry)
    }

    fn times(&mut self, term: &Term, count: u32, next: usize) -> Result<usize, String> {
        let mut entry = next;
        for _ in 0..count {
            let body = self.once(term, entry)?;
            if body == entry {
                // Empty, however often.
                break;
            }
            entry = body;
        }
        Ok(entry)
    }

    fn once(&mut self, term: &Term, next: usize) -> Result<usize, String> {
        match term {
            Term::Sequence(parts) => {
                let mut entry = next;
                for part in parts.iter().rev() {
                    entry = self.repeat(part, entry)?;
                }
                Ok(entry)
            }
            Term::Choice(parts) => {
                let entries = parts.iter().map(|part| self.repeat(part, next));
                let entries = entries.collect::<Result<Vec<_>, _>>()?;
                self.add(Step::Split(entries))
            }
            Term::Element(_) | Term::Any(_) | Term::All(_) => {
                Err("an all group below another group".to_owned())
            }
        }
    }

    fn add(&mut self, step: Step) -> Result<usize, String> {
        if self.steps.len() >= STEPS_MAX {
            return Err(format!("a content model of more than {STEPS_MAX} steps"));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    /// The ways of empty content.
    pub(crate) fn begin(&self) -> Ways {
        let mut ways = Ways {
            ways: Vec::new(),
            may_end: false,
        };
        self.enter(self.start, &mut ways);
        ways
    }

    /// Follows splits from a step.
    fn enter(&self, start: usize, into: &mut Ways) {
        let mut pending = vec![start];
        let mut seen = vec![false; self.steps.len()];
        while let Some(step) = pending.pop() {
            if std::mem::replace(&mut seen[step], true) {
                continue;
            }
            match &self.steps[step] {
                Step::Accept => into.may_end = true,
                Step::Split(entries) => pending.extend(entries.iter().rev()),
                Step::Take(..) => into.add(step, 0),
            }
        }
    }

    /// Reads an element: the ways that go on, and what it was taken for.
    ///
    /// # Errors
    /// The names of the elements that could have stood there.
    pub(crate) fn read(
        &self,
        ways: &Ways,
        name: &Name,
        schema: &Schema,
    ) -> Result<(Ways, Leaf), String> {
        let mut next = Ways {
            ways: Vec::with_capacity(ways.ways.len()),
            may_end: false,
        };
        let mut taken: Option<Leaf> = None;
        for (step, count) in &ways.ways {
            let Step::Take(leaf, occurs, then) = &self.steps[*step] else {
                continue;
            };
            let fits = match leaf {
                Leaf::Element(id) => schema.standing_for(*id, name).map(Leaf::Element),
                Leaf::Any(wildcard) => wildcard.admits(name).then(|| leaf.clone()),
            };
            let Some(found) = fits else {
                continue;
            };
            // A declaration goes before a wildcard.
            if taken.is_none() || matches!(taken, Some(Leaf::Any(_))) {
                taken = Some(found);
            }
            let count = count.saturating_add(1);
            if occurs.most.is_none_or(|most| count < most) {
                // Without an end, only the least matters.
                let kept = if occurs.most.is_none() {
                    count.min(occurs.least)
                } else {
                    count
                };
                next.add(*step, kept);
            }
            if count >= occurs.least {
                self.enter(*then, &mut next);
            }
        }
        match taken {
            Some(leaf) => Ok((next, leaf)),
            None => Err(self.expected(ways, schema)),
        }
    }

    /// What could follow, for messages.
    pub(crate) fn expected(&self, ways: &Ways, schema: &Schema) -> String {
        let mut names: Vec<String> = Vec::new();
        for (step, _) in &ways.ways {
            let Step::Take(leaf, ..) = &self.steps[*step] else {
                continue;
            };
            let name = match leaf {
                Leaf::Element(id) => schema.element(*id).name.local.to_string(),
                Leaf::Any(_) => "an element of another namespace".to_owned(),
            };
            if !names.contains(&name) {
                names.push(name);
            }
            if names.len() > EXPECTED_MAX {
                names.pop();
                names.push("…".to_owned());
                break;
            }
        }
        if ways.may_end {
            names.push("the end".to_owned());
        }
        names.join(" or ")
    }
}

impl Ways {
    fn add(&mut self, step: usize, count: u32) {
        if self.ways.len() < WAYS_MAX && !self.ways.contains(&(step, count)) {
            self.ways.push((step, count));
        }
    }
}
