//! Every maximum in one place, each with its reason.
//!
//! Nothing here is tunable: a limit is what keeps an input from taking memory
//! or time that nobody meant to give it.

/// Copies of a key, at most. Four owners of sixteen bits are one word of 64, so
/// a lookup is one load whatever the number of copies.
pub const COPIES_MAX: u8 = 4;

/// Nodes in one ring, at most: an owner is a 16-bit index and the last value
/// means "no owner".
pub const NODES_MAX: usize = u16::MAX as usize;

/// Weight of one node, at most. A node a thousand times as large as its
/// neighbour is a typing error, and each unit of weight costs virtual nodes.
pub const WEIGHT_MAX: u32 = 1000;

/// Virtual nodes per unit of weight, at most: beyond 4096 nothing improves, and
/// a laboratory may want to see that.
pub const VNODES_MAX: u32 = 1 << 14;

/// Points on one ring, at most: building sorts them, and 2^26 of them are
/// 512 MiB. That is 32,768 nodes of weight 1 at 2048 virtual nodes each; more
/// nodes take fewer.
pub const POINTS_MAX: u64 = 1 << 26;

/// Fewest slots of a ring, as a power of two.
pub const SLOT_BITS_MIN: u8 = 8;

/// Most slots of a ring, as a power of two: 2^20 cells are 4 or 8 MiB, and a
/// lookup in more is a trip to memory.
pub const SLOT_BITS_MAX: u8 = 20;

/// The bound above the fair share, at most, in thousandths: ten times the fair
/// share. Whoever wants more wants no bound.
pub const BOUND_PERMILLE_MAX: u32 = 9000;

/// Bytes of a key, at most: memcached's limit, the terminating zero not counted.
pub const KEY_BYTES_MAX: usize = 250;

/// Keys that the laboratory looks up, at most: more take gigabytes.
pub const KEYS_MAX: u64 = 100_000_000;

/// Bytes that the laboratory reads from a file of keys, at most: [`KEYS_MAX`]
/// keys as long as those it draws, of sixteen bytes and a line's end, fit. All
/// are held in memory, with their places counted in 32 bits.
pub const KEYS_FILE_BYTES_MAX: u64 = 2 << 30;

/// Connections that the load generator opens, at most, and as many idle ones: a
/// client has fewer ports than this towards one server.
pub const LOAD_CONNECTIONS_MAX: usize = 65_535;

/// Requests that the load generator sends at once on a connection, at most: so
/// many answers wait in one batch, with a deadline for all of them.
pub const LOAD_PIPELINE_MAX: usize = 10_000;

/// Keys of one reading request of the load generator, at most.
pub const LOAD_MULTIGET_MAX: usize = 10_000;

/// Keys that the load generator lists by the nodes of a ring, at most: four bytes
/// each, and for each node that they are asked of.
pub const LOAD_RING_KEYS_MAX: u64 = 100_000_000;

/// Bytes of a line that the load generator reads, at most: memcached's own lines
/// have at most 2048, error messages of others may be longer.
pub const LOAD_LINE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a value that the load generator writes or reads, at most. Memory is
/// taken for the length that an answer claims, so a wrong one must not be dear.
pub const LOAD_VALUE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a message on stderr, at most, and of each of its lines: it is to be
/// read, and a file that is echoed may be one line of megabytes.
pub const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a node's or zone's name, at most: as many as a DNS name has.
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of a cluster file, at most: [`NODES_MAX`] nodes fit with 256 bytes for
/// each.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// Bytes of a store, at least: with less there are too few segments to choose
/// from.
pub const STORE_BYTES_MIN: u64 = 4 << 20;

/// Bytes of a stripe of the store, at least: thirty segments, of which one
/// or two put new items to the test.
pub const STRIPE_BYTES_MIN: u64 = 8 << 20;

/// Stripes of a store, at most: with 64, two of eight threads that write at
/// once meet in every third write.
pub const STRIPES_MAX: u32 = 64;

/// Memory of large values that are gone is kept for those to come: this part of the
/// store's at most. Evicting makes up for it, so it is to be little.
pub const POOL_SHARE: u64 = 32;

/// Bytes of such memory, at most: more values of a megabyte than are on their way
/// to a busy node at once.
pub const POOL_BYTES_MAX: u64 = 32 << 20;

/// Bytes that one read takes from a client, at most: a worker has one buffer for
/// all its connections. A pipeline's batch fits, and answering a full one takes
/// well under a millisecond, after which the others have their turn.
pub const INPUT_BYTES: usize = 64 << 10;

/// Bytes that one read takes from a client that sends large values, at most: what
/// comes of a value with its head is copied, and the rest is not. An eighth of a
/// usual large value, so that memory is taken for all of it at once.
pub const INPUT_BEFORE_BULK_BYTES: usize = 16 << 10;

/// Bytes of an unfinished request that are copied before what comes after it,
/// at most; of a longer one only what comes is copied. Small enough that a
/// client that sends byte by byte makes little work of it.
pub const INPUT_JOINED_BYTES_MAX: usize = 4 << 10;

/// Bytes of input that wait for the rest of their request in one connection, at
/// most: the longest line and a full read. The protocols refuse long before.
pub const INPUT_KEPT_BYTES_MAX: usize = 2 << 20;

/// Bytes that a worker's buffer for answers keeps from batch to batch, at most.
/// A larger batch gives its memory back.
pub const OUTPUT_KEPT_BYTES_MAX: usize = 512 << 10;

/// Pieces that one vectored write is given, at most: two for each large value,
/// and a batch of large values is full soon.
pub const WRITE_PIECES_MAX: usize = 32;

/// Bytes by which the memory of all connections is counted. What is smaller is
/// not counted, so that a batch which ends within a request costs no counting;
/// the limit of connections bounds it.
pub const BUDGET_STEP_BYTES: usize = 4 << 10;

/// Memory for the requests and answers under way of all connections, where it is
/// not configured: this part of the memory for items, and at least
/// [`BUFFERS_BYTES_MIN`].
pub const BUFFERS_SHARE: u64 = 8;

/// Memory for requests and answers under way, at least: some tens of clients
/// that send items of a megabyte at once, or take them more slowly than their
/// sockets.
pub const BUFFERS_BYTES_MIN: u64 = 64 << 20;

/// Seconds without a byte after which a client that takes none of its answers makes
/// room for one that sends a large value and finds none. Retransmissions on a bad
/// line take less; and who takes little at a time is not meant.
pub const DEAF_S: u32 = 2;

/// Bytes a second that a client must send of a large value, or take of its
/// answers, at least, once the time to begin with is over: slower than any link
/// in use, and it ends the one that holds memory by dripping.
pub const TRANSFER_BYTES_PER_S_MIN: u64 = 4 << 10;

/// Seconds in which a connection that ends is to have said and heard all: a few
/// round trips. A client that was refused and sends on is heard so long, or his
/// system would throw the refusal away.
pub const PARTING_S: u32 = 2;

/// Bytes that are passed over of a client that was refused, at most: some large
/// values that were under way.
pub const PARTING_BYTES_MAX: usize = 64 << 20;

/// Seconds that a TLS handshake may take: a few round trips on the worst link.
pub const HANDSHAKE_S: u64 = 10;

/// Worker threads, at most: memcached warns above 64, and no machine needs more
/// of them than it has cores.
pub const WORKERS_MAX: usize = 1024;

/// Addresses that one node listens on for clients, at most.
pub const LISTENERS_MAX: usize = 64;

/// Milliseconds that accepting rests after an error, at first and at most: the
/// error is most often a lack of file descriptors, which the end of a connection
/// mends.
pub const ACCEPT_REST_MS: std::ops::RangeInclusive<u64> = 10..=1000;

/// Ports to try after the default one is taken.
pub const PORTS_TRIED: u16 = 100;

/// Connections of operators at a time, at most: probes, a scraper, a few people. Each may
/// hold one answer, the longest of which lists all nodes. Where one more comes, one is closed: the
/// first that came of those who have yet to ask, or, where more than half have asked, of those.
pub const ADMIN_CONNECTIONS_MAX: usize = 32;

/// Bytes of the head of an operator's request, at most: browsers send a few hundred.
pub const ADMIN_HEAD_BYTES_MAX: usize = 16 << 10;

/// Milliseconds from the moment an operator connects until the answer has been taken, at
/// most. Whoever is slower is cut off, so that nobody holds a place for long.
pub const ADMIN_REQUEST_MS: u64 = 10_000;

/// Milliseconds that one request waits for a node to leave, at most: well below
/// [`ADMIN_REQUEST_MS`]. Whoever waits for longer asks again.
pub const ADMIN_WAIT_MS: u64 = 5000;

/// Milliseconds that a node which ends gives operators to take their answers.
pub const ADMIN_FAREWELL_MS: u64 = 250;

/// Bytes of an answer that a command reads from a node, at most: what [`NODES_MAX`] nodes say
/// of themselves, in JSON.
pub const ADMIN_ANSWER_BYTES_MAX: u64 = 128 << 20;

/// Bytes of a file of certificates, of a key or of passwords, at most.
pub const SECRETS_FILE_BYTES_MAX: u64 = 4 << 20;

/// Lines for stderr that wait to be written, at most.
pub const LOG_LINES_MAX: usize = 1024;

/// Milliseconds that a process which ends waits for its last lines to be read, at
/// most: a terminal takes them at once.
pub const LOG_END_MS: u64 = 500;

/// Items that one step of the crawler looks at, at most: well under a
/// millisecond.
pub const CRAWL_STEP_ITEMS: u64 = 2_000;

/// Items that the crawler looks at in a second, at most: some percent of a core.
pub const CRAWL_ITEMS_PER_S: u64 = 200_000;
/// Bytes of a request line of the text protocols, at most: memcached's limit. It
/// holds a storage line with the longest key several times over.
pub const LINE_BYTES_MAX: usize = 2048;

/// Bytes of a line that asks for many keys, at most. memcached has no limit of
/// its own there; this one is four thousand keys of the greatest length, and the
/// line waits in memory until its end has come.
pub const KEYS_LINE_BYTES_MAX: usize = 1 << 20;

/// Flags of a meta command, at most: as many as memcached takes.
pub const META_FLAGS_MAX: usize = 20;

/// Bytes of an opaque token of a meta command, at most, the flag's letter
/// included.
pub const OPAQUE_BYTES_MAX: usize = 32;

/// Bytes of a body that is waited for in the connection's input, at most; a
/// larger one comes apart from it, so that it need not be copied.
pub const WAITED_BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes of answers that wait to be sent before a connection is made to send
/// them: enough for one write to carry a batch, too few for a client that asks
/// and does not listen to take memory.
pub const OUTPUT_BYTES_HIGH: usize = 256 << 10;

/// Requests a second that a limit may name, at most: as many as no node answers, and
/// one of them is counted by its nanoseconds.
pub const RATE_PER_S_MAX: u32 = 10_000_000;

/// Clients whose requests are counted apart, at most, those among them that went away
/// within the last second: some megabytes. All beyond count as one.
pub const RATED_CLIENTS_MAX: usize = 1 << 16;

/// Prefixes of keys that are counted apart, at most: clients choose them.
pub const PREFIXES_MAX: usize = 4096;

/// Connections that watch the log, at most: memcached's limit.
pub const WATCHERS_MAX: usize = 20;

/// Bytes of log that wait for one watcher, at most: memcached's default. Lines
/// beyond it are dropped and counted.
pub const WATCHER_BYTES_MAX: usize = 256 << 10;

/// Bytes of memory, at least: memcached's lower bound for `cache_memlimit`.
pub const MEMORY_BYTES_MIN: u64 = 8 << 20;

/// Bytes of memory, at most: 16 TiB is more than any machine has, and a limit
/// above it is a typing error.
pub const MEMORY_BYTES_MAX: u64 = 16 << 40;

/// Evicted items kept for those who watch evictions, at most: ten times a second
/// they are told, and who evicts more than ten thousand a second cannot follow.
pub const EVICTIONS_KEPT_MAX: usize = 1024;

/// Bytes of a list of keys, at most: memcached's limit.
pub const CACHEDUMP_BYTES_MAX: usize = 2 << 20;

/// Bytes of a name and a password together, at most, with what parts them.
pub const CREDENTIALS_BYTES_MAX: usize = 2048;

/// Bytes of a node's name and of the name of its build, at most: they travel in
/// gossip packets, of which many are to fit into one datagram.
pub const NODE_NAME_BYTES_MAX: usize = 64;

/// Bytes of a zone's name, at most.
pub const ZONE_NAME_BYTES_MAX: usize = 64;

/// Bytes of a written address, at most: a host name of 253 and a port.
pub const ADDRESS_BYTES_MAX: usize = 260;

/// Bytes of a cluster's secret, at most: a key in any spelling fits.
pub const SECRET_BYTES_MAX: usize = 4 << 10;

/// Connections of peers that are not yet known to be any, at most: all the nodes
/// of a large cluster that is started at once are through within seconds, and
/// strangers hold a few megabytes.
pub const PEER_HANDSHAKES_MAX: usize = 256;

/// As many of them are served without asking whether the sender's address is its
/// own, which costs a round trip.
pub const PEER_HANDSHAKES_UNASKED: usize = 64;

/// Milliseconds until a new connection between nodes has said who it is: a
/// handshake takes one on an idle machine, and three round trips on the worst
/// link are under a second.
pub const PEER_HELLO_MS: u64 = 2000;

/// Milliseconds between two dials of a node that does not answer, at first and at
/// most: a restarted node is found soon, and a dead one costs next to nothing.
pub const PEER_REDIAL_MS: std::ops::RangeInclusive<u64> = 50..=2000;

/// Seconds that a node which is told where others are looks for them before it serves
/// as the first of a new cluster: longer than a machine or a pod among them takes to be
/// there again, for whoever serves alone takes writes that the others know nothing of.
pub const JOIN_PATIENCE_S: u64 = 30;

/// Seconds between two lines that say that nobody answers a node that joins.
pub const JOIN_TOLD_S: u64 = 5;

/// Seconds for which a node that joins waits for the link to another one that joins: some
/// dials of one that answers. Longer, and one that nobody can link would keep others from
/// serving.
pub const JOIN_LINK_S: u64 = 10;

/// Milliseconds for which calls do not reach a node that gossip reaches until that counts,
/// at least: by then a link that was lost is there again, on a busy machine too.
pub const UNLINKED_MS_MIN: u64 = 5000;

/// Seconds between two lines that say that a node cannot be linked.
pub const UNLINKED_TOLD_S: u64 = 60;

/// Nodes that went down and are told of the others as soon as they are there again, at
/// most: each costs a packet now and then.
pub const RECALLED_MAX: usize = 64;

/// Seconds for which they are: by then whoever started again has been found by a search
/// that is not as busy, or has been given up.
pub const RECALLED_S: u64 = 3600;

/// Milliseconds that peers are given to hear that a node ends.
pub const PEER_FAREWELL_MS: u64 = 500;

/// Bytes of memory that a link keeps for what it sends between two bursts, at
/// most.
pub const OUTBOX_KEPT_BYTES_MAX: usize = 256 << 10;

/// Bytes that wait for a link to send something else, or for the next tick, at most.
pub const OUTBOX_LATER_BYTES_MAX: usize = 32 << 10;

/// Bytes of a cluster's name, at most: as many as a label of a DNS name has.
pub const CLUSTER_NAME_BYTES_MAX: usize = 63;

/// Lanes of a node, at most: no machine of today forwards more than so many threads
/// can, and each costs every other node a connection. Threads beyond share one.
pub const LANES_MAX: usize = 64;

/// Bytes of the first frame of a connection between nodes, at most: two names, the
/// ports of the lanes and some numbers, and room for what later versions add. Who is behind it has shown
/// a certificate, and nothing else yet.
pub const HELLO_BYTES_MAX: usize = 1 << 10;

/// Requests in one message between nodes, at most: the longest line of a multiget
/// has as many keys of the greatest length.
pub const ASK_REQUESTS_MAX: usize = 4096;

/// Items in one message that sends them to an owner, at most.
pub const KEEP_ITEMS_MAX: usize = 4096;

/// Bytes of one frame between nodes, at most: the largest item that a node may
/// be told to take behind other answers, its key, and room for the words around them.
pub const FRAME_BYTES_MAX: usize = (1 << 30) + TOLD_BYTES_HIGH + FRAME_HEADROOM_BYTES;

/// Calls to one peer that wait for their ends, at most: each is a turn of a
/// connection, and there are no more places than a call's number has low bits.
pub const CALLS_MAX: usize = 1 << 16;

/// Milliseconds without any answer after which a read is sent to another owner as well:
/// twice as long as an answer takes, but not less than a busy machine may need to look,
/// and not more than twice the way around the earth and back.
pub const HEDGE_MS: std::ops::RangeInclusive<u64> = 25..=800;

/// Reads that a node leaves without an answer in a row until no more are sent to it: each
/// has cost a client the time after which another owner is asked.
pub const BREAKER_FAILURES: u32 = 4;

/// Milliseconds from the first to the last of them, at least: many at one moment say
/// only that somebody stood still then.
pub const BREAKER_SPAN_MS: u64 = 50;

/// Milliseconds from one read that finds out whether such a node answers to the next.
pub const BREAKER_PAUSE_MS: u64 = 1000;

/// Bytes that one turn gathers for other nodes before it sends them.
pub const TURN_BYTES_HIGH: usize = 256 << 10;

/// Machines and reasons that the log remembers having named: whoever is refused
/// again and again is not named each time.
pub const REFUSED_PEERS_MAX: usize = 256;

/// In a cluster a flush takes with it what a node wrote before whose clock is ahead
/// by so many milliseconds.
pub const FLUSH_AHEAD_MS: u64 = 1000;

/// Seconds that a tombstone is kept: longer than a node that is down stays a
/// member, and than it takes to bring its copies up to date when it is back.
pub const TOMBSTONE_S: u32 = 600;

/// Bytes of a frame beside the largest item in it: its key and the words around.
pub const FRAME_HEADROOM_BYTES: usize = 64 << 10;

/// Bytes of frames that came and wait to be handled, at most: a link that brings
/// more is ended.
pub const FRAMES_WAITING_BYTES_MAX: usize = 256 << 20;

/// Bytes of answers that one message between nodes tells: with more of them the
/// requests that are left are not executed, but by the next call. A frame takes so
/// many and one more answer, however long.
pub const TOLD_BYTES_HIGH: usize = 4 << 20;

/// Bytes of answers that a turn holds back for others before them, until it sends
/// those that wait for none.
pub const READY_BYTES_HIGH: usize = 1 << 20;

/// Bytes that one message brings another node in bulk, beyond which it takes no more items: little
/// enough that what it is gathered and read in stays in a core's cache and is not taken from the
/// system anew each time, and enough that the message around them costs nothing.
pub const BULK_TURN_BYTES: usize = 56 << 10;

/// Bytes of memory that are taken for such a message at once: as a rule its last item fits. The
/// allocator maps from 64 KiB on.
pub const BULK_TURN_ROOM_BYTES: usize = BULK_TURN_BYTES + (4 << 10);

/// Bytes that a link gives its connection to keep at a time: larger blocks would be taken from the
/// system and given back, page by page, for each.
pub const LINK_PIECE_BYTES: usize = 32 << 10;

/// Pieces of the memory that one step of a repair looks at, at most, until it
/// finds something to send: some milliseconds.
pub const GATHERS_MAX: usize = 32;

/// Milliseconds for which a copy that a read finds behind may be under way: what is
/// older has been acknowledged by all owners, or is marked.
pub const UNEVEN_MS: u64 = 10_000;

/// Pieces of the memory that one step looks at for the last writes of a node that died, at
/// most, and milliseconds for which it goes on: somebody waits for all of them.
pub const RELAY_GATHERS_MAX: usize = 256;
/// See [`RELAY_GATHERS_MAX`].
pub const RELAY_STEP_MS: u64 = 4;

/// Messages with which a node tells the other owners in one step which copies are behind,
/// at most.
pub const BEHIND_TOLD_MAX: usize = 4096;

/// Milliseconds that the stamp of another node's write may be ahead of this node's
/// clock, at most: clocks that are kept by anything at all differ by less.
pub const DRIFT_MS_MAX: u64 = 10_000;

/// Slots of which one message asks for the digests, at most: the answer takes eight bytes for
/// each, 32 KiB.
pub const COMPARE_SLOTS_MAX: usize = 4096;

/// Messages with which one node is asked for its digests at a time, at most: 2^20 slots take 16
/// round trips.
pub const COMPARES_MAX: usize = 16;

/// Milliseconds after which a node that was asked for its digests is brought all that it has not
/// told: less than a call may take, and a few round trips round the world.
pub const COMPARE_MS: u64 = 4000;

/// Milliseconds in which a node compares each slot that it is the primary of with each other
/// owner: well within the time for which stamps of deletes are kept.
pub const AUDIT_ROUND_MS: u64 = 240_000;

/// Slots that are compared in one look of that, at most.
pub const AUDIT_SLOTS_MAX: usize = 256;

/// Milliseconds after which slots that differed are looked at again: copies under way are there.
pub const AUDIT_SETTLE_MS: u64 = 5000;

/// Slots that have differed and wait to be looked at again, at most, and as many that have differed
/// twice. More are found in the next round.
pub const AUDIT_SUSPECTS_MAX: usize = 4096;

/// Slots of which is known that they differ for good, at most: some 60 bytes each.
pub const AUDIT_KNOWN_MAX: usize = 64 << 10;

/// So often it is tried to make a slot even whose two digests stay as they are.
pub const AUDIT_TRIES: u8 = 3;

/// Milliseconds between two times that a node has others list what they have: each costs all of
/// them a walk over their memory. After one that mended nothing it is twice as long, and half as
/// long with each round. What an empty copy is brought has to be younger than 540 s: a round of
/// 240 s, 5 s up to the second look, this and a list of 60 s make 425 s.
pub const AUDIT_REST_MS: std::ops::RangeInclusive<u64> = 1000..=120_000;

/// Slots that a step looks at where a round begins, at most, for who else owns them: less than a
/// millisecond.
pub const AUDIT_GATHER_SLOTS: u32 = 8192;

/// Slots that are listed at a time, at most.
pub const LIST_SLOTS_MAX: usize = 64;

/// Items that a list has, at most: 16 bytes each, 64 KiB.
pub const LIST_ITEMS_MAX: usize = 4096;

/// Lists that a node makes for others at a time, at most.
pub const LISTINGS_MAX: usize = 2;

/// Pieces of the memory that one step of all lists looks at together: about a millisecond.
pub const LIST_GATHERS_MAX: usize = 64;

/// Milliseconds for which lists of others are waited for while nobody says that his goes on. Each
/// says so four times within that.
pub const LIST_MS: u64 = 60_000;

/// Milliseconds after which somebody is asked again who made lists for others.
pub const LIST_BUSY_MS: u64 = 1000;

/// Milliseconds between two tries to send a node what it refuses.
pub const REPAIR_REST_MS: u64 = 1000;

/// Milliseconds between two tries to tell a node a step that it did not follow: nobody executes
/// meanwhile, perhaps.
pub const PLAN_TELL_SOON_MS: u64 = 20;
/// The same where much is to be brought first.
pub const PLAN_TELL_MS: u64 = 100;
/// It is twice as long after each that did not help, so often.
pub const PLAN_TELL_DOUBLINGS: u32 = 3;

/// Milliseconds for which nobody executes for what is handed over, at most: whoever waits for
/// longer reads an error.
pub const HAND_OVER_MS: u64 = 2000;

/// Milliseconds after which the planner tells people for whom a step waits; again each time after
/// twice as long. Steps without much to bring take some tenths of a second.
pub const STEP_WAIT_MS: u64 = 5000;
/// Nodes that one such line names, at most: the first are enough to look at.
pub const STEP_WAIT_NAMES_MAX: usize = 10;

/// Milliseconds between two times that a node says again that it joins, at most.
pub const ASK_WAIT_MS_MAX: u64 = 16_000;

/// Pieces of the memory that a node looks at in one step for what it owns no more.
pub const PURGES_MAX: usize = 4;

/// Tries to send a node what it refuses, for want of room or for a stamp that is
/// far ahead, before it is told that there is nothing more for it.
pub const REPAIR_TRIES: u32 = 3;

/// Passes over the memory that bring other nodes what they lack, at a time, at most.
pub const PASSES_MAX: usize = 4;

/// Bytes that one of them has under way to other nodes, at most: as many as a link of ten
/// gigabits holds, with some to spare.
pub const BULK_WINDOW_BYTES: usize = 2 << 20;

/// Bytes a second that a node brings others in bulk where it finds out by itself what clients
/// do not notice: at the beginning.
pub const MOVE_BYTES_PER_S_FIRST: u64 = 8 << 20;
/// The same at least, so that a node which always has much to do brings others what they lack all
/// the same: a hundred gigabytes in a day.
pub const MOVE_BYTES_PER_S_LEAST: u64 = 1 << 20;
/// The same at most.
pub const MOVE_BYTES_PER_S_MOST: u64 = 2 << 30;

/// Milliseconds after which it looks again how clients fare.
pub const MOVE_LOOK_MS: u64 = 100;
/// The same where there are few.
pub const MOVE_LOOK_MS_MAX: u64 = 500;

/// Milliseconds for which a link for that is waited for. Then all goes by the first one.
pub const BULK_LINK_MS: u64 = 1000;

/// Milliseconds for which such a link is kept when there is nothing to bring.
pub const BULK_LINK_REST_MS: u64 = 10_000;

/// How far behind the others a thread stands for which no client waits: one that brings nodes what
/// they lack, or works out other rings. Where all have much to do, Linux gives it a tenth of the
/// time that each of the others has.
pub const BEHIND_NICE: i32 = 10;

/// Bytes of items that a warm file has in one piece: it is read and written with so much
/// memory beside that of the items, and with as much as the largest of them takes.
pub const WARM_CHUNK_BYTES: usize = 1 << 20;

/// Bytes that are read at a time of an item in it that is larger than any may be.
pub const WARM_PIECE_BYTES: usize = 64 << 10;

/// Seconds after which a node of a cluster reads its warm file no more: half of the time
/// that a tombstone is kept. The other half is for the nodes to bring each other what they
/// lack.
pub const WARM_AGE_S_MAX: u64 = TOMBSTONE_S as u64 / 2;
