//! The cases: each runs in an inner process, and fails by panicking there.

use std::future::Future;
use std::io::{BufRead, BufReader};
use std::pin::Pin;
use std::process::{ExitCode, Stdio};

use leak_harness::isolation::{self, Adopted, Wanted, adopt};
use leak_harness::platform::{HostPids, Watched};
use leak_harness::timeline::event::Isolation;
use libtest_mimic::Failed;
use serde::{Deserialize, Serialize};

use crate::cast::member;
use crate::{control, kills, processes, walls};

/// What the inner process is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The case to run.
    pub case: String,
    /// How many children to start, for `hold`.
    pub children: u32,
}

type Running = Pin<Box<dyn Future<Output = ()>>>;

/// A case.
pub struct Case {
    /// Its name, which states a fact.
    pub name: &'static str,
    body: fn(Adopted) -> Running,
}

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// Every case.
        pub const ALL: &[Case] = &[$(Case {
            name: stringify!($name),
            body: |adopted| Box::pin($module::$name(adopted)),
        }),*];
    };
}

cases![
    walls::the_walls_are_what_is_said,
    walls::commands_and_messages_arrive,
    walls::files_are_raised_for_the_harness_and_restored_for_the_worker,
    processes::escapees_stay_in_sight,
    processes::ends_are_told_with_code_and_signal,
    processes::a_reused_pid_deceives_nobody,
    processes::a_zombie_that_nobody_waits_for_is_shown,
    processes::holders_of_pipes_and_sockets_are_found,
    control::garbage_on_the_control_socket_harms_nobody,
    control::a_fake_is_told_how_to_behave_and_given_ballast,
    processes::a_switched_off_witness_is_silent,
    processes::both_tables_agree,
    processes::the_cookie_is_found,
    processes::nobody_else_is_touched_by_the_final_cleaning,
];

/// A runtime as outer and inner have one: single-threaded.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Runs a case: an outer process of its own, which has an inner one.
pub fn run(case: &str, wanted: Wanted) -> Result<(), Failed> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .args(["__outer", kind(wanted), case])
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }
}

/// The name of a kind of isolation.
pub const fn kind(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::Best => "namespaces",
        Wanted::Fallback => "fallback",
    }
}

/// The outer process: launches an inner one for the case, does as it asks, and sees that it leaves nothing.
pub fn run_outer(arguments: &[String]) -> ExitCode {
    let [wanted, case] = arguments else {
        panic!("not a cast: {arguments:?}");
    };
    let wanted = [Wanted::Best, Wanted::Fallback]
        .into_iter()
        .find(|known| kind(*known) == wanted)
        .unwrap();
    runtime().block_on(async {
        let plan = Plan {
            case: case.to_owned(),
            children: kills::CHILDREN,
        };
        let plan = serde_json::to_vec(&plan).unwrap();
        let mut inner = isolation::launch(&plan, wanted).unwrap();
        let expected = match wanted {
            Wanted::Best => Isolation {
                pid_namespace: true,
                mount_namespace: true,
                network_namespace: true,
                // Root goes without one unless it is not allowed to.
                user_namespace: inner.isolation().user_namespace,
            },
            Wanted::Fallback => Isolation::default(),
        };
        assert_eq!(inner.isolation(), expected, "{:?}", inner.refused());
        println!("{}", inner.pid());
        while let Some(message) = inner.next_message().await.unwrap() {
            match message.as_slice() {
                b"\"stop me\"" => {
                    inner.stop().await.unwrap();
                    inner.stop_now().await.unwrap();
                }
                message => println!("{}", String::from_utf8_lossy(message)),
            }
        }
        let end = inner.wait().await.unwrap();
        if case != "hold" {
            assert_eq!(end.exit.code, Some(0));
            assert_eq!(end.leftovers, isolation::Ended::default());
        }
    });
    ExitCode::SUCCESS
}

/// The inner process.
pub fn run_inner() -> ExitCode {
    let adopted = adopt().unwrap();
    let plan: Plan = serde_json::from_slice(&adopted.plan).unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime(), async {
        if plan.case == "hold" {
            hold(adopted, plan.children).await;
            return;
        }
        let case = ALL.iter().find(|case| case.name == plan.case).unwrap();
        (case.body)(adopted).await;
    });
    ExitCode::SUCCESS
}

/// Starts many deaf children, says their host pids, and then does nothing for ever.
async fn hold(adopted: Adopted, count: u32) {
    let host_pids = HostPids::new(adopted.host_proc);
    let (_commands, to_outer) = adopted.outer.open().unwrap();
    let mut pids = Vec::new();
    let mut children = Vec::new();
    for _ in 0..count {
        let mut child = member(&["deaf"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let (watched, _) = Watched::open(child.id()).unwrap().unwrap();
        pids.push(host_pids.of(&watched).unwrap().to_string());
        children.push(child);
    }
    to_outer.send(pids.join(" ").as_bytes()).await.unwrap();
    std::future::pending::<()>().await;
}
