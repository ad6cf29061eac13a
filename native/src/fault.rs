//! Why work on a file ends for good, and why a single record is rejected.

use std::fmt;

/// Error code of a fatal fault, as TypeScript spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Unreadable,
    Corrupt,
    Malformed,
    TooLarge,
    /// The record index or a ledger is damaged.
    IndexCorrupt,
    IndexUnreadable,
    IndexUnwritable,
    /// More odd or repeated ids than the limit.
    IndexTooLarge,
    IndexTooNew,
    /// A ledger belongs to another run or another index.
    LedgerMismatch,
    Internal,
    /// Not an error: the source was told to stop.
    Stopped,
}

impl Code {
    /// The code's spelling in `src/errors.ts`.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Unreadable => "SOURCE_UNREADABLE",
            Code::Corrupt => "SOURCE_CORRUPT",
            Code::Malformed => "SOURCE_MALFORMED",
            Code::TooLarge => "SOURCE_TOO_LARGE",
            Code::IndexCorrupt => "INDEX_CORRUPT",
            Code::IndexUnreadable => "INDEX_UNREADABLE",
            Code::IndexUnwritable => "INDEX_UNWRITABLE",
            Code::IndexTooLarge => "INDEX_TOO_LARGE",
            Code::IndexTooNew => "STATE_TOO_NEW",
            Code::LedgerMismatch => "LEDGER_MISMATCH",
            Code::Internal => "INTERNAL",
            Code::Stopped => "STOPPED",
        }
    }
}

/// A fatal fault of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    /// What is wrong, in words.
    pub message: String,
    /// Inflated byte offset where it was noticed.
    pub offset: u64,
}

impl Fault {
    pub fn new(code: Code, offset: u64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), offset }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.offset)
    }
}

/// Why one record, or a stretch between records, is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EndTagMismatch,
    RecordNotClosed,
    TagNotClosed,
    BadMarkup,
    StrayEndTag,
    StrayText,
    ForeignElement,
    RecordTooLarge,
    TooDeep,
    TooManyAttributes,
    NameTooLong,
}

impl Kind {
    /// The stable word for the kind, as it stands in rejects files.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::EndTagMismatch => "end-tag-mismatch",
            Kind::RecordNotClosed => "record-not-closed",
            Kind::TagNotClosed => "tag-not-closed",
            Kind::BadMarkup => "bad-markup",
            Kind::StrayEndTag => "stray-end-tag",
            Kind::StrayText => "stray-text",
            Kind::ForeignElement => "foreign-element",
            Kind::RecordTooLarge => "record-too-large",
            Kind::TooDeep => "too-deep",
            Kind::TooManyAttributes => "too-many-attributes",
            Kind::NameTooLong => "name-too-long",
        }
    }

    /// The kind in words.
    pub fn describe(self) -> &'static str {
        match self {
            Kind::EndTagMismatch => "an end tag does not match the open element",
            Kind::RecordNotClosed => "the next record starts before this one is closed",
            Kind::TagNotClosed => "a tag is not closed",
            Kind::BadMarkup => "markup that is neither a tag, a comment, CDATA nor a processing instruction",
            Kind::StrayEndTag => "an end tag between records closes nothing",
            Kind::StrayText => "text between records",
            Kind::ForeignElement => "an element between records that is not a record",
            Kind::RecordTooLarge => "the record is larger than the record limit",
            Kind::TooDeep => "elements nest deeper than the depth limit",
            Kind::TooManyAttributes => "an element has more attributes than the limit",
            Kind::NameTooLong => "a name is longer than the limit",
        }
    }
}
