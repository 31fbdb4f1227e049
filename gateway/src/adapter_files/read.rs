//! From a directory to declared formats. A good file is taken; a bad one keeps its last good version, if there is one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::adapters::declarative::file::{Mistake, name_of};
use crate::adapters::declarative::{Declared, Place};
use crate::adapters::formats::{self, Set};
use crate::embedded;
use crate::hub::folder;

/// Most files of a directory: each has a process of its own.
const FILES_MAX: usize = 64;

/// What became of a directory.
pub struct Read {
    /// What is read from now on.
    pub set: Set,
    /// What is wrong with the files.
    pub mistakes: Vec<Mistake>,
}

/// Programs run in processes of this executable.
pub fn here() -> Place {
    // whoever puts a new version into its place does not change what runs
    let running = PathBuf::from("/proc/self/exe");
    Place::Apart(if running.exists() {
        running
    } else {
        std::env::current_exe().unwrap_or(running)
    })
}

/// Reads the files of a directory, or only those that ship when it is empty. What has not changed since `before` goes on as it is.
pub fn read(dir: &Path, place: &Place, before: Option<&Set>) -> Read {
    let (mut own, mut mistakes) = (Vec::new(), Vec::new());
    let files = match folder(dir, &[]) {
        Ok(files) => files,
        Err(e) => {
            let (file, what) = (dir.display().to_string(), format!("{e:#}"));
            mistakes.push(Mistake {
                file,
                line: 1,
                what,
            });
            own.extend(before.into_iter().flat_map(|set| set.own.iter().cloned()));
            Vec::new()
        }
    };
    let (mut names, mut refused) = (BTreeSet::new(), Vec::new());
    let is_toml = |path: &str| Path::new(path).extension().is_some_and(|e| e == "toml");
    for (path, text) in files.iter().filter(|(path, _)| is_toml(path)) {
        let known = before.and_then(|set| set.own.iter().find(|known| known.path == *path));
        let taken = match known.filter(|known| known.is_of(text) && !known.is_off()) {
            Some(known) => Ok(Arc::clone(known)),
            None => free(path, &mut names).and_then(|()| one(path, text, place).map(Arc::new)),
        };
        match taken {
            Ok(declared) => own.push(declared),
            Err(mistake) => {
                mistakes.push(mistake);
                match known {
                    Some(known) => own.push(Arc::clone(known)),
                    None => refused.extend(name_of(path)),
                }
            }
        }
    }
    let shipped = shipped(place, before, &own, &mut mistakes);
    Read {
        set: Set {
            own,
            shipped,
            refused,
        },
        mistakes,
    }
}

/// Whether a file may have its name.
fn free(path: &str, names: &mut BTreeSet<String>) -> Result<(), Mistake> {
    let refuse = |what: String| {
        let file = path.to_owned();
        Err(Mistake {
            file,
            line: 1,
            what,
        })
    };
    let Ok(name) = name_of(path) else {
        // it is refused where it is read
        return Ok(());
    };
    if formats::is_built_in(&name) {
        return refuse(format!(
            "the format `{name}` is built in (hint: give the file another name)"
        ));
    }
    if names.len() >= FILES_MAX {
        return refuse(format!(
            "more than {FILES_MAX} files (hint: which does nobody send any more?)"
        ));
    }
    if !names.insert(name.clone()) {
        return refuse(format!("another file is named `{name}`, too"));
    }
    Ok(())
}

fn one(path: &str, text: &str, place: &Place) -> Result<Declared, Mistake> {
    // what ships was tried before it shipped
    if embedded::ADAPTERS
        .iter()
        .any(|(_, shipped)| *shipped == text)
    {
        return Declared::shipped(path, text, place);
    }
    Declared::proven(path, text, place)
}

/// Those that ship, without those that a file of this site replaces.
fn shipped(
    place: &Place,
    before: Option<&Set>,
    own: &[Arc<Declared>],
    mistakes: &mut Vec<Mistake>,
) -> Vec<Arc<Declared>> {
    use crate::adapters::Format as _;
    let mut shipped = Vec::new();
    for (path, text) in embedded::ADAPTERS {
        let is_replaced = |own: &Arc<Declared>| name_of(path).is_ok_and(|name| own.name() == name);
        if own.iter().any(is_replaced) {
            continue;
        }
        let known = before.and_then(|set| set.shipped.iter().find(|known| known.path == *path));
        match known {
            Some(known) => shipped.push(Arc::clone(known)),
            None => match Declared::shipped(path, text, place) {
                Ok(declared) => shipped.push(Arc::new(declared)),
                Err(mistake) => mistakes.push(mistake),
            },
        }
    }
    shipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::Format as _;

    /// What ships is in order, and does what its tests say.
    #[test]
    fn what_ships_is_proven() {
        for (path, text) in embedded::ADAPTERS {
            Declared::proven(path, text, &Place::Here).unwrap_or_else(|e| panic!("{e}"));
        }
    }

    /// Whoever follows the document begins with its file.
    #[test]
    fn the_file_of_the_document_is_good() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/adding-a-device.md");
        let document = std::fs::read_to_string(path).expect("readable");
        let file = document.split("```toml\n").nth(1).expect("a file");
        let file = file
            .split("```")
            .next()
            .expect("its end")
            .replace("\n   ", "\n");
        Declared::proven("acme-gate.toml", &file, &Place::Here).unwrap_or_else(|e| panic!("{e}"));
    }

    const GOOD: &str = r#"about = "Gates of Acme."
decode = "json"
class = "barrier"
program = '{kind: "barrier.state", phase: "updated", address: $name.gate, attrs: {state: .s}}'
match.mqtt = ["acme/+gate/state"]
edge = { "barrier.state" = "state" }
[[test]]
about = "open"
mqtt = "acme/7/state"
payload = { s = "open" }
expect = [{ kind = "barrier.state", attrs = { state = "open", address = "7" } }]
[[test]]
about = "broken"
mqtt = "acme/7/state"
text = "{"
reject = "bad_json"
"#;

    fn names(set: &Set) -> Vec<&str> {
        set.own.iter().map(|own| own.name()).collect()
    }

    #[test]
    fn a_bad_file_keeps_its_last_good_version() {
        let dir = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        put("acme.toml", GOOD);
        let first = read(dir.path(), &Place::Here, None);
        assert_eq!(first.mistakes, []);
        assert_eq!(names(&first.set), ["acme"]);
        // what has not changed goes on as it is
        let again = read(dir.path(), &Place::Here, Some(&first.set));
        assert!(Arc::ptr_eq(&again.set.own[0], &first.set.own[0]));
        // a test that fails
        put(
            "acme.toml",
            &GOOD.replace("state = \"open\", a", "state = \"shut\", a"),
        );
        let bad = read(dir.path(), &Place::Here, Some(&first.set));
        assert!(Arc::ptr_eq(&bad.set.own[0], &first.set.own[0]));
        let said = bad.mistakes[0].to_string();
        assert!(said.contains("acme.toml:7: test `open`"), "{said}");
        // a name that is taken, and a file that nobody knew before
        put("acme.toml", GOOD);
        put("zigbee2mqtt.toml", GOOD);
        put("new.toml", "decode = 1");
        let other = read(dir.path(), &Place::Here, Some(&first.set));
        assert_eq!(names(&other.set), ["acme"]);
        assert_eq!(other.set.refused, ["new", "zigbee2mqtt"]);
        assert_eq!(other.mistakes.len(), 2, "{:?}", other.mistakes);
        // gone is gone
        std::fs::remove_file(dir.path().join("acme.toml")).expect("removed");
        assert!(names(&read(dir.path(), &Place::Here, Some(&first.set)).set).is_empty());
    }
}
