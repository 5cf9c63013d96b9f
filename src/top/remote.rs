//! The thread that asks the HTTP server of another machine, for `--url`. It never gives up: what was
//! read last stays on the screen until the server answers again.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use url::Url;

use super::facts::{DETAILS, Details, EVENTS, Facts, GivenUp, Newest, Subject};
use super::refusal::{refused, unanswered};
use super::watch::{Ask, Report};
use crate::clock;
use crate::event::{IncidentKey, StatusEvent, Time};
use crate::fetch::{Outgoing, Received, Sender as Http};
use crate::ledger::ProviderRow;
use crate::view::top::{TopProviders, TopView};

/// How often the server is asked whether something has changed: an idle one answers 304.
const LOOK: Duration = Duration::from_secs(1);
/// How often the screen is asked what it wants.
const TURN: Duration = Duration::from_millis(50);
/// After a reading of everything, this many times its duration passes before the next one, unless there
/// is a new event.
const SHARE: u32 = 20;
/// But never more than this.
const LONGEST: Duration = Duration::from_secs(10);
/// One request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of one answer.
const MAX_BODY: usize = 32 << 20;
/// Providers of one page.
const PAGE: usize = 1_000;
/// More pages are not read: a server that does not end is none of ours.
const MAX_PAGES: usize = 200;
/// Events read at once while following, and how often in a row.
const BATCH: usize = 500;
const MAX_BATCHES: usize = 20;
/// A smaller difference of the clocks is the time of the request, and the second that headers have.
const SKEW: TimeDelta = TimeDelta::seconds(3);

/// Returns the token to send; `None`: there is none. Called for each request, so that a file can be
/// replaced.
pub type Token = Box<dyn Fn() -> Result<Option<String>, String> + Send>;

/// The server to show.
pub struct Remote {
    /// Its address, which `/api/v1/...` is appended to.
    pub base: Url,
    /// Sends the requests.
    pub http: Http,
    /// Reads the token.
    pub token: Token,
}

/// Why there is no answer, for people.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Problem(String);

/// An answer of the server.
enum Answer<T> {
    Same,
    New { tag: Option<String>, value: T },
}

/// Events of an answer.
#[derive(Deserialize)]
struct Events {
    events: Vec<StatusEvent>,
    #[serde(default)]
    oldest: u64,
}

/// Dead letters of an answer.
#[derive(Deserialize)]
struct Letters {
    dead_letters: Vec<GivenUp>,
}

/// A page of providers that was read.
#[derive(Default)]
struct Page {
    tag: Option<String>,
    providers: Vec<ProviderRow>,
    next: Option<String>,
}

/// Asks the server until the screen is gone.
pub(super) async fn watch(remote: Remote, asked: Receiver<Ask>, to: Sender<Report>) {
    let mut watch = Watch {
        remote,
        tag: None,
        view: None,
        pages: HashMap::new(),
        newest: Newest::default(),
        read: None,
        next_look: Instant::now(),
        next_read: Instant::now(),
        skew: TimeDelta::zero(),
        subject: None,
    };
    loop {
        loop {
            match asked.try_recv() {
                Ok(Ask::Refresh) => watch.forget(),
                Ok(Ask::Details(subject)) => watch.subject = Some(subject),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        for report in watch.turn().await {
            if to.send(report).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(TURN).await;
    }
}

struct Watch {
    remote: Remote,
    /// The validator of `view`.
    tag: Option<String>,
    view: Option<TopView>,
    /// Pages of providers by their `after`.
    pages: HashMap<String, Page>,
    newest: Newest,
    /// The version that the screen shows.
    read: Option<String>,
    next_look: Instant,
    next_read: Instant,
    /// How far the server's clock is ahead of ours.
    skew: TimeDelta,
    /// Details that were asked for and not read.
    subject: Option<Subject>,
}

impl Watch {
    /// Reads everything anew at the next turn.
    fn forget(&mut self) {
        (self.tag, self.view, self.read) = (None, None, None);
        self.pages.clear();
        self.newest = Newest::default();
        (self.next_look, self.next_read) = (Instant::now(), Instant::now());
    }

    async fn turn(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        if Instant::now() >= self.next_look {
            self.next_look = Instant::now() + LOOK;
            match self.look().await {
                Ok(report) => reports.push(report),
                Err(Problem(reason)) => reports.push(Report::Failed(reason)),
            }
            // A server that does not answer is not asked more often.
            self.next_look = self.next_look.max(Instant::now() + LOOK / 2);
            reports.insert(0, Report::Ahead(self.skew));
        }
        if let Some(subject) = self.subject.take() {
            match self.details(&subject).await {
                Ok(details) => reports.push(Report::Details(subject, details)),
                // The next look says why.
                Err(Problem(reason)) => tracing::debug!(reason, "no details"),
            }
        }
        reports
    }

    /// Asks whether something has changed, and reads it.
    async fn look(&mut self) -> Result<Report, Problem> {
        let begun = Instant::now();
        let tag = self.tag.clone();
        match self.get::<TopView>("top", &[], tag.as_deref()).await? {
            Answer::Same => {}
            Answer::New { tag, value } => (self.tag, self.view) = (tag, Some(value)),
        }
        let Some(view) = self.view.clone() else {
            return Err(Problem("the server's answer cannot be read".to_owned()));
        };
        let is_new = self.newest.seq() != view.newest || self.read.is_none();
        let is_due = self.read.as_ref() != Some(&view.version) && Instant::now() >= self.next_read;
        if !is_new && !is_due {
            return Ok(Report::Same(view.running));
        }
        let providers = self.providers().await?;
        self.follow(view.newest).await?;
        let pause = begun.elapsed().saturating_mul(SHARE).clamp(LOOK, LONGEST);
        self.next_read = Instant::now() + pause;
        self.read = Some(view.version.clone());
        let notified = view.notified.into_iter().map(|(thread, channels)| {
            let channels = channels.into_iter().map(|one| (one.channel, one.accepted));
            (thread, channels.collect())
        });
        Ok(Report::Facts(Box::new(Facts {
            providers,
            open: view.open,
            sinks: view.sinks,
            channels: view.channels,
            network: view.network,
            events: self.newest.events(),
            notified: notified.collect(),
            running: view.running,
            left_out: view.more_open,
        })))
    }

    /// Reads the providers, those pages that have changed.
    async fn providers(&mut self) -> Result<Vec<ProviderRow>, Problem> {
        let (mut all, mut after, mut seen) = (Vec::new(), String::new(), HashMap::new());
        for _ in 0..MAX_PAGES {
            let known = self.pages.remove(&after).unwrap_or_default();
            let limit = PAGE.to_string();
            let query = [("after", after.as_str()), ("limit", &limit)];
            let page = match self
                .get::<TopProviders>("top/providers", &query, known.tag.as_deref())
                .await?
            {
                Answer::Same => known,
                Answer::New { tag, value } => {
                    Page { tag, providers: value.providers, next: value.next }
                }
            };
            all.extend(page.providers.iter().cloned());
            let next = page.next.clone();
            seen.insert(after, page);
            match next {
                // Ids grow from page to page.
                Some(next) if seen.keys().all(|before| *before < next) => after = next,
                _ => break,
            }
        }
        self.pages = seen;
        Ok(all)
    }

    /// Reads the events up to `newest`.
    async fn follow(&mut self, newest: u64) -> Result<(), Problem> {
        if newest < self.newest.seq() {
            // Another ledger took its place.
            self.newest = Newest::default();
        }
        for _ in 0..MAX_BATCHES {
            let seq = self.newest.seq();
            if seq >= newest {
                return Ok(());
            }
            let (batch, after) = (BATCH.to_string(), seq.to_string());
            let latest = [("limit", batch.as_str())];
            let following = [("after", after.as_str()), ("limit", batch.as_str())];
            let events: Events = if seq == 0 {
                self.always("history", &latest).await?
            } else {
                self.always("events", &following).await?
            };
            if events.events.is_empty() || (seq > 0 && events.oldest > seq + 1) {
                break;
            }
            for event in events.events {
                self.newest.push(event);
            }
        }
        if self.newest.seq() < newest {
            // Too many at once: the newest are enough.
            let limit = EVENTS.to_string();
            let events: Events = self.always("history", &[("limit", &limit)]).await?;
            self.newest = Newest::default();
            for event in events.events {
                self.newest.push(event);
            }
        }
        Ok(())
    }

    async fn details(&mut self, subject: &Subject) -> Result<Details, Problem> {
        let limit = DETAILS.to_string();
        let events: Events = match subject {
            Subject::Incident(provider, id) => {
                let key = IncidentKey::new(provider, id);
                self.always(&format!("incidents/{key}"), &[]).await?
            }
            Subject::Provider(id) => {
                self.always("history", &[("provider", id), ("limit", &limit)]).await?
            }
            Subject::Channel(id) => {
                let letters: Letters =
                    self.always("deadletters", &[("channel", id), ("limit", &limit)]).await?;
                return Ok(Details::DeadLetters(letters.dead_letters));
            }
        };
        Ok(Details::Events(events.events.into_iter().rev().take(DETAILS).collect()))
    }

    /// Asks without a validator.
    async fn always<T: DeserializeOwned>(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Problem> {
        match self.get(path, query, None).await? {
            Answer::New { value, .. } => Ok(value),
            Answer::Same => Err(Problem("the server answers 304 to what it was not asked".into())),
        }
    }

    async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        query: &[(&str, &str)],
        tag: Option<&str>,
    ) -> Result<Answer<T>, Problem> {
        let token = (self.remote.token)().map_err(Problem)?;
        let url = address(&self.remote.base, path, query);
        let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
        let mut headers = vec![("accept", "application/json")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        headers.extend(tag.map(|tag| ("if-none-match", tag)));
        let outgoing = Outgoing {
            method: "GET",
            url: &url,
            headers,
            content_type: "application/json",
            body: String::new(),
        };
        let sent = clock::now();
        let received = self.remote.http.send_bounded(outgoing, TIMEOUT, MAX_BODY).await;
        let received = received.map_err(|error| Problem(unanswered(&error.failure, &url)))?;
        self.skew = skew(&received, sent).unwrap_or(self.skew);
        match received.status {
            304 if tag.is_some() => Ok(Answer::Same),
            200 => {
                let tag = field(&received, "etag").map(str::to_owned);
                // What it says is not quoted: it may be any page.
                let value = serde_json::from_str(&received.body).map_err(|_| {
                    Problem("the answer is not one of statuswatch, or of another version".into())
                })?;
                Ok(Answer::New { tag, value })
            }
            status => Err(Problem(refused(status, token.is_some()))),
        }
    }
}

/// Appends a path of the API and its parameters.
fn address(base: &Url, path: &str, query: &[(&str, &str)]) -> Url {
    let mut url = base.clone();
    let mut whole = base.path().trim_end_matches('/').to_owned();
    // A `String` can always be written to.
    _ = write!(whole, "/api/v1/{path}");
    url.set_path(&whole);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn field<'a>(received: &'a Received, name: &str) -> Option<&'a str> {
    let found = received.headers.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_str())
}

/// How far the server's clock is ahead of ours, by its header `Date`, where that is more than the
/// time of the request explains.
fn skew(received: &Received, sent: Time) -> Option<TimeDelta> {
    let date = DateTime::parse_from_rfc2822(field(received, "date")?).ok()?;
    let ahead = date.to_utc() - sent;
    Some(if ahead.abs() < SKEW { TimeDelta::zero() } else { ahead })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_path_and_values_are_escaped() {
        let base = Url::parse("https://ops.example/watch/").unwrap();
        let url = address(&base, "history", &[("provider", "a&b=c"), ("limit", "1")]);
        assert_eq!(
            url.as_str(),
            "https://ops.example/watch/api/v1/history?provider=a%26b%3Dc&limit=1"
        );
    }

    #[test]
    fn a_clock_is_ahead_or_it_is_not() {
        let received = |date: &str| Received {
            status: 200,
            headers: vec![("date".to_owned(), date.to_owned())],
            body: String::new(),
        };
        let sent = crate::event::parse_time("2026-02-23T12:00:00.7Z").unwrap();
        for (date, seconds) in [
            ("Mon, 23 Feb 2026 12:00:00 GMT", Some(0)),
            ("Mon, 23 Feb 2026 12:00:02 GMT", Some(0)),
            ("Mon, 23 Feb 2026 11:59:00 GMT", Some(-60)),
            ("Mon, 23 Feb 2026 12:10:01 GMT", Some(600)),
            ("yesterday", None),
        ] {
            let found = skew(&received(date), sent).map(|ahead| ahead.num_seconds());
            assert_eq!(found, seconds, "{date}");
        }
    }
}
