//! What is secret in all that tests say and hear, and is to be in no log and in no row.
//!
//! Every server and every database of every test is looked through when it ends, so that the whole suite is a canary.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex};

use regex::Regex;
use serde_json::Value;

use super::{AUTH_SECRET, PASSWORD};

/// A password that is shorter may be a word of the service.
const SHORTEST: usize = 12;

/// Keys and tokens, by what each begins with, and the same in hex; and access tokens, which are JWTs.
const SHAPES: &str = "r(?:dk|pk|rt|vt)_[0-9A-Za-z]{20}|72(?:646b|706b|7274|7674)5f[0-9a-f]{40}\
                      |eyJ[0-9A-Za-z_-]{10,}\\.eyJ[0-9A-Za-z_-]{10,}\\.[0-9A-Za-z_-]";

/// Every password that this test has sent, whoever refused it.
static PASSWORDS: LazyLock<Mutex<BTreeSet<String>>> =
    LazyLock::new(|| Mutex::new([PASSWORD, AUTH_SECRET].map(str::to_owned).into()));

/// Remembers the passwords of a request.
pub(super) fn remember(body: &[u8]) {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return;
    };
    for name in ["password", "current_password", "new_password"] {
        if let Some(Value::String(password)) = members.get(name)
            && password.len() >= SHORTEST
            // Whoever takes their address for a password is refused, and it is in other places.
            && !password.contains('@')
        {
            PASSWORDS.lock().unwrap().insert(password.clone());
        }
    }
}

/// As bytes are written.
pub(crate) fn hex(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Every line that holds a secret.
pub(crate) fn lines_with_secrets(text: &str) -> Vec<String> {
    let mut pattern = SHAPES.to_owned();
    for password in PASSWORDS.lock().unwrap().iter() {
        pattern = format!("{pattern}|{}|{}", regex::escape(password), hex(password));
    }
    let secret = Regex::new(&pattern).unwrap();
    let found = text.lines().filter(|line| secret.is_match(line));
    found.map(str::to_owned).collect()
}

#[test]
fn secrets_are_found() {
    let token = "0123456789012345678901234567890123456789";
    let hex = hex(&format!("rdk_{token}"));
    for secret in [
        format!("rdk_{token}"),
        format!("of rrt_{token},"),
        format!("\\x{hex}"),
        "Bearer eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl".to_owned(),
        format!(r#"{{"password":"{PASSWORD}"}}"#),
    ] {
        assert_eq!(
            lines_with_secrets(&format!("one\n{secret}\nthree")),
            [secret]
        );
    }
    for plain in ["rdk_0123abcd", "key_prefix", "eyJ.eyJ.", "a horse"] {
        assert_eq!(lines_with_secrets(plain), Vec::<String>::new());
    }
    remember(br#"{"new_password": "as long as it takes"}"#);
    assert_eq!(
        lines_with_secrets("it is as long as it takes, now").len(),
        1
    );
}
