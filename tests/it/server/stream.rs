//! The stream of events.

use serde_json::Value;
use statuswatch::event::{Impact, IncidentStatus};
use tokio::net::TcpSocket;

use super::*;

/// A stream as a client reads it; HTTP/1.0, so that the body comes as it is.
struct Events {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One event of it.
#[derive(Debug)]
struct Frame {
    id: u64,
    event: Option<String>,
    data: String,
}

impl Events {
    async fn open(served: &Served, query: &str, headers: &str) -> Self {
        let stream = TcpStream::connect(served.address).await.unwrap();
        Self::over(stream, query, headers).await
    }

    async fn over(mut stream: TcpStream, query: &str, headers: &str) -> Self {
        let request =
            format!("GET /api/v1/stream{query} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut events = Self { stream, buffer: Vec::new() };
        let head = events.block("\r\n\r\n").await.unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        let lower = head.to_lowercase();
        for header in
            ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no"]
        {
            assert!(lower.contains(header), "{head}");
        }
        assert_eq!(events.block("\n\n").await.unwrap(), "retry: 3000");
        events
    }

    /// What comes before the next `end`; `None` where the connection ends first.
    async fn block(&mut self, end: &str) -> Option<String> {
        loop {
            let found = self.buffer.windows(end.len()).position(|part| part == end.as_bytes());
            if let Some(at) = found {
                let rest = self.buffer.split_off(at + end.len());
                let block = std::mem::replace(&mut self.buffer, rest);
                return Some(String::from_utf8(block[..at].to_vec()).unwrap());
            }
            let read = within("more of the stream", self.stream.read_buf(&mut self.buffer)).await;
            if matches!(read, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            let block = self.block("\n\n").await?;
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            if let Some(data) = field("data: ") {
                let id = field("id: ").unwrap().parse().unwrap();
                return Some(Frame { id, event: field("event: "), data });
            }
        }
    }
}

#[tokio::test]
async fn events_come_as_they_are_recorded_and_resume_without_a_gap() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let known = until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let mut live = Events::open(&served, "", "").await;
    acme.update(posted.incident, IncidentStatus::Identified, "We know why.");
    let frame = loop {
        let frame = live.next().await.unwrap();
        if frame.data.contains("We know why.") {
            break frame;
        }
    };
    assert!(frame.id > known.len() as u64 - 1, "{frame:?}");
    let log = std::fs::read_to_string(bench.path("logs/events.jsonl")).unwrap();
    assert!(log.lines().any(|line| line == frame.data), "{log}");
    // From the beginning, and after a restart from where it was.
    let mut again = Events::open(&served, "?after=0", "").await;
    for seq in 1..=frame.id {
        assert_eq!(again.next().await.unwrap().id, seq);
    }
    served.run.stop().await;
    assert!(again.next().await.is_none());
    let served = Served::start(&bench).await;
    acme.resolve(posted.incident, "It is over.");
    let header = format!("Last-Event-ID: {}\r\n", frame.id);
    // The address it was opened with counts for the first time only.
    let mut resumed = Events::open(&served, "?after=0", &header).await;
    let mut expected = frame.id + 1;
    loop {
        let next = resumed.next().await.unwrap();
        assert_eq!((next.id, next.event), (expected, None));
        if next.data.contains("It is over.") {
            break;
        }
        expected += 1;
    }
}

#[tokio::test]
async fn a_gap_is_announced() {
    let (acme, _server, bench) = acme(HTTP).await;
    acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let newest = served.get("/api/v1/events").await.json()["newest"].as_u64().unwrap();
    let mut events = Events::open(&served, "?after=1000", "").await;
    let frame = events.next().await.unwrap();
    assert_eq!(frame.event.as_deref(), Some("reset"), "{frame:?}");
    let data: Value = serde_json::from_str(&frame.data).unwrap();
    assert_eq!((&data["oldest"], &data["seq"]), (&1.into(), &frame.id.into()));
    assert!(frame.id >= newest);
}

/// It holds 256 events and what the system buffers, not all that comes.
#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_can_resume() {
    const UPDATES: usize = 900;
    let (acme, _server, bench) = acme(HTTP).await;
    let posted = acme.open_incident("Failed requests", Impact::Major, &["Compute"], "They fail.");
    let served = Served::start(&bench).await;
    until("events", || Some(bench.events()).filter(|events| !events.is_empty())).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let stream = socket.connect(served.address).await.unwrap();
    let mut events = Events::over(stream, "?after=0", "").await;
    let first = events.next().await.unwrap();
    assert_eq!(first.id, 1);
    let text = "All of it fails. ".repeat(240);
    for number in 0..UPDATES {
        acme.update(posted.incident, IncidentStatus::Update, &format!("{number} {text}")).unwrap();
    }
    let refused = "statuswatch_http_refused_total{reason=\"streams\"}";
    eventually("a cut", async || served.metric(refused).await.filter(|count| *count >= 1.0)).await;
    let mut last = first.id;
    while let Some(frame) = events.next().await {
        assert_eq!(frame.id, last + 1);
        last = frame.id;
    }
    assert!(last < UPDATES as u64, "{last}");
    let mut resumed = Events::open(&served, &format!("?after={last}"), "").await;
    while last < UPDATES as u64 {
        let frame = resumed.next().await.unwrap();
        assert_eq!((frame.id, frame.event), (last + 1, None));
        last = frame.id;
    }
    // Nobody else noticed.
    assert_eq!(served.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn streams_are_counted() {
    let (_acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Events::open(&served, "", "").await);
    }
    let refused = served.get("/api/v1/stream").await;
    assert_eq!((refused.status(), refused.header("retry-after").as_deref()), (503, Some("5")));
    assert_eq!(served.metric("statuswatch_http_streams").await, Some(64.0));
    drop(open);
    eventually("no stream", async || {
        served.metric("statuswatch_http_streams").await.filter(|count| *count < 1.0)
    })
    .await;
}

/// The present state is shared by all who ask within a moment: not with one who knows better.
#[tokio::test]
async fn whoever_was_sent_an_event_is_shown_a_state_with_it() {
    let (acme, _server, bench) = acme(HTTP).await;
    let served = Served::start(&bench).await;
    first_poll(&bench).await;
    let mut live = Events::open(&served, "", "").await;
    for round in 0..6 {
        let title = format!("Failure {round}");
        acme.open_incident(&title, Impact::Major, &["Compute"], "They fail.");
        loop {
            // Read all the time, so that what is shared is as new as it can be without the event.
            assert_eq!(served.get("/api/v1/status").await.status(), 200);
            if live.next().await.unwrap().data.contains(&title) {
                break;
            }
        }
        let list = served.get("/api/v1/incidents").await.text();
        assert!(list.contains(&title), "{list}");
    }
}
