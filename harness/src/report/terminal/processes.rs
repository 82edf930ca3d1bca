//! The processes of a finding as `ps` shows them, which is how people paste them into reports.

use comfy_table::{CellAlignment, Table, presets};
use fake_claude::quantity::Span;

use crate::judge::finding::ProcessLine;
use crate::report::escape::plain_cut;
use crate::units;

/// The table of these processes, in lines of at most so many columns.
pub(super) fn table(shown: &[ProcessLine], width: usize) -> String {
    let with_host = shown
        .iter()
        .any(|line| line.host_pid.is_some_and(|host| host != line.pid));
    let with_pss = shown.iter().any(|line| line.pss_bytes.is_some());
    let mut header = vec!["PID", "PPID"];
    if with_host {
        header.push("HOST PID");
    }
    header.push("RSS(KB)");
    if with_pss {
        header.push("PSS(KB)");
    }
    header.push("ELAPSED");
    header.push("COMMAND");
    let columns = header.len();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    // Numbers take up to ten columns each, and the command has what is left.
    let room = width.saturating_sub(10 * (columns - 1) + 2).max(20);
    for line in shown {
        let mut row = vec![line.pid.to_string(), line.ppid.to_string()];
        if with_host {
            row.push(line.host_pid.map_or("-".to_owned(), |pid| pid.to_string()));
        }
        row.push((line.rss_bytes / 1_024).to_string());
        if with_pss {
            let pss = line.pss_bytes.map(|pss| (pss / 1_024).to_string());
            row.push(pss.unwrap_or_else(|| "-".to_owned()));
        }
        row.push(units::elapsed(Span::from_millis(line.age_ms)));
        let command = match line.command.as_str() {
            "" => "(no command line)",
            command => command,
        };
        row.push(plain_cut(command, room));
        table.add_row(row);
    }
    for column in table.column_iter_mut().take(columns - 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
