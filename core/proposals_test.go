package main

import (
	"strings"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// step hands the messages of one Ready of a node to the others, and returns what it is to write.
func (c *cluster) step(id uint64) *appendWork {
	c.t.Helper()
	w := &writer{}
	if !c.hosts[id].group.Ready(w) {
		c.t.Fatalf("node %d has nothing to do", id)
	}
	rd := decodeReady(c.t, w.buf)
	c.deliver(id, rd.messages)
	return rd.append
}

func TestWhatIsForwardedWhileTheLogIsWrittenSharesTheNextAppend(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	leader := c.hosts[1].group
	propose(leader, "first")
	write := c.step(1)
	if write == nil || !write.mustSync {
		t.Fatalf("the first command is to be written, got %+v", write)
	}
	// Two followers forward one command each, in messages of their own, while the write is under way.
	for id, command := range map[uint64]string{2: "b", 3: "c"} {
		propose(c.hosts[id].group, command)
		c.step(id)
	}
	if leader.Ready(&writer{}) && len(leader.proposals) != 2 {
		t.Fatalf("%d forwarded commands are held, not 2", len(leader.proposals))
	}
	appends := 0
	c.seen = func(from uint64, m sent) {
		msg := &pb.Message{}
		if err := proto.Unmarshal(m.bytes, msg); err != nil {
			t.Fatal(err)
		}
		if from == 1 && m.typ == pb.MsgApp && m.to == 2 && len(msg.GetEntries()) > 0 {
			appends++
			if len(msg.GetEntries()) != 2 {
				t.Errorf("a message with %d entries", len(msg.GetEntries()))
			}
		}
	}
	leader.Appended(write.ticket)
	c.settle()
	if appends != 1 {
		t.Errorf("%d messages with entries for a follower, not one for both commands", appends)
	}
	c.tick(2)
	for _, id := range c.ids() {
		got := strings.Join(c.hosts[id].applied, ",")
		if got != ",first,b,c" && got != ",first,c,b" {
			t.Errorf("node %d applied %q", id, got)
		}
	}
}

func TestWhatIsHeldWhenLeadershipIsLostGoesToTheNextLeaderOrIsLostNeverKept(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	old := c.hosts[1].group
	propose(old, "first")
	write := c.step(1)
	propose(c.hosts[2].group, "held")
	c.step(2)
	if len(old.proposals) != 1 {
		t.Fatalf("%d commands are held", len(old.proposals))
	}
	c.cut[1] = true
	others := []*host{c.hosts[2], c.hosts[3]}
	for lead := uint64(1); lead == 1 || lead == raft.None || lead != others[1].group.node.BasicStatus().Lead; {
		for _, h := range others {
			h.group.Tick()
		}
		for c.turn(2) || c.turn(3) {
		}
		lead = others[0].group.node.BasicStatus().Lead
	}
	c.cut[1] = false
	old.Appended(write.ticket)
	c.settle()
	c.tick(3)
	if len(old.proposals) != 0 {
		t.Errorf("a node that follows holds %d commands", len(old.proposals))
	}
	for _, id := range c.ids() {
		if got := strings.Count(strings.Join(c.hosts[id].applied, ","), "held"); got > 1 {
			t.Errorf("node %d applied one command %d times", id, got)
		}
	}
}
