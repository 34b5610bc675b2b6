//! Placement is forever: another ring for the same nodes empties every user's
//! cache. A change that alters a line here breaks every running cluster.

use crate::clusters::{patterned, ring};
use ringcached::ring::{Bound, Layout, NodeId, ZoneId};

#[test]
fn placement_never_changes() {
    let layout = Layout::default();
    let cases = [
        (layout, 1, [0; 3], [1; 3], 0xd590_3ac2_f75f_b7ce),
        (layout, 3, [0; 3], [1; 3], 0x48fc_e30c_ecd9_458c),
        (Layout { copies: 3, ..layout }, 10, [0; 3], [1; 3], 0x0c67_2ddd_8414_da7d),
        (Layout { copies: 3, ..layout }, 10, [0, 1, 2], [1; 3], 0xae89_f7e0_8b14_36e7),
        (Layout { copies: 4, ..layout }, 30, [0, 0, 1], [1, 2, 4], 0x001b_8347_3a80_967c),
        (
            Layout { copies: 3, seed: 0x0123_4567_89ab_cdef, ..layout },
            100,
            [0, 1, 2],
            [1; 3],
            0x23ae_20a0_b758_0437,
        ),
        (
            Layout { bound: Bound::Unlimited, copies: 3, ..layout },
            100,
            [0; 3],
            [1; 3],
            0xff5f_6111_5e94_e1e7,
        ),
        (
            Layout { bound: Bound::Permille(10), vnodes: 64, ..layout },
            20,
            [7, 7, 8],
            [3; 3],
            0x3b7b_ea93_bb8b_e2de,
        ),
        (Layout { slot_bits: 18, copies: 3, ..layout }, 300, [0; 3], [1; 3], 0xcd2d_4ce3_8011_c3ce),
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
