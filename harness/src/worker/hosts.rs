//! The host programs of the Agent SDKs: small workers that read lines and run `query()`, for adapters that name one.

/// Their names and texts.
const HOSTS: [(&str, &str); 2] = [
    ("host.mjs", include_str!("../../hosts/host.mjs")),
    ("host.py", include_str!("../../hosts/host.py")),
];

/// The text of a host program.
pub fn text(name: &str) -> Option<&'static str> {
    HOSTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// What there is, for errors.
pub fn names() -> String {
    HOSTS.map(|(name, _)| name).join(", ")
}
