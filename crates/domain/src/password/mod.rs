//! Passwords: which ones may be set (NIST SP 800-63B, 3.1.1.2), and how each is written before it is hashed.
//!
//! A password has 8 to 128 characters of any kind; there are no rules of composition. Refused are those that attackers
//! try first, and the user's address or the name of the service. Nothing is ever cut off.

mod common;

use crate::user::Email;
use common::is_common;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

/// Fewest and most characters, counted in code points after normalisation.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;

/// What nobody's password may be made of.
const SERVICE: &str = "readout";

/// The same characters in the same bytes, whatever keyboard they come from: NFKC (Unicode Standard Annex 15).
///
/// Texts of ASCII stay as they are.
fn normalized(text: &str) -> String {
    text.nfkc().collect()
}

/// A password that may be set: normalised, of 8 to 128 characters, and not one of the most common. Never printed.
///
/// It is not to be the address of its user, nor the name of this service.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 128, example = json!("correct horse battery"))]
pub struct Password(String);

/// Why a password may not be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error("must have 8 to 128 characters")]
    Length,
    /// It is one of those that are tried first.
    #[error("is one of the passwords that attackers try first; choose another one")]
    Common,
    /// It is little more than the user's address or the name of the service.
    #[error("must be more than the e-mail address or the name of this service")]
    Personal,
}

impl Password {
    /// The bytes that are hashed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Refuses what is easily guessed of the user with this address: the address, the part before its `@`, or the
    /// name of the service, in upper or lower case, with nothing beside it but less than 8 digits and signs.
    pub fn check_for(&self, email: &Email) -> Result<(), PasswordError> {
        let password = self.0.to_lowercase();
        let address = normalized(email.as_str());
        let local = address.split('@').next().unwrap_or_default();
        let is_all = |word: &str| {
            let beside = password.replace(word, "");
            beside.len() < password.len()
                && beside.chars().count() < *LENGTH.start()
                && !beside.chars().any(char::is_alphabetic)
        };
        if [&address, local, SERVICE].into_iter().any(is_all) {
            return Err(PasswordError::Personal);
        }
        Ok(())
    }
}

impl TryFrom<String> for Password {
    type Error = PasswordError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let password = normalized(&text);
        if !LENGTH.contains(&password.chars().count()) {
            return Err(PasswordError::Length);
        }
        if is_common(&password.to_lowercase()) {
            return Err(PasswordError::Common);
        }
        Ok(Self(password))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password that someone claims to be theirs: any text, normalised. One that could never have been set is simply
/// wrong. Never printed.
#[derive(Clone, Deserialize, utoipa::ToSchema)]
#[serde(from = "String")]
#[schema(value_type = String, format = Password, example = json!("correct horse battery"))]
pub struct GivenPassword(String);

impl GivenPassword {
    /// The bytes that are compared with a hash.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

impl From<String> for GivenPassword {
    fn from(text: String) -> Self {
        Self(normalized(&text))
    }
}

impl std::fmt::Debug for GivenPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GivenPassword(…)")
    }
}

/// What a user changes their password with.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password as it is.
    pub current_password: GivenPassword,
    /// The password as it is to be.
    pub new_password: Password,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Result<Password, PasswordError> {
        Password::try_from(text.to_owned())
    }

    #[test]
    fn characters_are_counted_after_normalisation_and_nothing_is_cut() {
        assert_eq!(password("pässwör").unwrap_err(), PasswordError::Length);
        assert_eq!(password(&"é".repeat(128)).unwrap().as_bytes().len(), 256);
        assert_eq!(
            password(&"é".repeat(129)).unwrap_err(),
            PasswordError::Length
        );
        // Two code points that are one when they are put together, and one that is taken apart into three.
        assert!(password(&"e\u{301}".repeat(128)).is_ok());
        assert_eq!(
            password(&"e\u{301}".repeat(7)).unwrap_err(),
            PasswordError::Length
        );
        assert_eq!(password("ﬃﬃﬃ").unwrap().as_bytes(), b"ffiffiffi");
        assert!(password("        ").is_ok());
        assert!(password("🔥🦀🌧🐚🪐🧵🫀🪁").is_ok());
    }

    #[test]
    fn the_same_characters_are_the_same_password_when_set_and_when_given() {
        for (set, given) in [
            ("zwölf Boxkämpfer", "zwo\u{308}lf Boxka\u{308}mpfer"),
            ("ｗｉｄｅ ｌｅｔｔｅｒｓ", "wide letters"),
            ("Ångström unit", "A\u{30a}ngstro\u{308}m unit"),
            ("plain ASCII only", "plain ASCII only"),
        ] {
            let given = GivenPassword::from(given.to_owned());
            assert_eq!(password(set).unwrap().as_bytes(), given.into_bytes());
        }
        let upper = GivenPassword::from("Plain ASCII only".to_owned());
        assert_ne!(
            password("plain ASCII only").unwrap().as_bytes(),
            upper.into_bytes()
        );
    }

    #[test]
    fn what_is_tried_first_is_refused_in_upper_and_lower_case() {
        for text in [
            "password",
            "PassWord",
            "123456789",
            "qwertyuiop",
            "ｐａｓｓｗｏｒｄ",
            "iloveyou",
            "12341234",
        ] {
            assert_eq!(password(text).unwrap_err(), PasswordError::Common, "{text}");
        }
        assert!(password("passwords are a nuisance").is_ok());
    }

    #[test]
    fn the_address_and_the_service_are_no_passwords() {
        let email = Email::parse("Ada.Lovelace@example.com").unwrap();
        for text in [
            "ada.lovelace@example.com",
            "ADA.LOVELACE",
            "ada.lovelace1815",
            "Readout1",
            "2026-Readout!",
            "readoutreadout",
        ] {
            let refused = password(text).unwrap().check_for(&email);
            assert_eq!(refused, Err(PasswordError::Personal), "{text}");
        }
        for text in [
            "readout of the boiler",
            "ada.lovelace counts",
            "readout 48151623421",
            "correct horse battery",
        ] {
            assert_eq!(password(text).unwrap().check_for(&email), Ok(()), "{text}");
        }
        let short = Email::parse("a@example.com").unwrap();
        assert_eq!(
            password("a word and another").unwrap().check_for(&short),
            Ok(())
        );
    }

    #[test]
    fn no_password_is_printed() {
        let change: PasswordChange = serde_json::from_value(serde_json::json!({
            "current_password": "an old secret", "new_password": "a new secret",
        }))
        .unwrap();
        assert!(!format!("{change:?}").contains("secret"));
    }
}
