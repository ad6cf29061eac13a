//! What is extracted, and in which of the two dialects.

/// The four kinds of dump.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    Artists,
    Labels,
    Masters,
    Releases,
}

impl DataType {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "artists" => Some(Self::Artists),
            "labels" => Some(Self::Labels),
            "masters" => Some(Self::Masters),
            "releases" => Some(Self::Releases),
            _ => None,
        }
    }

    /// The name of a record's element.
    pub fn record_name(self) -> &'static str {
        match self {
            Self::Artists => "artist",
            Self::Labels => "label",
            Self::Masters => "master",
            Self::Releases => "release",
        }
    }

    /// Masters and releases carry their id in an attribute, artists and labels in a child.
    pub fn has_attribute_id(self) -> bool {
        matches!(self, Self::Masters | Self::Releases)
    }
}

/// The two dialects of a message body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contract {
    /// Text trimmed, attributes raw, no normalisation.
    Topic,
    /// Text as it stands, attributes resolved, fields normalised by type.
    Fanout,
}

impl Contract {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "topic" => Some(Self::Topic),
            "fanout" => Some(Self::Fanout),
            _ => None,
        }
    }
}
