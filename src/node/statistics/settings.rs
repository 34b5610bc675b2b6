//! `stats settings`

use super::Report;
use crate::net::{ClientCertificates, Surplus, TlsVersion};
use crate::node::{Binding, Shared};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

pub(super) fn report(shared: &Shared, report: &mut Report<'_>) {
    listening(shared, report);
    serving(shared, report);
    memory(shared, report);
    external(report);
    tls(shared, report);
    report.all(&[("num_napi_ids", "0"), ("memory_file", "(null)"), ("client_flags_size", "4")]);
    limits(shared, report);
    // Not memcached's, so a node alone does not say it.
    if shared.cluster.is_some() {
        report.stat("read_from", shared.settings.read_from);
    }
}

/// What memcached does not have, where it was asked for.
fn limits(shared: &Shared, report: &mut Report<'_>) {
    if let Some(requests) = shared.settings.client_rate_limit {
        report.stat("client_rate_limit", requests);
    }
    if let Some(requests) = shared.settings.rate_limit {
        report.stat("rate_limit", requests);
    }
}

fn listening(shared: &Shared, report: &mut Report<'_>) {
    let settings = &shared.settings;
    let listen = if settings.listen.is_empty() { "NULL".into() } else { settings.listen.join(",") };
    report.stat("maxbytes", shared.memory_bytes.load(Ordering::Relaxed));
    report.stat("maxconns", settings.connections_max);
    report.stat("tcpport", settings.port);
    report.stat("udpport", 0);
    report.stat("inter", listen);
    report.stat("verbosity", shared.verbosity.load(Ordering::Relaxed));
    report.stat("oldest", 0);
    report.stat("evictions", if settings.evict { "on" } else { "off" });
    report.stat("domain_socket", settings.unix_socket.as_deref().unwrap_or("NULL"));
    report.stat("umask", format_args!("{:o}", settings.unix_mask));
    report.yes_no("shutdown_command", settings.shutdown_enabled);
}

fn serving(shared: &Shared, report: &mut Report<'_>) {
    let settings = &shared.settings;
    report.all(&[("growth_factor", "1.25"), ("chunk_size", "48")]);
    report.stat("num_threads", settings.threads);
    report.stat("num_threads_per_udp", settings.threads);
    report.stat("stat_key_prefix", char::from(settings.prefix_delimiter));
    report.yes_no("detail_enabled", shared.prefixes.are_counted());
    report.stat("reqs_per_event", settings.requests_per_event);
    report.yes_no("cas_enabled", settings.cas_enabled);
    report.stat("tcp_backlog", settings.backlog);
    let binding = match settings.binding {
        Binding::Auto => "auto-negotiate",
        Binding::Text => "ascii",
        Binding::Binary => "binary",
    };
    report.stat("binding_protocol", binding);
    report.yes_no("auth_enabled_sasl", settings.users.is_some());
    report.yes_no("auth_enabled_ascii", settings.users.is_some());
    report.stat("item_size_max", settings.item_bytes_max);
    report.yes_no("maxconns_fast", settings.surplus == Surplus::Refuse);
    report.stat("hashpower_init", 0);
}

fn memory(shared: &Shared, report: &mut Report<'_>) {
    let settings = &shared.settings;
    report.all(&[
        ("slab_reassign", "yes"),
        ("slab_automove", "1"),
        ("slab_automove_ratio", "0.80"),
        ("slab_automove_window", "10"),
        ("slab_chunk_max", "524288"),
        ("lru_crawler", "yes"),
        ("lru_crawler_sleep", "100"),
        ("lru_crawler_tocrawl", "0"),
        ("tail_repair_time", "0"),
    ]);
    report.yes_no("flush_enabled", settings.flush_enabled);
    report.yes_no("dump_enabled", settings.dump_enabled);
    report.all(&[
        ("hash_algorithm", "xxh3"),
        ("lru_maintainer_thread", "yes"),
        ("lru_segmented", "yes"),
        ("hot_lru_pct", "20"),
        ("warm_lru_pct", "40"),
        ("hot_max_factor", "0.20"),
        ("warm_max_factor", "2.00"),
        ("temp_lru", "no"),
        ("temporary_ttl", "61"),
    ]);
    report.stat("idle_timeout", settings.idle_timeout_s);
    report.stat("watcher_logbuf_size", crate::limits::WATCHER_BYTES_MAX);
    report.stat("worker_logbuf_size", 65_536);
    report.stat("read_buf_mem_limit", settings.buffers_bytes);
    report.all(&[("track_sizes", "no"), ("inline_ascii_response", "no")]);
}

/// Of values outside of memory, of which there are none.
fn external(report: &mut Report<'_>) {
    report.all(&[
        ("ext_item_size", "512"),
        ("ext_item_age", "4294967295"),
        ("ext_low_ttl", "0"),
        ("ext_recache_rate", "2000"),
        ("ext_wbuf_size", "4194304"),
        ("ext_compact_under", "0"),
        ("ext_drop_under", "0"),
        ("ext_max_sleep", "1000000"),
        ("ext_max_frag", "0.80"),
        ("slab_automove_freeratio", "0.010"),
        ("ext_drop_unread", "no"),
    ]);
}

fn tls(shared: &Shared, report: &mut Report<'_>) {
    let files = shared.settings.tls.as_ref();
    let shown = |path: Option<&PathBuf>, none: &str| {
        path.map_or_else(|| none.to_owned(), |path| path.display().to_string())
    };
    report.yes_no("ssl_enabled", files.is_some());
    report.stat("ssl_chain_cert", shown(files.map(|files| &files.chain), "(null)"));
    report.stat("ssl_key", shown(files.and_then(|files| files.key.as_ref()), "(null)"));
    // As `-o ssl_verify_mode` has it.
    let clients = files.map_or(ClientCertificates::Ignored, |files| files.clients);
    report.stat(
        "ssl_verify_mode",
        match clients {
            ClientCertificates::Ignored => 0,
            ClientCertificates::Requested => 1,
            ClientCertificates::Required => 2,
        },
    );
    report.all(&[("ssl_keyformat", "1"), ("ssl_ciphers", "NULL")]);
    report.stat("ssl_ca_cert", shown(files.and_then(|files| files.client_ca.as_ref()), "NULL"));
    report.stat("ssl_wbuf_size", 16_384);
    // Clients may go on with the session of an earlier connection.
    report.yes_no("ssl_session_cache", files.is_some());
    report.stat("ssl_kernel_tls", "no");
    report.stat(
        "ssl_min_version",
        match files.map_or(TlsVersion::V1_2, |files| files.oldest) {
            TlsVersion::V1_2 => "tlsv1.2",
            TlsVersion::V1_3 => "tlsv1.3",
        },
    );
}
