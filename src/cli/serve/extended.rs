//! `-o`: memcached's extended options, each a name or `name=value`.

use crate::cli::CliError;
use crate::net::{ClientCertificates, Surplus, TlsVersion};
use std::path::PathBuf;

/// What the extended options say of those things that are done here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Extended {
    pub(super) idle_timeout_s: Option<u32>,
    pub(super) surplus: Surplus,
    /// Zero is unlimited with memcached, and the usual amount here.
    pub(super) buffers_mb: Option<usize>,
    pub(super) chain: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
    pub(super) clients: Option<ClientCertificates>,
    pub(super) oldest: TlsVersion,
    /// Names of those that do nothing here.
    pub(super) ignored: Vec<String>,
}

/// Those of memcached 1.6 that are about things which are not there: slabs, LRU
/// queues, its hash table, its logger, its external storage and its proxy.
const IGNORED: [&str; 70] = [
    "hashpower",
    "slab_reassign",
    "no_slab_reassign",
    "slab_automove",
    "no_slab_automove",
    "slab_automove_ratio",
    "slab_automove_window",
    "slab_automove_freeratio",
    "slab_automove_version",
    "slab_sizes",
    "slab_chunk_max",
    "track_sizes",
    "no_track_sizes",
    "tail_repair_time",
    "hash_algorithm",
    "lru_crawler",
    "no_lru_crawler",
    "lru_crawler_sleep",
    "lru_crawler_tocrawl",
    "lru_maintainer",
    "no_lru_maintainer",
    "lru_segmented",
    "no_lru_segmented",
    "hot_lru_pct",
    "warm_lru_pct",
    "hot_max_factor",
    "warm_max_factor",
    "temporary_ttl",
    "no_hashexpand",
    "inline_ascii_resp",
    "no_inline_ascii_resp",
    "no_chunked_items",
    "no_drop_privileges",
    "drop_privileges",
    "relaxed_privileges",
    "resp_obj_mem_limit",
    "watcher_logbuf_size",
    "worker_logbuf_size",
    "modern",
    "no_modern",
    "sock_cookie_id",
    "sock_listen_backlog",
    "ssl_wbuf_size",
    "ssl_session_cache",
    "ssl_kernel_tls",
    "ssl_keyformat",
    "meta_response_old",
    "ext_path",
    "ext_page_size",
    "ext_wbuf_size",
    "ext_threads",
    "ext_io_depth",
    "ext_item_size",
    "ext_item_age",
    "ext_low_ttl",
    "ext_recache_rate",
    "ext_compact_under",
    "ext_drop_under",
    "ext_max_sleep",
    "ext_max_frag",
    "ext_drop_unread",
    "no_ext_drop_unread",
    "ext_global_pool_min",
    "ext_read_buf_size",
    "proxy_config",
    "proxy_arg",
    "proxy_uring",
    "memory_file",
    "force_lru_bump",
    "no_force_lru_bump",
];

impl Extended {
    pub(super) fn parse(options: &[String]) -> Result<Self, CliError> {
        let mut extended = Self::default();
        for option in options.iter().filter(|option| !option.is_empty()) {
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (option.as_str(), None),
            };
            extended.take(name, value)?;
        }
        Ok(extended)
    }

    fn take(&mut self, name: &str, value: Option<&str>) -> Result<(), CliError> {
        match name {
            "maxconns_fast" => self.surplus = Surplus::Refuse,
            "no_maxconns_fast" => self.surplus = Surplus::Wait,
            "idle_timeout" => self.idle_timeout_s = Some(number(name, value)?),
            "read_buf_mem_limit" => self.buffers_mb = Some(number(name, value)?),
            "ssl_chain_cert" => self.chain = Some(needed(name, value)?.into()),
            "ssl_key" => self.key = Some(needed(name, value)?.into()),
            "ssl_ca_cert" => self.client_ca = Some(needed(name, value)?.into()),
            "ssl_verify_mode" => self.clients = Some(verify_mode(number(name, value)?)?),
            "ssl_min_version" => self.oldest = oldest(number(name, value)?)?,
            "ssl_ciphers" => return refused("ssl_ciphers: the safe cipher suites are fixed"),
            "ssl_keyformat" if !matches!(value, Some("PEM" | "pem")) => {
                return refused("ssl_keyformat: only PEM is read");
            }
            _ if IGNORED.contains(&name) => self.ignored.push(name.to_owned()),
            _ => return refused(&format!("illegal suboption `{name}` of -o")),
        }
        Ok(())
    }
}

fn refused<T>(why: &str) -> Result<T, CliError> {
    Err(CliError::Usage(why.to_owned()))
}

fn needed<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, CliError> {
    match value {
        Some(value) if !value.is_empty() => Ok(value),
        _ => refused(&format!("-o {name} needs a value")),
    }
}

fn number<N: std::str::FromStr>(name: &str, value: Option<&str>) -> Result<N, CliError> {
    let value = needed(name, value)?;
    value.parse().or_else(|_| refused(&format!("-o {name}: `{value}` is not a number")))
}

/// memcached's numbers are OpenSSL's.
fn verify_mode(mode: u8) -> Result<ClientCertificates, CliError> {
    match mode {
        0 => Ok(ClientCertificates::Ignored),
        1 => Ok(ClientCertificates::Requested),
        2 | 3 => Ok(ClientCertificates::Required),
        _ => refused("-o ssl_verify_mode is 0, 1, 2 or 3"),
    }
}

/// What is older than 1.2 is not spoken, whoever asks for it.
fn oldest(version: u8) -> Result<TlsVersion, CliError> {
    match version {
        0..=2 => Ok(TlsVersion::V1_2),
        3 => Ok(TlsVersion::V1_3),
        _ => refused("-o ssl_min_version is 0, 1, 2 or 3"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Extended, String> {
        let options: Vec<String> = text.split(',').map(str::to_owned).collect();
        Extended::parse(&options).map_err(|why| why.to_string())
    }

    #[test]
    fn options_are_names_and_values() {
        let extended = parse("idle_timeout=9,no_maxconns_fast,,ssl_key=k.pem,ssl_verify_mode=2");
        let extended = extended.unwrap();
        assert_eq!(extended.idle_timeout_s, Some(9));
        assert_eq!(extended.surplus, Surplus::Wait);
        assert_eq!(extended.key, Some("k.pem".into()));
        assert_eq!(extended.clients, Some(ClientCertificates::Required));
    }

    #[test]
    fn what_means_nothing_here_is_named() {
        assert_eq!(parse("modern,hashpower=20").unwrap().ignored, ["modern", "hashpower"]);
    }

    #[test]
    fn what_memcached_refuses_is_refused() {
        assert_eq!(parse("modem").unwrap_err(), "illegal suboption `modem` of -o");
        assert_eq!(parse("idle_timeout").unwrap_err(), "-o idle_timeout needs a value");
        assert_eq!(parse("idle_timeout=x").unwrap_err(), "-o idle_timeout: `x` is not a number");
        assert!(parse("ssl_verify_mode=4").is_err() && parse("ssl_keyformat=ENGINE").is_err());
    }
}
