//! Pages in the format of real platforms, grown to a given size.

use bytes::Bytes;
use chrono::Utc;
use statuswatch::event::{Impact, IncidentStatus};
use statuswatch::fake::platform::Platform;
use statuswatch::fake::{Opening, Posted, State};

const TEXT: &str = "We are seeing elevated error rates for a part of requests in the European regions. Our engineers have found \
                    the cause in a routing change, are rolling it back, and will tell more within half an hour. Requests that failed may be repeated.";

/// Adds components until the platform's first document has about `bytes`, then past incidents if
/// components do not help.
pub(crate) fn grown(platform: &dyn Platform, path: &str, bytes: usize) -> State {
    let length = |state: &State| {
        platform.documents(state).get(path).map_or(0, |document| document.body.len())
    };
    let make = |components: usize, incidents: usize| {
        let names: Vec<String> = (0..components).map(|n| format!("Service number {n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut state = State::new("bench", "Bench Cloud", &names, Utc::now());
        state.window = Some(100_000);
        for n in 0..incidents {
            let posted = open(&mut state, n);
            for status in
                [IncidentStatus::Identified, IncidentStatus::Monitoring, IncidentStatus::Resolved]
            {
                state.update(Utc::now(), posted.incident, status, TEXT);
            }
        }
        state
    };
    let (few, more) = (make(10, 2), make(110, 2));
    let each = (length(&more) - length(&few)) as f64 / 100.0;
    if each > 1.0 {
        let count = (bytes.saturating_sub(length(&few)) as f64 / each) as usize;
        return make(10 + count, 2);
    }
    let each = (length(&make(10, 12)) - length(&few)) as f64 / 10.0;
    if each < 1.0 {
        // A document that lists neither keeps its size.
        return few;
    }
    make(10, (bytes as f64 / each) as usize)
}

fn open(state: &mut State, n: usize) -> Posted {
    let component = format!("Service number {n}");
    let title = format!("Elevated error rates, case {n}");
    state.open(
        Utc::now(),
        &Opening { title: &title, impact: Impact::Minor, components: &[&component], text: TEXT },
    )
}

/// The documents of a fake provider of one size, version by version. All providers of a size share
/// the bytes.
pub(crate) struct Story {
    state: State,
    incident: Option<Posted>,
    reported: Vec<Version>,
}

/// The documents of one version.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) summary: Bytes,
    pub(crate) incidents: Bytes,
    pub(crate) maintenances: Bytes,
}

impl Story {
    /// Creates a Statuspage whose summary has about `bytes`.
    pub(crate) fn new(bytes: usize) -> Self {
        let platform = &statuswatch::fake::platform::Statuspage;
        let mut state = grown(platform, "api/v2/summary.json", bytes);
        state.window = Some(20);
        state.import(Utc::now(), 20);
        let mut story = Self { state, incident: None, reported: Vec::new() };
        story.show();
        story
    }

    fn show(&mut self) {
        let documents = statuswatch::fake::platform::Statuspage.documents(&self.state);
        let body = |path: &str| documents[path].body.clone();
        self.reported.push(Version {
            summary: body("api/v2/summary.json"),
            incidents: body("api/v2/incidents.json"),
            maintenances: body("api/v2/scheduled-maintenances.json"),
        });
    }

    /// Returns version `number`: each one opens an incident or adds an update, and every fourth
    /// ends the incident.
    pub(crate) fn at(&mut self, number: usize) -> &Version {
        while self.reported.len() <= number {
            let n = self.reported.len();
            let step = (n - 1) % 4;
            let status = [
                IncidentStatus::Investigating,
                IncidentStatus::Identified,
                IncidentStatus::Monitoring,
                IncidentStatus::Resolved,
            ][step];
            match self.incident {
                Some(posted) if step > 0 => {
                    self.state.update(Utc::now(), posted.incident, status, TEXT);
                }
                _ => self.incident = Some(open(&mut self.state, n)),
            }
            self.show();
        }
        &self.reported[number]
    }
}
