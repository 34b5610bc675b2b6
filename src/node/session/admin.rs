//! `version`, `verbosity`, `cache_memlimit`, `shutdown`, `quit`, and
//! the way to what has a file of its own.

use super::text::answer;
use super::{Session, Step};
use crate::item::Now;
use crate::limits::{MEMORY_BYTES_MAX, MEMORY_BYTES_MIN};
use crate::memcache::text::{Admin, reply};
use crate::net::Output;
use crate::node::{Ending, VERSION};
use std::sync::atomic::Ordering;

/// Whoever says more meant bytes.
const MEBIBYTES_BELIEVED_MAX: u32 = 1_000_000_000;

impl Session {
    pub(super) fn admin(
        &mut self,
        admin: &Admin<'_>,
        used: usize,
        now: Now,
        out: &mut Output,
    ) -> Step {
        match *admin {
            Admin::FlushAll { delay, noreply } => {
                return self.flush_all((delay, noreply), used, now, out);
            }
            Admin::Version => {
                let line = [b"VERSION ", VERSION.as_bytes(), reply::CRLF].concat();
                out.bytes().extend_from_slice(&line);
            }
            Admin::Verbosity { level, noreply } => {
                self.set_verbosity(level);
                answer(noreply, reply::OK, out);
            }
            Admin::MemoryLimit { mebibytes, noreply } => {
                answer(noreply, self.limit_memory(mebibytes), out);
            }
            Admin::Quit => return Step::Close(used),
            Admin::Shutdown(mode) => return self.shut_down(mode, used, out),
            Admin::Stats(words) => return self.stats(words, used, now, out),
            Admin::Slabs(words) => answer(false, super::tuning::slabs(words), out),
            Admin::Lru(words) => answer(false, super::tuning::lru(words), out),
            Admin::Crawler(words) => return self.crawler(words, used, now, out),
            Admin::Watch(words) => self.watch(words, out),
            Admin::RefreshCertificates => answer(false, self.refresh_certificates(), out),
            Admin::ConfigCluster => self.config_cluster(now, out),
        }
        Step::Done(used)
    }

    fn refresh_certificates(&self) -> &'static [u8] {
        match &self.shared().on_refresh_certificates {
            None => b"Error TLS not enabled\r\n",
            Some(refresh) if refresh() => reply::OK,
            Some(_) => b"Error loading the certificates; those in use stay\r\n",
        }
    }

    pub(super) fn set_verbosity(&self, level: u64) {
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        self.shared().verbosity.store(level, Ordering::Relaxed);
    }

    fn limit_memory(&self, mebibytes: u32) -> &'static [u8] {
        let bytes = u64::from(mebibytes) << 20;
        if bytes < MEMORY_BYTES_MIN {
            return b"MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m\r\n";
        }
        if mebibytes > MEBIBYTES_BELIEVED_MAX {
            return b"MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes\r\n";
        }
        if bytes > MEMORY_BYTES_MAX {
            return b"MEMLIMIT_ADJUST_FAILED more than any machine has\r\n";
        }
        if bytes < self.shared().store.memory_min() {
            return b"MEMLIMIT_ADJUST_FAILED too little for the largest items\r\n";
        }
        self.shared().limit_memory(bytes);
        reply::OK
    }

    fn shut_down(&mut self, mode: Option<&[u8]>, used: usize, out: &mut Output) -> Step {
        let shared = self.shared();
        if !shared.settings.shutdown_enabled {
            answer(false, b"SERVER_ERROR: shutdown not enabled\r\n", out);
            return Step::Done(used);
        }
        let ending = match mode {
            None => Ending::Now,
            Some(b"graceful") => Ending::Graceful,
            Some(_) => {
                answer(false, b"CLIENT_ERROR invalid shutdown mode\r\n", out);
                return Step::Done(used);
            }
        };
        (shared.on_shutdown)(ending);
        Step::Close(used)
    }
}
