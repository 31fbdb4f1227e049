//! As much of Flux's grammar as our queries need.

use super::Value;

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Int(i64),
    Sign(&'static str),
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Value(Value),
    Duration(i64),
    Name(String),
    Column(String),
    List(Vec<Expr>),
    Record(Vec<(String, Expr)>),
    Call(String, Vec<(String, Expr)>),
    Function(Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    const SIGNS: [&str; 15] = [
        "|>", "=>", "==", ">=", "<=", "(", ")", "[", "]", "{", "}", ",", ":", ".", "<",
    ];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let (value, after) = string(&rest[1..])?;
            out.push(Token::Text(value));
            rest = after;
        } else if c.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let word = &rest[..end];
            out.push(match word.parse() {
                Ok(n) => Token::Int(n),
                Err(_) => Token::Word(word.to_owned()),
            });
            rest = &rest[end..];
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            out.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| format!("unexpected `{c}`"))?;
            out.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

fn string(text: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((out, &text[i + 1..])),
            '$' if text[i + 1..].starts_with('{') => return Err("string interpolation".to_owned()),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, 't')) => out.push('\t'),
                Some((_, c @ ('"' | '\\'))) => out.push(c),
                Some((i, 'x')) => {
                    let hex = text.get(i + 1..i + 3).ok_or("short \\x")?;
                    out.push(
                        u8::from_str_radix(hex, 16)
                            .map_err(|e| e.to_string())?
                            .into(),
                    );
                    chars.nth(1);
                }
                _ => return Err("bad escape".to_owned()),
            },
            c => out.push(c),
        }
    }
    Err("a string does not end".to_owned())
}

pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        Ok(Self { tokens, at: 0 })
    }
    /// Fails unless all of the text was read.
    pub(super) fn end(&self) -> Result<(), String> {
        match self.tokens.get(self.at) {
            None => Ok(()),
            Some(token) => Err(format!("unexpected {token:?}")),
        }
    }
    pub(super) fn take(&mut self, sign: &'static str) -> bool {
        let found = match self.tokens.get(self.at) {
            Some(Token::Sign(s)) => *s == sign,
            Some(Token::Word(w)) => w == sign,
            _ => false,
        };
        self.at += usize::from(found);
        found
    }
    fn need(&mut self, sign: &'static str) -> Result<(), String> {
        if self.take(sign) {
            return Ok(());
        }
        Err(format!(
            "`{sign}` expected, found {:?}",
            self.tokens.get(self.at)
        ))
    }
    fn word(&mut self) -> Result<String, String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            other => Err(format!("a name expected, found {other:?}")),
        }
    }
    fn expr(&mut self) -> Result<Expr, String> {
        self.chain("or", |p| p.chain("and", Self::comparison))
    }
    fn chain(
        &mut self,
        operator: &'static str,
        next: impl Fn(&mut Self) -> Result<Expr, String>,
    ) -> Result<Expr, String> {
        let mut left = next(self)?;
        while self.take(operator) {
            left = Expr::Binary(operator, Box::new(left), Box::new(next(self)?));
        }
        Ok(left)
    }
    fn comparison(&mut self) -> Result<Expr, String> {
        let left = self.primary()?;
        for operator in ["==", ">=", "<="] {
            if self.take(operator) {
                return Ok(Expr::Binary(
                    operator,
                    Box::new(left),
                    Box::new(self.primary()?),
                ));
            }
        }
        Ok(left)
    }
    fn named(&mut self, end: &'static str) -> Result<Vec<(String, Expr)>, String> {
        let mut out = Vec::new();
        while !self.take(end) {
            let name = self.word()?;
            self.need(":")?;
            out.push((name, self.expr()?));
            if !self.take(",") {
                self.need(end)?;
                break;
            }
        }
        Ok(out)
    }
    pub(super) fn primary(&mut self) -> Result<Expr, String> {
        if self.take("(") {
            if self.tokens[self.at..].starts_with(&[
                Token::Word("r".to_owned()),
                Token::Sign(")"),
                Token::Sign("=>"),
            ]) {
                self.at += 3;
                return Ok(Expr::Function(Box::new(self.expr()?)));
            }
            let inner = self.expr()?;
            self.need(")")?;
            return Ok(inner);
        }
        if self.take("[") {
            let mut items = Vec::new();
            while !self.take("]") {
                items.push(self.expr()?);
                if !self.take(",") {
                    self.need("]")?;
                    break;
                }
            }
            return Ok(Expr::List(items));
        }
        if self.take("{") {
            return Ok(Expr::Record(self.named("}")?));
        }
        let token = self.tokens.get(self.at).cloned().ok_or("unexpected end")?;
        self.at += 1;
        Ok(match token {
            Token::Text(text) => Expr::Value(Value::Text(text)),
            Token::Int(n) => Expr::Value(Value::Int(n)),
            Token::Sign(sign) => return Err(format!("unexpected `{sign}`")),
            Token::Word(word) if word == "1h" => Expr::Duration(3_600_000_000_000),
            Token::Word(word) if word == "1d" => Expr::Duration(86_400_000_000_000),
            Token::Word(word) if word == "r" && self.take(".") => Expr::Column(self.word()?),
            Token::Word(word) if self.take("(") => Expr::Call(word, self.named(")")?),
            Token::Word(word) => Expr::Name(word),
        })
    }
}
