//! Lists that are read page by page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How many items a page may hold: for clients 1 to 500, by default 50.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct PageLimit(u32);

/// The page size is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 500")]
pub struct PageLimitError;

impl PageLimit {
    /// As many as there may be.
    pub const MOST: Self = Self(500);

    /// How many items the service itself reads at a time where it streams a whole list.
    pub const STREAM: Self = Self(4_000);

    /// The number of items.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<String> for PageLimit {
    type Error = PageLimitError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
            .map_err(|_| PageLimitError)
            .and_then(|limit: u32| Self::try_from(limit))
    }
}

impl TryFrom<u32> for PageLimit {
    type Error = PageLimitError;

    fn try_from(limit: u32) -> Result<Self, Self::Error> {
        if (1..=500).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(PageLimitError)
        }
    }
}

/// The order of a list by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Oldest first.
    #[default]
    Asc,
    /// Newest first.
    Desc,
}

/// Where the next page begins: the key of the last item of this one, opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<K>(pub K);

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor of this list: take it from next_cursor of the page before")]
pub struct CursorError;

impl<K: DeserializeOwned> Cursor<K> {
    /// Reads what [`Cursor::encode`] wrote.
    pub fn parse(text: &str) -> Result<Self, CursorError> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        serde_json::from_slice(&json)
            .map(Self)
            .map_err(|_| CursorError)
    }
}

impl<K: Serialize> Cursor<K> {
    /// The text that clients hand back.
    #[must_use]
    pub fn encode(&self) -> String {
        // Keys are plain tuples and identifiers, which always have a form in JSON.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&self.0).unwrap_or_default())
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Cursor<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A page of a list, and where the next one begins if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The items of this page, in order.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next: Option<Cursor<K>>,
}

impl<T, K> Page<T, K> {
    /// Makes a page of up to `limit` items out of a list that was fetched with one item more.
    #[must_use]
    pub fn cut(mut items: Vec<T>, limit: PageLimit, key: impl Fn(&T) -> K) -> Self {
        let limit = limit.get() as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| Cursor(key(last)));
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_and_nonsense_does_not() {
        let cursor = Cursor(("2026-01-01T00:00:00Z".to_owned(), 7_i32));
        assert_eq!(Cursor::parse(&cursor.encode()), Ok(cursor));
        for text in ["", "x", "e30", "bnVsbA", "é"] {
            assert_eq!(
                Cursor::<(String, i32)>::parse(text),
                Err(CursorError),
                "{text}"
            );
        }
    }

    #[test]
    fn a_page_knows_whether_there_is_more() {
        let limit = PageLimit::try_from(2).unwrap();
        let page = Page::cut(vec![1, 2, 3], limit, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(Cursor(2))));
        assert_eq!(Page::cut(vec![1, 2], limit, |n| *n).next, None);
    }
}
