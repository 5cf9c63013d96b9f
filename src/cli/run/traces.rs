//! Where traces go, by the standard variables of `OpenTelemetry`.

use url::Url;

use super::super::output;
use crate::otlp::Options;

/// Names or values of a list; more are ignored.
const MAX_PAIRS: usize = 64;

/// Returns where traces go; `None`: nowhere. What is wrong is reported, and quotes no value.
pub(super) fn options() -> Option<Options> {
    let found = read(&|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()));
    found.unwrap_or_else(|mistake| {
        output::note(&format!("statuswatch: no traces are sent: {mistake}"));
        None
    })
}

fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Options>, String> {
    let of_traces = |name: &str| {
        let own = format!("OTEL_EXPORTER_OTLP_TRACES_{name}");
        let all = format!("OTEL_EXPORTER_OTLP_{name}");
        env(&own).map(|value| (own, value)).or_else(|| env(&all).map(|value| (all, value)))
    };
    let is = |name: &str, word: &str| env(name).is_some_and(|value| value.trim() == word);
    let Some((name, endpoint)) = of_traces("ENDPOINT") else { return Ok(None) };
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    if let Some((name, protocol)) = of_traces("PROTOCOL")
        && !matches!(protocol.trim(), "http/json" | "http/protobuf")
    {
        return Err(format!("{name} must be http/json: the HTTP port of the collector accepts it"));
    }
    let mut endpoint = Url::parse(endpoint.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| format!("{name} must be an address such as http://127.0.0.1:4318"))?;
    if !endpoint.username().is_empty() || endpoint.password().is_some() {
        return Err(format!(
            "{name} must have no user and password: use OTEL_EXPORTER_OTLP_HEADERS"
        ));
    }
    // The address of traces counts as it is.
    if !name.contains("TRACES") {
        let path = format!("{}/v1/traces", endpoint.path().trim_end_matches('/'));
        endpoint.set_path(&path);
    }
    let headers = of_traces("HEADERS").map(|(name, list)| pairs(&name, &list)).transpose()?;
    let resource = env("OTEL_RESOURCE_ATTRIBUTES");
    let resource = resource
        .map(|list| pairs("OTEL_RESOURCE_ATTRIBUTES", &list))
        .transpose()?
        .unwrap_or_default();
    let named = resource.iter().find(|(key, _)| key == "service.name");
    let service = env("OTEL_SERVICE_NAME").or_else(|| named.map(|(_, value)| value.clone()));
    Ok(Some(Options {
        endpoint,
        headers: headers.unwrap_or_default(),
        service: service.unwrap_or_else(|| "statuswatch".to_owned()),
        resource: resource.into_iter().filter(|(key, _)| key != "service.name").collect(),
    }))
}

/// `key=value,key=value`, with values percent-encoded, as the specification of the variables has it.
fn pairs(name: &str, list: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        // A form would read "+" as a space.
        let value = format!("v={}", value.trim().replace('+', "%2B").replace('&', "%26"));
        let value = url::form_urlencoded::parse(value.as_bytes()).next()?.1.into_owned();
        let plain = !key.trim().is_empty() && !value.chars().any(char::is_control);
        plain.then(|| (key.trim().to_owned(), value))
    };
    let list = list.split(',').filter(|part| !part.trim().is_empty()).take(MAX_PAIRS);
    let found: Option<Vec<_>> = list.map(pair).collect();
    found.ok_or_else(|| format!("{name} must be a list such as key=value,key2=value2"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Result<Option<Options>, String> {
        read(&|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_standard_variables_say_where_traces_go() {
        assert!(with(&[("OTEL_SERVICE_NAME", "x")]).unwrap().is_none(), "off by default");
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/otel/");
        let plain = with(&[base]).unwrap().unwrap();
        assert_eq!(plain.endpoint.as_str(), "http://collector:4318/otel/v1/traces");
        assert_eq!((plain.service.as_str(), plain.headers.len()), ("statuswatch", 0));
        let whole = with(&[
            base,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/traces"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b%3Dc+d, authorization=Basic%20eDp5"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,deployment.environment.name=prod"),
            ("OTEL_SERVICE_NAME", "watch"),
        ]);
        let whole = whole.unwrap().unwrap();
        assert_eq!(whole.endpoint.as_str(), "https://collector.example/traces");
        let headers: Vec<String> =
            whole.headers.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert_eq!(headers, ["x-key: a b=c+d", "authorization: Basic eDp5"]);
        assert_eq!((whole.service.as_str(), whole.resource.len()), ("watch", 1));
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(with(&[base, off]).unwrap().is_none());
        }
    }

    #[test]
    fn mistakes_are_named_without_their_values() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (variables, part) in [
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cr3t:4318")][..], "must be an address"),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:s3cr3t@b")], "no user and password"),
            (&[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "must be http/json"),
            (&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t")], "must be a list"),
            (&[base, ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cr3t%0A")], "must be a list"),
        ] {
            let found = with(variables).unwrap_err();
            assert!(found.contains(part) && !found.contains("s3cr3t"), "{found}");
        }
    }
}
