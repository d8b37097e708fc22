package main

import (
	"math"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func entry(index, term uint64) *pb.Entry {
	return &pb.Entry{Index: new(index), Term: new(term), Type: pb.EntryNormal.Enum()}
}

func snapshotOf(index, term uint64, conf *pb.ConfState) *pb.Snapshot {
	return &pb.Snapshot{Metadata: &pb.SnapshotMetadata{
		Index: new(index), Term: new(term), ConfState: conf,
	}}
}

// Each of these would make raft panic, take a message for one of its own, or count an entry that was
// never sent.
func TestWhatNoCorrectNodeSendsIsMalformedAtEveryNode(t *testing.T) {
	term, huge := new(uint64(2)), new(uint64(math.MaxUint64))
	broken := pb.EntryConfChange.Enum()
	cases := map[string]*pb.Message{
		"an append of term 0":             {Type: pb.MsgApp.Enum()},
		"a heartbeat of term 0":           {Type: pb.MsgHeartbeat.Enum()},
		"a vote of a term past all terms": {Type: pb.MsgVote.Enum(), Term: huge},
		"a commit index past all":         {Type: pb.MsgHeartbeat.Enum(), Term: term, Commit: huge},
		"a proposal of nothing":           {Type: pb.MsgProp.Enum()},
		"a proposal with a term": {
			Type: pb.MsgProp.Enum(), Term: term, Entries: []*pb.Entry{{Data: []byte("a")}},
		},
		"a proposal with a place": {Type: pb.MsgProp.Enum(), Entries: []*pb.Entry{entry(7, 2)}},
		"a proposal of a change that cannot be read": {
			Type: pb.MsgProp.Enum(), Entries: []*pb.Entry{{Type: broken, Data: []byte{0xff}}},
		},
		"a proposal of an unknown type": {
			Type: pb.MsgProp.Enum(), Entries: []*pb.Entry{{Type: new(pb.EntryType(9))}},
		},
		"a read without its context": {Type: pb.MsgReadIndex.Enum()},
		"a read with a term": {
			Type: pb.MsgReadIndex.Enum(), Term: term, Entries: []*pb.Entry{{}},
		},
		"a gap in an append": {
			Type: pb.MsgApp.Enum(), Term: term, Index: new(uint64(1)), LogTerm: new(uint64(1)),
			Entries: []*pb.Entry{entry(2, 2), entry(4, 2)},
		},
		"an append whose terms go back": {
			Type: pb.MsgApp.Enum(), Term: term, Index: new(uint64(1)), LogTerm: new(uint64(2)),
			Entries: []*pb.Entry{entry(2, 1)},
		},
		"an append of entries from a later term": {
			Type: pb.MsgApp.Enum(), Term: term, Index: new(uint64(1)), LogTerm: new(uint64(1)),
			Entries: []*pb.Entry{entry(2, 3)},
		},
		"an acknowledgement of what was never sent": {
			Type: pb.MsgAppResp.Enum(), Term: term, Index: new(uint64(99)),
		},
		"a heartbeat whose context is no count": {
			Type: pb.MsgHeartbeat.Enum(), Term: term, Context: []byte{1},
		},
		"a confirmation of reads that were never asked for": {
			Type: pb.MsgHeartbeatResp.Enum(), Term: term, Context: []byte{9, 0, 0, 0, 0, 0, 0, 0},
		},
		"a confirmation that is no count": {
			Type: pb.MsgHeartbeatResp.Enum(), Term: term, Context: []byte{1},
		},
		"a snapshot without voters": {
			Type: pb.MsgSnap.Enum(), Term: term, Snapshot: snapshotOf(9, 1, &pb.ConfState{}),
		},
		"a snapshot of a configuration that cannot be": {
			Type: pb.MsgSnap.Enum(), Term: term,
			Snapshot: snapshotOf(9, 1, &pb.ConfState{Voters: []uint64{1, 2, 2}, Learners: []uint64{1}}),
		},
		"a snapshot from a later term": {
			Type: pb.MsgSnap.Enum(), Term: term,
			Snapshot: snapshotOf(9, 3, &pb.ConfState{Voters: []uint64{1, 2, 3}}),
		},
		"a type between those of messages": {Type: new(pb.MessageType(99)), Term: term},
	}
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	for name, m := range cases {
		for _, to := range []uint64{1, 2} { // the leader and a follower
			from := uint64(3)
			m.From, m.To = &from, &to
			encoded, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.hosts[to].group.Step(from, encoded, true); got != statusMalformed {
				t.Errorf("%s: node %d answers %d", name, to, got)
			}
			if w := (&writer{}); c.hosts[to].group.Ready(w) {
				t.Errorf("%s: node %d does something about it", name, to)
			}
		}
	}
	if got := propose(c.hosts[2].group, "a"); got != 0 {
		t.Fatalf("the cluster answers %d afterwards", got)
	}
	c.settle()
	for _, id := range c.ids() {
		if applied := c.hosts[id].applied; applied[len(applied)-1] != "a" {
			t.Errorf("node %d applied %q", id, applied)
		}
	}
}

func TestATransferIsNotPassedOn(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	encoded, _ := proto.Marshal(&pb.Message{
		Type: pb.MsgTransferLeader.Enum(), From: new(uint64(3)), To: new(uint64(2)), Term: new(uint64(2)),
	})
	if got := c.hosts[2].group.Step(3, encoded, false); got != statusDropped {
		t.Fatalf("got %d", got)
	}
}
