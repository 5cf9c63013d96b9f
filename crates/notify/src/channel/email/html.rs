//! The HTML of a mail. It sets no color of text or background, so that light and dark readers use
//! their own; images, fonts and scripts are not used.

use statuswatch_model::text::one_line;

use crate::notification::{Content, Entry, Notification, Summary};
use crate::text::{Layout, html, label};

/// Most rows of a table; the rest is counted.
const ROWS: usize = 100;
/// Longest address of a link, in bytes.
const URL: usize = 2_000;
/// Longest title in a table, in characters.
const TITLE: usize = 150;

const HEAD: &str = "<!doctype html><html><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\">\
    <meta name=\"color-scheme\" content=\"light dark\">\
    <meta name=\"supported-color-schemes\" content=\"light dark\"></head>\n\
    <body style=\"margin:0;padding:16px;font:15px/1.5 -apple-system,'Segoe UI',Roboto,Helvetica,\
    Arial,sans-serif\">\n";
const CELL: &str = "padding:6px 12px 6px 0;border-bottom:1px solid #8884;vertical-align:top";
const FAINT: &str = "font-size:13px;opacity:.75;margin:12px 0 0";

/// Renders a message.
pub(super) fn page(layout: &Layout, notification: &Notification<'_>) -> String {
    let mut out = String::from(HEAD);
    // A bar in the color of the severity on the left.
    out.push_str(&format_bar(layout.color()));
    out.push_str(&element("h1", "font-size:19px;line-height:1.3;margin:0 0 8px", &layout.title));
    if !layout.status.is_empty() {
        out.push_str(&element("p", "font-weight:600;margin:0 0 12px", &layout.status));
    }
    match notification.content {
        Content::Summary(summary) if notification.custom.body.is_none() => {
            out.push_str(&table(summary));
        }
        _ => {
            for paragraph in layout.body.split('\n').filter(|line| !line.is_empty()) {
                out.push_str(&element("p", "margin:0 0 10px", paragraph));
            }
        }
    }
    for (name, value) in &layout.facts {
        let fact = format!("<b>{}:</b> {}", html(name), html(value));
        out.push_str(&raw("p", "margin:0 0 4px", &fact));
    }
    if let Some(url) = layout.url.as_deref().filter(|url| url.len() <= URL) {
        out.push_str(&raw("p", "margin:16px 0 0", &link(url, "Open the status page")));
    }
    out.push_str(&element("p", FAINT, &label(layout.at)));
    for remark in &layout.remarks {
        out.push_str(&element("p", FAINT, remark));
    }
    out.push_str("</div>\n</body></html>\n");
    out
}

fn format_bar(color: u32) -> String {
    format!("<div style=\"border-left:4px solid #{color:06x};padding:2px 0 2px 16px\">\n")
}

/// Renders the threads of a summary, one row each.
fn table(summary: &Summary) -> String {
    let mut out = element("p", "margin:0 0 12px", &summary.intro);
    out.push_str("<table role=\"table\" style=\"border-collapse:collapse\">\n<tr>");
    for head in ["", "Provider", "Incident", "Status", "Updates", "Last update"] {
        out.push_str(&element("th", &format!("{CELL};text-align:left"), head));
    }
    out.push_str("</tr>\n");
    for entry in summary.entries.iter().take(ROWS) {
        out.push_str(&row(entry));
    }
    out.push_str("</table>\n");
    let more = summary.entries.len().saturating_sub(ROWS) + summary.omitted as usize;
    if more > 0 {
        let more =
            format!("And {more} more: see \"statuswatch status\" and \"statuswatch history\".");
        out.push_str(&element("p", FAINT, &more));
    }
    out
}

fn row(entry: &Entry) -> String {
    let mut status = if entry.first == entry.last {
        entry.last.label()
    } else {
        format!("{} → {}", entry.first.label(), entry.last.label())
    };
    if entry.open {
        status = format!("{status} ({})", entry.impact);
    }
    let title = one_line(&entry.title, TITLE);
    let url = entry.url.as_deref().and_then(web_address);
    let title = match &url {
        Some(url) => link(url, &title),
        None => html(&title),
    };
    let cells = [
        html(if entry.open { "●" } else { "✓" }),
        html(&one_line(&entry.provider, TITLE)),
        title,
        html(&status),
        entry.updates.to_string(),
        html(&label(entry.at)),
    ];
    let cells: String = cells.iter().map(|cell| raw("td", CELL, cell)).collect();
    format!("<tr>{cells}</tr>\n")
}

/// Returns an address a person may open, if it is short enough to be one.
fn web_address(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let opens = matches!(url.scheme(), "http" | "https") && url.as_str().len() <= URL;
    opens.then(|| url.to_string())
}

fn link(url: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", html(url), html(text))
}

fn element(name: &str, style: &str, text: &str) -> String {
    raw(name, style, &html(text))
}

fn raw(name: &str, style: &str, inner: &str) -> String {
    format!("<{name} style=\"{style}\">{inner}</{name}>\n")
}
