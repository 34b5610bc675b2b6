//! `stats`

use super::Report;
use super::usage::Cpu;
use crate::item::Now;
use crate::node::{ConnectionCount, Shared, VERSION};
use crate::store::Figures;
use std::sync::atomic::Ordering;

/// Connections and items are counted once: to do so is work, and what is told in
/// several places is then of one moment.
pub(super) fn report(shared: &Shared, now: Now, report: &mut Report<'_>) {
    let (count, figures) = (shared.connections.count(), shared.store.figures());
    process(shared, now, report);
    connections(shared, &count, report);
    requests(shared, &figures, report);
    bounds(shared, &count, &figures, report);
    log(shared, report);
    items(&figures, report);
}

fn process(shared: &Shared, now: Now, report: &mut Report<'_>) {
    let cpu = Cpu::so_far();
    report.stat("pid", std::process::id());
    report.stat("uptime", shared.uptime_s(now));
    report.stat("time", now.unix_s());
    report.stat("version", VERSION);
    report.stat("libevent", "none");
    report.stat("pointer_size", usize::BITS);
    report.stat("rusage_user", cpu.user());
    report.stat("rusage_system", cpu.system());
}

fn connections(shared: &Shared, count: &ConnectionCount, report: &mut Report<'_>) {
    report.stat("max_connections", shared.settings.connections_max);
    report.stat("curr_connections", count.current);
    report.stat("total_connections", count.total);
    report.stat("rejected_connections", count.rejected);
    report.stat("connection_structures", count.current);
    report.all(&[
        ("response_obj_oom", "0"),
        ("response_obj_count", "0"),
        ("response_obj_bytes", "0"),
        ("read_buf_count", "0"),
        ("read_buf_bytes", "0"),
        ("read_buf_bytes_free", "0"),
    ]);
    report.stat("read_buf_oom", count.out_of_memory);
    report.stat("reserved_fds", 0);
}

fn requests(shared: &Shared, figures: &Figures, report: &mut Report<'_>) {
    let sums = shared.sums();
    report.stat("cmd_get", sums.cmd_get);
    report.stat("cmd_set", sums.cmd_set);
    report.stat("cmd_flush", sums.cmd_flush);
    report.stat("cmd_touch", sums.cmd_touch);
    report.stat("cmd_meta", sums.cmd_meta);
    report.stat("get_hits", sums.get_hits);
    report.stat("get_misses", sums.get_misses);
    report.stat("get_expired", figures.reads_expired);
    report.stat("get_flushed", figures.reads_flushed);
    report.stat("delete_misses", sums.delete_misses);
    report.stat("delete_hits", sums.delete_hits);
    report.stat("incr_misses", sums.incr_misses);
    report.stat("incr_hits", sums.incr_hits);
    report.stat("decr_misses", sums.decr_misses);
    report.stat("decr_hits", sums.decr_hits);
    report.stat("cas_misses", sums.cas_misses);
    report.stat("cas_hits", sums.cas_hits);
    report.stat("cas_badval", sums.cas_badval);
    report.stat("touch_hits", sums.touch_hits);
    report.stat("touch_misses", sums.touch_misses);
    report.stat("store_too_large", sums.store_too_large);
    report.stat("store_no_memory", sums.store_no_memory);
    report.stat("auth_cmds", sums.auth_cmds);
    report.stat("auth_errors", sums.auth_errors);
    if shared.rates.is_some() {
        report.stat("rate_limited", sums.rate_limited);
    }
    report.stat("bytes_read", sums.bytes_read);
    report.stat("bytes_written", sums.bytes_written);
}

fn bounds(shared: &Shared, count: &ConnectionCount, figures: &Figures, report: &mut Report<'_>) {
    report.stat("limit_maxbytes", shared.memory_bytes.load(Ordering::Relaxed));
    report.stat("accepting_conns", u8::from(count.accepting));
    report.stat("listen_disabled_num", count.listening_paused);
    report.stat("time_in_listen_disabled_us", count.listening_paused_us);
    report.stat("threads", shared.settings.threads);
    report.stat("conn_yields", count.yields);
    if shared.settings.idle_timeout_s > 0 {
        report.stat("idle_kicks", count.idle_kicks);
    }
    // Of a table of words, the power of two that holds it.
    let words = (figures.index_bytes / 8).max(1).next_power_of_two();
    report.stat("hash_power_level", words.trailing_zeros());
    report.stat("hash_bytes", figures.index_bytes);
    report.all(&[
        ("hash_is_expanding", "0"),
        ("slab_reassign_rescues", "0"),
        ("slab_reassign_chunk_rescues", "0"),
        ("slab_reassign_inline_reclaim", "0"),
        ("slab_reassign_busy_items", "0"),
        ("slab_reassign_busy_deletes", "0"),
        ("slab_reassign_busy_nomem", "0"),
        ("slab_reassign_last_busy_status", "none"),
        ("slab_reassign_running", "0"),
        ("slabs_moved", "0"),
        ("lru_crawler_running", "0"),
        ("lru_crawler_starts", "0"),
        ("lru_maintainer_juggles", "0"),
        ("malloc_fails", "0"),
    ]);
}

fn log(shared: &Shared, report: &mut Report<'_>) {
    let count = shared.watch.count();
    report.stat("log_worker_dropped", 0);
    report.stat("log_worker_written", count.sent + count.skipped);
    report.stat("log_watcher_skipped", count.skipped);
    report.stat("log_watcher_sent", count.sent);
    report.stat("log_watchers", count.watchers);
    report.stat("unexpected_napi_ids", 0);
    report.stat("round_robin_fallback", 0);
}

fn items(figures: &Figures, report: &mut Report<'_>) {
    report.stat("bytes", figures.bytes);
    report.stat("curr_items", figures.items);
    report.stat("total_items", figures.total_items);
    report.stat("slab_global_page_pool", 0);
    report.stat("expired_unfetched", figures.expired_unfetched);
    report.stat("evicted_unfetched", figures.evicted_unfetched);
    report.stat("evicted_active", 0);
    report.stat("evictions", figures.evicted);
    report.stat("reclaimed", figures.expired);
    report.stat("crawler_reclaimed", figures.crawled);
    report.stat("crawler_items_checked", figures.looked_at);
    report.all(&[
        ("lrutail_reflocked", "0"),
        ("moves_to_cold", "0"),
        ("moves_to_warm", "0"),
        ("moves_within_lru", "0"),
        ("direct_reclaims", "0"),
        ("lru_bumps_dropped", "0"),
    ]);
}
