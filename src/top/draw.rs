//! Draws the dashboard. Pure but for what the model remembers of the screen: its height, and which
//! line is at its top.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::cells::{cells, columns};
use super::detail::Line;
use super::help::{KEYS, SIGNS};
use super::input::Mode;
use super::model::Model;
use super::tab::Tab;
use super::table::{Cell, Tone, fit, width, widths, wrap};

/// Below this width there is no timeline beneath the list.
const TIMELINE_WIDTH: u16 = 60;
/// Below this height neither.
const TIMELINE_HEIGHT: u16 = 14;

/// Draws `model` on the whole frame.
pub fn draw(model: &mut Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut screen = Screen { buffer: frame.buffer_mut(), area, color: model.color };
    let mut y = 0;
    header(model, &mut screen);
    y += 1;
    tabs(model, &mut screen, y);
    y += 1;
    if let Some(warning) = model.warning() {
        screen.put(1, y, &Cell::new(&warning, Tone::Bad).text, Tone::Bad.style(screen.color));
        y += 1;
    }
    let has_prompt = matches!(model.mode, Mode::Filter | Mode::Command) || model.message.is_some();
    let bottom = area.height.saturating_sub(u16::from(has_prompt));
    match model.mode {
        Mode::Help => help(model, &mut screen, y, bottom),
        Mode::Details => {
            let lines = model.details();
            model.scroll = paragraphs(&lines, model.scroll, &mut screen, y, bottom);
        }
        Mode::List | Mode::Filter | Mode::Command => list(model, &mut screen, y, bottom),
    }
    if has_prompt {
        prompt(model, &mut screen, bottom);
    }
}

/// A buffer that clips.
struct Screen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    color: bool,
}

impl Screen<'_> {
    /// Writes at `x`, and returns the column behind. Text that is too long ends in `…`.
    fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let room = self.area.width.saturating_sub(x);
        if y >= self.area.height || room == 0 {
            return x;
        }
        let text = fit(text, room);
        let (end, _) = self.buffer.set_stringn(x, y, text, room.into(), style);
        end
    }

    /// Writes at the right edge unless it would cover what ends at `left`. Returns where it begins.
    fn put_right(&mut self, left: u16, y: u16, parts: &[(&str, Style)]) -> u16 {
        let wide: u16 = parts.iter().map(|(text, _)| width(text)).sum();
        let begin = self.area.width.saturating_sub(wide + 1);
        if begin <= left {
            return self.area.width;
        }
        let mut x = begin;
        for (text, style) in parts {
            x = self.put(x, y, text, *style);
        }
        begin
    }

    fn highlight(&mut self, y: u16) {
        if y < self.area.height {
            let line = Rect { y, height: 1, ..self.area };
            self.buffer.set_style(line, Style::new().add_modifier(Modifier::REVERSED));
        }
    }
}

/// `statuswatch  9981/10000 fresh · 12 stale · 3 open`, the time, and whether it is the present.
fn header(model: &Model, screen: &mut Screen<'_>) {
    let counts = model.counts;
    let (live_tone, live) = model.liveness();
    let clock = model.now.format("%H:%M:%S UTC").to_string();
    let all = counts.providers;
    let fresh_tone = if counts.fresh == all { Tone::Good } else { Tone::Warning };
    let mut parts = vec![(format!("{}/{all} fresh", counts.fresh), fresh_tone)];
    let others = [
        (counts.stale, "stale", Tone::Warning),
        (counts.unreachable, "unreachable", Tone::Bad),
        (counts.doubted, "doubted", Tone::Warning),
        (counts.never, "never read", Tone::Warning),
        (counts.incidents, "open", Tone::Bad),
        (counts.maintenances, "in maintenance", Tone::Planned),
    ];
    let others = others.into_iter().filter(|(count, ..)| *count > 0);
    parts.extend(others.map(|(count, what, tone)| (format!("{count} {what}"), tone)));
    let live_style = live_tone.style(screen.color).add_modifier(Modifier::BOLD);
    // Where there is no room, the name and then the time give way, whether it is live never does.
    let wide: u16 = parts.iter().map(|(text, _)| width(text) + 3).sum();
    let full = screen.area.width >= wide + width(&clock) + width(&live) + 18;
    let has_clock = screen.area.width >= wide + width(&clock) + width(&live) + 4;
    let right: &[(&str, Style)] = if has_clock {
        &[(&clock, Style::new()), ("  ", Style::new()), (&live, live_style)]
    } else {
        &[(&live, live_style)]
    };
    let end = screen.put_right(0, 0, right);
    let mut x = 1;
    if full {
        x = screen.put(x, 0, "statuswatch", Style::new().add_modifier(Modifier::BOLD)) + 2;
    }
    for (index, (text, tone)) in parts.iter().enumerate() {
        let gap = if index == 0 { "" } else { " · " };
        if x + width(gap) + width(text) + 1 > end {
            break;
        }
        x = screen.put(x, 0, gap, Tone::Dim.style(screen.color));
        x = screen.put(x, 0, text, tone.style(screen.color));
    }
}

/// `[1 Open] [2 Providers] …`; where there is no room, only the selected one has a name.
fn tabs(model: &Model, screen: &mut Screen<'_>, y: u16) {
    let full: u16 = Tab::ALL.iter().map(|tab| width(tab.name()) + 5).sum();
    let is_full = full < screen.area.width;
    let mut x = 1;
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let is_selected = tab == model.tab;
        let text = match (is_selected, is_full) {
            (true, _) => format!("[{} {}]", index + 1, tab.name()),
            (false, true) => format!(" {} {} ", index + 1, tab.name()),
            (false, false) => format!(" {} ", index + 1),
        };
        let style = if is_selected {
            Style::new().add_modifier(Modifier::BOLD)
        } else {
            Tone::Dim.style(screen.color)
        };
        x = screen.put(x, y, &text, style) + u16::from(is_full);
    }
    let dim = Tone::Dim.style(screen.color);
    let filter = format!("/{}", crate::text::one_line(&model.filter, 30));
    if model.filter.is_empty() {
        screen.put_right(x, y, &[("/ filter  ? help", dim)]);
    } else {
        screen.put_right(x, y, &[(&filter, Tone::Warning.style(screen.color))]);
    }
}

fn list(model: &mut Model, screen: &mut Screen<'_>, top: u16, bottom: u16) {
    let has_timeline = screen.area.width >= TIMELINE_WIDTH
        && screen.area.height >= TIMELINE_HEIGHT
        && !model.entries.is_empty();
    let height = bottom.saturating_sub(top);
    let timeline = if has_timeline { height / 3 } else { 0 };
    let end = bottom.saturating_sub(timeline);
    let page = usize::from(end.saturating_sub(top + 1));
    model.page = page.max(1);
    model.top = model.top.min(model.selected);
    if model.selected >= model.top + model.page {
        model.top = model.selected + 1 - model.page;
    }
    // No empty lines below the last one while there are some above the first.
    model.top = model.top.min(model.entries.len().saturating_sub(model.page));
    if model.entries.is_empty() {
        screen.put(1, top + 1, nothing(model), Style::new());
        return;
    }
    let rows: Vec<Vec<Cell>> = model
        .entries
        .iter()
        .skip(model.top)
        .take(page)
        .map(|entry| cells(*entry, &model.facts, &model.states, model.now))
        .collect();
    let table = columns(model.tab);
    let widths = widths(table, &rows, screen.area.width.saturating_sub(2));
    let headings: Vec<Cell> =
        table.iter().map(|column| Cell::new(column.heading, Tone::Dim)).collect();
    row(&headings, &widths, screen, top);
    for (index, (cells, y)) in rows.iter().zip(top + 1..end).enumerate() {
        row(cells, &widths, screen, y);
        if model.top + index == model.selected {
            screen.highlight(y);
            screen.put(0, y, ">", Style::new());
        }
    }
    if has_timeline {
        let line = "─".repeat(usize::from(screen.area.width.saturating_sub(2)));
        screen.put(1, end, &line, Tone::Dim.style(screen.color));
        paragraphs(&model.details(), 0, screen, end + 1, bottom);
    }
}

fn row(cells: &[Cell], widths: &[u16], screen: &mut Screen<'_>, y: u16) {
    let mut x = 1;
    for (cell, wide) in cells.iter().zip(widths).filter(|(_, wide)| **wide > 0) {
        screen.put(x, y, &fit(&cell.text, *wide), cell.tone.style(screen.color));
        x += wide + 2;
    }
}

/// What is said where a list is empty.
fn nothing(model: &Model) -> &'static str {
    if !model.filter.is_empty() {
        return "Nothing matches the filter. Esc clears it.";
    }
    if model.is_unread() {
        return "The ledger has not been read yet.";
    }
    match model.tab {
        _ if model.counts.providers == 0 && model.tab != Tab::Channels => {
            "No provider is watched. `statuswatch run` watches those in providers.yaml."
        }
        Tab::Open => "Nothing is open, and every provider is fresh.",
        Tab::Events => "No event yet.",
        Tab::Channels => "No channel is configured.",
        Tab::Providers | Tab::Pollers => "No provider is watched.",
    }
}

/// Draws paragraphs from line `scroll` on. Returns the line it began with: not beyond the last page.
fn paragraphs(
    lines: &[Line],
    scroll: usize,
    screen: &mut Screen<'_>,
    top: u16,
    bottom: u16,
) -> usize {
    let wide = screen.area.width.saturating_sub(2);
    let label = lines.iter().map(|line| width(&line.label)).max().unwrap_or(0).min(wide / 2);
    let text_at = if label == 0 { 1 } else { label + 2 };
    let mut drawn: Vec<(&Line, bool, u16, String)> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        // The first one is the heading.
        let at = if index == 0 && line.label.is_empty() { 1 } else { text_at };
        let broken = wrap(&line.text, wide.saturating_sub(at - 1).max(2));
        let broken = if broken.is_empty() { vec![String::new()] } else { broken };
        let places = broken.into_iter().enumerate();
        drawn.extend(places.map(|(number, text)| (line, number == 0, at, text)));
    }
    let height = usize::from(bottom.saturating_sub(top));
    let scroll = scroll.min(drawn.len().saturating_sub(height));
    for ((line, is_first, at, text), y) in drawn.iter().skip(scroll).zip(top..bottom) {
        if *is_first {
            screen.put(1, y, &fit(&line.label, label), line.tone.style(screen.color));
        }
        let is_heading = *at == 1 && line.label.is_empty();
        let bold = Style::new().add_modifier(Modifier::BOLD);
        screen.put(*at, y, text, if is_heading { bold } else { Style::new() });
    }
    scroll
}

fn help(model: &mut Model, screen: &mut Screen<'_>, top: u16, bottom: u16) {
    let line = |(label, text): &(&str, &str)| Line {
        label: (*label).to_owned(),
        text: (*text).to_owned(),
        tone: Tone::Plain,
    };
    let lines: Vec<Line> = KEYS.iter().chain(SIGNS).map(line).collect();
    model.scroll = paragraphs(&lines, model.scroll, screen, top, bottom);
}

/// The last line: what is typed, or a message.
fn prompt(model: &Model, screen: &mut Screen<'_>, y: u16) {
    let text = match (model.mode, &model.message) {
        (Mode::Filter, _) => format!("/{}", model.typed),
        (Mode::Command, _) => format!(":{}", model.typed),
        (_, message) => message.clone().unwrap_or_default(),
    };
    let end = screen.put(1, y, &crate::text::one_line(&text, 200), Style::new());
    if model.mode == Mode::Filter || model.mode == Mode::Command {
        screen.put(end, y, " ", Style::new().add_modifier(Modifier::REVERSED));
    }
}
