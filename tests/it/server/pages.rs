//! The dashboard as a browser without a script gets it.

use statuswatch::event::Impact;
use statuswatch::server::routes::PAGES;

use super::*;
use crate::support::receiver::Receiver;
use crate::support::wait::until_true;

/// What a provider may write to take over a page.
const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>";

/// A page of up to 10,000 providers is not larger.
const MAX_PAGE: usize = 100 << 10;

/// The page without what differs from run to run: times, hashes, keys and ports.
pub(super) fn steady(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("<time") {
        out.push_str(before);
        out.push_str("<time/>");
        rest = behind.split_once("</time>").unwrap().1;
    }
    out.push_str(rest);
    let out = out.replace("><", ">\n<");
    let lines = out.lines().map(|line| match line.split_once("/incidents/") {
        Some((before, _)) if line.contains("data-go") => {
            let title = line.split_once("\">").map_or("", |(_, title)| title);
            format!("{before}/incidents/KEY\">{title}")
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A section of a page by its id.
fn section(text: &str, id: &str) -> String {
    let begin = text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("{id}: {text}"));
    let begin = text[..begin].rfind('<').unwrap();
    let end = begin + text[begin..].find("</section>").unwrap();
    steady(&text[begin..end])
}

/// The addresses of all pages about a provider and an incident.
fn targets(id: &str, key: &str) -> Vec<String> {
    PAGES
        .iter()
        .filter(|page| page.method == "GET" && !page.path.starts_with("/assets"))
        // It has tests of its own.
        .filter(|page| !page.path.starts_with("/public"))
        .map(|page| page.path.replace("{id}", id).replace("{key}", key))
        .collect()
}

async fn key_of_first(served: &Served) -> String {
    let list = eventually("an open incident", async || {
        Some(served.get("/api/v1/incidents").await.json())
            .filter(|list| list["incidents"][0]["key"].is_string())
    })
    .await;
    list["incidents"][0]["key"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_text_of_a_provider_becomes_markup() {
    let acme = provider("acme", &Statuspage);
    acme.open_incident(HOSTILE, Impact::Major, &["Compute"], HOSTILE);
    let server = alone(&acme).await;
    let named = format!(", name: '{}'", HOSTILE.replace('"', "&quot;"));
    let bench = Bench::new().section(HTTP).provider("acme", &server.url("acme"), &named);
    let served = Served::start(&bench).await;
    let key = key_of_first(&served).await;
    let mut targets = targets("acme", &key);
    let query = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%22%3E%3Cimg%20src=x%3E";
    targets.extend(
        ["/providers?q=", "/incidents?q=", "/maintenances?q="].map(|path| format!("{path}{query}")),
    );
    targets.push(format!("/routes?provider={query}&component={query}&text={query}"));
    targets.extend([format!("/providers/{query}"), format!("/incidents/{query}")]);
    let mut shown = 0;
    for target in targets {
        let answer = served.get(&target).await;
        let text = answer.text();
        let media = answer.header("content-type").unwrap();
        assert_eq!(media, "text/html; charset=utf-8", "{target}");
        assert!(!text.contains("<script>") && !text.contains("<img"), "{target}: {text}");
        assert_eq!(text.matches("<script").count(), 1, "{target}: {text}");
        shown += text.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count();
        // Nothing inline, nothing from elsewhere: the policy would block it.
        assert!(!text.contains(" style=") && !text.contains("<style"), "{target}: {text}");
        assert!(!text.contains(" onclick=") && !text.contains("javascript:"), "{target}: {text}");
        for attribute in ["src=\"", "rel=\"stylesheet\" href=\"", "action=\""] {
            for (at, _) in text.match_indices(attribute) {
                let value = &text[at + attribute.len()..];
                assert!(
                    value.starts_with('/') && !value.starts_with("//"),
                    "{target}: {value:.60}"
                );
            }
        }
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{target}");
    }
    assert!(shown > 10, "the hostile text is not shown");
}

#[tokio::test]
async fn the_first_screen_answers_in_order() {
    let acme = provider("acme", &Statuspage);
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let server = alone(&acme).await;
    let bench = Bench::new().section(HTTP).provider("acme", &server.url("acme"), "").provider(
        "down",
        "http://127.0.0.1:1/",
        "",
    );
    let served = Served::start(&bench).await;
    key_of_first(&served).await;
    until_true("a failure", || {
        bench.status_of("down").is_some_and(|one| one["last_error"].is_string())
    })
    .await;
    let text = served.get("/").await.text();
    let order: Vec<usize> = ["trust", "open", "blind", "coming", "everything"]
        .iter()
        .map(|id| text.find(&format!("id=\"{id}\"")).unwrap())
        .collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(text.contains("<title>(1) Overview · statuswatch</title>"), "{text}");
    insta::assert_snapshot!(section(&text, "trust"), @r##"
    <section class="trust warn" id="trust" aria-label="Trust">
    <div class="verdict">
    <h1>
    <i class="sign" aria-hidden="true">
    </i>1 of 2 providers are read on time</h1>
    <p>1 not read yet. Last event <time/>.</p>
    </div>
    <ul class="tally">
    <li class="alarm">
    <a href="#open">
    <b>1</b> <span>open</span>
    </a>
    </li>
    <li class="doubt">
    <a href="#blind">
    <b>1</b> <span>blind</span>
    </a>
    </li>
    <li>
    <a href="#coming">
    <b>0</b> <span>planned</span>
    </a>
    </li>
    <li>
    <a href="#everything">
    <b>1</b> <span>on time</span>
    </a>
    </li>
    </ul>
    "##);
    insta::assert_snapshot!(section(&text, "everything"), @r##"
    <section id="everything" aria-labelledby="all-title">
    <h2 id="all-title">Everything<span class="n">2</span>
    </h2>
    <ul class="tiles">
    <li>
    <a class="major" href="/providers/acme">
    <i class="s major" aria-hidden="true">
    </i>
    <bdi>acme</bdi>
    <small>partial outage</small>
    </a>
    </li>
    <li>
    <a class="unknown" href="/providers/down">
    <i class="s unknown" aria-hidden="true">
    </i>
    <bdi>down</bdi>
    <small>not read yet</small>
    </a>
    </li>
    </ul>
    "##);
}

#[tokio::test]
async fn an_update_shows_when_it_was_published_seen_and_delivered_and_what_an_edit_changed() {
    let receiver = Receiver::start();
    let acme = provider("acme", &Statuspage);
    let server = alone(&acme).await;
    let hook = format!(
        "channels: {{hook: {{kind: webhook, url: \"{}/hook\"}}}}\nroutes: [{{match: {{min_impact: major}}, to: [hook]}}]",
        receiver.url
    );
    let bench = Bench::new().section(HTTP).section(&hook).provider("acme", &server.url("acme"), "");
    let served = Served::start(&bench).await;
    until_true("a first poll", || {
        bench.status_of("acme").is_some_and(|one| one["last_success"].is_string())
    })
    .await;
    let posted =
        acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They often fail.");
    let key = key_of_first(&served).await;
    let target = format!("/incidents/{key}");
    eventually("a delivery", async || {
        served.get(&target).await.text().contains("<b>hook</b>").then_some(())
    })
    .await;
    acme.edit(posted, "They always fail.");
    let text = eventually("the edit", async || {
        Some(served.get(&target).await.text()).filter(|text| text.contains("edit 1"))
    })
    .await;
    assert!(text.contains("They <del>often </del><ins>always </ins>fail."), "{text}");
    for word in ["published", "seen", "delivered"] {
        assert!(text.contains(&format!("<dt>{word}</dt>")), "{word}: {text}");
    }
    let overview = served.get("/").await.text();
    assert!(
        overview.contains("<li class=\"done\">") || overview.contains("<li class=\"waits\">"),
        "{overview}"
    );
    let channels = served.get("/channels").await.text();
    assert!(channels.contains("hook<small>webhook</small>"), "{channels}");
    let hit = served.get("/routes?provider=acme&impact=major").await.text();
    assert!(hit.contains("<b>hook</b> rule 1 (line "), "{hit}");
    let miss = served.get("/routes?provider=acme&impact=minor").await.text();
    assert!(miss.contains("nobody: no rule matches") && miss.contains("below major"), "{miss}");
    let wrong = served.get("/routes?provider=acme&impact=huge").await;
    assert_eq!((wrong.status(), wrong.header("etag")), (400, None));
}

#[tokio::test]
async fn assets_are_kept_forever_under_a_hash() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let text = served.get("/").await.text();
    for (begin, media) in [
        ("/assets/style-", "text/css; charset=utf-8"),
        ("/assets/script-", "text/javascript; charset=utf-8"),
        ("/assets/icon-", "image/svg+xml"),
    ] {
        let at = text.find(begin).unwrap();
        let target = text[at..].split('"').next().unwrap();
        let answer = served.get(target).await;
        assert_eq!(answer.header("content-type").as_deref(), Some(media));
        assert!(answer.header("cache-control").unwrap().ends_with("immutable"), "{target}");
    }
    for target in ["/assets/style.css", "/assets/style-0.css", "/assets/..%2fmod.rs"] {
        assert_eq!(served.get(target).await.status(), 404, "{target}");
    }
}

/// 1,000 pages that cannot be read: the worst of all pages for its size.
#[tokio::test]
async fn a_page_of_many_providers_is_small_and_is_filtered_here() {
    let mut bench = Bench::new().section(HTTP);
    for number in 0..1000 {
        bench =
            bench.provider(&format!("provider-{number}"), "http://127.0.0.1:1/", ", interval: 1h");
    }
    let served = Served::start(&bench).await;
    let text = eventually("all of them", async || {
        Some(served.get("/").await.text()).filter(|text| text.contains("0 of 1,000 providers"))
    })
    .await;
    assert!(text.len() < MAX_PAGE, "{}", text.len());
    assert!(text.contains("984 more providers not read"), "{text}");
    assert!(text.contains("class=\"trust bad\""), "{text}");
    let list = served.get("/providers?state=blind&q=provider-99&page=1").await.text();
    assert!(list.len() < MAX_PAGE, "{}", list.len());
    assert_eq!(list.matches("<tr data-row").count(), 11, "{list}");
    let last = served.get("/providers?page=10").await.text();
    assert!(
        last.contains("Page 10 of 10") && last.contains("href=\"/providers?page=9\""),
        "{last}"
    );
    assert_eq!(served.get("/providers?page=0").await.status(), 400);
    assert!(served.get("/providers?page=99").await.text().contains("Page 10 of 10"));
}

#[tokio::test]
async fn a_browser_is_asked_for_the_token_and_programs_are_not() {
    let (_acme, _server, bench) = acme("http: {listen: \"127.0.0.1:0\", token_file: token}").await;
    std::fs::write(bench.path("token"), "0123456789abcdef-first").unwrap();
    let served = Served::start(&bench).await;
    let page = served.get("/").await;
    assert_eq!(page.status(), 401);
    assert!(page.header("www-authenticate").unwrap().starts_with("Basic realm="));
    let api = served.get("/api/v1/status").await;
    assert_eq!(api.header("www-authenticate").as_deref(), Some("Bearer"));
    // "anybody:0123456789abcdef-first"
    let basic = "Basic YW55Ym9keTowMTIzNDU2Nzg5YWJjZGVmLWZpcnN0";
    for target in ["/", "/api/v1/status"] {
        let answer = served.get_with(target, &[("Authorization", basic)]).await;
        assert_eq!(answer.status(), 200, "{target}");
    }
    // A password is sent with whatever a browser is made to ask for: it changes nothing.
    let body = b"{\"provider\":\"acme\"}";
    let headers = [("Authorization", basic), ("Content-Type", "application/json")];
    let write = ask(served.address, "POST", "/api/v1/mutes", "localhost", &headers, body).await;
    assert_eq!(write.status(), 401, "{}", write.text());
}
