//! Free text to Markdown that rustdoc shows as it was meant.

/// The lines of a doc comment for `comment`; empty if it says nothing.
pub(crate) fn clean(comment: &str) -> Vec<String> {
    // `/** text */` leaves its second star in the text; a list item begins with a blank.
    let comment = comment.trim_start_matches('*');
    let lines: Vec<String> = comment.lines().map(|line| line.trim_end().replace('\t', "    ")).collect();
    let margin = lines.iter().filter(|line| !line.is_empty()).map(|line| indent(line)).min().unwrap_or(0);
    let mut out = Writer::default();
    for line in &lines {
        out.line(line.get(margin..).unwrap_or_default());
    }
    out.finish()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What the lines so far have opened.
#[derive(Default)]
enum Block {
    #[default]
    Text,
    /// A list item whose text begins at this column.
    Item(usize),
    /// A fenced block, and the fence that closes it.
    Fence(String),
    /// A block that was indented in the comment, and fenced here so that it is no doctest: the line of its fence.
    Indented(usize),
}

#[derive(Default)]
struct Writer {
    lines: Vec<String>,
    block: Block,
}

impl Writer {
    fn line(&mut self, line: &str) {
        let depth = indent(line);
        let text = &line[depth..];
        match &self.block {
            Block::Fence(fence) => {
                let closes = text.starts_with(fence.as_str()) && text.chars().all(|c| fence.starts_with(c));
                let line = if closes { fence.clone() } else { line.to_owned() };
                self.lines.push(line);
                if closes {
                    self.block = Block::Text;
                }
                return;
            }
            Block::Indented(_) if depth >= 4 || text.is_empty() => {
                self.lines.push(line.get(4..).unwrap_or_default().to_owned());
                return;
            }
            Block::Indented(fence) => self.close_indented(*fence),
            Block::Text | Block::Item(_) => {}
        }
        if text.is_empty() {
            self.blank();
            return;
        }
        if let Some(fence) = fence(text) {
            // A fence without a language, or with `rust`, would be compiled and run.
            self.lines.push(format!("{fence}text"));
            self.block = Block::Fence(fence);
            return;
        }
        let after_blank = self.lines.last().is_none_or(String::is_empty);
        if let Some((marker, rest)) = marker(text) {
            // Sublists keep their place below the item, but nothing here is ever as deep as a code block would be.
            let depth = match self.block {
                Block::Item(column) => depth.min(column + 3),
                _ => depth.min(3),
            };
            self.lines.push(format!("{}{marker} {}", " ".repeat(depth), inline(rest)));
            self.block = Block::Item(depth + marker.len() + 1);
            return;
        }
        match self.block {
            Block::Item(_) if after_blank && depth == 0 => self.block = Block::Text,
            // Text that goes on below an item is set to the item's column: not lazy, not deeper, and so never code.
            Block::Item(column) => {
                self.lines.push(format!("{}{}", " ".repeat(column), inline(text)));
                return;
            }
            _ => {}
        }
        if depth >= 4 && after_blank {
            self.block = Block::Indented(self.lines.len());
            self.lines.push(String::new());
            self.lines.push(line[4..].to_owned());
            return;
        }
        self.lines.push(inline(text));
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn close_indented(&mut self, fence: usize) {
        let mut blanks = 0;
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
            blanks += 1;
        }
        let ticks = self.lines[fence..].iter().map(|line| ticks(line.trim_start())).max().unwrap_or(0);
        let mark = "`".repeat(ticks.max(2) + 1);
        self.lines[fence] = format!("{mark}text");
        self.lines.push(mark);
        if blanks > 0 {
            self.lines.push(String::new());
        }
        self.block = Block::Text;
    }

    fn finish(mut self) -> Vec<String> {
        match std::mem::take(&mut self.block) {
            Block::Fence(fence) => self.lines.push(fence),
            Block::Indented(fence) => self.close_indented(fence),
            Block::Text | Block::Item(_) => {}
        }
        while self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self.lines
    }
}

/// The fence that a line opens.
fn fence(text: &str) -> Option<String> {
    ['`', '~'].into_iter().find_map(|mark| {
        let length = text.chars().take_while(|c| *c == mark).count();
        // "```x``` is code" is a line of text.
        (length >= 3 && !text[length..].contains(mark)).then(|| mark.to_string().repeat(length))
    })
}

/// How many backticks a text begins with.
fn ticks(text: &str) -> usize {
    text.len() - text.trim_start_matches('`').len()
}

/// A list marker, and the text after it.
fn marker(text: &str) -> Option<(&str, &str)> {
    let length = match text.chars().next()? {
        '-' | '*' | '+' => 1,
        '0'..='9' => {
            let digits = text.chars().take_while(char::is_ascii_digit).count();
            if digits > 9 || !text[digits..].starts_with(['.', ')']) {
                return None;
            }
            digits + 1
        }
        _ => return None,
    };
    let (marker, rest) = text.split_at(length);
    rest.starts_with(' ').then(|| (marker, rest.trim_start_matches(' ')))
}

/// One line of text: code spans and links to the web stay, what else looks like HTML or a link is escaped.
fn inline(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '\\' => {
                let next = rest[1..].chars().next().filter(char::is_ascii_punctuation);
                let length = 1 + next.map_or(0, char::len_utf8);
                out.push_str(&rest[..length]);
                length
            }
            '`' => code(rest, &mut out),
            '<' => match rest[1..].find('>') {
                Some(end) if is_url(&rest[1..=end]) => {
                    out.push_str(&rest[..end + 2]);
                    end + 2
                }
                _ => escape(c, &mut out),
            },
            '[' => match link(rest) {
                Some(length) => {
                    out.push_str(&rest[..length]);
                    length
                }
                None => escape(c, &mut out),
            },
            ']' => escape(c, &mut out),
            // A quotation could hold an indented block.
            '>' if out.is_empty() => escape(c, &mut out),
            'h' if !out.ends_with(|before: char| before.is_alphanumeric()) => match url(rest) {
                Some(length) => {
                    out.push_str(&format!("<{}>", &rest[..length]));
                    length
                }
                None => plain(c, &mut out),
            },
            _ => plain(c, &mut out),
        };
        rest = &rest[length..];
    }
    out
}

fn plain(c: char, out: &mut String) -> usize {
    out.push(c);
    c.len_utf8()
}

fn escape(c: char, out: &mut String) -> usize {
    out.push('\\');
    plain(c, out)
}

/// A code span that closes in its line stays; other backticks are text.
fn code(text: &str, out: &mut String) -> usize {
    let ticks = ticks(text);
    let mut at = ticks;
    while let Some(found) = text[at..].find('`') {
        let closing = text[at + found..].chars().take_while(|c| *c == '`').count();
        if closing == ticks {
            let end = at + found + closing;
            out.push_str(&text[..end]);
            return end;
        }
        at += found + closing;
    }
    for _ in 0..ticks {
        escape('`', out);
    }
    ticks
}

/// The length of `[text](address)` if the address is one of the web.
fn link(text: &str) -> Option<usize> {
    let middle = text.find("](")?;
    if text[1..middle].contains(['[', '<', '`']) {
        return None;
    }
    let address = &text[middle + 2..];
    let end = address.find(')')?;
    is_url(&address[..end]).then_some(middle + 2 + end + 1)
}

fn is_url(text: &str) -> bool {
    ["https://", "http://", "mailto:"].iter().any(|scheme| text.starts_with(scheme))
        && !text.contains(|c: char| c.is_whitespace() || c == '<' || c == '`')
}

/// The length of a bare address; the punctuation that ends a sentence is no part of it.
fn url(text: &str) -> Option<usize> {
    if !(text.starts_with("https://") || text.starts_with("http://")) {
        return None;
    }
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, ')' | ']' | '>' | '<' | '"' | '`' | '\'' | '|' | '\\'))
        .unwrap_or(text.len());
    let address = text[..end].trim_end_matches(['.', ',', ';', ':', '!', '?']);
    // "http://" alone is no address.
    (address.len() > "https://".len()).then_some(address.len())
}

#[cfg(test)]
mod tests {
    use super::clean;

    fn cleaned(comment: &str) -> String {
        clean(comment).join("\n")
    }

    #[test]
    fn margins_and_stars_go() {
        assert_eq!(cleaned(" One.\n  Two.\n"), "One.\nTwo.");
        assert_eq!(cleaned("*\n Text.\n"), "Text.");
        assert_eq!(cleaned("* Text. "), "Text.");
        assert_eq!(cleaned("\n \n"), "");
    }

    #[test]
    fn indented_text_is_no_doctest() {
        assert_eq!(cleaned(" A:\n\n     x();\n\n     y();\n\n B"), "A:\n\n```text\nx();\n\ny();\n```\n\nB");
        assert_eq!(cleaned(" A:\n\n     x\n     ```\n     y"), "A:\n\n````text\nx\n```\ny\n````");
        assert_eq!(cleaned(" A\n     goes on"), "A\ngoes on");
        assert_eq!(cleaned(" - a\n\n           deep"), "- a\n\n  deep");
        assert_eq!(cleaned(" A\n -      deep"), "A\n- deep");
        assert_eq!(cleaned(" - a\n\n             - deep"), "- a\n\n     - deep");
        assert_eq!(cleaned(" >     deep"), "\\>     deep");
    }

    #[test]
    fn fences_are_closed_and_say_text() {
        assert_eq!(cleaned(" ```\n x\n ```"), "```text\nx\n```");
        assert_eq!(cleaned(" ~~~rust\n x"), "~~~text\nx\n~~~");
        assert_eq!(cleaned(" ```x``` is code"), "```x``` is code");
    }

    #[test]
    fn html_and_links_are_text_unless_they_lead_to_the_web() {
        assert_eq!(cleaned("<T> [x] [y](z) [a](https://b)"), "\\<T> \\[x\\] \\[y\\](z) [a](https://b)");
        assert_eq!(cleaned("see http://a.b/c_d. Or (https://e)."), "see <http://a.b/c_d>. Or (<https://e>).");
        assert_eq!(cleaned("`<T>` `` a`b<c> `` ` <T>"), "`<T>` `` a`b<c> `` \\` \\<T>");
        assert_eq!(cleaned("<https://a.b> \\[x"), "<https://a.b> \\[x");
    }
}
