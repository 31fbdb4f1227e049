//! Runs a Flux pipeline over the points, with Flux's rules: tables have a group key, `map` may not name a column that is not
//! there, an unknown function is an error. Answers annotated CSV.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::flux::{Expr, Parser};
use super::{Db, Value};

type Row = BTreeMap<String, Value>;

/// Rows and the columns by which they are one table.
struct Table {
    key: Vec<String>,
    rows: Vec<Row>,
}

pub(super) fn run(db: &Db, text: &str) -> Result<String, String> {
    let mut parser = Parser::new(text)?;
    let mut tables = Vec::new();
    let mut start = 0;
    loop {
        let Expr::Call(name, args) = parser.primary()? else {
            return Err("a pipeline is made of calls".to_owned());
        };
        let args: BTreeMap<String, Expr> = args.into_iter().collect();
        if name == "range" {
            start = time(&args["start"])?;
        }
        tables = step(db, &name, &args, tables, start).map_err(|e| format!("{name}: {e}"))?;
        if !parser.take("|>") {
            break;
        }
    }
    parser.end()?;
    Ok(csv(&tables))
}

fn time(expr: &Expr) -> Result<i64, String> {
    match expr {
        Expr::Call(name, args) if name == "time" => match args.as_slice() {
            [(v, Expr::Value(Value::Int(ns)))] if v == "v" => Ok(*ns),
            _ => Err("time(v: int) expected".to_owned()),
        },
        other => Err(format!("a time expected, found {other:?}")),
    }
}

fn list(args: &BTreeMap<String, Expr>, name: &str) -> Result<Vec<String>, String> {
    let Some(Expr::List(items)) = args.get(name) else {
        return Err(format!("a list `{name}` expected"));
    };
    items
        .iter()
        .map(|item| match item {
            Expr::Value(Value::Text(text)) => Ok(text.clone()),
            other => Err(format!("a string expected, found {other:?}")),
        })
        .collect()
}

/// An expression over a row; `None` is null.
fn eval(expr: &Expr, row: &Row) -> Result<Option<Value>, String> {
    Ok(match expr {
        Expr::Value(value) => Some(value.clone()),
        Expr::Column(name) => row.get(name).cloned(),
        Expr::Call(name, args) => {
            let (_, arg) = args.first().ok_or("an argument expected")?;
            match (name.as_str(), eval(arg, row)?) {
                ("int", Some(Value::Time(n) | Value::Int(n))) => Some(Value::Int(n)),
                ("string", Some(Value::Int(n))) => Some(Value::Text(n.to_string())),
                (name, value) => return Err(format!("{name}({value:?})")),
            }
        }
        Expr::Binary(operator, left, right) => {
            let (left, right) = (eval(left, row)?, eval(right, row)?);
            let truth = |value: &Option<Value>| matches!(value, Some(Value::Bool(true)));
            let result = match (*operator, &left, &right) {
                ("and", a, b) => truth(a) && truth(b),
                ("or", a, b) => truth(a) || truth(b),
                (_, None, _) | (_, _, None) => return Ok(None),
                (operator, Some(a), Some(b)) => {
                    if std::mem::discriminant(a) != std::mem::discriminant(b) {
                        return Err(format!("unsupported: {a:?} {operator} {b:?}"));
                    }
                    match (operator, a.partial_cmp(b)) {
                        ("==", order) => order == Some(std::cmp::Ordering::Equal),
                        (">=", order) => order.is_some_and(std::cmp::Ordering::is_ge),
                        ("<=", order) => order.is_some_and(std::cmp::Ordering::is_le),
                        _ => return Err(format!("operator {operator}")),
                    }
                }
            };
            Some(Value::Bool(result))
        }
        other => return Err(format!("cannot evaluate {other:?}")),
    })
}

fn regroup(tables: Vec<Table>, key: impl Fn(&Table) -> Vec<String>) -> Vec<Table> {
    let mut groups: BTreeMap<String, Table> = BTreeMap::new();
    for table in tables {
        let key = key(&table);
        for row in table.rows {
            let values: Vec<_> = key.iter().map(|column| row.get(column)).collect();
            let group = groups
                .entry(format!("{values:?}"))
                .or_insert_with(|| Table {
                    key: key.clone(),
                    rows: Vec::new(),
                });
            group.rows.push(row);
        }
    }
    groups.into_values().collect()
}

fn column<'a>(row: &'a Row, name: &str) -> Option<&'a Value> {
    row.get(name)
}

fn sort(rows: &mut [Row], columns: &[String]) {
    rows.sort_by(|a, b| {
        columns
            .iter()
            .map(|c| column(a, c).partial_cmp(&column(b, c)))
            .find_map(|order| order.filter(|o| o.is_ne()))
            .unwrap_or(std::cmp::Ordering::Equal)
    });
}

fn step(
    db: &Db,
    name: &str,
    args: &BTreeMap<String, Expr>,
    mut tables: Vec<Table>,
    start: i64,
) -> Result<Vec<Table>, String> {
    match name {
        "from" => {
            let Some(Expr::Value(Value::Text(bucket))) = args.get("bucket") else {
                return Err("a bucket expected".to_owned());
            };
            if bucket != "events" {
                return Err(format!("could not find bucket \"{bucket}\""));
            }
            let mut all = Table {
                key: Vec::new(),
                rows: Vec::new(),
            };
            for ((measurement, tags, ns), fields) in &db.points {
                for (field, value) in fields {
                    let mut row: Row = tags
                        .iter()
                        .map(|(k, v)| (k.clone(), Value::Text(v.clone())))
                        .collect();
                    row.insert("_measurement".to_owned(), Value::Text(measurement.clone()));
                    row.insert("_field".to_owned(), Value::Text(field.clone()));
                    row.insert("_value".to_owned(), value.clone());
                    row.insert("_time".to_owned(), Value::Time(*ns));
                    all.rows.push(row);
                }
            }
            // One table per series and field.
            let series = |_: &Table| {
                [
                    "_measurement",
                    "_field",
                    "class",
                    "device",
                    "kind",
                    "part",
                    "site",
                ]
                .map(str::to_owned)
                .to_vec()
            };
            Ok(regroup(vec![all], series))
        }
        "range" => {
            let stop = time(&args["stop"])?;
            if start >= stop {
                return Err("cannot query an empty range".to_owned());
            }
            for table in &mut tables {
                table.rows.retain(|row| {
                    matches!(row.get("_time"), Some(Value::Time(t)) if (start..stop).contains(t))
                });
            }
            Ok(tables)
        }
        "filter" => {
            let Some(Expr::Function(body)) = args.get("fn") else {
                return Err("a function expected".to_owned());
            };
            for table in &mut tables {
                let mut kept = Vec::new();
                for row in std::mem::take(&mut table.rows) {
                    if eval(body, &row)? == Some(Value::Bool(true)) {
                        kept.push(row);
                    }
                }
                table.rows = kept;
            }
            Ok(tables)
        }
        "group" if args.is_empty() => Ok(regroup(tables, |_| Vec::new())),
        "group" => {
            let key = list(args, "columns")?;
            Ok(regroup(tables, |_| key.clone()))
        }
        "sort" | "top" | "bottom" => {
            let columns = list(args, "columns")?;
            for table in &mut tables {
                sort(&mut table.rows, &columns);
                if name == "top" {
                    table.rows.reverse();
                }
                if let Some(Expr::Value(Value::Int(n))) = args.get("n") {
                    table.rows.truncate(*n as usize);
                }
            }
            Ok(tables)
        }
        "map" => map(args, tables),
        "pivot" => {
            let keep = |table: &Table| {
                let key = table.key.iter().filter(|column| *column != "_field");
                key.cloned().collect()
            };
            let mut tables = regroup(tables, keep);
            for table in &mut tables {
                let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
                for mut row in std::mem::take(&mut table.rows) {
                    let Some(Value::Time(t)) = row.get("_time") else {
                        continue;
                    };
                    let t = *t;
                    let (field, value) = (row.remove("_field"), row.remove("_value"));
                    let into = rows.entry(t).or_insert(row);
                    if let (Some(Value::Text(field)), Some(value)) = (field, value) {
                        into.insert(field, value);
                    }
                }
                table.rows = rows.into_values().collect();
            }
            Ok(tables)
        }
        "aggregateWindow" => {
            let Some(Expr::Duration(every)) = args.get("every") else {
                return Err("a duration expected".to_owned());
            };
            let name = |arg: &str| match args.get(arg) {
                Some(Expr::Name(word) | Expr::Value(Value::Text(word))) => word.clone(),
                _ => String::new(),
            };
            if [name("fn"), name("createEmpty"), name("timeSrc")] != ["count", "false", "_start"] {
                return Err("only counts of windows that are not empty".to_owned());
            }
            for table in &mut tables {
                let mut windows: BTreeMap<i64, Row> = BTreeMap::new();
                for row in &table.rows {
                    let Some(Value::Time(t)) = row.get("_time") else {
                        continue;
                    };
                    let window = (t - t.rem_euclid(*every)).max(start);
                    let key = table.key.iter();
                    let counted = windows.entry(window).or_insert_with(|| {
                        key.filter_map(|c| Some((c.clone(), row.get(c)?.clone())))
                            .collect()
                    });
                    counted.insert("_time".to_owned(), Value::Time(window));
                    let n = counted.entry("_value".to_owned()).or_insert(Value::Int(0));
                    if let Value::Int(n) = n {
                        *n += 1;
                    }
                }
                table.rows = windows.into_values().collect();
            }
            Ok(tables)
        }
        "sum" => {
            for table in &mut tables {
                let Some(first) = table.rows.first() else {
                    continue;
                };
                let mut row: Row = table
                    .key
                    .iter()
                    .filter_map(|c| Some((c.clone(), first.get(c)?.clone())))
                    .collect();
                let n = table.rows.iter().filter_map(|row| match row.get("_value") {
                    Some(Value::Int(n)) => Some(*n),
                    _ => None,
                });
                row.insert("_value".to_owned(), Value::Int(n.sum()));
                table.rows = vec![row];
            }
            Ok(tables)
        }
        other => Err(format!("undefined identifier {other}")),
    }
}

fn map(args: &BTreeMap<String, Expr>, mut tables: Vec<Table>) -> Result<Vec<Table>, String> {
    let Some(Expr::Function(body)) = args.get("fn") else {
        return Err("a function expected".to_owned());
    };
    let Expr::Record(columns) = body.as_ref() else {
        return Err("a record expected".to_owned());
    };
    for table in &mut tables {
        for row in &mut table.rows {
            let mut out = Row::new();
            for (name, expr) in columns {
                let value = eval(expr, row)?;
                let value = value.ok_or_else(|| format!("missing label {name}"))?;
                out.insert(name.clone(), value);
            }
            *row = out;
        }
        table
            .key
            .retain(|c| columns.iter().any(|(name, _)| name == c));
    }
    Ok(tables)
}

/// Annotated CSV as the server writes it: lines end with `\r\n`, and so do newlines inside a cell, where `\r` is lost.
fn csv(tables: &[Table]) -> String {
    let mut out = String::new();
    for (number, table) in tables.iter().enumerate() {
        let Some(first) = table.rows.first() else {
            continue;
        };
        let kind = |value: &Value| match value {
            Value::Text(_) => "string",
            Value::Int(_) => "long",
            Value::Float(_) => "double",
            Value::Bool(_) => "boolean",
            Value::Time(_) => "dateTime:RFC3339Nano",
        };
        let columns: Vec<&String> = first.keys().collect();
        out.push_str("#datatype,string,long");
        for value in first.values() {
            let _ = write!(out, ",{}", kind(value));
        }
        out.push_str("\r\n#group,false,false");
        for column in &columns {
            let _ = write!(out, ",{}", table.key.contains(column));
        }
        out.push_str("\r\n#default,_result,");
        out.push_str(&",".repeat(columns.len()));
        out.push_str("\r\n,result,table");
        for column in &columns {
            let _ = write!(out, ",{column}");
        }
        out.push_str("\r\n");
        for row in &table.rows {
            let _ = write!(out, ",,{number}");
            for column in &columns {
                out.push(',');
                out.push_str(&cell(row.get(*column)));
            }
            out.push_str("\r\n");
        }
        out.push_str("\r\n");
    }
    out
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None => String::new(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Int(n)) => n.to_string(),
        Some(Value::Float(n)) => n.to_string(),
        Some(Value::Bool(b)) => b.to_string(),
        Some(Value::Time(ns)) => jiff::Timestamp::from_nanosecond(i128::from(*ns))
            .map(|at| at.to_string())
            .unwrap_or_default(),
    };
    let special = |c: char| matches!(c, ',' | '"' | '\r' | '\n');
    if text.contains(special) || text.starts_with(char::is_whitespace) {
        let text = text
            .replace('"', "\"\"")
            .replace('\r', "")
            .replace('\n', "\r\n");
        return format!("\"{text}\"");
    }
    text
}
