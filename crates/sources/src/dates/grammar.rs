//! The grammar of dates: from tokens to parts, in one pass with bounded look-ahead.

use super::context;
use super::lex::{self, Class, Token};
use super::names::{self, Meaning};
use super::parts::Parts;
use crate::support::fold::fold;
use statuswatch_model::zone::Zone;

/// Longest date, in characters; anything longer is prose.
pub(super) const MAX_CHARS: usize = 96;

/// The one word that is a month in some languages and a weekday in others.
const MONTH_OR_DAY: &str = "mar";

impl Parts {
    /// Parses a date; returns `None` where a word is not part of a date. Ambiguous day and month
    /// stay unset until the other dates of the document decide.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = read(text)?;
        if let Some((first, second)) = parts.either {
            let (day, month) = context::day_and_month(first, second, parts.year)?;
            parts.day = Some(day);
            parts.month = Some(month);
        }
        Some(parts)
    }
}

/// Parses the parts of a date; returns `None` where anything in it is not part of a date.
fn read(text: &str) -> Option<Parts> {
    if text.len() > 4 * MAX_CHARS || text.chars().count() > MAX_CHARS {
        return None;
    }
    let text = fold(text);
    let tokens = lex::tokens(&text);
    let mut reader = Reader { tokens: &tokens, at: 0, parts: Parts::default(), weak_month: false };
    reader.run()?;
    Some(reader.parts)
}

/// Parses the tokens of a date; numbers are handled in [`super::numbers`].
pub(super) struct Reader<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    pub(super) parts: Parts,
    /// Whether the month may turn out to be a weekday.
    weak_month: bool,
}

impl<'t> Reader<'t> {
    fn run(&mut self) -> Option<()> {
        while let Some(token) = self.token(0) {
            match token.class {
                Class::Number => self.number(token.text)?,
                Class::Word => self.word(token.text)?,
                Class::Sign(sign) => self.sign(sign)?,
            }
        }
        Some(())
    }

    pub(super) fn token(&self, ahead: usize) -> Option<Token<'t>> {
        self.tokens.get(self.at + ahead).copied()
    }

    pub(super) fn word_at(&self, ahead: usize) -> Option<&'t str> {
        self.token(ahead).filter(|token| token.class == Class::Word).map(|token| token.text)
    }

    /// Returns the number at this position if no space precedes it.
    pub(super) fn glued_number(&self, ahead: usize) -> Option<&'t str> {
        let token = self.token(ahead)?;
        (token.glued && token.class == Class::Number).then_some(token.text)
    }

    pub(super) fn glued_sign(&self, ahead: usize) -> Option<char> {
        match self.token(ahead)? {
            Token { class: Class::Sign(sign), glued: true, .. } => Some(sign),
            _ => None,
        }
    }

    /// Skips this many tokens; returns `None` where there are fewer.
    pub(super) fn take(&mut self, tokens: usize) -> Option<()> {
        self.at = Some(self.at + tokens).filter(|at| *at <= self.tokens.len())?;
        Some(())
    }

    /// Returns whether `a.m.` or `p. m.` starts at this position.
    pub(super) fn is_half(&self, ahead: usize) -> bool {
        let dot = usize::from(matches!(
            self.token(ahead + 1),
            Some(Token { class: Class::Sign('.'), .. })
        ));
        matches!(self.word_at(ahead), Some("a" | "p")) && self.word_at(ahead + 1 + dot) == Some("m")
    }

    fn word(&mut self, word: &'t str) -> Option<()> {
        match word {
            "t" if self.has_date() && self.glued_number(1).is_some() => {
                self.take(1)?;
                return match self.glued_number(0) {
                    Some(digits)
                        if matches!(digits.len(), 2 | 4 | 6) && self.glued_sign(1) != Some(':') =>
                    {
                        self.compact_clock(digits)
                    }
                    _ => Some(()),
                };
            }
            // The monotonic clock reading that Go appends.
            "m" if self.glued_sign(1) == Some('=') => {
                return self.take(self.tokens.len() - self.at);
            }
            "a" | "p" if self.is_half(0) => {
                self.parts.pm = Some(word == "p");
                let dot = matches!(self.token(1), Some(Token { class: Class::Sign('.'), .. }));
                return self.take(if dot { 3 } else { 2 });
            }
            _ => {}
        }
        if self.glued_sign(1) == Some('/') && self.token(2).is_some_and(|token| token.glued) {
            return self.place();
        }
        for count in (1..=names::LONGEST).rev() {
            let words: Option<Vec<&str>> = (0..count).map(|ahead| self.word_at(ahead)).collect();
            let Some(name) = words.map(|words| words.join(" ")) else { continue };
            if let Some(meaning) = names::lookup(&name) {
                self.take(count)?;
                return self.apply(&name, meaning);
            }
        }
        None
    }

    fn apply(&mut self, name: &str, meaning: Meaning) -> Option<()> {
        match meaning {
            Meaning::Weekday | Meaning::Filler => {}
            Meaning::Half(pm) => {
                self.parts.pm = Some(pm);
                if matches!(name, "noon" | "midnight" | "mittags" | "mediodia") {
                    self.parts.hour = self.parts.hour.or(Some(12));
                }
            }
            Meaning::Month(month) => {
                let weak = name == MONTH_OR_DAY;
                match self.parts.month {
                    Some(_) if weak => {}
                    Some(_) if self.weak_month => self.parts.month = Some(month),
                    Some(_) => return None,
                    None => self.parts.month = Some(month),
                }
                self.weak_month = weak;
            }
            Meaning::Zone(zone) => {
                if zone == Zone::UTC && self.offset_follows() {
                    return self.offset();
                }
                // "+0200 CEST" states the zone twice.
                self.parts.zone = self.parts.zone.or(Some(zone));
            }
        }
        Some(())
    }

    /// Parses `Europe/Berlin`, `America/Argentina/Buenos_Aires`, `Etc/GMT+2`.
    fn place(&mut self) -> Option<()> {
        let glued = self.tokens.get(self.at + 1..)?.iter().take_while(|token| {
            token.glued
                && (token.class != Class::Sign(']') && token.class != Class::Sign(')'))
                && token.class != Class::Sign(',')
        });
        let count = 1 + glued.count();
        let name: String =
            self.tokens.iter().skip(self.at).take(count).map(|token| token.text).collect();
        let zone = Zone::named(&name)?;
        self.parts.zone = self.parts.zone.or(Some(zone));
        self.take(count)
    }

    fn sign(&mut self, sign: char) -> Option<()> {
        match sign {
            '+' => self.offset(),
            '-' if self.parts.hour.is_some()
                && self.parts.zone.is_none()
                && self.offset_follows() =>
            {
                self.offset()
            }
            '(' | '[' => self.bracket(if sign == '(' { ')' } else { ']' }),
            ',' | ';' | '|' | '@' | '.' | '·' | '\'' | ':' | '-' | '–' | '—' | '/' => {
                self.take(1)
            }
            _ => None,
        }
    }

    /// Returns whether an offset follows: `+02:00`, `-0800`, `+3`, as opposed to a dash.
    fn offset_follows(&self) -> bool {
        let Some(Token { class: Class::Sign('+' | '-'), glued, .. }) = self.token(0) else {
            return false;
        };
        match self.glued_number(1) {
            Some(digits) if digits.len() == 4 => true,
            Some(digits) if digits.len() <= 2 => {
                glued || self.glued_sign(2) == Some(':') || self.parts.hour.is_some()
            }
            _ => false,
        }
    }

    fn offset(&mut self) -> Option<()> {
        let mut text = String::from(self.token(0)?.text);
        text.push_str(self.glued_number(1)?);
        self.take(2)?;
        if text.len() <= 3
            && self.glued_sign(0) == Some(':')
            && let Some(minutes) = self.glued_number(1)
        {
            text.push(':');
            text.push_str(minutes);
            self.take(2)?;
        }
        let zone = Zone::named(&text)?;
        self.parts.zone = self.parts.zone.or(Some(zone));
        Some(())
    }

    /// Parses brackets: a zone or a weekday; otherwise a zone name in any language, which may be
    /// skipped if the offset is known.
    fn bracket(&mut self, close: char) -> Option<()> {
        let rest = self.tokens.get(self.at + 1..)?;
        let end = rest.iter().position(|token| token.class == Class::Sign(close))?;
        let mut inner = Reader {
            tokens: rest.get(..end)?,
            at: 0,
            parts: self.parts,
            weak_month: self.weak_month,
        };
        if inner.run().is_some() {
            self.parts = inner.parts;
            self.weak_month = inner.weak_month;
        } else {
            self.parts.zone?;
        }
        self.take(end + 2)
    }

    fn has_date(&self) -> bool {
        self.parts.day.is_some() || self.parts.either.is_some()
    }
}
