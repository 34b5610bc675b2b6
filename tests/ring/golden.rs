//! Placement is forever: another ring for the same nodes empties every user's
//! cache. A change that alters a line here breaks every running cluster.

use crate::clusters::{patterned, ring};
use ringcached::ring::{Bound, Layout, NodeId, ZoneId};

#[test]
fn placement_never_changes() {
    let layout = Layout::default();
    let cases = [
        (layout, 1, [0; 3], [1; 3], 0x7364_0fe6_f76b_8acc),
        (layout, 3, [0; 3], [1; 3], 0xe9bb_8429_2c46_6948),
        (Layout { copies: 3, ..layout }, 10, [0; 3], [1; 3], 0x3a86_4eb2_ed4b_5af3),
        (Layout { copies: 3, ..layout }, 10, [0, 1, 2], [1; 3], 0x79fa_10af_696a_1dff),
        (Layout { copies: 4, ..layout }, 30, [0, 0, 1], [1, 2, 4], 0x7fa9_37a3_9bec_7a59),
        (
            Layout { copies: 3, seed: 0x0123_4567_89ab_cdef, ..layout },
            100,
            [0, 1, 2],
            [1; 3],
            0x192e_4e5c_7f51_390f,
        ),
        (
            Layout { bound: Bound::Unlimited, copies: 3, ..layout },
            100,
            [0; 3],
            [1; 3],
            0x41ae_dd11_d7e5_3f4c,
        ),
        (
            Layout { bound: Bound::Permille(10), vnodes: 64, ..layout },
            20,
            [7, 7, 8],
            [3; 3],
            0x9263_5a19_3766_82a7,
        ),
        (Layout { slot_bits: 18, copies: 3, ..layout }, 300, [0; 3], [1; 3], 0x1935_ec91_23fa_77f8),
    ];
    let found = cases.map(|(layout, nodes, zones, weights, _)| {
        ring(&layout, &patterned(nodes, &zones, &weights)).fingerprint()
    });
    let golden = cases.map(|case| case.4);
    assert_eq!(found, golden, "{found:#018x?}");
}

#[test]
fn names_never_change_identity() {
    assert_eq!(NodeId::from_name("cache-0"), NodeId(5_422_796_773_823_271_640));
    assert_eq!(ZoneId::from_name("eu-1a"), ZoneId(14_713_306_784_107_631_612));
}
