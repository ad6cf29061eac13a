//! The data types and the two dialects of message bodies.

/// One of the four files of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    Artists,
    Labels,
    Masters,
    Releases,
}

impl DataType {
    pub const ALL: [DataType; 4] = [DataType::Artists, DataType::Labels, DataType::Masters, DataType::Releases];

    /// The type's name, which is also its root element's.
    pub fn as_str(self) -> &'static str {
        match self {
            DataType::Artists => "artists",
            DataType::Labels => "labels",
            DataType::Masters => "masters",
            DataType::Releases => "releases",
        }
    }

    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str().as_bytes() == name)
    }

    /// Name of the record element.
    pub fn record_name(self) -> &'static [u8] {
        let name = self.as_str().as_bytes();
        &name[..name.len() - 1]
    }

    /// The one element in which an element of the record's name is a child and not a new record.
    pub fn nesting_container(self) -> Option<&'static [u8]> {
        matches!(self, DataType::Labels).then_some(b"sublabels")
    }

    /// Whether the id is an attribute of the record (and gets a plain copy in the topic contract).
    pub fn has_attribute_id(self) -> bool {
        matches!(self, DataType::Masters | DataType::Releases)
    }
}

/// The dialect of the bodies: `Topic` keeps the XML's shape, `Fanout` is normalised per data type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contract {
    Topic,
    Fanout,
}

/// What the fanout contract does with one field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// A list of objects; strings become `{"id": string}`, attributes lose their `@`.
    Items(&'static [u8]),
    /// A list taken as it is.
    Unwrap(&'static [u8]),
    /// A list whose objects lose their `@`.
    UnwrapStrip(&'static [u8]),
    /// An object that loses its `@`.
    Strip,
    /// The text of the element, or its `id`.
    MasterId,
}

/// The fields of `data_type` that the fanout contract changes.
pub fn fields(data_type: DataType) -> &'static [(&'static [u8], Field)] {
    use Field::*;
    match data_type {
        DataType::Artists => &[(b"members", Items(b"name")), (b"groups", Items(b"name")), (b"aliases", Items(b"name"))],
        DataType::Labels => &[(b"parentLabel", Strip), (b"sublabels", Items(b"label"))],
        DataType::Masters => &[(b"artists", Items(b"artist")), (b"genres", Unwrap(b"genre")), (b"styles", Unwrap(b"style"))],
        DataType::Releases => &[
            (b"artists", Items(b"artist")),
            (b"labels", Items(b"label")),
            (b"master_id", MasterId),
            (b"genres", Unwrap(b"genre")),
            (b"styles", Unwrap(b"style")),
            (b"extraartists", Items(b"artist")),
            (b"formats", UnwrapStrip(b"format")),
        ],
    }
}

/// Whether the fanout contract strips the record object itself.
pub fn strips_record(data_type: DataType) -> bool {
    data_type.has_attribute_id()
}
