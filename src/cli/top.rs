//! `top`: the dashboard, on a terminal.

use std::io::{IsTerminal, Read as _, stdin, stdout};
use std::path::{Path, PathBuf};

use url::{Host, Url};

use super::args::{Common, TopArgs};
use super::exit::Exit;
use super::{context, output};
use crate::fetch::{Client, ClientOptions};
use crate::top::{self, Reading, Remote, Source, Token};

/// The variable that may hold the token of the server.
const TOKEN: &str = "STATUSWATCH_TOKEN";
/// A longer file holds no token.
const MAX_TOKEN: u64 = 4096;

/// Shows the dashboard until the user quits.
///
/// # Errors
/// The ledger cannot be read, or the terminal fails.
pub fn run(common: &Common, args: &TopArgs) -> anyhow::Result<Exit> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let has_screen = stdin().is_terminal() && stdout().is_terminal() && !is_dumb;
    let named = match &args.url {
        Some(url) => server(url, args).map(Named::Server),
        None => state_dir(common, has_screen).map(Named::StateDir),
    };
    let named = match named {
        Ok(named) => named,
        Err(exit) => return Ok(exit),
    };
    if !has_screen {
        output::note(
            "statuswatch: top needs a terminal; use `statuswatch status`, which prints the same as text or JSON",
        );
        return Ok(Exit::Failed);
    }
    let source = match named {
        Named::Server(server) => Source::Server(server),
        Named::StateDir((_, Some(reading))) => Source::StateDir(reading),
        Named::StateDir((dir, None)) => Source::StateDir(Reading::begin(dir)?),
    };
    top::run(source, output::color())?;
    Ok(Exit::Done)
}

/// What the command line and the configuration name.
enum Named {
    Server(Remote),
    StateDir((PathBuf, Option<Reading>)),
}

/// Returns the state directory. Its ledger is being read already where a glance at the
/// configuration was enough to find it: a long one takes longer to check than the ledger to read.
fn state_dir(common: &Common, is_shown: bool) -> Result<(PathBuf, Option<Reading>), Exit> {
    let likely = context::likely_state_dir(common).filter(|_| is_shown);
    // Whatever is wrong with the likely one is none of the user's business.
    let reading = likely.as_ref().and_then(|dir| Reading::begin(dir.clone()).ok());
    let dir = context::state_dir(common)?;
    let reading = reading.filter(|_| likely.as_ref() == Some(&dir));
    Ok((dir, reading))
}

fn server(url: &str, args: &TopArgs) -> Result<Remote, Exit> {
    let refuse = |why: String| {
        output::note(&format!("statuswatch: {why}"));
        Exit::Usage
    };
    let variable = std::env::var(TOKEN).ok().filter(|token| !token.trim().is_empty());
    let has_token = args.token_file.is_some() || variable.is_some();
    let base = address(url, has_token).map_err(refuse)?;
    // A mistake is reported on a normal screen; later, the file may change.
    let token = token(args.token_file.clone(), variable);
    token().map_err(refuse)?;
    let client = Client::new(ClientOptions::default());
    let http = client.and_then(|client| client.sender()).map_err(|error| {
        output::note(&format!("statuswatch: {error}"));
        Exit::Failed
    })?;
    Ok(Remote { base, http, token })
}

/// Reads the token: the file each time, since it may be replaced.
fn token(file: Option<PathBuf>, variable: Option<String>) -> Token {
    Box::new(move || match &file {
        Some(file) => read(file).map(Some),
        None => variable.as_deref().map(checked).transpose(),
    })
}

fn read(file: &Path) -> Result<String, String> {
    let shown = output::shown(file);
    let is_file = std::fs::metadata(file).is_ok_and(|found| found.is_file());
    let mut text = String::new();
    let read =
        std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN).read_to_string(&mut text));
    match read {
        Ok(_) if is_file => checked(&text).map_err(|why| format!("{shown}: {why}")),
        Ok(_) => Err(format!("{shown} is not a regular file")),
        Err(error) => Err(format!("cannot read the token in {shown}: {error}")),
    }
}

fn checked(text: &str) -> Result<String, String> {
    let token = text.trim();
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("the token must be a word of printable ASCII characters".to_owned());
    }
    Ok(token.to_owned())
}

/// Checks the address of the server. What is wrong with it is said without quoting it: it may hold a
/// secret.
fn address(text: &str, has_token: bool) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or("--url must be an address such as https://statuswatch.example")?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("--url must have no user and password: use --token-file".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("--url must have no \"?\" and no \"#\"".to_owned());
    }
    let is_here = match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    };
    if has_token && url.scheme() == "http" && !is_here {
        return Err("the token would be sent unencrypted: use an https address".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_over_https_or_nowhere() {
        for (url, has_token, part) in [
            ("http://ops.example", true, "unencrypted"),
            ("http://10.0.0.7:9187", true, "unencrypted"),
            ("http://localhost.example", true, "unencrypted"),
            ("https://a:secret@ops.example", true, "no user and password"),
            ("https://ops.example/?x", true, "no \"?\""),
            ("ops.example:9187", false, "must be an address"),
            ("file:///etc/passwd", false, "must be an address"),
        ] {
            let error = address(url, has_token).unwrap_err();
            assert!(error.contains(part) && !error.contains("secret"), "{url}: {error}");
        }
        for (url, has_token) in [
            ("http://ops.example:9187", false),
            ("https://ops.example/watch", true),
            ("http://127.0.0.1:9187", true),
            ("http://[::1]:9187", true),
            ("http://localhost:9187", true),
        ] {
            address(url, has_token).unwrap_or_else(|error| panic!("{url}: {error}"));
        }
    }

    #[test]
    fn a_token_is_a_word() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let read = token(Some(file.clone()), None);
        assert!(read().unwrap_err().contains("cannot read the token"));
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(read().unwrap().as_deref(), Some("0123456789abcdef"));
        std::fs::write(&file, "two words").unwrap();
        let error = read().unwrap_err();
        assert!(error.contains("must be a word") && !error.contains("two"), "{error}");
        let directory = token(Some(dir.path().to_owned()), None);
        assert!(directory().is_err());
        assert_eq!(token(None, Some(" abc ".to_owned()))().unwrap().as_deref(), Some("abc"));
        assert_eq!(token(None, None)().unwrap(), None);
    }
}
