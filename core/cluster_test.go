package main

import (
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// A whole cluster in one test: groups that exchange the very bytes the host would carry, with the host's
// part (writing, applying) done by hand, so that a test can stop between any two steps.

type sent struct {
	to    uint64
	typ   pb.MessageType
	bytes []byte
	waits bool
}

type appendWork struct {
	ticket   uint32
	mustSync bool
	hard     *pb.HardState
	snapshot uint64
	entries  []*pb.Entry
}

type work struct {
	role     uint8
	lead     uint64
	hard     *pb.HardState
	reads    map[string]uint64
	messages []sent
	append   *appendWork
	ticket   uint32
	apply    []*pb.Entry
}

// decodeReady reads what Ready wrote, as src/raft/messages.ts does.
func decodeReady(t *testing.T, buf []byte) work {
	t.Helper()
	r := &reader{buf: buf}
	w := work{role: r.u8(), lead: r.u64(), reads: map[string]uint64{}}
	w.hard = &pb.HardState{Term: new(r.u64()), Vote: new(r.u64()), Commit: new(r.u64())}
	for n := r.u32(); n > 0; n-- {
		index := r.u64()
		w.reads[string(r.bytes())] = index
	}
	for n := r.u32(); n > 0; n-- {
		to, typ := r.u64(), r.u8()
		m := sent{to: to, typ: pb.MessageType(typ &^ mayWait), waits: typ&mayWait != 0}
		r.u64()
		r.u64()
		r.u64()
		m.bytes = r.bytes()
		w.messages = append(w.messages, m)
	}
	if r.u8() == 1 {
		a := &appendWork{ticket: r.u32()}
		if r.u8() == 1 {
			a.hard = &pb.HardState{Term: new(r.u64()), Vote: new(r.u64()), Commit: new(r.u64())}
		}
		a.mustSync = r.u8() == 1
		if r.u8() == 1 {
			a.snapshot = r.u64()
			r.u64()
			r.confState()
		}
		count := r.u32()
		block := &reader{buf: r.bytes()}
		a.entries = block.entries()
		if block.err != nil || len(a.entries) != int(count) || len(block.buf) != 0 {
			t.Fatalf("entry block does not hold the %d entries it announces", count)
		}
		w.append = a
	}
	if r.u8() == 1 {
		w.ticket = r.u32()
		block := &reader{buf: r.bytes()}
		w.apply = block.entries()
		if block.err != nil || len(block.buf) != 0 {
			t.Fatalf("entry block does not end where it says: %v", block.err)
		}
	}
	if r.err != nil || len(r.buf) != 0 {
		t.Fatalf("ready decodes to %v with %d bytes left", r.err, len(r.buf))
	}
	return w
}

type options struct {
	first, firstTerm, snap, snapTerm, term, vote, commit uint64
	entries                                              []*pb.Entry
	voters                                               []uint64
}

func founded(voters ...uint64) options {
	return options{first: 1, firstTerm: 1, snap: 1, snapTerm: 1, term: 1, commit: 1, voters: voters}
}

// committedBytesMax bounds the entries that one Ready gives out to be applied.
const committedBytesMax = 1 << 20

func open(t testing.TB, id uint64, o options) *Group {
	t.Helper()
	w := &writer{}
	w.u64(id)
	w.u32(10)
	w.u32(1)
	w.u32(1 << 20)
	w.u32(256)
	w.u64(1 << 26)
	w.u64(committedBytesMax)
	w.u64(o.first)
	w.u64(o.firstTerm)
	w.u64(o.snap)
	w.u64(o.snapTerm)
	w.confState(&pb.ConfState{Voters: o.voters})
	w.u64(o.term)
	w.u64(o.vote)
	w.u64(o.commit)
	g, err := Open(w.buf, hostLogger{emit: func(uint32, string) {}})
	if err != nil {
		t.Fatal(err)
	}
	load := &writer{}
	load.entries(o.entries)
	if err := g.Load(load.buf); err != nil {
		t.Fatal(err)
	}
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	return g
}

type host struct {
	group   *Group
	applied []string
	reads   map[string]uint64
	log     []*pb.Entry // what was written, overwritten as a log would be
}

type cluster struct {
	t     *testing.T
	hosts map[uint64]*host
	cut   map[uint64]bool
	// seen is called for every message that leaves a node.
	seen func(from uint64, m sent)
	// snapshots answers a MsgSnap: whether the file "arrived".
	withSnapshots bool
	// applies counts the batches of committed entries given out.
	applies int
}

func newCluster(t *testing.T, ids ...uint64) *cluster {
	c := &cluster{t: t, hosts: map[uint64]*host{}, cut: map[uint64]bool{}, withSnapshots: true}
	for _, id := range ids {
		c.hosts[id] = &host{group: open(t, id, founded(ids...)), reads: map[string]uint64{}}
	}
	return c
}

func (c *cluster) ids() []uint64 {
	var ids []uint64
	for id := range c.hosts {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// turn takes one Ready of one node, carries it out at once, and reports whether there was one.
func (c *cluster) turn(id uint64) bool {
	h := c.hosts[id]
	if !h.group.IsDue() {
		return false
	}
	w := &writer{}
	if more := h.group.Take(w); more != h.group.IsDue() {
		c.t.Fatalf("node %d says %v to whether more is due", id, more)
	}
	rd := decodeReady(c.t, w.buf)
	basic := h.group.node.BasicStatus()
	if rd.role != uint8(basic.RaftState) || rd.lead != basic.Lead || !proto.Equal(rd.hard, basic.HardState) {
		c.t.Fatalf("node %d tells %+v of itself and is %+v", id, rd, basic)
	}
	for ctx, index := range rd.reads {
		h.reads[ctx] = index
	}
	c.deliver(id, rd.messages)
	if rd.append != nil {
		for _, e := range rd.append.entries {
			h.log = slices.DeleteFunc(h.log, func(o *pb.Entry) bool {
				return o.GetIndex() >= e.GetIndex()
			})
			h.log = append(h.log, e)
		}
		h.group.Appended(rd.append.ticket)
	}
	if rd.apply != nil {
		c.applies++
		for _, e := range rd.apply {
			h.applied = append(h.applied, string(e.GetData()))
		}
		h.group.Applied(rd.ticket)
	}
	return true
}

func (c *cluster) deliver(from uint64, messages []sent) {
	for _, m := range messages {
		if c.seen != nil {
			c.seen(from, m)
		}
		if c.cut[from] || c.cut[m.to] || c.hosts[m.to] == nil {
			continue
		}
		snap := m.typ == pb.MsgSnap && c.withSnapshots
		c.hosts[m.to].group.Step(from, m.bytes, snap)
		if m.typ == pb.MsgSnap {
			c.hosts[from].group.reportSnapshot(m.to, snap)
		}
	}
}

func (c *cluster) settle() {
	for busy := true; busy; {
		busy = false
		for _, id := range c.ids() {
			for c.turn(id) {
				busy = true
			}
		}
	}
}

func (c *cluster) tick(n int) {
	for range n {
		for _, id := range c.ids() {
			c.hosts[id].group.Tick()
		}
		c.settle()
	}
}

func (c *cluster) elect(id uint64) {
	c.t.Helper()
	if err := c.hosts[id].group.node.Campaign(); err != nil {
		c.t.Fatal(err)
	}
	c.settle()
	if c.hosts[id].group.node.BasicStatus().RaftState != raft.StateLeader {
		c.t.Fatalf("node %d does not lead", id)
	}
}

func propose(g *Group, commands ...string) int32 {
	w := &writer{}
	w.u32(uint32(len(commands)))
	for _, command := range commands {
		w.bytes([]byte(command))
	}
	return g.Propose(w.buf)
}
