//! Mail: the client's side of SMTP (RFC 5321) with STARTTLS (RFC 3207) and AUTH (RFC 4954).
//!
//! The message comes complete from the channel. The dialogue is written here rather than taken from
//! `lettre`, which builds the message: that client gives up at the first recipient that is refused,
//! reads lines without a limit, keeps what was sent before STARTTLS, and brings a TLS configuration
//! of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use statuswatch_notify::{Login, MailAnswer, MailRequest, MailStage, RefusedRecipient, Security};
use tokio::time::timeout;

use super::connection::Connection;
use crate::fetch::Client;
use crate::text::one_line;

/// Longest line of a reply in bytes; RFC 5321 allows 512.
const LINE: usize = 2_000;
/// Most lines of a reply.
const LINES: usize = 100;
/// How long the farewell may take; the message has been accepted by then.
const FAREWELL: Duration = Duration::from_millis(500);

/// A reply of the server.
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    fn at(&self, stage: MailStage) -> MailAnswer {
        let text = one_line(&self.lines.join(" "), 200);
        MailAnswer { stage, code: self.code, text, refused: Vec::new() }
    }

    /// Returns the parameters of an extension that the reply to `EHLO` lists.
    fn extension(&self, name: &str) -> Option<Vec<String>> {
        self.lines.iter().skip(1).find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let found = words.next()?.eq_ignore_ascii_case(name);
            found.then(|| words.map(str::to_ascii_uppercase).collect())
        })
    }
}

/// Sends a mail. `sent` is set when the server may have accepted it.
pub(super) async fn send(
    client: &Client,
    request: &MailRequest,
    sent: &AtomicBool,
) -> Result<MailAnswer, String> {
    let host = request.server.host.as_str();
    let mut smtp = Smtp { connection: Connection::open(client, host, request.server.port).await? };
    if request.server.security == Security::Tls {
        smtp = smtp.secure(client, host).await?;
    }
    let greeting = smtp.reply().await?;
    if !greeting.is_positive() {
        return Ok(greeting.at(MailStage::Connect));
    }
    let mut hello = smtp.hello().await?;
    if request.server.security == Security::StartTls && hello.is_positive() {
        if hello.extension("STARTTLS").is_none() {
            let text = "the server does not offer STARTTLS".to_owned();
            return Ok(MailAnswer {
                stage: MailStage::Connect,
                code: 502,
                text,
                refused: Vec::new(),
            });
        }
        let ready = smtp.command("STARTTLS").await?;
        if ready.code != 220 {
            return Ok(ready.at(MailStage::Connect));
        }
        smtp = smtp.secure(client, host).await?;
        hello = smtp.hello().await?;
    }
    if !hello.is_positive() {
        return Ok(hello.at(MailStage::Connect));
    }
    if let Some(login) = &request.login {
        let reply = smtp.login(login, &hello).await?;
        if reply.code != 235 {
            return Ok(reply.at(MailStage::Login));
        }
    }
    smtp.transfer(request, sent).await
}

struct Smtp {
    connection: Connection,
}

impl Smtp {
    async fn secure(self, client: &Client, host: &str) -> Result<Self, String> {
        Ok(Self { connection: self.connection.secure(client, host).await? })
    }

    async fn hello(&mut self) -> Result<Reply, String> {
        let hello = format!("EHLO {}", self.connection.literal);
        self.command(&hello).await
    }

    async fn command(&mut self, command: &str) -> Result<Reply, String> {
        if command.contains(['\r', '\n', '\0']) {
            return Err("an address or login holds a line break".to_owned());
        }
        self.connection.write(format!("{command}\r\n")).await?;
        self.reply().await
    }

    /// Logs in with what the server offers: PLAIN, else LOGIN.
    async fn login(&mut self, login: &Login, hello: &Reply) -> Result<Reply, String> {
        if !self.connection.is_secure {
            return Err("a login is never sent without TLS".to_owned());
        }
        let offered = hello.extension("AUTH").unwrap_or_default();
        let offers = |name: &str| offered.iter().any(|offer| offer == name);
        let password = login.password.expose();
        if offers("PLAIN") {
            let response = STANDARD.encode(format!("\0{}\0{password}", login.user));
            return self.command(&format!("AUTH PLAIN {response}")).await;
        }
        if !offers("LOGIN") {
            let lines = vec!["the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned()];
            return Ok(Reply { code: 504, lines });
        }
        let mut reply = self.command("AUTH LOGIN").await?;
        for response in [&login.user, password] {
            if reply.code != 334 {
                return Ok(reply);
            }
            reply = self.command(&STANDARD.encode(response)).await?;
        }
        Ok(reply)
    }

    /// Transfers the message to all recipients that the server accepts.
    async fn transfer(
        &mut self,
        request: &MailRequest,
        sent: &AtomicBool,
    ) -> Result<MailAnswer, String> {
        let sender = self.command(&format!("MAIL FROM:<{}>", request.from)).await?;
        if !sender.is_positive() {
            return Ok(sender.at(MailStage::Sender));
        }
        let mut refused: Vec<RefusedRecipient> = Vec::new();
        for recipient in &request.recipients {
            let reply = self.command(&format!("RCPT TO:<{recipient}>")).await?;
            if !reply.is_positive() {
                let MailAnswer { code, text, .. } = reply.at(MailStage::Recipients);
                refused.push(RefusedRecipient { address: recipient.clone(), code, text });
            }
        }
        if refused.len() == request.recipients.len() {
            // Codes of 4yz ask for another attempt.
            let best = refused.iter().min_by_key(|recipient| recipient.code).cloned();
            let best = best.ok_or_else(|| "the mail has no recipient".to_owned())?;
            let stage = MailStage::Recipients;
            return Ok(MailAnswer { stage, code: best.code, text: best.text, refused });
        }
        let ready = self.command("DATA").await?;
        if ready.code != 354 {
            return Ok(ready.at(MailStage::Message));
        }
        self.connection.write(stuffed(&request.message)).await?;
        sent.store(true, Ordering::Release);
        self.connection.write(b".\r\n").await?;
        let accepted = self.reply().await?;
        if accepted.is_positive() {
            let farewell = async {
                self.connection.write(b"QUIT\r\n").await?;
                self.reply().await
            };
            timeout(FAREWELL, farewell).await.ok();
        }
        Ok(MailAnswer { refused, ..accepted.at(MailStage::Message) })
    }

    /// Reads a reply of one or more lines.
    async fn reply(&mut self) -> Result<Reply, String> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let line = self.connection.line(LINE).await?;
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                return Err("the server does not speak SMTP".to_owned());
            };
            let (last, text) = match line.get(3..).and_then(|rest| rest.split_at_checked(1)) {
                Some(("-", text)) => (false, text),
                Some((_, text)) => (true, text),
                None => (true, ""),
            };
            lines.push(text.to_owned());
            if last {
                return Ok(Reply { code, lines });
            }
        }
        Err(format!("the server sent a reply of more than {LINES} lines"))
    }
}

/// Returns a message as it is transferred: every line ends with CR LF and nowhere else, and one that
/// begins with a dot gets another one (RFC 5321, section 4.5.2). Servers disagree about a lone CR or
/// LF, which would let a message end early for one of them.
fn stuffed(message: &str) -> String {
    let mut out = String::with_capacity(message.len() + 64);
    for line in message.strip_suffix('\n').unwrap_or(message).split('\n') {
        if line.starts_with('.') {
            out.push('.');
        }
        out.extend(line.chars().filter(|c| *c != '\r'));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_ends_it() {
        let hostile = "a\r\n.\r\nb\n.\nc\r.\rd\r\n\n.\r\r\n";
        assert_eq!(stuffed(hostile), "a\r\n..\r\nb\r\n..\r\nc.d\r\n\r\n..\r\n");
        assert_eq!(stuffed("a"), "a\r\n");
    }
}
