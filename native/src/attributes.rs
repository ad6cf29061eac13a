//! Attributes of a tag, read as leniently as upstream's parser does.

/// XML white space, as the tag grammar knows it.
pub fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

/// An attribute of a tag; `value` is None where it has no quotes or no value, which still claims the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    pub name: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// Iterates over the attributes in `tag`, the bytes between an element's name and the tag's end.
pub struct Attributes<'a> {
    tag: &'a [u8],
    at: usize,
}

impl<'a> Attributes<'a> {
    pub fn new(tag: &'a [u8]) -> Self {
        Self { tag, at: 0 }
    }

    fn skip_space(&mut self) {
        while self.tag.get(self.at).is_some_and(|&b| is_space(b)) {
            self.at += 1;
        }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        self.skip_space();
        let start = self.at;
        if start >= self.tag.len() {
            return None;
        }
        while self.tag.get(self.at).is_some_and(|&b| b != b'=' && !is_space(b)) {
            self.at += 1;
        }
        let name = &self.tag[start..self.at];
        self.skip_space();
        if self.tag.get(self.at) != Some(&b'=') {
            return Some(Attribute { name, value: None });
        }
        self.at += 1;
        self.skip_space();
        let value = match self.tag.get(self.at) {
            Some(&quote @ (b'"' | b'\'')) => {
                let from = self.at + 1;
                match memchr::memchr(quote, &self.tag[from..]) {
                    Some(n) => {
                        self.at = from + n + 1;
                        Some(&self.tag[from..from + n])
                    }
                    None => {
                        self.at = self.tag.len();
                        None
                    }
                }
            }
            _ => {
                while self.tag.get(self.at).is_some_and(|&b| !is_space(b)) {
                    self.at += 1;
                }
                None
            }
        };
        Some(Attribute { name, value })
    }
}

/// Splits the bytes between `<` and `>` of a start tag into name, attribute bytes and whether it is self-closing.
pub fn split_tag(inner: &[u8]) -> (&[u8], &[u8], bool) {
    let (inner, empty) = match inner.split_last() {
        Some((b'/', rest)) => (rest, true),
        _ => (inner, false),
    };
    let end = inner.iter().position(|&b| is_space(b)).unwrap_or(inner.len());
    (&inner[..end], &inner[end..], empty)
}
