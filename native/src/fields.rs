//! The fields of a record that the fanout contract changes, from tape to JSON.

use crate::contract::Field;
use crate::emit::{Emitter, Engine};
use crate::plan::Mode;
use crate::shapes::Content;
use crate::tape::Node;
use crate::write::{NULL, put_bytes};

impl Emitter {
    /// Writes the value of a record's field that the contract changes; None if it comes out empty.
    #[inline(always)]
    pub(crate) unsafe fn field<I: Engine>(&mut self, x: *const u8, i: u32, field: Field, o: *mut u8) -> Option<*mut u8> {
        // SAFETY: the caller's.
        unsafe {
            let node = *self.tape.nodes.get_unchecked(i as usize);
            let leaf = node.is_leaf();
            Some(match field {
                Field::Items(_) | Field::Unwrap(_) | Field::UnwrapStrip(_) if leaf => return self.lone::<I>(x, &node, field, o),
                Field::Items(key) | Field::Unwrap(key) | Field::UnwrapStrip(key) => return self.list::<I>(x, i, &node, key, field, o),
                Field::Strip | Field::MasterId if leaf => self.value::<I>(x, i, o),
                Field::Strip => I::object(self, x, i, Mode::Stripped, o),
                Field::MasterId if node.content != Content::Empty => {
                    self.odd = true;
                    o
                }
                Field::MasterId => match self.text::<I>(x, node.text, o) {
                    (end, false) => end,
                    (_, true) => I::object(self, x, i, Mode::Plain, o),
                },
            })
        }
    }

    /// A list field that is only text: a list of one, or nothing.
    #[inline(always)]
    unsafe fn lone<I: Engine>(&mut self, x: *const u8, node: &Node, field: Field, o: *mut u8) -> Option<*mut u8> {
        // SAFETY: the caller's.
        unsafe {
            let wrap = matches!(field, Field::Items(_));
            let o = put_bytes(o, if wrap { b"[{\"id\":" } else { b"[" });
            let (end, null) = self.text::<I>(x, node.text, o);
            let end = put_bytes(end, if wrap { b"}]" } else { b"]" });
            (!null).then_some(end)
        }
    }

    #[inline(always)]
    unsafe fn list<I: Engine>(&mut self, x: *const u8, i: u32, node: &Node, key: &[u8], field: Field, list: *mut u8) -> Option<*mut u8> {
        // SAFETY: the caller's.
        unsafe {
            let mut o = list;
            let (mut count, mut null) = (0, false);
            let mut c = i + 1;
            let uniform = node.content != Content::Mixed;
            while c < node.end {
                let child = *self.tape.nodes.get_unchecked(c as usize);
                if (uniform && count > 0) || self.names.get(child.name).bytes == key {
                    count += 1;
                    *o = b',';
                    o = o.add(1);
                    let leaf = child.is_leaf();
                    o = match field {
                        Field::Items(_) if leaf => {
                            let begin = put_bytes(o, b"{\"id\":");
                            let (end, is_null) = self.text::<I>(x, child.text, begin);
                            null = is_null;
                            if is_null { put_bytes(o, NULL) } else { put_bytes(end, b"}") }
                        }
                        Field::Unwrap(_) if !leaf => I::object(self, x, c, Mode::Plain, o),
                        _ if !leaf => I::object(self, x, c, Mode::Stripped, o),
                        _ => {
                            let (end, is_null) = self.text::<I>(x, child.text, o);
                            null = is_null;
                            end
                        }
                    };
                } else if uniform {
                    break;
                }
                c = child.end;
            }
            // A single null is as good as nothing.
            if count == 0 || (count == 1 && null) {
                return None;
            }
            *list = b'[';
            *o = b']';
            Some(o.add(1))
        }
    }
}
