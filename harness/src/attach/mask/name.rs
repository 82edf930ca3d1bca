//! Whether the name of an option, a variable or a field says that its value is a secret.

/// Words that say so wherever they stand in a name.
const WORDS: [&str; 22] = [
    "token",
    "secret",
    "secrets",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pwd",
    "pw",
    "credential",
    "credentials",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "jwt",
    "otp",
    "apikey",
    "accesskey",
    "privatekey",
    "dsn",
    "signature",
];

/// What stands before `key` where the key is a secret.
const KEYS: [&str; 16] = [
    "api",
    "access",
    "private",
    "secret",
    "signing",
    "encryption",
    "ssh",
    "master",
    "session",
    "service",
    "license",
    "auth",
    "client",
    "account",
    "storage",
    "deploy",
];

/// What says so also where a name is written in one: `DBPASSWORD`, `ACCESSTOKEN`.
const PARTS: [&str; 6] = [
    "password",
    "passwd",
    "apikey",
    "secret",
    "credential",
    "accesstoken",
];

/// Whether this is the name of a secret: `--api-key`, `GITHUB_TOKEN`, `dbPassword`, `X-Auth`.
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let lower = name.to_ascii_lowercase();
    let joined = PARTS.iter().any(|part| lower.contains(part))
        // `--max-thinking-tokens` counts, and so does `tokenizer`.
        || lower.ends_with("token");
    joined
        || words
            .iter()
            .enumerate()
            .any(|(at, word)| match word.as_str() {
                "key" | "keys" => match at.checked_sub(1).map(|before| &words[before]) {
                    Some(before) => KEYS.contains(&before.as_str()),
                    None => words.len() == 1,
                },
                word => WORDS.contains(&word),
            })
}

/// The words of a name, in small letters: parted by anything but letters and digits, and where a capital follows a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_is_small = false;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            words.push(String::new());
        } else {
            if c.is_uppercase() && last_is_small {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        last_is_small = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "--token",
            "--api-key",
            "--apikey",
            "--password",
            "ANTHROPIC_API_KEY",
            "GITHUB_TOKEN",
            "dbPassword",
            "DBPASSWORD",
            "X-Auth",
            "Authorization",
            "x-api-key",
            "clientSecret",
            "AWS_SECRET_ACCESS_KEY",
            "PGPASSWORD",
            "--key",
            "CLAUDE_CODE_OAUTH_TOKEN",
            "AUTHTOKEN",
            "private_key",
            "SENTRY_DSN",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "--max-thinking-tokens",
            "--tokenizer",
            "--author",
            "--authority",
            "--model",
            "MONKEY",
            "--sort-key",
            "PATH",
            "--session-id",
            "--passive",
            "--compass",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
