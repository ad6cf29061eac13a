//! Records made up for tests: as Discogs writes them, and odd ones that are accepted all the same.

use deadwax_native::contract::DataType;

use super::random::Rng;

const WORDS: &[&[u8]] = &[
    b"a",
    b"The",
    "Jesper Dahlb\u{e4}ck".as_bytes(),
    "\u{65e5}\u{672c}\u{8a9e}".as_bytes(),
    "\u{1f3b5} x".as_bytes(),
    b"12&quot;",
    b"it's",
    b"R &amp; B",
    b"&lt;b&gt;",
    b"A &gt; B",
    b"line\nline",
    b"tab\there",
    b" padded ",
    b"back\\slash",
    b"say \"x\"",
    b"",
    b"?",
    b"http://x.y/?a=1&amp;b=2",
    b"&#13;",
    b"[a=Svek]",
];

/// Child elements of each type that hold text, and those that hold others.
const LEAVES: &[&[u8]] = &[b"name", b"title", b"profile", b"data_quality", b"country", b"notes", b"year", b"realname", b"main_release"];
const LISTS: &[(&[u8], &[u8])] = &[
    (b"urls", b"url"),
    (b"genres", b"genre"),
    (b"styles", b"style"),
    (b"members", b"name"),
    (b"aliases", b"name"),
    (b"groups", b"name"),
    (b"sublabels", b"label"),
    (b"labels", b"label"),
    (b"artists", b"artist"),
    (b"extraartists", b"artist"),
    (b"formats", b"format"),
    (b"images", b"image"),
    (b"tracklist", b"track"),
    (b"series", b"series"),
];

fn text(rng: &mut Rng, out: &mut Vec<u8>) {
    for i in 0..rng.few(4) {
        if i > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(rng.pick(WORDS));
    }
    if rng.one_in(20) {
        out.extend(std::iter::repeat_n(b'x', rng.below(200)));
    }
}

fn leaf(rng: &mut Rng, name: &[u8], attributes: &[&[u8]], out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name);
    for attribute in attributes {
        if rng.one_in(4) {
            continue;
        }
        out.push(b' ');
        out.extend_from_slice(attribute);
        out.extend_from_slice(b"=\"");
        if rng.one_in(3) {
            out.extend_from_slice(rng.below(100_000).to_string().as_bytes());
        } else {
            let from = out.len();
            text(rng, out);
            for b in &mut out[from..] {
                if *b == b'"' {
                    *b = b'\'';
                }
            }
        }
        out.push(b'"');
    }
    if rng.one_in(6) {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    text(rng, out);
    out.extend_from_slice(&[b"</", name, b">"].concat());
}

/// A record as Discogs writes it, with text that it might hold.
pub fn plain(rng: &mut Rng, data_type: DataType, out: &mut Vec<u8>) {
    let name = data_type.record_name();
    let id = rng.below(1_000_000);
    out.push(b'<');
    out.extend_from_slice(name);
    if data_type.has_attribute_id() {
        out.extend_from_slice(format!(" id=\"{id}\"").as_bytes());
        if rng.one_in(2) {
            out.extend_from_slice(b" status=\"Accepted\"");
        }
        out.push(b'>');
    } else {
        out.extend_from_slice(format!("><id>{id}</id>").as_bytes());
    }
    for _ in 0..rng.few(6) {
        if rng.one_in(2) {
            let leaf_name = rng.pick(LEAVES);
            leaf(rng, leaf_name, &[], out);
            continue;
        }
        let (list, item) = LISTS[rng.below(LISTS.len())];
        out.extend_from_slice(&[b"<", list, b">"].concat());
        for _ in 0..rng.few(4) {
            if rng.one_in(3) && item == b"artist" {
                out.extend_from_slice(format!("<artist><id>{}</id><name>", rng.below(999)).as_bytes());
                text(rng, out);
                out.extend_from_slice(b"</name><anv/><join></join></artist>");
            } else {
                leaf(rng, item, &[b"id", b"name", b"catno"], out);
            }
        }
        out.extend_from_slice(&[b"</", list, b">"].concat());
    }
    if data_type == DataType::Releases && rng.one_in(3) {
        leaf(rng, b"master_id", &[b"is_main_release"], out);
    }
    if data_type == DataType::Labels && rng.one_in(3) {
        leaf(rng, b"parentLabel", &[b"id"], out);
    }
    out.extend_from_slice(&[b"</", name, b">"].concat());
}

const NAMES: &[&[u8]] = &[
    b"id",
    b"name",
    b"title",
    b"artist",
    b"label",
    b"master",
    b"release",
    b"artists",
    b"labels",
    b"sublabels",
    b"parentLabel",
    b"members",
    b"genres",
    b"genre",
    b"formats",
    b"format",
    b"master_id",
    b"type",
    b"sha256",
    b"x",
    b"Z",
    b"_",
    b"a-b",
    b"a.b",
    b"q:a",
    "\u{e9}".as_bytes(),
    b"@id",
    b"@name",
    b"#text",
    b"a\xff",
    b"\0",
    b"artistx",
    b"labe",
    b"a\"b",
    b"a'b",
    b"averylongnameofmorethanthirtytwobytesinall",
    b"sixteenbyteslong",
    b"seventeenbyteslon",
    b"twentyfourbyteslongname0",
];
const CHUNKS: &[&[u8]] = &[
    b"a",
    b" ",
    b"\t",
    b"\r\n ",
    b"\n",
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{2003}".as_bytes(),
    "\u{feff}".as_bytes(),
    b"\x0b",
    b"\x1c",
    "\u{1f3b5}".as_bytes(),
    b"\"",
    b"'",
    b"\\",
    b"/",
    b">",
    b"]]>",
    b"-->",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b";",
    b"=",
    b"&amp;",
    b"&lt;",
    b"&#65;",
    b"&#x41;",
    b"&#10;",
    b"&#32;",
    b"&#xa0;",
    b"&#x1f;",
    b"&#0;",
    b"&#;",
    b"&#X41;",
    b"&#+65;",
    b"&#xD800;",
    b"&#x110000;",
    b"&#99999999999;",
    b"&nbsp;",
    b"&;",
    b"&",
    b"& b;",
    b"&amp",
    b"&\xff;",
];
const HIDDEN: &[&[u8]] = &[
    b"",
    b"x",
    b"</artist>",
    b"<label>",
    b"\n<artist>",
    b"\n<label>",
    b"\n</labels>",
    b"\n</artists>",
    b"<!--",
    b"&amp;",
    b"\xff",
    b" ",
    b"--",
    b"]]",
    b"<?",
    b"\"",
    b">",
    b"</release>",
    b"<master",
];

fn hidden(rng: &mut Rng, open: &[u8], close: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(open);
    for _ in 0..rng.few(3) {
        out.extend_from_slice(rng.pick(HIDDEN));
    }
    out.push(b' ');
    out.extend_from_slice(close);
}

/// A comment or processing instruction.
pub fn aside(rng: &mut Rng, out: &mut Vec<u8>) {
    if rng.one_in(2) {
        hidden(rng, b"<!--", b"-->", out);
    } else {
        hidden(rng, b"<?p ", b"?>", out);
    }
}

fn odd_attributes(rng: &mut Rng, out: &mut Vec<u8>) {
    for _ in 0..rng.few(4) {
        out.extend_from_slice(rng.pick(&[b" ", b"  ", b"\t", b"\r\n "]));
        out.extend_from_slice(rng.pick(NAMES));
        match rng.below(8) {
            0 => out.extend_from_slice(b"=1 "),
            1 => out.push(b' '),
            n => {
                let quote = if n < 5 { b'"' } else { b'\'' };
                out.extend_from_slice(rng.pick(&[b"=", b"=", b" = ", b"=\t"]));
                out.push(quote);
                for _ in 0..rng.few(4) {
                    let chunk = rng.pick(CHUNKS);
                    out.extend(chunk.iter().filter(|&&b| b != quote));
                    if rng.one_in(12) {
                        out.extend_from_slice(rng.pick(&[b"<", b"</a>", b"/>", b"\n<artist>", b"<label>"]));
                    }
                }
                out.push(quote);
            }
        }
    }
}

fn odd_element(rng: &mut Rng, name: &[u8], depth: usize, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name);
    odd_attributes(rng, out);
    if rng.one_in(8) {
        out.extend_from_slice(b"/>");
        return;
    }
    out.push(b'>');
    for _ in 0..rng.few(5) {
        match rng.below(10) {
            0 => hidden(rng, b"<![CDATA[", b"]]>", out),
            1 => aside(rng, out),
            2..=5 if depth < 5 => {
                let child = rng.pick(NAMES);
                odd_element(rng, child, depth + 1, out);
            }
            _ => out.extend_from_slice(rng.pick(CHUNKS)),
        }
    }
    out.extend_from_slice(b"</");
    out.extend_from_slice(name);
    if rng.one_in(6) {
        out.push(b'\n');
    }
    out.push(b'>');
}

/// A record that is accepted although Discogs would never write it (mostly: some of the pieces break it).
pub fn odd(rng: &mut Rng, data_type: DataType, out: &mut Vec<u8>) {
    odd_element(rng, data_type.record_name(), 0, out);
}
