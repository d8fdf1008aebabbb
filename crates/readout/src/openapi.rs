//! `readout openapi`: the document of the API, printed or compared.

use crate::Failure;
use std::{fs, path::Path};

pub(crate) fn run(check: Option<&Path>) -> Result<(), Failure> {
    let document = http::document().to_pretty_json()?;
    let Some(path) = check else {
        println!("{document}");
        return Ok(());
    };
    let published = fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    if published.trim_end() == document {
        println!("{} is what the program says.", path.display());
        return Ok(());
    }
    let line = published
        .lines()
        .zip(document.lines())
        .take_while(|(a, b)| a == b)
        .count()
        + 1;
    Err(format!(
        "{} differs from what the program says, first at line {line}: run `make openapi` and look at the difference",
        path.display()
    )
    .into())
}
