//! Settings of how the service is reached from the web.

#![expect(
    clippy::doc_markdown,
    reason = "--help shows these comments as they are"
)]

use clap::Args;
use http::{CorsOrigins, WebSettings};

/// How the service is reached from the web.
#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Origins whose web pages may use the API from a browser, with commas between them, such as
    /// https://app.example.com; * for all [default: none but its own]
    #[arg(long, global = true, env = "CORS_ORIGINS", value_name = "ORIGINS", default_value = "",
        hide_default_value = true, value_parser = CorsOrigins::parse)]
    cors_origins: CorsOrigins,
}

impl Web {
    /// What every answer says of it, where the service is reached over TLS or not.
    pub(crate) fn settings(&self, https: bool) -> WebSettings {
        WebSettings {
            origins: self.cors_origins.clone(),
            https,
        }
    }
}
