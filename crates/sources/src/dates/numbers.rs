//! Parses the parts of dates that start with a number.

use chrono::{Datelike as _, NaiveDate, Weekday};

use super::grammar::Reader;
use super::lex::{Class, Token};
use super::names::{self, Meaning};

impl<'t> Reader<'t> {
    pub(super) fn number(&mut self, digits: &'t str) -> Option<()> {
        if let Some(unit) = self.word_at(1)
            && self.unit(digits, unit)?
        {
            return Some(());
        }
        if self.glued_sign(1) == Some(':') && self.glued_number(2).is_some() {
            return self.clock(digits);
        }
        if let Some(sign @ ('-' | '/' | '.')) = self.glued_sign(1)
            && self.token(2).is_some_and(|token| token.glued)
            && self.joined(digits, sign)?
        {
            return Some(());
        }
        match digits.len() {
            8 | 14 if self.parts.year.is_none() => self.compact_date(digits),
            1 | 2 => self.short(digits),
            4 if self.parts.year.is_none() => {
                if self.word_at(1) == Some("w") {
                    return self.week(digits);
                }
                self.parts.year = Some(number(digits)? as i32);
                self.take(1)
            }
            4 if self.parts.hour.is_none() => self.compact_clock(digits),
            _ => None,
        }
    }

    /// Parses a number followed by its unit: `10月`, `8h28`, `8 PM`. Returns whether it was one.
    fn unit(&mut self, digits: &str, unit: &str) -> Option<bool> {
        let value = number(digits)?;
        match unit {
            "年" | "년" => self.parts.year = Some(value as i32),
            "月" | "월" => self.parts.month = Some(value),
            "日" | "일" | "号" => self.parts.day = Some(value),
            "分" | "분" => self.parts.minute = value,
            "秒" | "초" => self.parts.second = value,
            "時" | "时" | "点" | "시" => self.parts.hour = Some(value),
            "h" if self.parts.hour.is_none() => {
                self.parts.hour = Some(value);
                self.take(2)?;
                if let Some(Token { class: Class::Number, text, .. }) = self.token(0)
                    && text.len() == 2
                {
                    self.parts.minute = number(text)?;
                    self.take(1)?;
                }
                return Some(true);
            }
            "uhr" | "uur" | "am" | "pm" | "noon" | "a" | "p"
                if self.parts.hour.is_none() && (unit.len() > 1 || self.is_half(1)) =>
            {
                self.parts.hour = Some(value);
                self.take(1)?;
                return Some(true);
            }
            "st" | "nd" | "rd" | "th" | "er" | "ste" | "e" if self.token(1)?.glued => {
                self.day(value)?;
            }
            _ => return Some(false),
        }
        self.take(2)?;
        Some(true)
    }

    /// Parses `21:09`, `21:09:04.123`.
    fn clock(&mut self, hour: &str) -> Option<()> {
        self.parts.hour = Some(short(hour)?);
        self.parts.minute = short(self.glued_number(2)?)?;
        self.take(3)?;
        if self.glued_sign(0) == Some(':')
            && let Some(second) = self.glued_number(1)
        {
            self.parts.second = short(second)?;
            self.take(2)?;
            if matches!(self.glued_sign(0), Some('.' | ','))
                && let Some(fraction) = self.glued_number(1)
            {
                let nanos = fraction.get(..9).unwrap_or(fraction);
                self.parts.nanos = format!("{nanos:0<9}").parse().ok()?;
                self.take(2)?;
            }
        }
        Some(())
    }

    /// Parses numbers and names joined by one symbol: `2026-03-03`, `24.10.2026`, `24/Oct/2026`,
    /// `8.28`. Returns whether it was such a date.
    fn joined(&mut self, first: &str, sign: char) -> Option<bool> {
        let second = self.token(2)?;
        let third = (self.glued_sign(3) == Some(sign)).then(|| self.glued_number(4)).flatten();
        if second.class == Class::Word {
            if let (Some(Meaning::Month(month)), Some(third)) = (names::lookup(second.text), third)
            {
                let (day, year) = if first.len() == 4 { (third, first) } else { (first, third) };
                self.parts.month = Some(month);
                self.day(short(day)?)?;
                self.parts.year = Some(self::year(year)?);
                self.take(5)?;
                return Some(true);
            }
            if first.len() == 4 && second.text == "w" {
                self.take(1)?;
                self.week(first)?;
                return Some(true);
            }
            return Some(false);
        }
        if second.class != Class::Number {
            return Some(false);
        }
        match (first.len(), second.text.len(), third) {
            (4, 1 | 2, Some(third)) => {
                self.parts.year = Some(number(first)? as i32);
                self.parts.month = Some(short(second.text)?);
                self.day(short(third)?)?;
                self.take(5)?;
            }
            (4, 3, None) if sign == '-' => {
                let (year, day) = (number(first)? as i32, number(second.text)?);
                self.on(NaiveDate::from_yo_opt(year, day)?);
                self.take(3)?;
            }
            (1 | 2, 1 | 2, Some(third)) => {
                let (first, second) = (short(first)?, short(second.text)?);
                self.parts.year = Some(self::year(third)?);
                if sign == '.' || first == second {
                    (self.parts.day, self.parts.month) = (Some(first), Some(second));
                } else {
                    self.parts.either = Some((first, second));
                }
                self.take(5)?;
            }
            // `8.28` is a time if the day is known, as in "24. Oktober 2026, 8.28 Uhr".
            (1 | 2, 2, None) if sign == '.' && self.parts.day.is_some() => {
                self.parts.hour = Some(short(first)?);
                self.parts.minute = short(second.text)?;
                self.take(3)?;
            }
            _ => return Some(false),
        }
        Some(true)
    }

    /// Parses `2026-W43-6` after its year.
    fn week(&mut self, year: &str) -> Option<()> {
        let digits = self.glued_number(2)?;
        let (week, day) = digits.split_at_checked(2)?;
        self.take(3)?;
        let day = if day.is_empty() && self.glued_sign(0) == Some('-') {
            let day = self.glued_number(1)?;
            self.take(2)?;
            day
        } else {
            day
        };
        let day =
            if day.is_empty() { 1 } else { number(day).filter(|day| (1..=7).contains(day))? };
        let weekday = Weekday::try_from(u8::try_from(day - 1).ok()?).ok()?;
        self.on(NaiveDate::from_isoywd_opt(number(year)? as i32, number(week)?, weekday)?);
        Some(())
    }

    /// Parses `20260303`, also followed by the time.
    fn compact_date(&mut self, digits: &str) -> Option<()> {
        let (date, time) = digits.split_at_checked(8)?;
        let (year, day) = date.split_at_checked(4)?;
        let (month, day) = day.split_at_checked(2)?;
        self.on(NaiveDate::from_ymd_opt(number(year)? as i32, number(month)?, number(day)?)?);
        self.take(1)?;
        if time.is_empty() { Some(()) } else { self.digits_of_clock(time) }
    }

    /// Parses `2109`, `210904`, `21`.
    pub(super) fn compact_clock(&mut self, digits: &str) -> Option<()> {
        self.digits_of_clock(digits)?;
        self.take(1)
    }

    fn digits_of_clock(&mut self, digits: &str) -> Option<()> {
        let (hour, rest) = digits.split_at_checked(2)?;
        let (minute, second) = if rest.is_empty() { ("0", "") } else { rest.split_at_checked(2)? };
        self.parts.hour = Some(number(hour)?);
        self.parts.minute = number(minute)?;
        if !second.is_empty() {
            self.parts.second = short(second)?;
        }
        Some(())
    }

    /// Parses one or two digits: a day, else the year, else an hour in a language that puts AM or
    /// PM first.
    fn short(&mut self, digits: &str) -> Option<()> {
        let value = number(digits)?;
        if self.parts.day.is_none() && self.parts.either.is_none() {
            self.parts.day = Some(value);
        } else if digits.len() == 2 && self.parts.year.is_none() && self.parts.month.is_some() {
            self.parts.year = Some(year(digits)?);
        } else if self.parts.hour.is_none() && self.parts.pm.is_some() {
            self.parts.hour = Some(value);
        } else {
            return None;
        }
        self.take(1)
    }

    fn day(&mut self, day: u32) -> Option<()> {
        self.parts.day.replace(day).is_none().then_some(())
    }

    fn on(&mut self, date: NaiveDate) {
        self.parts.year = Some(date.year());
        self.parts.month = Some(date.month());
        self.parts.day = Some(date.day());
    }
}

fn number(digits: &str) -> Option<u32> {
    digits.parse().ok()
}

/// Returns a number of one or two digits.
fn short(digits: &str) -> Option<u32> {
    (digits.len() <= 2).then(|| number(digits)).flatten()
}

/// Returns a year of four digits, or of two: in RFC 2822, those below 50 are in this century.
fn year(digits: &str) -> Option<i32> {
    let year = number(digits)? as i32;
    match digits.len() {
        4 => Some(year),
        2 if year < 50 => Some(year + 2000),
        2 => Some(year + 1900),
        _ => None,
    }
}
