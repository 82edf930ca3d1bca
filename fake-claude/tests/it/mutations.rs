//! Bad input never makes the parser panic, and is refused just when it is no JSON.

use fake_claude::protocol::incoming::{Line, parse};
use serde::de::IgnoredAny;

const VALID: [&str; 6] = [
    r#"{"request_id":"k3f","type":"control_request","request":{"subtype":"initialize","systemPrompt":[""]}}"#,
    r#"{"type":"control_request","request_id":"i","request":{"subtype":"interrupt","cancel_queued":true}}"#,
    r#"{"type":"user","session_id":"","message":{"role":"user","content":[{"type":"text","text":"ä\"\n\ud83d\ude00"}]},"parent_tool_use_id":null}"#,
    r#"{"type":"user","session_id":"default","uuid":"u","message":{"role":"user","content":"plain lhm-1-1-o1z"},"priority":1.5e3}"#,
    r#"{"type":"control_cancel_request","request_id":"k3f"}"#,
    r#"{"type":"keep_alive","nested":[[{"a":[true,false,null,-0.1]}]]}"#,
];

/// Pseudo-random numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

fn mutate(line: &mut Vec<u8>, numbers: &mut Numbers) {
    const FAVOURITES: &[u8] = b"\"\\{}[]:,0e-utn \xc3\xff";

    for _ in 0..=numbers.below(4) {
        let at = numbers.below(line.len().max(1)).min(line.len());
        match numbers.below(5) {
            0 => line.truncate(at),
            1 => line.insert(at, FAVOURITES[numbers.below(FAVOURITES.len())]),
            2 if at < line.len() => drop(line.remove(at)),
            3 if at < line.len() => line[at] ^= 1 << numbers.below(8),
            _ => {
                let part = line[at..].to_vec();
                let to = numbers.below(line.len().max(1)).min(line.len());
                line.splice(to..to, part);
            }
        }
    }
}

#[test]
fn two_thousand_mutations_of_valid_lines_are_survived() {
    let mut numbers = Numbers(603);
    let (mut refused, mut ignored, mut understood) = (0, 0, 0);
    for round in 0..2_000 {
        let mut line = VALID[round % VALID.len()].as_bytes().to_vec();
        mutate(&mut line, &mut numbers);
        let line = String::from_utf8_lossy(&line);
        let is_json =
            line.trim().is_empty() || serde_json::from_str::<IgnoredAny>(line.trim()).is_ok();
        match parse(&line) {
            Err(_) => {
                assert!(!is_json, "{line}");
                refused += 1;
            }
            Ok(parsed) => {
                assert!(is_json, "{line}");
                match parsed {
                    Line::Ignored => ignored += 1,
                    Line::User(_) | Line::Control(_) => understood += 1,
                }
            }
        }
    }
    // Otherwise the mutations would prove nothing.
    assert!(
        refused > 500 && ignored > 50 && understood > 50,
        "{refused} refused, {ignored} ignored, {understood} understood"
    );
}
