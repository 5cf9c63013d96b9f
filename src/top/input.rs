//! Keys. Pure: what a key means depends on where it is pressed.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::tab::Tab;

/// Where keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// To the list.
    List,
    /// To the details of one line, which fill the screen.
    Details,
    /// To the list of keys.
    Help,
    /// To the filter that is typed.
    Filter,
    /// To the command that is typed.
    Command,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Leave.
    Quit,
    /// Stop the process, as Ctrl-Z does.
    Suspend,
    /// Read and draw everything again.
    Refresh,
    /// Show this list.
    Tab(Tab),
    /// Show the next list.
    NextTab,
    /// Show the list before.
    PreviousTab,
    /// Go down by this many lines.
    Move(isize),
    /// Go down by this many pages.
    Page(isize),
    /// Go to the first line.
    First,
    /// Go to the last line.
    Last,
    /// Show the details of the selected line.
    Open,
    /// Show the keys.
    Help,
    /// Go back, or clear the filter.
    Back,
    /// Type a filter.
    Filter,
    /// Type a command.
    Command,
    /// A character of a filter or command.
    Type(char),
    /// Remove the last character.
    Erase,
    /// Finish a filter or command.
    Enter,
}

/// Returns what a key asks for; `None`: nothing.
pub(super) fn action(mode: Mode, key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Action::Quit),
            KeyCode::Char('z') => Some(Action::Suspend),
            KeyCode::Char('l') => Some(Action::Refresh),
            KeyCode::Char('f') => Some(Action::Page(1)),
            KeyCode::Char('b') => Some(Action::Page(-1)),
            _ => None,
        };
    }
    if key.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    match mode {
        Mode::Filter | Mode::Command => typing(key.code),
        Mode::List | Mode::Details | Mode::Help => moving(mode, key.code),
    }
}

const fn typing(key: KeyCode) -> Option<Action> {
    Some(match key {
        KeyCode::Char(c) => Action::Type(c),
        KeyCode::Backspace => Action::Erase,
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc => Action::Back,
        _ => return None,
    })
}

fn moving(mode: Mode, key: KeyCode) -> Option<Action> {
    Some(match key {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('R') => Action::Refresh,
        KeyCode::Char('?') if mode == Mode::Help => Action::Back,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('/') => Action::Filter,
        KeyCode::Char(':') => Action::Command,
        KeyCode::Char(c @ '1'..='5') => {
            let index = usize::try_from(c.to_digit(10)?).ok()?.checked_sub(1)?;
            Action::Tab(*Tab::ALL.get(index)?)
        }
        KeyCode::Tab | KeyCode::Char(']') => Action::NextTab,
        KeyCode::BackTab | KeyCode::Char('[') => Action::PreviousTab,
        KeyCode::Char('j') | KeyCode::Down => Action::Move(1),
        KeyCode::Char('k') | KeyCode::Up => Action::Move(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Page(1),
        KeyCode::PageUp => Action::Page(-1),
        KeyCode::Char('g') | KeyCode::Home => Action::First,
        KeyCode::Char('G') | KeyCode::End => Action::Last,
        KeyCode::Enter if mode == Mode::List => Action::Open,
        KeyCode::Enter | KeyCode::Esc => Action::Back,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(mode: Mode, code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
        action(mode, KeyEvent::new(code, modifiers))
    }

    #[test]
    fn a_letter_is_typed_where_there_is_a_line_to_type_on() {
        let plain = |mode, c| press(mode, KeyCode::Char(c), KeyModifiers::NONE);
        assert_eq!(plain(Mode::List, 'q'), Some(Action::Quit));
        assert_eq!(plain(Mode::Filter, 'q'), Some(Action::Type('q')));
        assert_eq!(plain(Mode::Command, 'q'), Some(Action::Type('q')));
        assert_eq!(plain(Mode::List, '4'), Some(Action::Tab(Tab::Channels)));
        assert_eq!(plain(Mode::List, '6'), None);
        assert_eq!(plain(Mode::Help, '?'), Some(Action::Back));
        // From everywhere.
        for mode in [Mode::List, Mode::Details, Mode::Help, Mode::Filter, Mode::Command] {
            let control = |c| press(mode, KeyCode::Char(c), KeyModifiers::CONTROL);
            assert_eq!((control('c'), control('z')), (Some(Action::Quit), Some(Action::Suspend)));
            assert_eq!(press(mode, KeyCode::Char('q'), KeyModifiers::ALT), None);
        }
    }

    #[test]
    fn a_key_counts_once() {
        let released =
            KeyEvent::new_with_kind(KeyCode::Char('j'), KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(action(Mode::List, released), None);
    }
}
