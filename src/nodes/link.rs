//! A connection to the database that is opened when it is needed and replaced after an error.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::timeout;

use crate::postgres::{Client, DatabaseUrl, Error, SimpleQueryMessage, connect, prepare};

/// The SQLSTATE of a division by zero: a condition of a piece does not hold.
const CONDITION: &str = "22012";

/// The answer to one piece: the rows of each statement that returns some. A null is left out.
#[derive(Debug, Default)]
pub(super) struct Answer(Vec<Vec<Vec<String>>>);

impl Answer {
    fn read(messages: Vec<SimpleQueryMessage>) -> Self {
        let mut results: Vec<Vec<Vec<String>>> = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(_) => results.push(Vec::new()),
                SimpleQueryMessage::Row(row) => {
                    let values = (0..row.len()).filter_map(|n| row.get(n).map(str::to_owned));
                    if let Some(rows) = results.last_mut() {
                        rows.push(values.collect());
                    }
                }
                _ => {}
            }
        }
        Self(results)
    }

    /// Returns the rows of the result of this number.
    pub(super) fn texts(&self, result: usize) -> &[Vec<String>] {
        self.0.get(result).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the rows of a result as numbers.
    pub(super) fn all(&self, result: usize) -> Vec<Vec<i64>> {
        self.texts(result).iter().map(|row| numbers(row)).collect()
    }

    /// Returns the first row of a result as numbers.
    pub(super) fn row(&self, result: usize) -> Vec<i64> {
        self.texts(result).first().map(|row| numbers(row)).unwrap_or_default()
    }

    /// Returns how many rows a result has.
    pub(super) fn rows(&self, result: usize) -> usize {
        self.texts(result).len()
    }

    /// Returns the only number of a result.
    pub(super) fn number(&self, result: usize) -> Option<i64> {
        self.row(result).first().copied()
    }

    /// Returns the first number of each row of a result.
    pub(super) fn column(&self, result: usize) -> Vec<i64> {
        self.all(result).iter().filter_map(|row| row.first().copied()).collect()
    }
}

fn numbers(row: &[String]) -> Vec<i64> {
    row.iter().filter_map(|value| value.parse().ok()).collect()
}

/// A connection.
pub(super) struct Link {
    url: DatabaseUrl,
    role: &'static str,
    client: RefCell<Option<Rc<Client>>>,
}

impl Link {
    pub(super) const fn new(url: DatabaseUrl, role: &'static str) -> Self {
        Self { url, role, client: RefCell::new(None) }
    }

    /// Sends a piece and returns its answer.
    pub(super) async fn ask(&self, piece: &str, within: Duration) -> Result<Answer, Error> {
        let answer = self.try_ask(piece, within).await?;
        answer.ok_or_else(|| Error::away("it is not as it was a moment ago"))
    }

    /// The same; `None` if a condition of the piece does not hold, which undoes all of it.
    pub(super) async fn try_ask(
        &self,
        piece: &str,
        within: Duration,
    ) -> Result<Option<Answer>, Error> {
        let asked = timeout(within, async {
            let client = self.client().await?;
            match client.simple_query(piece).await.map_err(Error::from) {
                Ok(messages) => Ok(Some(Answer::read(messages))),
                Err(Error::Defect { state, .. }) if state == CONDITION => {
                    // What the piece began is open, and would take the next one into its error.
                    client.simple_query("ROLLBACK").await?;
                    Ok(None)
                }
                Err(error) => Err(error),
            }
        });
        let answer =
            asked.await.unwrap_or(Err(Error::away(format!("no answer within {within:?}"))));
        if answer.is_err() {
            // Whatever is wrong with it, or under way on it, ends with it.
            self.client.take();
        }
        answer
    }

    /// Creates the schema, or checks that this program may use it.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        let client = self.client().await?;
        prepare(&client).await.map(drop)
    }

    async fn client(&self) -> Result<Rc<Client>, Error> {
        let open = self.client.borrow().clone().filter(|client| !client.is_closed());
        if let Some(client) = open {
            return Ok(client);
        }
        let client = Rc::new(connect(&self.url, self.role).await?);
        self.client.replace(Some(Rc::clone(&client)));
        Ok(client)
    }
}
