//! Whose fleet it is: the user of the credentials, or a demo user.

use super::options::Options;
use crate::{
    api::{Account, Api},
    failure::Failure,
    secret::{self, write_private},
    service::{Credentials, Login},
};

/// Signs in with what was given, or signs up a demo user; says how to look at the data.
pub(super) async fn open(api: &Api, options: &Options) -> Result<Account, Failure> {
    let given = Credentials::read()?;
    let url = &api.url.text;
    let (account, credentials) = if let Some(credentials) = given {
        (Account::open(api, credentials.clone()).await?, credentials)
    } else {
        let login = Login {
            email: format!("demo-{}@example.com", secret::random(5)?),
            password: secret::random(10)?.into(),
        };
        let account = Account::sign_up(api, login.clone(), "Demo").await?;
        let token = account.token(None).await?;
        println!(
            "Signed up {} with the password {}",
            login.email,
            login.password.reveal()
        );
        println!(
            "Look at it in {url}/docs/: Authorize with this token, which is good for some minutes:"
        );
        println!("  {}", token.reveal());
        let credentials = Credentials {
            bearer: Some(token),
            login: Some(login),
        };
        (account, credentials)
    };
    if let Some(path) = &options.env_file {
        let mut credentials = credentials;
        if credentials.bearer.is_none() {
            credentials.bearer = Some(account.token(None).await?);
        }
        write_private(path, &variables(url, &credentials))?;
    }
    Ok(account)
}

/// Assignments for a shell.
fn variables(url: &str, credentials: &Credentials) -> String {
    let mut pairs = vec![("READOUT_URL", url)];
    if let Some(token) = &credentials.bearer {
        pairs.push(("READOUT_TOKEN", token.reveal()));
    }
    if let Some(login) = &credentials.login {
        pairs.push(("READOUT_EMAIL", &login.email));
        pairs.push(("READOUT_PASSWORD", login.password.reveal()));
    }
    let line =
        |(name, value): (&str, &str)| format!("export {name}='{}'\n", value.replace('\'', r"'\''"));
    pairs.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_for_a_shell() {
        let credentials = Credentials {
            bearer: None,
            login: Some(Login {
                email: "a@b.c".to_owned(),
                password: "it's $HOME".to_owned().into(),
            }),
        };
        let text = variables("http://x", &credentials);
        assert!(
            text.contains(r"export READOUT_PASSWORD='it'\''s $HOME'"),
            "{text}"
        );
    }
}
