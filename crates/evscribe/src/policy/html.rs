//! The sheet as a page: as much of Markdown as the sheet uses, everything else
//! as text.

use std::fmt::Write as _;

/// The page of a sheet.
pub(super) fn of(sheet: &str) -> String {
    let mut page = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>evscribe: record of processing and impact assessment</title>\
         <style>body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}\
         table{border-collapse:collapse}td,th{border:1px solid;padding:.3em .6em;text-align:left}\
         pre{white-space:pre-wrap;border:1px solid;padding:1em}</style></head><body>\n",
    );
    let mut block = "";
    let mut is_code = false;
    for line in sheet.lines() {
        if line.starts_with("```") {
            page.push_str(if is_code { "</pre>\n" } else { "<pre>" });
            is_code = !is_code;
            continue;
        }
        if is_code {
            let _ = writeln!(page, "{}", escaped(line));
            continue;
        }
        let wanted = match line.get(..1) {
            Some("|") => "table",
            Some("-") => "ul",
            _ => "",
        };
        if block != wanted {
            if !block.is_empty() {
                let _ = writeln!(page, "</{block}>");
            }
            if !wanted.is_empty() {
                let _ = writeln!(page, "<{wanted}>");
            }
            block = wanted;
        }
        let _ = match line {
            "" | "|---|---|" | "|---|---|---|" => Ok(()),
            line if block == "table" => writeln!(page, "<tr>{}</tr>", cells(line)),
            line if block == "ul" => {
                writeln!(page, "<li>{}</li>", inline(line.trim_start_matches("- ")))
            }
            line => match (line.strip_prefix("# "), line.strip_prefix("## ")) {
                (Some(title), _) => writeln!(page, "<h1>{}</h1>", inline(title)),
                (_, Some(title)) => writeln!(page, "<h2>{}</h2>", inline(title)),
                _ => writeln!(page, "<p>{}</p>", inline(line)),
            },
        };
    }
    if !block.is_empty() {
        let _ = writeln!(page, "</{block}>");
    }
    page.push_str("</body></html>\n");
    page
}

/// The cells of a row; `\|` is no border.
fn cells(line: &str) -> String {
    let line = line.replace("\\|", "\u{0}");
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner
        .split('|')
        .map(|cell| format!("<td>{}</td>", inline(&cell.trim().replace('\u{0}', "|"))))
        .collect()
}

/// Text with its code spans.
fn inline(text: &str) -> String {
    let mut html = String::new();
    for (n, part) in escaped(text).split('`').enumerate() {
        if n > 0 {
            html.push_str(if n % 2 == 1 { "<code>" } else { "</code>" });
        }
        html.push_str(part);
    }
    if text.matches('`').count() % 2 == 1 {
        html.push_str("</code>");
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_tables_lists_and_code_become_elements() {
        let page = of("# T\n\n| a | b\\|c |\n|---|---|\n\n- one `x`\n\n```text\n<i> | - #\n```\n");
        for part in [
            "<h1>T</h1>",
            "<tr><td>a</td><td>b|c</td></tr>",
            "<li>one <code>x</code></li>",
            "<pre>&lt;i&gt; | - #\n</pre>",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
        assert_eq!(page.matches("<table>").count(), page.matches("</table>").count());
    }
}
