//! What a tick costs with a thousand processes: the sampler, against a general-purpose library.

use std::hint::black_box;
use std::rc::Rc;

use criterion::{Criterion, criterion_group, criterion_main};
use fake_claude::behaviour::Behaviour;
use fake_claude::quantity::Span;
use leak_harness::clock::Clock;
use leak_harness::emitter::Emitter;
use leak_harness::platform::portable::PortableTable;
use leak_harness::platform::{die_with_parent, processor_time};
use leak_harness::witness::{Scope, Settings, Switches, Witnesses};
use nix::unistd::{ForkResult, fork, pause};
use tokio::task::LocalSet;

const PROCESSES: usize = 1_000;

/// Starts processes that do nothing until they are killed, which also happens when this one ends.
fn start_processes() {
    let parent = std::process::id();
    for _ in 0..PROCESSES {
        // SAFETY: this process has one thread; the child makes system calls only.
        match unsafe { fork() }.expect("a process can be started") {
            ForkResult::Parent { .. } => {}
            ForkResult::Child => {
                if die_with_parent(parent).is_ok() {
                    loop {
                        pause();
                    }
                }
                // SAFETY: nothing of this copy of the parent is to be cleaned up.
                unsafe { libc::_exit(1) }
            }
        }
    }
}

fn tick(criterion: &mut Criterion) {
    start_processes();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    let local = LocalSet::new();
    let witnesses: Rc<Witnesses> = local.block_on(&runtime, async {
        let (emitter, mut events) = Emitter::channel(Clock::start());
        tokio::task::spawn_local(async move { while events.recv().await.is_some() {} });
        let settings = Settings {
            scope: Scope::DescendantsOf(std::process::id()),
            host_proc: None,
            tick: Span::from_secs(3_600),
            switches: Switches::default(),
            cookie: None,
            control_folder: None,
            role: Box::new(|_| None),
            behaviour: Box::new(|_| Behaviour::default()),
        };
        let witnesses = Witnesses::start(settings, &emitter).expect("there is a process table");
        // Forks of one program are announced once they have had time to become something else.
        while witnesses.view().children < PROCESSES as u32 || witnesses.view().rss_bytes == 0 {
            witnesses.sample().await;
        }
        witnesses
    });

    let mut group = criterion.benchmark_group(format!("{PROCESSES} processes"));
    group.bench_function("tick of the sampler", |bencher| {
        bencher.iter(|| local.block_on(&runtime, witnesses.sample()));
    });
    let mut table = PortableTable::new().expect("there is a process table");
    group.bench_function("refresh of the portable table with memory", |bencher| {
        bencher.iter(|| {
            table.refresh(true);
            black_box(table.rows().count())
        });
    });
    group.finish();

    let before = processor_time();
    local.block_on(&runtime, witnesses.sample());
    eprintln!(
        "one tick: {:?} of processor time",
        processor_time().saturating_sub(before)
    );
    local.block_on(&runtime, async {
        let cleaning = witnesses.end_everything().await;
        assert_eq!(cleaning.killed.len(), PROCESSES);
        witnesses.close().await;
    });
}

criterion_group!(benches, tick);
criterion_main!(benches);
