//! Users, and what they sign up and sign in with.

use crate::{
    Timestamp,
    device::present,
    id::id,
    password::{GivenPassword, Password},
};
use serde::{Deserialize, Serialize};

id!(
    /// Identifies a user.
    UserId
);

/// An e-mail address, lower-cased, of at most 254 characters (RFC 5321, erratum 1690).
///
/// Only the shape is checked: one `@`, something before it and a dotted name after it. Whether
/// mail arrives is for a verification mail to find out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, format = Email, max_length = 254, example = json!("ada@example.com"))]
pub struct Email(String);

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address of at most 254 characters, such as ada@example.com")]
pub struct EmailError;

impl Email {
    /// Trims, lower-cases and checks an address.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim().to_lowercase();
        let (local, host) = text.rsplit_once('@').ok_or(EmailError)?;
        let well_formed = text.len() <= 254
            && !local.is_empty()
            && local.len() <= 64
            && !local.contains('@')
            && host.split('.').count() > 1
            && host.split('.').all(|label| !label.is_empty())
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        if well_formed {
            Ok(Self(text))
        } else {
            Err(EmailError)
        }
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A name for people to read: 1 to 100 characters without control characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 100, pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$", example = json!("Boiler room"))]
pub struct DisplayName(String);

/// The name is empty, too long, or has control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 100 characters, and no control characters")]
pub struct DisplayNameError;

impl DisplayName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DisplayName {
    type Error = DisplayNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DisplayNameError)
        }
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

/// What a new user signs up with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Address to sign in with; upper and lower case are the same.
    pub email: Email,
    /// Password to sign in with.
    pub password: Password,
    /// What to call the user.
    pub name: Option<DisplayName>,
}

/// What a user signs in with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Address that the user signed up with.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// Password that the user signed up with.
    pub password: GivenPassword,
}

/// What a user changes of themselves: a merge patch (RFC 7396).
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What to call the user; null for nothing.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<DisplayName>, required = false, example = "Ada")]
    pub name: Option<Option<DisplayName>>,
}

/// How a user confirms that everything of theirs is to be removed.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserDeletion {
    /// The user's password.
    pub password: GivenPassword,
}

/// A user of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identifies the user.
    pub id: UserId,
    /// Address to sign in with.
    pub email: Email,
    /// What to call the user.
    pub name: Option<DisplayName>,
    /// When the user showed that mail to the address arrives, if that has happened.
    pub email_verified_at: Option<Timestamp>,
    /// When the user signed up.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_is_trimmed_and_lower_cased() {
        assert_eq!(
            Email::parse(" Ada@Example.COM ").unwrap().as_str(),
            "ada@example.com"
        );
    }

    #[test]
    fn refuses_what_is_no_email() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@host",
            "a b@example.com",
            "a@b@c.d",
            "a@b..c",
            "a\n@b.c",
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text}");
        }
    }

    #[test]
    fn name_is_trimmed_and_bounded() {
        assert_eq!(
            DisplayName::try_from("  x ".to_owned()).unwrap().as_str(),
            "x"
        );
        assert!(DisplayName::try_from("  ".to_owned()).is_err());
        assert!(DisplayName::try_from("a\u{0}b".to_owned()).is_err());
        assert!(DisplayName::try_from("x".repeat(101)).is_err());
    }

    #[test]
    fn a_change_tells_absent_from_null() {
        let change = |json: &str| serde_json::from_str::<UserChange>(json).map(|it| it.name);
        assert_eq!(change("{}").unwrap(), None);
        assert_eq!(change(r#"{"name": null}"#).unwrap(), Some(None));
        let ada = DisplayName::try_from("Ada".to_owned()).unwrap();
        assert_eq!(change(r#"{"name": " Ada "}"#).unwrap(), Some(Some(ada)));
        assert!(change(r#"{"name": ""}"#).is_err());
        assert!(change(r#"{"email": "x@y.z"}"#).is_err());
    }
}
