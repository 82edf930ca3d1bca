//! Nasty command lines: nothing of what is private may be left of any.

use super::*;
use crate::attach::signature::signature;

fn mask() -> Mask {
    Mask::new(People::new(
        ["/home/alice".to_owned()],
        ["alice".to_owned()],
    ))
}

fn command(arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    mask().command(&arguments)
}

#[test]
fn arguments_after_the_name_of_a_secret_are_masked() {
    for (arguments, expected) in [
        (&["x", "--token", "hunter2"][..], "x --token <secret>"),
        (&["x", "--api-key=hunter2"], "x --api-key=<secret>"),
        (&["x", "--password", "-hunter2"], "x --password <secret>"),
        (&["x", "--password", "--verbose"], "x --password --verbose"),
        (&["x", "--password", "a b c"], "x --password <secret>"),
        (&["x", "--password="], "x --password="),
        (&["x", "-token", "hunter2", "y"], "x -token <secret> y"),
        (
            &["env", "API_KEY=hunter2 and more", "y"],
            "env API_KEY=<secret> y",
        ),
        (&["x", "--env=API_KEY=hunter2"], "x --env=API_KEY=<secret>"),
        (&["x", "-e", "DB_PASSWORD=a=b"], "x -e DB_PASSWORD=<secret>"),
        (
            &["x", "--max-thinking-tokens", "31999"],
            "x --max-thinking-tokens 31999",
        ),
        (&["x", "token", "hunter2"], "x token hunter2"),
        (
            &["sshpass", "-p", "hunter2", "ssh", "h"],
            "sshpass -p <secret> ssh h",
        ),
        (
            &["mysql", "-phunter2", "-ualice"],
            "mysql -p<secret> -ualice",
        ),
        (&["curl", "-u", "alice:hunter2", "h"], "curl -u <secret> h"),
        (&["curl", "--user", "alice:hunter2"], "curl --user <secret>"),
        (&["server", "-p", "8080"], "server -p 8080"),
        (&["x", "", "y"], "x \"\" y"),
        (
            &["/usr/bin/password-agent", "start"],
            "/usr/bin/password-agent start",
        ),
    ] {
        assert_eq!(command(arguments), expected, "{arguments:?}");
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let kind = signature(&arguments, "x", &mask());
        let is_announced = expected.contains(SECRET);
        assert!(!is_announced || !kind.contains("hunter"), "{kind}");
    }
}

#[test]
fn headers_and_addresses_are_masked() {
    for (arguments, expected) in [
        (
            &["curl", "-H", "Authorization: Bearer abc.def"][..],
            "curl -H Authorization: <secret>",
        ),
        (
            &["curl", "-H", "Cookie: a=hunter2; b=hunter3"],
            "curl -H Cookie: <secret>",
        ),
        (
            &["curl", "-H", "X-Api-Key:hunter2"],
            "curl -H X-Api-Key:<secret>",
        ),
        (
            &["curl", "-H", "Accept: text/html"],
            "curl -H Accept: text/html",
        ),
        (
            &["git", "clone", "https://bob:hunter2@example.com/r.git"],
            "git clone https://<secret>@example.com/r.git",
        ),
        (
            &["x", "https://example.com/a?token=hunter2&page=2"],
            "x https://example.com/a?token=<secret>&page=2",
        ),
        (
            &["x", "postgres://u:p%40ss@db.example.com:5432/x"],
            "x postgres://<secret>@db.example.com:5432/x",
        ),
        (
            &["x", "bob:hunter2@db.example.com"],
            "x <secret>@db.example.com",
        ),
        (&["x", "--to", "carol@example.com"], "x --to <address>"),
        (
            &["npx", "-y", "@scope/pkg@1.2.3"],
            "npx -y @scope/pkg@1.2.3",
        ),
        (&["x", "claude-mem@9.0.0"], "x claude-mem@9.0.0"),
        (
            &["x", "Bearer", "hunter2hunter2"],
            "x Bearer hunter2hunter2",
        ),
        (&["x bearer hunter2hunter2"], "x bearer <secret>"),
    ] {
        assert_eq!(command(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn scripts_and_data_within_one_argument_are_masked() {
    for (arguments, expected) in [
        (
            &["sh", "-c", "TOKEN=hunter2 run --password hunter3 --x 1"][..],
            "sh -c TOKEN=<secret>",
        ),
        (
            &[
                "sh",
                "-c",
                "cd /x; TOKEN=hunter2 run --password hunter3 --x 1",
            ],
            "sh -c cd /x; TOKEN=<secret> run --password <secret> --x 1",
        ),
        (
            &["sh", "-c", "export PASSWORD='my hunter2 pass'; run"],
            "sh -c export PASSWORD='<secret>'; run",
        ),
        (
            &["sh", "-c", "curl -H 'Cookie: a=hunter2; b=hunter3' x"],
            "sh -c curl -H 'Cookie: <secret>' x",
        ),
        (
            &["sh", "-c", "curl -H \"Authorization: Bearer hunter2\" x"],
            "sh -c curl -H \"Authorization: <secret>\" x",
        ),
        (
            &[
                "claude",
                "--mcp-config",
                r#"{"mcpServers":{"a":{"env":{"API_KEY":"hunter2","PORT":"80"}}}}"#,
            ],
            r#"claude --mcp-config {"mcpServers":{"a":{"env":{"API_KEY":"<secret>","PORT":"80"}}}}"#,
        ),
        (
            &["x", r#"{"a": "{\"token\": \"hun\\\"ter2\", \"b\": 1}"}"#],
            r#"x {"a": "{\"token\": \"<secret>\", \"b\": 1}"}"#,
        ),
        (
            &["x", r#"{"pin":1,"password":12345,"b":2}"#],
            r#"x {"pin":1,"password":<secret>,"b":2}"#,
        ),
        (
            &["x", r#"{"password": "hunter2"#],
            r#"x {"password": "<secret>"#,
        ),
        (
            &["nginx: worker --token hunter2 for alice"],
            "nginx: worker --token <secret> for <user>",
        ),
    ] {
        assert_eq!(command(arguments), expected, "{arguments:?}");
    }
}

#[test]
fn words_that_look_like_secrets_are_masked_wherever_they_stand() {
    for (word, expected) in [
        ("sk-ant-api03-abcDEF123_-x", "<secret>"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "<secret>"),
        (
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP",
            "<secret>",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "<secret>"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "<secret>"),
        ("--id=q7Zt2LmP9xKc4RvB8nWs", "--id=<secret>"),
        ("/run/q7Zt2LmP9xKc4RvB8nWs/x", "/run/<secret>/x"),
        ("d41d8cd98f00b204e9800998ecf8427e", "<secret>"),
        ("0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab", "0f3a1b2c-…"),
        (
            "/p/0f3a1b2c-aaaa-4bbb-8ccc-0123456789ab.jsonl",
            "/p/0f3a1b2c-….jsonl",
        ),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"),
        (
            "--disallowedTools=Bash,Read,NotebookEdit",
            "--disallowedTools=Bash,Read,NotebookEdit",
        ),
        (
            "~/.claude/plugins/cache/thedotmack/claude-mem/9.0.0/scripts/worker-service.cjs",
            "~/.claude/plugins/cache/thedotmack/claude-mem/9.0.0/scripts/worker-service.cjs",
        ),
    ] {
        assert_eq!(command(&["x", word]), format!("x {expected}"), "{word}");
    }
}

#[test]
fn people_are_hidden_in_commands_and_paths() {
    assert_eq!(
        command(&["/home/alice/.bun/bin/bun", "--user=alice", "/home/bob/x"]),
        "~/.bun/bin/bun --user=<user> ~/x"
    );
    assert_eq!(
        mask().path(Path::new("/home/alice/.claude-mem")),
        "~/.claude-mem"
    );
}

#[test]
fn no_text_makes_it_stumble() {
    for text in [
        "",
        "=",
        ":",
        "--",
        "\"",
        "password",
        "password=",
        "password='",
        "token:\\",
        "{\"token\":",
        "\\\"token\\\":\\\"",
        "Bearer",
        "Bearer ",
        "@",
        "://",
        "a://@",
        "größe=ü",
        "token=ü",
        "'token: ü",
        "\u{1F600}password\u{1F600}=x",
        "password=\"\\",
        "-H 'Cookie:",
        "token = \u{1F600}",
    ] {
        let masked = mask().text(text);
        assert_eq!(masked.is_empty(), text.is_empty(), "{text:?}");
        let _ = command(&["x", text, text]);
    }
}

/// Where a secret may stand. `§` is the secret, `·` a blank within an argument.
const PLACES: [&str; 40] = [
    "--token §",
    "--token=§",
    "--api-key §",
    "-password §",
    "API_KEY=§",
    "MY_GITHUB_TOKEN=§",
    "--env=API_KEY=§",
    "--env API_KEY=§",
    "-eAPI_KEY=§",
    "--header=Cookie:·a=b;·c=§",
    "-HCookie:·a=b;·c=§",
    "--header=Authorization:·Bearer·§",
    "-H Authorization:·Bearer·§",
    "-H x-api-key:§",
    "https://u:§@example.com/x",
    "https://§@example.com/x",
    "https://u:a;§@example.com/x",
    "https://u:a/§@example.com/x",
    "redis://:§@10.0.0.1:6379/0",
    "--url=https://u:§@h/x",
    "https://h/x?token=§",
    "https://h/x?a=1&access_token=§&b=2",
    "https://h/x#access_token=§",
    "Server=h;Password=§;User=sa",
    "/password:§",
    r#"{"token":"§"}"#,
    r#"{"token":·"§"}"#,
    r#"{"env":{"API_KEY":"a·b·§","x":1}}"#,
    r#"{"a":"{\"password\":\"§\"}"}"#,
    r#"{"a":"{\\"password\\":\\"§\\"}"}"#,
    r#"{"args":["--token","§"]}"#,
    r#"{"args":["--token",·"a·§"]}"#,
    r#"{"headers":{"Authorization":"Bearer·§"}}"#,
    "password:·§",
    "password·=·§",
    "bearer·§",
    "sk-ant-§1",
    "ghp_§1",
    "--cookie §",
    "u:§@db.example.com",
];

#[test]
fn no_secret_shows_wherever_it_stands_and_however_it_is_wrapped() {
    const PLANTED: &str = "hunter2hunter2";
    let script = |text: String| vec!["sh".to_owned(), "-c".to_owned(), text];
    for place in PLACES {
        let written = |text: &str| text.replace('§', PLANTED).replace('·', " ");
        let mut bare = vec!["x".to_owned()];
        bare.extend(place.split(' ').map(written));
        let mut commands = vec![bare];
        let text = written(place);
        // A shell's word ends at a blank, and at the mark that opened it.
        if !place.contains('·') {
            commands.push(script(format!("run {text} x")));
        }
        for quote in ['"', '\''] {
            if !place.contains(['"', '\'']) {
                commands.push(script(format!("run {quote}{text}{quote} x")));
            }
        }
        for arguments in commands {
            let masked = mask().command(&arguments);
            assert!(!masked.contains(PLANTED), "{arguments:?}\n{masked}");
            assert!(masked.contains(SECRET), "{arguments:?}\n{masked}");
            // A kind of command shows words, numbers in them masked.
            let kind = signature(&arguments, "x", &mask());
            assert!(!kind.contains("hunter"), "{arguments:?}\n{kind}");
        }
    }
}
