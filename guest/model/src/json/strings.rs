//! Where strings end, eight bytes a step: strings are most of every ticket.

/// The first byte from `at` on that is not a plain character of a string: a quote, a backslash, a control
/// character, or the end.
#[inline]
pub(super) fn plain_until(bytes: &[u8], at: usize) -> usize {
    let mut rest = bytes.get(at..).unwrap_or_default();
    while let Some((word, after)) = rest.split_first_chunk() {
        let found = not_plain(u64::from_le_bytes(*word));
        if found != 0 {
            return bytes.len() - rest.len() + found.trailing_zeros() as usize / 8;
        }
        rest = after;
    }
    let plain = rest.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count();
    bytes.len() - rest.len() + plain
}

/// The high bit of every byte that is not a plain character of a string; perhaps of more after the first.
fn not_plain(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // With one bit flipped, the quote comes right after the control characters.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGHS
}

/// Where the string that begins at `at` of a valid text ends.
#[inline]
pub(super) fn after_string(bytes: &[u8], at: usize) -> usize {
    let at = plain_until(bytes, at + 1);
    if bytes.get(at) == Some(&b'"') { at + 1 } else { after_escapes(bytes, at) }
}

/// Where the string ends whose first escape is at `at`.
#[inline(never)]
fn after_escapes(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
        at = plain_until(bytes, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_path_stops_where_the_slow_one_does() {
        for special in ['"', '\\', '\u{1f}', '\u{0}', '\n'] {
            for before in 0..40 {
                let text =
                    format!("{}{special}zzzzzzzzzzzz", "aé~\u{7f}€".chars().cycle().take(before).collect::<String>());
                let slow = text.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
                assert_eq!(Some(plain_until(text.as_bytes(), 0)), slow, "{text:?}");
            }
        }
    }

    #[test]
    fn every_byte_is_told_apart_at_every_place_of_a_word() {
        for filler in [b'a', b' ', b'#', b'[', b']', 0x7f, 0x80, 0xa0, 0xa2, 0xdc, 0xff] {
            for byte in 0..=u8::MAX {
                let plain = byte >= 0x20 && byte != b'"' && byte != b'\\';
                for (place, from) in (0..24).flat_map(|place| [0, 1, place].map(|from| (place, from.min(place)))) {
                    let mut bytes = [filler; 24];
                    bytes[place] = byte;
                    let end = if plain { bytes.len() } else { place };
                    assert_eq!(plain_until(&bytes, from), end, "{byte:#x} at {place} among {filler:#x}");
                }
            }
        }
        assert_eq!(plain_until(b"abc", 3), 3);
        assert_eq!(plain_until(b"abc", 4), 3, "after the last byte is the end");
    }
}
