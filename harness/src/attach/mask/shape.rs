//! What a word looks like: a secret, an id, a name. Nothing here knows what stood before the word.

/// Beginnings that services give to their tokens, so that leaked ones are found (their documentation names them).
const PREFIXES: [&str; 34] = [
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "sess-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxa-",
    "xoxb-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "eyJ",
    "hf_",
    "npm_",
    "pypi-",
    "dop_v1_",
    "shpat_",
    "SG.",
    "whsec_",
    "tskey-",
    "nvapi-",
    "gsk_",
    "xai-",
];

/// The shortest token of a service that has a prefix.
const SHORTEST_WITH_PREFIX: usize = 12;
/// The shortest word of letters of both cases and digits that is taken for a secret.
const SHORTEST_MIXED: usize = 20;
/// The shortest word of letters of one case and digits that is taken for a secret.
const SHORTEST_PLAIN: usize = 24;
/// The shortest word of letters alone that is taken for a secret.
const SHORTEST_LETTERS: usize = 32;
/// The shortest number that is taken for a secret: longer than a moment in milliseconds, as long as a card's.
const SHORTEST_DIGITS: usize = 15;
/// Bits for each character, below which a word repeats itself too much to be drawn by chance.
const LEAST_ENTROPY: f64 = 3.4;

/// Whether a word begins as the tokens of a known service do, and is long enough to be one.
pub fn has_token_prefix(word: &str) -> bool {
    word.len() >= SHORTEST_WITH_PREFIX
        && PREFIXES.iter().any(|prefix| word.starts_with(prefix))
        // Words joined by hyphens may begin like that too: `sk-learn-worker`.
        && word.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Whether a word is a UUID.
pub fn is_uuid(word: &str) -> bool {
    let mut parts = word.split('-');
    let all_fit = [8, 4, 4, 4, 12].into_iter().all(|length| {
        parts.next().is_some_and(|part| {
            part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    all_fit && parts.next().is_none()
}

/// Whether a word looks as if it was drawn by chance: long, of several kinds of characters, without parts that read as words.
pub fn is_random(word: &str) -> bool {
    let count = |wanted: fn(&u8) -> bool| word.bytes().filter(wanted).count();
    let digits = count(u8::is_ascii_digit);
    let upper = count(u8::is_ascii_uppercase);
    let lower = count(u8::is_ascii_lowercase);
    let letters = upper + lower;
    let length = word.len();
    if letters == 0 {
        return digits >= SHORTEST_DIGITS && word.bytes().all(|byte| byte.is_ascii_digit());
    }
    if is_wordy(word) {
        return false;
    }
    if digits == 0 {
        return length >= SHORTEST_LETTERS && changes(word) * 10 >= length * 3;
    }
    if word.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return length >= SHORTEST_PLAIN;
    }
    let shortest = if upper > 0 && lower > 0 {
        SHORTEST_MIXED
    } else {
        SHORTEST_PLAIN
    };
    length >= shortest && entropy(word) >= LEAST_ENTROPY
}

/// Whether a word that holds slashes is a secret and no path: some alphabets have the slash, and paths change less between cases.
pub fn is_random_with_slashes(word: &str) -> bool {
    let bare: String = word
        .chars()
        .filter(|c| !matches!(c, '/' | '+' | '='))
        .collect();
    bare.len() >= SHORTEST_LETTERS && changes(&bare) * 5 >= bare.len() && is_random(&bare)
}

/// Whether every part between hyphens, underscores and dots reads as a word, a short number or a word with a number behind it.
fn is_wordy(word: &str) -> bool {
    word.split(['-', '_', '.']).all(|part| {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = part.len() - letters.len();
        let reads = letters.chars().all(char::is_alphabetic)
            && (letters.len() <= 3 || changes(letters) * 4 <= letters.len())
            && letters.len() < SHORTEST_LETTERS;
        reads && digits < SHORTEST_DIGITS
    })
}

/// How often neighbours are of different kinds: lower case, upper case, digit. A capital before a small letter begins a word and is no
/// change.
fn changes(word: &str) -> usize {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let bytes = word.as_bytes();
    bytes
        .windows(2)
        .filter(|pair| {
            let (first, second) = (kind(pair[0]), kind(pair[1]));
            first != second && (first, second) != (1, 0)
        })
        .count()
}

/// Bits for each character, from how often each occurs.
fn entropy(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in word.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = word.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f64::from(*count) / length;
            -share * share.log2()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_drawn_by_chance_is_told_from_names() {
        for word in [
            "d41d8cd98f00b204e9800998ecf8427e",
            "q7Zt2LmP9xKc4RvB8nWs",
            "mF_9.B5f-4.1JqM7xPz",
            "a8f5f167f44f4964e6c998de",
            "AbCdEfGhIjKlMnOpQrStUvWxYzaBcDeFgHiJ",
            "4111111111111111",
            "x9k2m4n7p1q8r3s6t5u0v2w4",
        ] {
            // Taken for a list of short words; it is short, and only a name before it would tell.
            let expected = word != "mF_9.B5f-4.1JqM7xPz";
            assert_eq!(is_random(word), expected, "{word}");
        }
        for word in [
            "claude-sonnet-4-5-20250929",
            "worker-service.cjs",
            "disallowedTools",
            "AskUserQuestionNotebookEditWebFetch",
            "stream-json",
            "1763805517123",
            "PostToolUseFailureObservation",
            "internationalisation",
            "x86_64-unknown-linux-gnu",
            "claude-mem-plugin-cache-thedotmack",
            "",
        ] {
            assert!(!is_random(word), "{word}");
        }
    }

    #[test]
    fn slashes_do_not_make_a_path_of_a_secret() {
        assert!(is_random_with_slashes(
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        ));
        assert!(!is_random_with_slashes(
            "src/services/worker2/http/routes/SessionRoutes"
        ));
    }

    #[test]
    fn prefixes_and_ids() {
        assert!(has_token_prefix("sk-ant-api03-x8Kd"));
        assert!(has_token_prefix("ghp_16C7e42F292c69"));
        assert!(!has_token_prefix("sk-learn-worker"));
        assert!(!has_token_prefix("sk-short"));
        assert!(is_uuid("0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab"));
        assert!(!is_uuid("0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab-1"));
    }
}
