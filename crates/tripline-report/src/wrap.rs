//! Lines that fit a terminal.

use std::io::{self, Write};

/// How wide what people read is, in columns.
pub const COLUMNS: usize = 80;

/// Writes a text in lines of at most [`COLUMNS`], the first behind `first` blanks and the others behind
/// `rest`. Lines are broken at blanks only: a name or a document that is longer stays whole, so that it
/// can be copied.
///
/// # Errors
/// Those of `out`.
pub fn write_wrapped(
    out: &mut impl Write,
    text: &str,
    first: usize,
    rest: usize,
) -> io::Result<()> {
    let mut column = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if column == 0 {
            write!(out, "{:first$}{word}", "")?;
            column = first + length;
        } else if column + 1 + length > COLUMNS {
            write!(out, "\n{:rest$}{word}", "")?;
            column = rest + length;
        } else {
            write!(out, " {word}")?;
            column += 1 + length;
        }
    }
    writeln!(out)
}

/// Writes lines of which each keeps its own indentation.
///
/// # Errors
/// Those of `out`.
pub fn write_lines_wrapped(out: &mut impl Write, lines: &str) -> io::Result<()> {
    for line in lines.lines() {
        let indent = line.chars().take_while(|character| *character == ' ').count();
        write_wrapped(out, line, indent, indent + 2)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wrapped(text: &str, first: usize, rest: usize) -> String {
        let mut out = Vec::new();
        write_wrapped(&mut out, text, first, rest).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_long_name_stays_whole() {
        let name = "n".repeat(100);
        assert_eq!(
            wrapped(&format!("see {name} there"), 2, 4),
            format!("  see\n    {name}\n    there\n")
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_no_word_is_lost(text in "([a-zé]{1,20} ){0,40}", first in 0_usize..10, rest in 0_usize..10) {
            let wrapped = wrapped(&text, first, rest);
            prop_assert!(wrapped.lines().all(|line| line.chars().count() <= COLUMNS));
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&wrapped), words(&text));
        }
    }
}
