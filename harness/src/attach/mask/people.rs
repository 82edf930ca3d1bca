//! Who somebody is: home folders and user names in texts.

/// What stands in the place of a user's name.
pub const USER: &str = "<user>";

/// Names that many machines have in common, so that they tell nothing about anybody; some are also names of programs.
const GENERIC: [&str; 24] = [
    "root",
    "user",
    "users",
    "home",
    "node",
    "bun",
    "python",
    "ubuntu",
    "debian",
    "admin",
    "daemon",
    "nobody",
    "runner",
    "app",
    "git",
    "vscode",
    "codespace",
    "claude",
    "docker",
    "www-data",
    "ec2-user",
    "secret",
    "address",
    "tmp",
];

/// Folders below which every folder is somebody's home.
const PARENTS: [&str; 2] = ["/home/", "/Users/"];

/// The home folders and the user names that are known.
#[derive(Debug, Clone, Default)]
pub struct People {
    homes: Vec<String>,
    users: Vec<String>,
}

impl People {
    /// With these home folders and user names; what is too general to hide is left out, and a home's last folder is taken for a name
    /// where homes lie together.
    pub fn new(
        homes: impl IntoIterator<Item = String>,
        users: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut people = Self::default();
        let mut names: Vec<String> = users.into_iter().collect();
        for home in homes {
            let home = home.trim_end_matches('/');
            // A home of `/`, or one that is no whole path, would hide everything.
            if home.len() < 2 || !home.starts_with('/') {
                continue;
            }
            if let Some(name) = PARENTS.iter().find_map(|parent| home.strip_prefix(parent)) {
                names.push(name.to_owned());
            }
            people.homes.push(home.to_owned());
        }
        people
            .homes
            .sort_by_key(|home| std::cmp::Reverse(home.len()));
        people.homes.dedup();
        for name in names {
            let known = people.users.contains(&name);
            if name.chars().count() >= 2 && !GENERIC.contains(&name.as_str()) && !known {
                people.users.push(name);
            }
        }
        people
    }

    /// The text with home folders as `~` and user names masked.
    pub fn hide(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            // A slash that is written as its code parts words too.
            let before = out
                .chars()
                .next_back()
                .filter(|_| !out.ends_with("%2F") && !out.ends_with("%2f"));
            if let Some((length, shown)) =
                self.home(rest, before).or_else(|| self.user(rest, before))
            {
                out += &shown;
                at += length;
            } else {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                out += &rest[..length];
                at += length;
            }
        }
        out
    }

    /// A home folder at the start of a text: its length, and what stands in its place.
    fn home(&self, rest: &str, before: Option<char>) -> Option<(usize, String)> {
        let begins = before.is_none_or(|c| !is_of_a_name(c) && c != '~' && c != '>');
        if begins {
            let known = self.homes.iter().map(String::as_str).chain(["/root"]);
            for home in known {
                if rest.starts_with(home) && ends_here(&rest[home.len()..]) {
                    return Some((home.len(), "~".to_owned()));
                }
            }
        }
        for parent in PARENTS {
            if let Some(below) = rest.strip_prefix(parent) {
                let name = name_length(below);
                if name > 0 {
                    // Below another folder it is a home of another machine, or a mounted one: the way there says nothing.
                    let shown = if begins {
                        "~".to_owned()
                    } else {
                        format!("{parent}{USER}")
                    };
                    return Some((parent.len() + name, shown));
                }
            }
        }
        let windows = ["C:\\Users\\", "c:\\Users\\", "C:/Users/"];
        for parent in windows {
            if let Some(below) = rest.strip_prefix(parent) {
                let name = name_length(below);
                if begins && name > 0 {
                    return Some((parent.len() + name, "~".to_owned()));
                }
            }
        }
        // A path written as one name, as the projects of a `claude` are: `-home-alice-work`.
        for parent in ["-home-", "-Users-"] {
            if let Some(below) = rest.strip_prefix(parent) {
                let name = below
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(below.len());
                if before.is_none_or(|c| c == '/') && name > 0 {
                    return Some((parent.len() + name, format!("{parent}{USER}")));
                }
            }
        }
        None
    }

    /// A user's name at the start of a text, as a word of its own.
    fn user(&self, rest: &str, before: Option<char>) -> Option<(usize, String)> {
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        self.users.iter().find_map(|user| {
            let head = rest.get(..user.len())?;
            let after = rest[user.len()..].chars().next();
            let whole = after.is_none_or(|c| !c.is_alphanumeric());
            (head.eq_ignore_ascii_case(user) && whole).then(|| (user.len(), USER.to_owned()))
        })
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/')
}

fn ends_here(rest: &str) -> bool {
    rest.chars()
        .next()
        .is_none_or(|c| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
}

/// How long the name at the start of a path is.
fn name_length(path: &str) -> usize {
    path.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '+')))
        .unwrap_or(path.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_become_a_tilde_and_names_are_masked() {
        let people = People::new(
            [
                "/home/alice".to_owned(),
                "/srv/h/bob/".to_owned(),
                "/".to_owned(),
            ],
            ["alice".to_owned(), "root".to_owned(), "x".to_owned()],
        );
        for (text, expected) in [
            ("/home/alice/.claude-mem/x.db", "~/.claude-mem/x.db"),
            ("/home/alice", "~"),
            ("/home/alicette/x", "~/x"),
            ("/home/carol/x", "~/x"),
            ("/Users/dave.smith/Library", "~/Library"),
            ("/root/notes.txt", "~/notes.txt"),
            ("/rootfs/x", "/rootfs/x"),
            ("/srv/h/bob/x", "~/x"),
            ("/srv/h/bobby/x", "/srv/h/bobby/x"),
            ("/mnt/home/carol/x", "/mnt/home/<user>/x"),
            ("--dir=/home/carol:/home/dave", "--dir=~:~"),
            ("file:///home/carol/x", "file:///home/<user>/x"),
            ("C:\\Users\\Carol\\x", "~\\x"),
            (
                "/p/-home-carol-work/x.jsonl",
                "/p/-home-<user>-work/x.jsonl",
            ),
            ("by Alice, alice@host", "by <user>, <user>@host"),
            ("malice alices", "malice alices"),
            ("?dir=%2Fhome%2Falice%2Fx", "?dir=%2Fhome%2F<user>%2Fx"),
            ("root x", "root x"),
            ("größe /home/größe/x", "größe ~/x"),
        ] {
            assert_eq!(people.hide(text), expected, "{text}");
        }
    }
}
