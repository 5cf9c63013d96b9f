//! Addresses of servers that do not speak HTTP, as the configuration writes them.

use url::{Host, Url};

use crate::exchange::{Login, Security, Server};
use crate::values::{Key, Shape, ValueError, Values};

/// A scheme with its default port and its protection.
pub(super) type Scheme = (&'static str, u16, Security);

/// The user of a login.
pub(super) const USER: Key = Key::optional("user", Shape::Text, "The user; needs \"password\".");

/// The password of a login.
pub(super) const PASSWORD: Key =
    Key::optional("password", Shape::Secret, "The password of \"user\".");

/// Reads `SCHEME://HOST:PORT`. The port may be left out; anything else may not be there.
pub(super) fn server(
    values: &Values,
    key: &'static str,
    schemes: &[Scheme],
) -> Result<Server, ValueError> {
    address(values.need_text(key)?, key, schemes)
}

/// Like [`server`], for one of several addresses.
pub(super) fn address(
    text: &str,
    key: &'static str,
    schemes: &[Scheme],
) -> Result<Server, ValueError> {
    let forms: Vec<String> =
        schemes.iter().map(|(scheme, port, _)| format!("\"{scheme}://HOST:{port}\"")).collect();
    let forms = forms.join(" or ");
    let wrong = || ValueError::at(key, format!("it must be {forms}"));
    let url = Url::parse(text.trim()).map_err(|_| wrong())?;
    let (_, port, security) =
        schemes.iter().find(|(scheme, ..)| *scheme == url.scheme()).ok_or_else(wrong)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ValueError::at(
            key,
            "write the login into \"user\" and \"password\", not into the address",
        ));
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong());
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_ascii_lowercase(),
        Some(Host::Ipv4(ip)) => ip.to_string(),
        Some(Host::Ipv6(ip)) => ip.to_string(),
        None => return Err(wrong()),
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(valid) {
        return Err(ValueError::at(key, "its host must be a name in ASCII or an address"));
    }
    Ok(Server { host, port: url.port().unwrap_or(*port), security: *security })
}

/// Reads `user` and `password`, which need each other.
pub(super) fn login(values: &Values) -> Result<Option<Login>, ValueError> {
    match (values.text("user"), values.secret("password")) {
        (Some(user), Some(password)) => {
            if user.contains(char::is_control) || password.expose().contains('\0') {
                return Err(ValueError::at("user", "the login holds a control character"));
            }
            Ok(Some(Login { user: user.to_owned(), password: password.clone() }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(ValueError::at("password", "\"user\" needs \"password\"")),
        (None, Some(_)) => Err(ValueError::at("user", "\"password\" needs \"user\"")),
    }
}

/// Refuses to send a password or token over a network without TLS unless that is written down.
pub(super) fn protect(
    values: &Values,
    key: &'static str,
    server: &Server,
    has_secret: bool,
    secure: &str,
) -> Result<(), ValueError> {
    let plain = server.security == Security::None && !server.is_loopback();
    if plain && has_secret && values.text("tls") != Some("none") {
        return Err(ValueError::at(
            key,
            format!(
                "anybody on the way could read the login: use \"{secure}\", or write \"tls: none\" \
                 if the network is trusted"
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[Scheme] = &[("smtps", 465, Security::Tls), ("smtp", 587, Security::StartTls)];

    fn read(text: &str) -> Result<Server, String> {
        server(&Values::default().with_text("smtp", text), "smtp", SCHEMES)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_of_servers() {
        let server = |host: &str, port, security| Ok(Server { host: host.into(), port, security });
        assert_eq!(read("smtps://MX.example"), server("mx.example", 465, Security::Tls));
        assert_eq!(read("smtp://mx.example:2525/"), server("mx.example", 2525, Security::StartTls));
        assert_eq!(read("smtp://[::1]:25"), server("::1", 25, Security::StartTls));
        assert!(read("smtp://[::1]").unwrap().is_loopback());
        assert!(read("smtp://127.0.0.9").unwrap().is_loopback());
        assert!(!read("smtp://localhost.example").unwrap().is_loopback());
        for wrong in [
            "mx.example",
            "https://mx.example",
            "smtp://",
            "smtp://mx.example/path",
            "smtp://mx.example?tls=no",
            "smtp://mx.example%0d%0aQUIT",
            "smtp://ünï.example",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let error = read("smtp://user:hunter2@mx.example").unwrap_err();
        assert!(error.contains("\"user\"") && !error.contains("hunter2"), "{error}");
    }
}
