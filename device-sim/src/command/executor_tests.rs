use super::*;
use serde_json::{Value, json};

struct Door {
    executor: Executor,
    now: Now,
}

/// What a device said to a message: status, detail, challenge.
type Said = (Status, String, Option<String>);

impl Door {
    fn new(behaviour: Behaviour) -> Self {
        Self::with(behaviour, SignedDuration::ZERO, Memory::default())
    }

    fn with(behaviour: Behaviour, clock_off: SignedDuration, memory: Memory) -> Self {
        let device = json!({"id": "door-1", "site": "q1", "class": "access", "username": "u", "password": "p"});
        let device = serde_json::from_value(device).expect("a device");
        let manner = Manner {
            behaviour,
            clock_off,
        };
        Self {
            executor: Executor::new(device, manner, None, memory),
            now: Now {
                wall: "2026-11-27T08:00:00Z".parse().expect("a time"),
                instant: Instant::now(),
            },
        }
    }

    fn wait(&mut self, ms: u64) {
        let time = Duration::from_millis(ms);
        self.now.instant += time;
        self.now.wall += time;
    }

    fn hear(&mut self, command: &str, body: &Value) -> Reactions {
        let heard = Heard {
            command: command.to_owned(),
            payload: body.to_string().into_bytes(),
            is_retained: false,
        };
        self.executor.hear(heard, self.now)
    }

    /// Hears, and is asked what it answered and how often it did something.
    fn order(&mut self, body: &Value) -> (Option<Said>, usize) {
        let command = body["command"].as_str().expect("a word").to_owned();
        read(&self.hear(&command, body))
    }
}

fn read(reactions: &Reactions) -> (Option<Said>, usize) {
    let said = reactions.iter().find_map(|(_, reaction)| match reaction {
        Reaction::Answer(_, answer) => Some((
            answer.status,
            answer.detail.clone(),
            answer.challenge.clone(),
        )),
        _ => None,
    });
    let executed = |(_, reaction): &&(Duration, Reaction)| {
        let Reaction::Note(note) = reaction else {
            return false;
        };
        match note.what {
            What::Executed { is_late } => {
                assert!(!is_late, "late");
                true
            }
            _ => false,
        }
    };
    (said, reactions.iter().filter(executed).count())
}

fn order(id: &str, command: &str, counter: u64) -> Value {
    json!({"command_id": id, "command": command, "args": {}, "issued_at": "2026-11-27T08:00:00Z",
        "expires_at": "2026-11-27T08:00:10Z", "actor": "usr_1", "nonce": "00", "counter": counter})
}

fn with_challenge(mut body: Value, said: Option<&Said>) -> Value {
    let (_, _, challenge) = said.expect("an answer");
    body["challenge"] = challenge.clone().expect("a challenge").into();
    body
}

fn status(said: Option<&Said>) -> Option<Status> {
    said.map(|(status, _, _)| *status)
}

#[test]
fn a_door_asks_once_and_opens_once() {
    let mut door = Door::new(Behaviour::Obey);
    let open = order("c-1", "open-door", 1);
    let (asked, executed) = door.order(&open);
    assert_eq!(
        (status(asked.as_ref()), executed),
        (Some(Status::Accepted), 0)
    );
    // the broker delivers the first message twice: the same question
    assert_eq!(door.order(&open), (asked.clone(), 0));
    door.wait(4_900);
    let again = with_challenge(open.clone(), asked.as_ref());
    let reactions = door.hear("open-door", &again);
    let (said, executed) = read(&reactions);
    assert_eq!((status(said.as_ref()), executed), (Some(Status::Done), 1));
    let says: Vec<_> = reactions
        .iter()
        .filter_map(|(after, reaction)| match reaction {
            Reaction::Say(_, Say::State { fields, .. }) => {
                Some((after.as_secs(), fields["lock"].clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(says, [(0, "unlocked".into()), (5, "locked".into())]);
    // both again: as before, and nothing is done
    assert_eq!(door.order(&again), (said.clone(), 0));
    assert_eq!(door.order(&open), (said, 0));
}

#[test]
fn a_stalled_line_makes_nothing_late_whatever_the_clock_says() {
    for clock_off in [0, -65, -86_400, 8] {
        let mut door = Door::with(
            Behaviour::Obey,
            SignedDuration::from_secs(clock_off),
            Memory::default(),
        );
        let open = order("c-1", "hold-open", 1);
        let (asked, _) = door.order(&open);
        door.wait(5_001);
        let (said, executed) = door.order(&with_challenge(open, asked.as_ref()));
        assert_eq!(
            (status(said.as_ref()), executed),
            (Some(Status::Expired), 0),
            "{clock_off}"
        );
    }
    // the hub may allow less
    let mut door = Door::new(Behaviour::Obey);
    let mut open = order("c-3", "unlock", 1);
    let (asked, _) = door.order(&open);
    open["valid_ms"] = 900.into();
    door.wait(901);
    let (said, executed) = door.order(&with_challenge(open, asked.as_ref()));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Expired), 0)
    );
    // the first message was on the way for an hour, and the clock is two hours slow: it asks, and nobody answers
    let mut door = Door::with(
        Behaviour::Obey,
        SignedDuration::from_hours(-2),
        Memory::default(),
    );
    door.wait(3_600_000);
    let (asked, executed) = door.order(&order("c-2", "unlock", 1));
    assert_eq!(
        (status(asked.as_ref()), executed),
        (Some(Status::Accepted), 0)
    );
    // a question that nobody answered in time is asked anew, with another challenge
    door.wait(6_000);
    let (anew, _) = door.order(&order("c-2", "unlock", 1));
    assert_eq!(status(anew.as_ref()), Some(Status::Accepted));
    assert_ne!(anew, asked);
}

#[test]
fn an_answer_that_was_not_asked_for_opens_nothing() {
    let mut door = Door::new(Behaviour::Obey);
    let mut open = order("c-1", "unlock", 1);
    let (asked, _) = door.order(&open);
    open["challenge"] = "0".repeat(32).into();
    let (said, executed) = door.order(&open);
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Rejected), 0)
    );
    // and the question stands
    let (said, executed) = door.order(&with_challenge(open, asked.as_ref()));
    assert_eq!((status(said.as_ref()), executed), (Some(Status::Done), 1));
    // a challenge for what was never asked about is a first message
    let mut other = order("c-2", "unlock", 2);
    other["challenge"] = "x".into();
    assert_eq!(
        status(door.order(&other).0.as_ref()),
        Some(Status::Accepted)
    );
}

#[test]
fn what_is_past_its_time_or_its_turn_is_not_done() {
    let mut door = Door::new(Behaviour::Obey);
    assert_eq!(door.order(&order("c-5", "ping", 5)).1, 1);
    let (said, executed) = door.order(&order("c-4", "lock", 5));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Rejected), 0),
        "a counter twice"
    );
    door.wait(10_001);
    let (said, executed) = door.order(&order("c-6", "lock", 6));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Expired), 0)
    );
    let heard = Heard {
        command: "ping".to_owned(),
        payload: order("c-7", "ping", 7).to_string().into_bytes(),
        is_retained: true,
    };
    let reactions = door.executor.hear(heard, door.now);
    assert_eq!(read(&reactions), (None, 0), "retained");
    let (said, executed) = door.order(&order("c-8", "raise", 8));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Expired), 0)
    );
    let mut door = Door::new(Behaviour::Obey);
    let (said, executed) = door.order(&order("c-1", "raise", 1));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Rejected), 0),
        "a door has no arm"
    );
    let reactions = door.hear("lock", &order("c-2", "unlock", 2));
    assert_eq!(
        status(read(&reactions).0.as_ref()),
        Some(Status::Rejected),
        "topic and payload differ"
    );
}

#[test]
fn a_clock_that_is_ahead_can_be_set() {
    let ahead = SignedDuration::from_hours(8);
    let mut door = Door::with(Behaviour::Obey, ahead, Memory::default());
    assert_eq!(
        status(door.order(&order("c-1", "lock", 1)).0.as_ref()),
        Some(Status::Expired)
    );
    let mut sync = order("c-2", "sync-time", 2);
    sync["args"] = json!({"time": "2026-11-27T08:00:00Z"});
    let (asked, _) = door.order(&sync);
    assert_eq!(status(asked.as_ref()), Some(Status::Accepted));
    let (said, _) = door.order(&with_challenge(sync, asked.as_ref()));
    assert_eq!(status(said.as_ref()), Some(Status::Done));
    assert_eq!(door.executor.clock_off(), SignedDuration::ZERO);
    assert_eq!(
        status(door.order(&order("c-3", "lock", 3)).0.as_ref()),
        Some(Status::Done)
    );
}

#[test]
fn a_device_that_starts_over_does_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let id = "door-1".parse().expect("an id");
    let open = || Memory::open(folder.path(), &id).expect("reads");
    let mut door = Door::with(Behaviour::Obey, SignedDuration::ZERO, open());
    assert_eq!(door.order(&order("c-1", "lock", 9)).1, 1);
    let mut door = Door::with(Behaviour::Obey, SignedDuration::ZERO, open());
    let (said, executed) = door.order(&order("c-1", "lock", 9));
    assert_eq!((status(said.as_ref()), executed), (Some(Status::Done), 0));
    let (said, executed) = door.order(&order("c-2", "lock", 9));
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Rejected), 0)
    );
    // what cannot be remembered is not done
    drop(folder);
    let (said, executed) = door.order(&order("c-3", "lock", 10));
    assert_eq!((status(said.as_ref()), executed), (Some(Status::Failed), 0));
}

#[test]
fn devices_refuse_lie_keep_silent_and_are_slow() {
    let check = |behaviour: Behaviour, expect: Option<Status>| {
        let mut door = Door::new(behaviour.clone());
        let (said, executed) = door.order(&order("c-1", "open-door", 1));
        assert_eq!(
            (status(said.as_ref()), executed),
            (expect, 0),
            "{behaviour:?}"
        );
    };
    check(
        Behaviour::Refuse("jammed".to_owned()),
        Some(Status::Rejected),
    );
    check(Behaviour::Lie, Some(Status::Done));
    check(Behaviour::Mute, None);
    check(Behaviour::Offline(Duration::from_secs(30)), None);
    let mut door = Door::new(Behaviour::Delay(Duration::from_secs(11)));
    let reactions = door.hear("lock", &order("c-1", "lock", 1));
    let [(after, Reaction::Take(heard))] = &reactions[..] else {
        panic!("{reactions:?}");
    };
    assert_eq!(after.as_secs(), 11);
    door.wait(11_000);
    let reactions = door.executor.take(heard, door.now);
    let (said, executed) = read(&reactions);
    assert_eq!(
        (status(said.as_ref()), executed),
        (Some(Status::Expired), 0),
        "not wanted any more"
    );
}

#[test]
fn a_door_that_is_held_open_is_not_locked_by_what_came_before() {
    let mut door = Door::new(Behaviour::Obey);
    let first = order("c-1", "open-door", 1);
    let (asked, _) = door.order(&first);
    let reactions = door.hear("open-door", &with_challenge(first, asked.as_ref()));
    let relock = reactions
        .into_iter()
        .find_map(|(after, reaction)| match reaction {
            Reaction::Say(moves, say) if after > Duration::ZERO => Some((moves, say)),
            _ => None,
        });
    let (moves, say) = relock.expect("it locks again");
    assert!(door.executor.still(moves, say.clone()).is_some());
    let second = order("c-2", "hold-open", 2);
    let (asked, _) = door.order(&second);
    assert_eq!(door.order(&with_challenge(second, asked.as_ref())).1, 1);
    assert_eq!(door.executor.still(moves, say), None);
}
