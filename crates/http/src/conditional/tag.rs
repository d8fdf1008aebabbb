//! Entity tags: how they are made, and how the lists of them are read that clients send.

use crate::body::Coding;
use actix_web::http::header::{EntityTag, HeaderMap, HeaderName};
use sha2::{Digest, Sha256};

/// What a client has said of the tags that it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whatever there is.
    Any,
    /// Any of these.
    Some(Vec<EntityTag>),
}

/// The field is no list of entity tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What makes a tag strong: it is never the same for another answer, also not for one of another version of this
/// program.
pub(super) fn hash(content: &[u8]) -> u128 {
    let hash = Sha256::digest(content);
    u128::from_be_bytes(*hash.first_chunk().unwrap_or(&[0; 16]))
}

/// The tag of an answer with this hash in this coding. The version of the thing, where it has one, is what edits go by.
pub(super) fn of(version: Option<i32>, hash: u128, coding: Coding) -> EntityTag {
    let version = version.map_or_else(String::new, |version| format!("{version}-"));
    let coding = match coding {
        Coding::Identity => String::new(),
        packed @ (Coding::Gzip | Coding::Zstd) => format!("-{}", packed.name()),
    };
    EntityTag::new_strong(format!("{version}{hash:032x}{coding}"))
}

/// The version that a tag speaks of: all of it before the first hyphen, so that `"7"` says it, too.
pub(super) fn version(tag: &EntityTag) -> Option<i32> {
    let number = tag.tag().split('-').next().unwrap_or_default();
    // The hash of an answer without a version may have digits alone, but never so few.
    number.parse().ok()
}

impl Tags {
    /// Reads a field, which may be there several times (RFC 9110, sections 13.1.1 and 13.1.2); none where it is not.
    pub(super) fn read(headers: &HeaderMap, name: HeaderName) -> Result<Option<Self>, Unreadable> {
        if !headers.contains_key(&name) {
            return Ok(None);
        }
        let mut tags = Vec::new();
        let mut any = false;
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| Unreadable)?;
            if text.trim_matches([' ', '\t']) == "*" {
                any = true;
            } else {
                read(text, &mut tags)?;
            }
        }
        match (any, tags.is_empty()) {
            (false, _) => Ok(Some(Self::Some(tags))),
            (true, true) => Ok(Some(Self::Any)),
            (true, false) => Err(Unreadable),
        }
    }
}

/// Reads a list of tags. A comma may stand inside of one.
fn read(mut text: &str, tags: &mut Vec<EntityTag>) -> Result<(), Unreadable> {
    let blank = |c: char| matches!(c, ' ' | '\t' | ',');
    loop {
        text = text.trim_start_matches(blank);
        if text.is_empty() {
            return Ok(());
        }
        let opening = if text.starts_with("W/") { 2 } else { 0 };
        let inside = text.get(opening..).and_then(|it| it.strip_prefix('"'));
        let length = inside.and_then(|it| it.find('"')).ok_or(Unreadable)?;
        let (tag, rest) = text.split_at(opening + length + 2);
        tags.push(tag.parse().map_err(|_| Unreadable)?);
        let rest = rest.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(Unreadable);
        }
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::header::IF_MATCH, test::TestRequest};

    fn tags(values: &[&str]) -> Result<Option<Tags>, Unreadable> {
        let request = TestRequest::default();
        let request = values.iter().fold(request, |request, value| {
            request.append_header((IF_MATCH, *value))
        });
        Tags::read(request.to_http_request().headers(), IF_MATCH)
    }

    fn some(tags: &[(bool, &str)]) -> Tags {
        let tag = |(weak, tag): &(bool, &str)| EntityTag::new(*weak, (*tag).to_owned());
        Tags::Some(tags.iter().map(tag).collect())
    }

    #[test]
    fn lists_are_read_as_the_rfc_has_them() {
        assert_eq!(tags(&[]), Ok(None));
        assert_eq!(tags(&["*"]), Ok(Some(Tags::Any)));
        assert_eq!(tags(&[" * "]), Ok(Some(Tags::Any)));
        assert_eq!(tags(&["\"a\""]), Ok(Some(some(&[(false, "a")]))));
        assert_eq!(tags(&["W/\"a\""]), Ok(Some(some(&[(true, "a")]))));
        assert_eq!(
            tags(&["\"a,b\" ,, W/\"\",", "\"c\""]),
            Ok(Some(some(&[(false, "a,b"), (true, ""), (false, "c")])))
        );
        assert_eq!(tags(&[""]), Ok(Some(some(&[]))));
        for values in [
            &["a"][..],
            &["\"a"],
            &["\"a\"\"b\""],
            &["\"a\" \"b\""],
            &["w/\"a\""],
            &["W/ \"a\""],
            &["*, \"a\""],
            &["*", "\"a\""],
            &["\"a b\""],
            &["\"\u{e9}\""],
        ] {
            assert_eq!(tags(values), Err(Unreadable), "{values:?}");
        }
    }

    #[test]
    fn a_tag_has_its_version_and_its_coding() {
        let plain = of(Some(7), hash(b"x"), Coding::Identity);
        assert_eq!(version(&plain), Some(7));
        let packed = of(Some(7), hash(b"x"), Coding::Zstd);
        assert_eq!(packed.tag(), format!("{}-zstd", plain.tag()));
        assert_eq!(version(&packed), Some(7));
        assert_ne!(of(Some(7), hash(b"y"), Coding::Identity), plain);
        assert_eq!(version(&of(None, hash(b"x"), Coding::Gzip)), None);
        for (text, expected) in [("7", Some(7)), ("", None), ("x-7", None), ("-7", None)] {
            assert_eq!(version(&EntityTag::new_strong(text.to_owned())), expected);
        }
    }
}
