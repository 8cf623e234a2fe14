//! Random sequences of operations answer alike on memory, SQLite, Redis and the model, and store the same bytes.
//!
//! `TICKET_SEQUENCES` says how many sequences, `TICKET_SEED` repeats a run; a failure is shrunk to the fewest
//! operations that show it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use ticket_tests::model::{Answer, Limits, Model};
use ticket_tests::{StoreKind, seed};
use tokio::sync::Mutex;

use plan::{Kept, Operation, sequences};
use subject::{End, Subject};

mod plan;
mod subject;

const SEQUENCES: u32 = 300;
const SHRINK_STEPS_MAX: u32 = 2_000;
/// When every sequence begins, in Unix seconds.
const START_S: u64 = 1_750_000_000;
/// Small, so that sequences meet them.
const LIMITS: Limits =
    Limits { ttl_ms: 1_800_000, message_bytes_max: 200, ticket_bytes_max: 1_500, history_entries_max: 12 };

/// Sequences from which on every kind of answer must have been met.
const SEQUENCES_FOR_ALL: u32 = 200;
const KINDS: [&str; 12] = [
    "ticket",
    "snapshot",
    "done",
    "ids",
    "conflict",
    "conflict with damage",
    "Invalid",
    "TooLarge",
    "Exists",
    "NotFound",
    "Corrupt",
    "UnsupportedVersion",
];

/// How often each kind of answer was given.
type Answers = BTreeMap<String, u64>;

#[test]
fn random_sequences_answer_alike_on_every_store_and_the_model() {
    let wanted =
        std::env::var("TICKET_SEQUENCES").map_or(SEQUENCES, |text| text.parse().expect("a number of sequences"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    let backend = Mutex::new(runtime.block_on(async {
        let mut subjects = Vec::new();
        for kind in StoreKind::ALL {
            subjects.push(Subject::new(kind, LIMITS).await);
        }
        (subjects, Answers::new())
    }));
    let mut numbers = seed::rng("equivalence");
    let rng_seed: Vec<u8> = std::iter::repeat_with(|| numbers.u8(..)).take(32).collect();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &rng_seed);
    let config =
        Config { cases: wanted, max_shrink_iters: SHRINK_STEPS_MAX, failure_persistence: None, ..Config::default() };
    let (prefixes, coincidences) = (AtomicU32::new(0), AtomicU32::new(0));

    let ran = TestRunner::new_with_rng(config, rng).run(&sequences(), |sequence| {
        let prefix = format!("s{}-", prefixes.fetch_add(1, Ordering::Relaxed));
        let end = runtime.block_on(async {
            let (subjects, answers) = &mut *backend.lock().await;
            run(subjects, answers, &prefix, &sequence).await
        });
        match end {
            Ok(()) => Ok(()),
            Err(End::Coincidence) => {
                coincidences.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(End::Differs(why)) => Err(TestCaseError::fail(why)),
        }
    });
    match ran {
        Ok(()) => report(wanted, &backend.into_inner().1, coincidences.into_inner()),
        Err(TestError::Fail(why, sequence)) => {
            panic!("TICKET_SEED={}\n{why}\nafter shrinking: {sequence:#?}", seed::seed())
        }
        Err(TestError::Abort(why)) => panic!("TICKET_SEED={}: {why}", seed::seed()),
    }
}

/// Says what was compared, past the test runner, which hides what a good test prints.
fn report(sequences: u32, answers: &Answers, coincidences: u32) {
    let calls: u64 = answers.values().sum();
    let text = format!(
        "{sequences} sequences, {calls} calls, each on {} stores and the model, {coincidences} cut short by equal \
         revisions, TICKET_SEED={}\nanswers: {answers:?}\n",
        StoreKind::ALL.len(),
        seed::seed(),
    );
    std::io::stdout().write_all(text.as_bytes()).expect("stdout");
    let never: Vec<&&str> = KINDS.iter().filter(|kind| !answers.contains_key(**kind)).collect();
    assert!(sequences < SEQUENCES_FOR_ALL || never.is_empty(), "answers that were never given: {never:?}");
}

fn kind(answer: &Answer) -> String {
    match answer {
        Answer::Ticket(_) => "ticket",
        Answer::Snapshot(_) => "snapshot",
        Answer::Done => "done",
        Answer::Ids(_) => "ids",
        Answer::Conflict(Some(_)) => "conflict",
        Answer::Conflict(None) => "conflict with damage",
        Answer::Refused(kind) => return format!("{kind:?}"),
    }
    .to_owned()
}

/// Runs one sequence everywhere; what it leaves is compared and removed, also after a difference.
async fn run(subjects: &mut [Subject], answers: &mut Answers, prefix: &str, sequence: &[Operation]) -> Result<(), End> {
    let (mut model, mut kept) = (Model::new(LIMITS, START_S), Kept::default());
    for subject in &mut *subjects {
        subject.begin(START_S);
    }
    let mut result = Ok(());
    for operation in sequence {
        let Some(call) = operation.call(prefix, &model, &kept) else { continue };
        let before = model.clone();
        let expected = model.answer(&call);
        for subject in &mut *subjects {
            result = result.and(subject.check(&call, &expected, &before).await);
        }
        if result.is_err() {
            break;
        }
        *answers.entry(kind(&expected)).or_default() += 1;
        kept.keep(&expected);
    }
    let ids: Vec<String> = (0..plan::TICKETS).map(|ticket| format!("{prefix}{ticket}")).collect();
    for subject in subjects {
        result = result.and(subject.end(&ids, &model).await);
    }
    result
}
