//! The `type` of a problem leads to what it means and what to do about it.

use std::collections::BTreeSet;

use crate::support::{App, Document, documented};

#[tokio::test]
async fn every_kind_of_problem_has_a_page_that_helps() {
    let app = App::start().await;
    let root = app.anonymous().at_root();
    let all = root.get("/problems").await.expect(200);
    let mut listed = BTreeSet::new();
    for entry in all.data() {
        let code = entry["code"].as_str().unwrap();
        listed.insert(code.to_owned());
        let page = root.get(&format!("/problems/{code}")).await.expect(200);
        assert_eq!(&page.body, entry);
        assert_eq!(page.header("cache-control"), "public, max-age=3600");
        for member in ["title", "meaning", "advice"] {
            assert!(
                page.text_at(&format!("/{member}")).len() > 5,
                "{code}: {member}"
            );
        }
        assert!(page.body["retryable"].is_boolean());
        let example = &page.body["example"];
        for member in ["type", "code", "title", "status"] {
            assert_eq!(example[member], page.body[member], "{code}: {member}");
        }
    }
    assert_eq!(listed, documented("ProblemCode"));
    root.get("/problems/nothing")
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_type_leads_to_its_page_from_wherever_it_was_met() {
    let app = App::start().await;
    let refused = app.anonymous().get("/devices").await;
    let refused = refused.problem(401, "unauthenticated");
    let asked = format!("{}/api/v1/devices", app.servers[0].url());
    let page = reqwest::Url::parse(&asked)
        .unwrap()
        .join(refused.text_at("/type"));
    let page = reqwest::get(page.unwrap()).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(
        page.text()
            .await
            .unwrap()
            .contains(r#""code":"unauthenticated""#)
    );
}

#[tokio::test]
async fn the_document_lists_them_for_those_who_read_it() {
    let app = App::start().await;
    let document = Document::fetch(&app.anonymous()).await;
    let tags = document.root["tags"].as_array().unwrap();
    let tag = tags.iter().find(|tag| tag["name"] == "problems").unwrap();
    let text = tag["description"].as_str().unwrap();
    for code in documented("ProblemCode") {
        assert!(text.contains(&format!("| `{code}` |")), "{code}");
    }
}
