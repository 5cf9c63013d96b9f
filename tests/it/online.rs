//! `check --online`, `probe` and `add` against fake pages: what is found, and what is said where nothing is.

use serde_json::Value;
use statuswatch::event::Impact;
use statuswatch::world::platform::{BetterStack, IncidentIo, Instatus, Statuspage};
use statuswatch::world::{Fault, Provider, Server, World};

use crate::support::binary::Bench;
use crate::support::provider::provider;

/// The rows of the table, by provider.
fn row<'a>(out: &'a str, id: &str) -> &'a str {
    out.lines().find(|line| line.starts_with(&format!("{id} "))).unwrap_or_else(|| panic!("no row {id}:\n{out}"))
}

async fn check(bench: &Bench) -> (Option<i32>, String, Value) {
    let ended = bench.start(&["check", "--online"]).ended().await;
    assert_eq!(ended.err, "", "no progress in a pipe");
    let json = bench.start(&["check", "--online", "--json"]).ended().await;
    assert_eq!((json.code(), json.err.as_str()), (ended.code(), ""));
    (ended.code(), ended.out, serde_json::from_str(&json.out).unwrap())
}

#[tokio::test]
async fn what_is_found_stands_in_a_table() {
    let [quiet, open] = [provider("quiet", &Instatus), provider("open", &BetterStack)];
    open.open_incident("Slow", Impact::Major, &["Compute"], "Slow.");
    let server = Server::start_each(World::new([quiet, open])).await.unwrap();
    let bench = Bench::new().provider("quiet", &server.url("quiet"), "").provider("open", &server.url("open"), "");
    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(0), "{out}");
    let words = |id: &str| row(&out, id).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words("quiet"), ["quiet", "instatus", "none", "0", "2", "ok"]);
    assert_eq!(words("open"), ["open", "betterstack", "major", "1", "2", "ok"]);
    assert!(out.ends_with("\n2 of 2 can be read\n"), "{out}");
    assert_eq!(
        (&json[1]["source"], &json[1]["open"], &json[1]["warnings"]),
        (&"betterstack".into(), &1.into(), &Value::Array(vec![]))
    );
}

#[tokio::test]
async fn what_is_astray_is_said() {
    let names = ["moved", "changed", "html", "missing", "failing", "filtered"];
    let pages: Vec<Provider> = names.iter().map(|id| provider(id, &Statuspage)).collect();
    let elsewhere =
        Server::start_each(World::new([provider("moved", &IncidentIo)]).on("127.0.0.2".parse().unwrap())).await.unwrap();
    pages[0].fault(Fault::Redirect { to: format!("{}?from=here", elsewhere.url("moved")), code: 301 });
    pages[1].switch_platform(&IncidentIo);
    pages[2].become_html(true);
    pages[3].fault(Fault::Status(404, None));
    pages[4].fault(Fault::Status(503, None));
    let server = Server::start_each(World::new(pages)).await.unwrap();
    let mut bench = Bench::new();
    for (id, more) in
        names.iter().zip([", allow_private_addresses: true", ", source: statuspage", "", "", "", ", components: [Comptue]"])
    {
        bench.add(id, &server.url(id), more);
    }
    let (code, out, json) = check(&bench).await;
    assert_eq!(code, Some(1), "{out}");
    for (id, says) in [
        ("moved", "the address of providers.yaml has moved to http://127.0.0.2:"),
        ("changed", "providers.yaml says statuspage"),
        ("html", "no status page was recognised at http://127.0.0.1:"),
        ("missing", "404 Not Found"),
        ("failing", "503 Service Unavailable"),
        ("filtered", "no component matches \"Comptue\"; is \"Compute\" meant?"),
    ] {
        assert!(row(&out, id).contains(says), "{id}: {out}");
    }
    assert!(out.ends_with("\n3 of 6 can be read\n"), "{out}");
    assert_eq!((&json[0]["readable"], &json[0]["source"]), (&true.into(), &"incidentio".into()));
    assert_eq!((&json[3]["readable"], &json[3]["problem"]), (&false.into(), &"404 Not Found".into()));
}
