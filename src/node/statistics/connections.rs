//! `stats conns`

use super::Report;
use crate::node::Shared;

pub(super) fn report(shared: &Shared, report: &mut Report<'_>) {
    shared.connections.each(&mut |line| {
        let id = line.id;
        report.stat(format_args!("{id}:addr"), line.address);
        if let Some(address) = line.listen_address {
            report.stat(format_args!("{id}:listen_addr"), address);
        }
        report.stat(format_args!("{id}:state"), line.state);
        report.stat(format_args!("{id}:secs_since_last_cmd"), line.idle_s);
    });
}
