//! Whole nodes in one thread, with one clock and one seed: packets, frames and
//! time are moved by hand, and may be lost, late or cut off.
//!
//! `SIMULATION_SEEDS=17..18` runs one seed again, `SIMULATION_SEEDS=0..1000` many;
//! `SIMULATION_LOG=1` tells what happens.

mod audit;
mod beginning;
mod breaker;
mod client;
mod copies;
mod counters;
mod cuts;
mod dead;
mod digests;
mod distance;
mod faults;
mod few;
mod history;
mod latest;
mod leaving;
mod load;
mod memory;
mod moves;
mod plans;
mod reading;
mod registers;
mod run;
mod still;
mod strangers;
mod succession;
mod tails;
mod touching;
mod unheard;
mod unlinked;
mod words;
mod world;

use faults::{Faults, Kind};
use history::History;
use ringcached::cluster::ReadFrom;
use ringcached::node::WriteAck;
use run::{Plan, run};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs this for each of the seeds; a failing one does not keep the others from
/// being tried.
fn for_each_seed(test: &str, plan: &Plan, check: impl Fn(History)) {
    let asked = std::env::var("SIMULATION_SEEDS").unwrap_or_else(|_| "0..4".to_owned());
    let (from, to) = asked.split_once("..").expect("SIMULATION_SEEDS=FROM..TO");
    let seeds = from.parse::<u64>().unwrap()..to.parse().unwrap();
    let fails = |&seed: &u64| catch_unwind(AssertUnwindSafe(|| check(run(seed, plan)))).is_err();
    let failed: Vec<u64> = seeds.filter(fails).collect();
    let Some(&first) = failed.first() else { return };
    panic!(
        "seeds {failed:?} fail; again: SIMULATION_SEEDS={first}..{} SIMULATION_LOG=1 \
         cargo test --test simulation -- --exact {test} --nocapture",
        first + 1
    );
}

const THREE: Plan = Plan { nodes: 3, copies: 2, ..Plan::USUAL };
const FIVE: Plan = Plan { nodes: 5, copies: 3, ..Plan::USUAL };
/// Only the greater half of those that part takes writes.
const THREE_BY_MOST: Plan = Plan { min_nodes_for_writes: 2, ..THREE };
const FIVE_BY_MOST: Plan = Plan { min_nodes_for_writes: 3, ..FIVE };
const THREE_BY_QUORUM: Plan = Plan { read_from: ReadFrom::Quorum, ..THREE };
const FIVE_BY_QUORUM: Plan = Plan { read_from: ReadFrom::Quorum, ..FIVE };
/// All owners that are live have what was acknowledged, so each of them may answer.
const FIVE_BY_NEAREST: Plan =
    Plan { read_from: ReadFrom::Nearest, write_ack: WriteAck::All, ..FIVE };

macro_rules! simulations {
    ($($(#[$more:meta])* $name:ident: $cluster:expr, $faults:expr, $check:ident;)*) => {
        $(#[test]
        $(#[$more])*
        fn $name() {
            let plan = Plan { faults: $faults, ..$cluster };
            for_each_seed(stringify!($name), &plan, History::$check);
        })*
    };
}

simulations! {
    without_faults_all_is_exact: THREE, Faults::NONE, check_exactly;
    three_copies_are_as_exact: FIVE, Faults::NONE, check_exactly;
    lost_packets_change_nothing: THREE, Faults::LOSS, check_exactly;
    late_and_double_packets_change_nothing: THREE, Faults::DUPLICATES, check_exactly;
    a_killed_node_takes_nothing_with_it: THREE, Faults::of(Kind::Kill), check_nothing_lost;
    a_killed_one_of_five_takes_nothing_with_it: FIVE, Faults::of(Kind::Kill), check_nothing_lost;
    a_restarted_node_brings_nothing_back: THREE, Faults::of(Kind::Restart), check_nothing_lost;
    a_node_that_is_stopped_and_comes_back_changes_nothing: THREE, Faults::of(Kind::Stop), check_exactly;
    one_of_five_that_is_stopped_and_comes_back_changes_nothing: FIVE_BY_QUORUM, Faults::of(Kind::Stop), check_exactly;
    a_node_restarted_with_its_memory_brings_nothing_back: THREE, Faults::of(Kind::WarmRestart), check_nothing_lost;
    one_of_five_restarted_with_its_memory_brings_nothing_back: FIVE_BY_QUORUM, Faults::of(Kind::WarmRestart), check_nothing_lost;
    one_of_five_restarted_with_its_memory_has_what_all_acknowledged: FIVE_BY_NEAREST, Faults::of(Kind::WarmRestart), check_nothing_lost;
    copies_are_alike_after_a_restart_with_memory: FIVE, Faults::of(Kind::WarmRestart), check_all_equal;
    a_node_restarted_at_once_loses_nothing: THREE, Faults::of(Kind::QuickRestart), check_nothing_lost;
    a_node_restarted_without_seeds_is_found_and_loses_nothing: THREE, Faults::of(Kind::ForgetfulRestart), check_nothing_lost;
    one_of_five_restarted_without_seeds_loses_nothing: FIVE, Faults::of(Kind::ForgetfulRestart), check_nothing_lost;
    a_flapping_node_loses_nothing: THREE, Faults::of(Kind::Flap), check_nothing_lost;
    a_paused_node_does_not_execute_beside_its_successor: THREE, Faults::of(Kind::Pause), check_nothing_lost;
    two_that_are_cut_off_lose_nothing: THREE, Faults::of(Kind::Cut), check_nothing_lost;
    a_cut_in_one_direction_loses_nothing: THREE, Faults::of(Kind::CutOneWay), check_nothing_lost;
    a_clock_an_hour_ahead_spoils_nothing: THREE, Faults::SKEW, check_nothing_lost_by_others;
    one_that_joins_takes_nothing_away: THREE, Faults::of(Kind::Join), check_nothing_lost;
    one_that_joins_five_takes_nothing_away: FIVE, Faults::of(Kind::Join), check_nothing_lost;
    two_that_join_take_nothing_away: THREE, Faults::of(Kind::JoinTwo), check_nothing_lost;
    two_that_join_five_take_nothing_away: FIVE_BY_QUORUM, Faults::of(Kind::JoinTwo), check_nothing_lost;
    a_death_while_one_joins_takes_nothing_away: THREE, Faults::of(Kind::JoinAndKill), check_nothing_lost;
    a_death_while_one_joins_five_takes_nothing_away: FIVE_BY_QUORUM, Faults::of(Kind::JoinAndKill), check_nothing_lost;
    a_restart_while_one_joins_takes_nothing_away: THREE, Faults::of(Kind::JoinAndRestart), check_nothing_lost;
    a_restart_while_one_joins_five_takes_nothing_away: FIVE, Faults::of(Kind::JoinAndRestart), check_nothing_lost;
    one_that_joins_twice_takes_nothing_away: THREE, Faults::of(Kind::JoinerRestarts), check_nothing_lost;
    one_that_joins_five_twice_takes_nothing_away: FIVE_BY_NEAREST, Faults::of(Kind::JoinerRestarts), check_nothing_lost;
    one_that_stands_still_while_one_joins_takes_nothing_away: THREE, Faults::of(Kind::JoinAndPause), check_nothing_lost;
    one_of_five_that_stands_still_while_one_joins_takes_nothing_away: FIVE, Faults::of(Kind::JoinAndPause), check_nothing_lost;
    one_that_leaves_takes_nothing_away: THREE, Faults::of(Kind::Leave), check_nothing_lost;
    one_that_leaves_five_takes_nothing_away: FIVE_BY_QUORUM, Faults::of(Kind::Leave), check_nothing_lost;
    one_that_leaves_while_one_joins_takes_nothing_away: THREE_BY_QUORUM, Faults::of(Kind::JoinAndLeave), check_nothing_lost;
    one_that_leaves_five_while_one_joins_takes_nothing_away: FIVE, Faults::of(Kind::JoinAndLeave), check_nothing_lost;
    one_that_joins_while_one_leaves_takes_nothing_away: THREE, Faults::of(Kind::LeaveAndJoin), check_nothing_lost;
    one_that_joins_five_while_one_leaves_takes_nothing_away: FIVE_BY_QUORUM, Faults::of(Kind::LeaveAndJoin), check_nothing_lost;
    two_that_leave_take_nothing_away: THREE_BY_QUORUM, Faults::of(Kind::LeaveTwo), check_nothing_lost;
    two_that_leave_five_take_nothing_away: FIVE, Faults::of(Kind::LeaveTwo), check_nothing_lost;
    one_that_dies_while_it_leaves_takes_nothing_away: THREE, Faults::of(Kind::LeaverDies), check_nothing_lost;
    one_that_dies_while_it_leaves_five_takes_nothing_away: FIVE_BY_QUORUM, Faults::of(Kind::LeaverDies), check_nothing_lost;
    slots_that_are_given_away_lose_nothing: THREE, Faults::of(Kind::GiveAway), check_nothing_lost;
    slots_of_five_that_are_given_away_lose_nothing: FIVE_BY_QUORUM, Faults::of(Kind::GiveAway), check_nothing_lost;
    halves_that_gave_away_slots_are_alike_in_the_end: THREE, Faults::of(Kind::LongPartition), check_all_equal;
    halves_of_five_that_gave_away_slots_are_alike_in_the_end: FIVE, Faults::of(Kind::LongPartition), check_all_equal;
    a_stranger_changes_nothing: THREE, Faults::of(Kind::Stranger), check_exactly;
    a_stranger_changes_nothing_for_five: FIVE_BY_QUORUM, Faults::of(Kind::Stranger), check_exactly;
    one_of_another_authority_changes_nothing: THREE, Faults::of(Kind::Unlinked), check_exactly;
    halves_that_meet_again_are_alike: THREE, Faults::of(Kind::Partition), check_all_equal;
    halves_of_five_that_meet_again_are_alike: FIVE, Faults::of(Kind::Partition), check_all_equal;
    halves_of_which_one_takes_writes_are_alike: THREE_BY_MOST, Faults::of(Kind::Partition), check_all_equal;
    halves_of_five_of_which_one_takes_writes_are_alike: FIVE_BY_MOST, Faults::of(Kind::Partition), check_all_equal;
    writes_that_want_most_nodes_lose_nothing_to_a_death: THREE_BY_MOST, Faults::of(Kind::Kill), check_nothing_lost;
    writes_that_want_most_of_five_lose_nothing_to_a_restart: FIVE_BY_MOST, Faults::of(Kind::Restart), check_nothing_lost;
    reads_of_a_majority_are_exact: FIVE_BY_QUORUM, Faults::NONE, check_exactly;
    reads_of_both_owners_are_exact: THREE_BY_QUORUM, Faults::LOSS, check_exactly;
    reads_of_a_majority_see_what_a_killed_node_wrote: FIVE_BY_QUORUM, Faults::of(Kind::Kill), check_nothing_lost;
    reads_of_a_majority_see_nothing_old_of_a_restarted_node: FIVE_BY_QUORUM, Faults::of(Kind::Restart), check_nothing_lost;
    reads_of_a_majority_see_nothing_old_of_a_paused_node: FIVE_BY_QUORUM, Faults::of(Kind::Pause), check_nothing_lost;
    reads_of_a_majority_see_nothing_old_in_a_cut: FIVE_BY_QUORUM, Faults::of(Kind::Cut), check_nothing_lost;
    reads_of_both_owners_see_nothing_old_in_a_cut: THREE_BY_QUORUM, Faults::of(Kind::CutOneWay), check_nothing_lost;
    halves_read_by_a_majority_are_alike_in_the_end: FIVE_BY_QUORUM, Faults::of(Kind::Partition), check_all_equal;
    the_nearest_has_what_all_acknowledged: FIVE_BY_NEAREST, Faults::LOSS, check_exactly;
    the_nearest_brings_nothing_deleted_back_after_a_kill: FIVE_BY_NEAREST, Faults::of(Kind::Kill), check_nothing_lost;
    the_nearest_brings_nothing_deleted_back_after_restarts: FIVE_BY_NEAREST, Faults::of(Kind::Flap), check_nothing_lost;
    halves_read_from_the_nearest_are_alike_in_the_end: FIVE_BY_NEAREST, Faults::of(Kind::Partition), check_all_equal;
}
