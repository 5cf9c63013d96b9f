//! Connections, and the creation of the schema.
use statuswatch::postgres::{DatabaseUrl, Error, SHARDS, connect, prepare};

use crate::support::postgres::{Postgres, database, look};
use crate::support::receivers::Certificates;

async fn number(url: &DatabaseUrl, sql: &str) -> i64 {
    look(url).await.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
#[ignore = "needs PostgreSQL: see .ci/run"]
async fn nodes_that_start_together_create_the_schema_once() {
    let url = database();
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        starting.spawn(async move { prepare(&connect(&url, "ledger").await.unwrap()).await });
    }
    let identities = starting.join_all().await;
    let first = identities[0].clone().unwrap();
    assert!(identities.iter().all(|identity| identity.as_ref() == Ok(&first)), "{identities:?}");
    let shards = "SELECT count(DISTINCT shard) FROM statuswatch.shard WHERE life IS NULL";
    assert_eq!(number(&url, shards).await, i64::from(SHARDS));
    assert_eq!(number(&url, "SELECT count(*) FROM statuswatch.duty").await, 1);
    let other = prepare(&look(&database()).await).await.unwrap();
    assert_ne!(other, first, "another ledger");
}

#[tokio::test]
#[ignore = "needs PostgreSQL: see .ci/run"]
async fn a_schema_of_a_newer_program_is_refused() {
    let url = database();
    let client = look(&url).await;
    prepare(&client).await.unwrap();
    let set = "UPDATE statuswatch.meta SET value = '7' WHERE key = ";
    client.batch_execute(&format!("{set}'schema'")).await.unwrap();
    prepare(&client).await.unwrap();
    client.batch_execute(&format!("{set}'least'")).await.unwrap();
    assert_eq!(prepare(&client).await, Err(Error::Newer { found: 7, known: 1 }));
}

#[tokio::test]
#[ignore = "needs PostgreSQL: see .ci/run"]
async fn a_database_that_is_away_is_told_from_one_that_refuses() {
    let server = Postgres::start(None);
    let there = server.create();
    let socket = format!(
        "postgres://postgres@/{there}?host={}&port={}",
        server.socket().display(),
        server.port
    );
    look(&socket.parse().unwrap()).await;

    let missing = connect(&server.url("nothing"), "ledger").await.unwrap_err();
    insta::assert_snapshot!(missing, @r#"the database refuses: database "nothing" does not exist"#);
    let client = look(&server.url(&there)).await;
    client.batch_execute("CREATE ROLE guest LOGIN").await.unwrap();
    let guest = format!("postgres://guest@127.0.0.1:{}/{there}", server.port);
    let guest = connect(&guest.parse().unwrap(), "ledger").await.unwrap();
    let rights = prepare(&guest).await.unwrap_err();
    insta::assert_snapshot!(rights, @"the database refuses: permission denied for database test0");

    // A standby does not accept writes; the next server is tried.
    let name = format!("{there}_standby");
    client.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let standby = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    client.batch_execute(&standby).await.unwrap();
    let standby = connect(&server.url(&name), "ledger").await.unwrap_err();
    assert!(standby.may_pass(), "{standby}");
    let both = format!("postgres://postgres@127.0.0.1:9,127.0.0.1:{}/{there}", server.port);
    look(&both.parse().unwrap()).await;

    server.crash();
    let lost = Error::from(client.query("SELECT 1", &[]).await.unwrap_err());
    assert!(lost.may_pass(), "{lost}");
    let down = connect(&server.url(&there), "ledger").await.unwrap_err();
    assert!(down.may_pass(), "{down}");
    assert!(server.resume());
    look(&server.url(&there)).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: see .ci/run"]
async fn certificates_are_checked_as_asked_for() {
    let certificates = Certificates::new();
    let server = Postgres::start(Some(&certificates));
    let name = server.create();
    let encrypted = async |host: &str, parameters: &str| -> Result<bool, Error> {
        let url = format!("postgres://postgres@{host}:{}/{name}?{parameters}", server.port);
        let client = connect(&url.parse().unwrap(), "ledger").await?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(client.query_one(sql, &[]).await?.get(0))
    };
    let root = format!("sslrootcert={}", certificates.path("root.pem"));
    assert_eq!(encrypted("localhost", &root).await, Ok(true));
    assert_eq!(encrypted("127.0.0.1", &root).await, Ok(true));
    assert_eq!(encrypted("127.0.0.1", "sslmode=require").await, Ok(true));
    assert_eq!(encrypted("127.0.0.1", "sslmode=disable").await, Ok(false));
    let unknown = encrypted("localhost", "sslmode=verify-full").await.unwrap_err();
    assert!(
        matches!(&unknown, Error::Refused { reason } if reason.contains("UnknownIssuer")),
        "{unknown}"
    );
    // A name that the certificate is not for.
    let other = encrypted("127.0.0.2", &root).await.unwrap_err();
    assert!(!matches!(other, Error::Defect { .. }), "{other}");
    let file = encrypted("localhost", "sslrootcert=/nothing").await.unwrap_err();
    insta::assert_snapshot!(file, @"the database refuses: cannot read sslrootcert: No such file or directory (os error 2)");
    // A server without TLS.
    let plain = database().to_string() + "?sslmode=require";
    let plain = connect(&plain.parse().unwrap(), "ledger").await.unwrap_err();
    insta::assert_snapshot!(plain, @"the database refuses: error performing TLS handshake: server does not support TLS");
}
