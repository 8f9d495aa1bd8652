//! Where the policy language takes one text or a list of them.

use serde::Deserialize;

/// One text, or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn any(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.texts().iter().any(|text| holds(text))
    }

    pub(crate) fn all(&self, holds: impl Fn(&str) -> bool) -> bool {
        self.texts().iter().all(|text| holds(text))
    }

    fn texts(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}
