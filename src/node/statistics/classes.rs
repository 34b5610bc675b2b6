//! `stats items`, `stats slabs`. There are no classes of
//! sizes here, so all items are of the first one.

use super::Report;
use crate::item::Now;
use crate::node::Shared;

/// What memcached calls a page: the unit in which memory is told.
const PAGE_BYTES: u64 = 1 << 20;

/// What memcached calls a chunk: here items take what they take, so it is the
/// unit in which free memory is told.
const CHUNK_BYTES: u64 = 96;

pub(super) fn items(shared: &Shared, now: Now, report: &mut Report<'_>) {
    let figures = shared.store.figures();
    if figures.items == 0 {
        return;
    }
    let hits = shared.sums().get_hits;
    let mut stat = |name: &str, value: u64| report.stat(format_args!("items:1:{name}"), value);
    stat("number", figures.items);
    stat("number_hot", 0);
    stat("number_warm", 0);
    stat("number_cold", figures.items);
    stat("age_hot", 0);
    stat("age_warm", 0);
    // No item is older than the node; how old the oldest is, nobody keeps.
    stat("age", shared.uptime_s(now).into());
    stat("mem_requested", figures.bytes);
    stat("evicted", figures.evicted);
    stat("evicted_nonzero", 0);
    stat("evicted_time", 0);
    stat("outofmemory", shared.sums().store_no_memory);
    stat("tailrepairs", 0);
    stat("reclaimed", figures.expired);
    stat("expired_unfetched", figures.expired_unfetched);
    stat("evicted_unfetched", figures.evicted_unfetched);
    stat("evicted_active", 0);
    stat("crawler_reclaimed", figures.crawled);
    stat("crawler_items_checked", figures.looked_at);
    stat("lrutail_reflocked", 0);
    stat("moves_to_cold", 0);
    stat("moves_to_warm", 0);
    stat("moves_within_lru", 0);
    stat("direct_reclaims", 0);
    stat("hits_to_hot", 0);
    stat("hits_to_warm", 0);
    stat("hits_to_cold", hits);
    stat("hits_to_temp", 0);
}

pub(super) fn slabs(shared: &Shared, report: &mut Report<'_>) {
    let (figures, sums) = (shared.store.figures(), shared.sums());
    let pages = figures.memory.div_ceil(PAGE_BYTES);
    let chunks_per_page = PAGE_BYTES / CHUNK_BYTES;
    let chunks = (pages * chunks_per_page).max(figures.items);
    let mut stat = |name: &str, value: u64| report.stat(format_args!("1:{name}"), value);
    stat("chunk_size", CHUNK_BYTES);
    stat("chunks_per_page", chunks_per_page);
    stat("total_pages", pages);
    stat("total_chunks", chunks);
    stat("used_chunks", figures.items);
    stat("free_chunks", chunks - figures.items);
    stat("free_chunks_end", 0);
    stat("get_hits", sums.get_hits);
    stat("cmd_set", sums.cmd_set);
    stat("delete_hits", sums.delete_hits);
    stat("incr_hits", sums.incr_hits);
    stat("decr_hits", sums.decr_hits);
    stat("cas_hits", sums.cas_hits);
    stat("cas_badval", sums.cas_badval);
    stat("touch_hits", sums.touch_hits);
    report.stat("active_slabs", 1);
    report.stat("total_malloced", figures.memory);
}
