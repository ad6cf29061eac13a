//! What stands in elements, learnt as states: which attributes and children in which order lead to which state, and which bytes
//! say so.
//!
//! Dumps repeat few shapes very often. At a known state the next name is known by one comparison, and at the end of an element
//! its state stands for the names of all that is in it, so that the way to write it is found without looking at them again.

use crate::names::{Id, Names};
use crate::simd::{Isa, Pattern};

/// Number of a state.
pub type State = u32;

/// Before a record.
pub const OUTSIDE: State = 0;
/// Inside an element of which too much was seen to remember it: before and after its first child.
const LOST_EMPTY: State = 1;
const LOST: State = 2;

/// Limits of what is learnt.
const STATES_MAX: usize = 8192;
const EDGES_MAX: usize = 16384;
/// Ways out of one state; they are tried one after another.
const EDGES_OF_STATE_MAX: u8 = 32;
/// Attributes and children of an element.
const MEMBERS_MAX: u16 = 64;
const NONE: u32 = u32::MAX;
/// Ways to write an object, as in [`crate::plan::Mode`].
const MODES: usize = 3;

/// The children of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// None.
    Empty,
    /// One, and no attributes.
    One,
    /// More of one name, and no attributes.
    Many,
    Mixed,
}

/// What stands behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `="`: an attribute.
    Attribute,
    /// `>`: an element without attributes.
    Open,
    /// White space or `/`: there may be attributes.
    Attributed,
    /// `/>`: an element with nothing.
    Empty,
}

/// A way from one state to the next.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Edge {
    pattern: Pattern,
    next: u32,
    /// The state it leads to.
    pub to: State,
    /// The state that a child begins in.
    pub inside: State,
    pub name: Id,
    pub kind: Kind,
}

impl Edge {
    /// Bytes of the name and what stands behind it.
    #[inline(always)]
    pub fn bytes(&self) -> usize {
        self.pattern.len as usize
    }
}

#[repr(align(32))]
struct Place {
    /// The first ways out, by attribute and by child.
    edges: [u32; 2],
    /// Numbers of plans; only of states that stand for one shape.
    plans: [u32; MODES],
    /// Attributes and children up to here.
    members: u16,
    /// Name of the children, where all have one.
    of: Id,
    /// Ways out.
    count: u8,
    content: Content,
    attributes: bool,
    one_shape: bool,
}

/// The states learnt so far.
pub struct Shapes {
    places: Vec<Place>,
    edges: Vec<Edge>,
    /// The states that elements begin in, by name.
    starts: Vec<State>,
}

impl Default for Shapes {
    fn default() -> Self {
        let place =
            |content, one_shape| Place { edges: [NONE; 2], count: 0, members: 0, content, attributes: false, of: Id::MAX, plans: [NONE; MODES], one_shape };
        Self { places: vec![place(Content::Mixed, false), place(Content::Empty, false), place(Content::Mixed, false)], edges: Vec::new(), starts: Vec::new() }
    }
}

impl Shapes {
    /// The children that a state stands for.
    ///
    /// # Safety
    /// The state is of these shapes; so for all functions here.
    #[inline(always)]
    pub unsafe fn content(&self, state: State) -> Content {
        // SAFETY: the caller's.
        unsafe { self.places.get_unchecked(state as usize) }.content
    }

    /// The plan kept for a state.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    pub unsafe fn plan(&self, state: State, mode: usize) -> Option<usize> {
        // SAFETY: the caller's.
        let plan = unsafe { self.places.get_unchecked(state as usize) }.plans[mode];
        (plan != NONE).then_some(plan as usize)
    }

    /// Keeps a plan, if the state stands for one shape.
    pub fn keep_plan(&mut self, state: State, mode: usize, plan: usize) -> bool {
        let place = &mut self.places[state as usize];
        if place.one_shape {
            place.plans[mode] = plan as u32;
        }
        place.one_shape
    }

    /// The known way on from `state` by the name at `p`.
    ///
    /// # Safety
    /// As above; 32 bytes at `p` are readable.
    #[inline(always)]
    pub unsafe fn find<I: Isa>(&self, state: State, attribute: bool, p: *const u8) -> Option<&Edge> {
        // SAFETY: the caller's; edges and states are numbered by their places.
        unsafe {
            let mut at = self.places.get_unchecked(state as usize).edges[!attribute as usize];
            while at != NONE {
                let edge = self.edges.get_unchecked(at as usize);
                if I::matches(p, &edge.pattern) {
                    return Some(edge);
                }
                at = edge.next;
            }
        }
        None
    }

    /// The way on by the name at the start of `bytes` where none was known; None if it is no plain name.
    #[inline(never)]
    pub fn learn(&mut self, names: &mut Names, state: State, attribute: bool, bytes: &[u8; 32]) -> Option<Edge> {
        let ends = |b: u8| if attribute { b == b'=' } else { b == b'>' || b == b'/' || b <= b' ' };
        let len = bytes.iter().position(|&b| ends(b))?;
        let (bytes, behind) = (&bytes[..len], &bytes[len..]);
        let name = names.intern(bytes)?;
        let (kind, sign): (Kind, &[u8]) = match behind {
            _ if attribute => (Kind::Attribute, b"=\""),
            [b'>', ..] => (Kind::Open, b">"),
            [b'/', b'>', ..] => (Kind::Empty, b"/>"),
            _ => (Kind::Attributed, b" "),
        };
        let to = self.follow(state, name, attribute);
        let inside = if attribute { LOST_EMPTY } else { self.start(name) };
        // What is not the usual sign is told by the caller, each time.
        let usual = behind.starts_with(sign);
        let mut edge = Edge { pattern: Pattern::new(&[bytes, if usual { sign } else { b"" }]), next: NONE, to, inside, name, kind };
        let place = &mut self.places[state as usize];
        let lost = matches!(state, LOST | LOST_EMPTY);
        if usual && !lost && place.count < EDGES_OF_STATE_MAX && self.edges.len() < EDGES_MAX {
            place.count += 1;
            let first = &mut place.edges[!attribute as usize];
            // Behind those that are known: what came first is what comes most often.
            let number = self.edges.len() as u32;
            match last(&self.edges, *first) {
                None => *first = number,
                Some(last) => self.edges[last].next = number,
            }
            edge.next = NONE;
            self.edges.push(edge);
        }
        Some(edge)
    }

    /// The state that an element of this name begins in.
    fn start(&mut self, name: Id) -> State {
        if self.starts.len() <= name as usize {
            self.starts.resize(name as usize + 1, NONE);
        }
        if self.starts[name as usize] == NONE {
            self.starts[name as usize] = self.add(Place {
                edges: [NONE; 2],
                count: 0,
                members: 0,
                content: Content::Empty,
                attributes: false,
                of: Id::MAX,
                plans: [NONE; MODES],
                one_shape: true,
            });
        }
        self.starts[name as usize]
    }

    /// The state behind an attribute or child of this name.
    fn follow(&mut self, state: State, name: Id, attribute: bool) -> State {
        let place = &self.places[state as usize];
        match state {
            OUTSIDE => return OUTSIDE,
            LOST_EMPTY if attribute => return LOST_EMPTY,
            LOST | LOST_EMPTY => return LOST,
            _ => {}
        }
        let mut at = place.edges[!attribute as usize];
        while at != NONE {
            let edge = &self.edges[at as usize];
            if edge.name == name {
                return edge.to;
            }
            at = edge.next;
        }
        let lost = if attribute { LOST_EMPTY } else { LOST };
        let content = match place.content {
            Content::Empty if attribute => Content::Empty,
            Content::Empty if !place.attributes => Content::One,
            Content::Many if place.of == name => return state,
            // How many there were is forgotten.
            Content::Many => return LOST,
            Content::One if place.of == name => Content::Many,
            _ => Content::Mixed,
        };
        if place.members >= MEMBERS_MAX || place.count >= EDGES_OF_STATE_MAX {
            return lost;
        }
        let (members, attributes) = (place.members + 1, place.attributes || attribute);
        match self.add(Place { edges: [NONE; 2], count: 0, members, content, attributes, of: name, plans: [NONE; MODES], one_shape: content != Content::Many })
        {
            LOST_EMPTY => lost,
            new => new,
        }
    }

    fn add(&mut self, place: Place) -> State {
        if self.places.len() >= STATES_MAX {
            return LOST_EMPTY;
        }
        self.places.push(place);
        self.places.len() as State - 1
    }
}

/// The last edge of a chain.
fn last(edges: &[Edge], first: u32) -> Option<usize> {
    let mut found = None;
    let mut at = first;
    while at != NONE {
        found = Some(at as usize);
        at = edges[at as usize].next;
    }
    found
}
