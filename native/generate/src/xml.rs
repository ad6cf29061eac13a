//! Writes XML in the byte form of the dumps.

use crate::Form;

/// A growing piece of a dump.
pub struct Xml {
    pub out: Vec<u8>,
    pub form: Form,
}

impl Xml {
    pub fn new(form: Form) -> Xml {
        Xml { out: Vec::new(), form }
    }

    #[inline]
    pub fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    #[inline]
    pub fn open(&mut self, tag: &str) {
        self.out.push(b'<');
        self.raw(tag);
        self.out.push(b'>');
    }

    #[inline]
    pub fn close(&mut self, tag: &str) {
        self.raw("</");
        self.raw(tag);
        self.out.push(b'>');
    }

    /// An element with text; empty text is written out.
    pub fn leaf(&mut self, tag: &str, text: &str) {
        self.open(tag);
        self.text(text);
        self.close(tag);
    }

    /// An element with text that only the older form writes when there is no text.
    pub fn optional(&mut self, tag: &str, text: &str) {
        if !text.is_empty() || self.form == Form::Form2020 {
            self.leaf(tag, text);
        }
    }

    pub fn number(&mut self, tag: &str, value: u64) {
        self.open(tag);
        self.digits(value);
        self.close(tag);
    }

    /// A container without content: only the older form has it.
    pub fn no(&mut self, tag: &str) {
        if self.form == Form::Form2020 {
            self.out.push(b'<');
            self.raw(tag);
            self.raw("/>");
        }
    }

    pub fn digits(&mut self, value: u64) {
        let mut buffer = [0u8; 20];
        let mut at = buffer.len();
        let mut left = value;
        loop {
            at -= 1;
            buffer[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.out.extend_from_slice(&buffer[at..]);
    }

    /// Begins a start tag that gets attributes.
    pub fn start(&mut self, tag: &str) {
        self.out.push(b'<');
        self.raw(tag);
    }

    pub fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(b' ');
        self.raw(name);
        self.raw("=\"");
        self.escape(value, true);
        self.out.push(b'"');
    }

    pub fn attribute_number(&mut self, name: &str, value: u64) {
        self.out.push(b' ');
        self.raw(name);
        self.raw("=\"");
        self.digits(value);
        self.out.push(b'"');
    }

    pub fn text(&mut self, text: &str) {
        self.escape(text, false);
    }

    fn escape(&mut self, text: &str, attribute: bool) {
        let bytes = text.as_bytes();
        let mut from = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            let reference: &[u8] = match byte {
                b'&' => b"&amp;",
                b'<' => b"&lt;",
                b'>' => b"&gt;",
                b'\r' => b"&#13;",
                b'"' if attribute => b"&quot;",
                b'\t' if attribute => b"&#9;",
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[from..at]);
            self.out.extend_from_slice(reference);
            from = at + 1;
        }
        self.out.extend_from_slice(&bytes[from..]);
    }
}
