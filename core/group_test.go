package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func TestThreeGroupsApplyTheSameCommandsInTheSameOrder(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(2)
	if got := propose(c.hosts[2].group, "a", "b"); got != 0 {
		t.Fatalf("the leader answers %d", got)
	}
	if got := propose(c.hosts[3].group, "c"); got != 0 { // forwarded inside raft
		t.Fatalf("a follower answers %d", got)
	}
	c.settle()
	c.tick(2)
	for _, id := range c.ids() {
		if got := strings.Join(c.hosts[id].applied, ","); got != ",a,b,c" {
			t.Errorf("node %d applied %q", id, got)
		}
	}
}

func TestAProposalWithoutALeaderIsDroppedNotQueued(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	if got := propose(c.hosts[1].group, "a"); got != statusDropped {
		t.Fatalf("got %d", got)
	}
	c.elect(1)
	if got := c.hosts[1].applied; len(got) != 1 || got[0] != "" {
		t.Fatalf("applied %q", got)
	}
}

// The rule that everything stands on: what answers for an entry or a vote waits for the disk.
func TestNothingThatVouchesForTheDiskLeavesBeforeAppended(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	follower := c.hosts[2].group
	propose(c.hosts[1].group, "a")
	w := &writer{}
	c.hosts[1].group.Ready(w)
	for _, m := range decodeReady(t, w.buf).messages {
		if m.to == 2 {
			follower.Step(1, m.bytes, false)
		}
	}
	var pending *appendWork
	for {
		w := &writer{}
		if !follower.Ready(w) {
			break
		}
		rd := decodeReady(t, w.buf)
		for _, m := range rd.messages {
			if m.typ == pb.MsgAppResp || m.typ == pb.MsgVoteResp {
				t.Fatalf("%v left before its append was durable", m.typ)
			}
		}
		if rd.append != nil {
			pending = rd.append
		}
	}
	if pending == nil || !pending.mustSync || len(pending.entries) != 1 {
		t.Fatalf("the follower was to write one entry, got %+v", pending)
	}
	if last, _ := follower.storage.LastIndex(); last != 2 {
		t.Fatalf("the entry is readable at %d before it is durable", last)
	}
	follower.Appended(pending.ticket)
	w = &writer{}
	if !follower.Ready(w) {
		t.Fatal("nothing is due after the append turned durable")
	}
	answers := 0
	for _, m := range decodeReady(t, w.buf).messages {
		if m.typ == pb.MsgAppResp && m.to == 1 {
			answers++
		}
	}
	if answers != 1 {
		t.Fatalf("%d acknowledgements after the append", answers)
	}
}

func TestAVoteWaitsForTheDiskAndNeedsASync(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	vote := &pb.Message{
		Type: pb.MsgVote.Enum(), From: new(uint64(1)), To: new(uint64(2)),
		Term: new(uint64(2)), Index: new(uint64(1)), LogTerm: new(uint64(1)),
	}
	encoded, _ := proto.Marshal(vote)
	g := c.hosts[2].group
	if got := g.Step(1, encoded, false); got != 0 {
		t.Fatalf("got %d", got)
	}
	w := &writer{}
	g.Ready(w)
	rd := decodeReady(t, w.buf)
	if len(rd.messages) != 0 || rd.append == nil || !rd.append.mustSync {
		t.Fatalf("a vote left before it was durable: %+v", rd)
	}
	if rd.append.hard.GetVote() != 1 || rd.append.hard.GetTerm() != 2 {
		t.Fatalf("the vote to write is %+v", rd.append.hard)
	}
	g.Appended(rd.append.ticket)
	w = &writer{}
	g.Ready(w)
	rd = decodeReady(t, w.buf)
	if len(rd.messages) != 1 || rd.messages[0].typ != pb.MsgVoteResp {
		t.Fatalf("no vote after the sync: %+v", rd)
	}
}

func TestANewCommitIndexAloneNeedsNoSync(t *testing.T) {
	c := newCluster(t, 1)
	c.elect(1)
	synced := 0
	g := c.hosts[1].group
	propose(g, "a")
	for {
		w := &writer{}
		if !g.Ready(w) {
			break
		}
		rd := decodeReady(t, w.buf)
		if rd.append != nil {
			if rd.append.mustSync {
				synced++
			} else if len(rd.append.entries) != 0 {
				t.Fatal("entries without a sync")
			}
			g.Appended(rd.append.ticket)
		}
		if rd.apply != nil {
			g.Applied(rd.ticket)
		}
	}
	if synced != 1 {
		t.Fatalf("%d syncs for one entry", synced)
	}
}

func TestAMessageThatIsNotForThisNodeOrNotFromItsSenderIsRefused(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	g := c.hosts[1].group
	encode := func(m *pb.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	message := func(typ pb.MessageType, from, to uint64) []byte {
		return encode(&pb.Message{
			Type: typ.Enum(), From: new(from), To: new(to), Term: new(uint64(1)),
		})
	}
	snap := &pb.Snapshot{Metadata: &pb.SnapshotMetadata{
		Index: new(uint64(9)), Term: new(uint64(1)), ConfState: &pb.ConfState{Voters: []uint64{1, 2, 3}},
	}}
	cases := []struct {
		name string
		from uint64
		msg  []byte
		want int32
	}{
		{"for another node", 2, message(pb.MsgHeartbeat, 2, 3), statusRefused},
		{"in another's name", 2, message(pb.MsgHeartbeat, 3, 1), statusRefused},
		{"from itself", 1, message(pb.MsgHeartbeat, 1, 1), statusRefused},
		{"a local type", 2, message(pb.MsgHup, 2, 1), statusRefused},
		{"a storage response", 2, message(pb.MsgStorageAppendResp, 2, 1), statusRefused},
		{"a storage response in the name of the append thread", raft.LocalAppendThread,
			message(pb.MsgStorageAppendResp, raft.LocalAppendThread, 1), statusRefused},
		{"a response from a stranger", 9, message(pb.MsgAppResp, 9, 1), statusUnknownPeer},
		{"not a message", 2, []byte{0xff, 0xff, 0xff}, statusMalformed},
		{"a snapshot without its metadata", 2, message(pb.MsgSnap, 2, 1), statusMalformed},
		{"a snapshot whose file has not arrived", 2, encode(&pb.Message{
			Type: pb.MsgSnap.Enum(), From: new(uint64(2)), To: new(uint64(1)),
			Term: new(uint64(1)), Snapshot: snap,
		}), statusRefused},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			if got := g.Step(tc.from, tc.msg, false); got != tc.want {
				t.Fatalf("got %d, want %d", got, tc.want)
			}
			if w := (&writer{}); g.Ready(w) {
				t.Fatal("the message had an effect")
			}
		})
	}
}

// leaderWithSnapshot has node 1, which leads, commit twenty commands and snapshot its state at index 20.
func leaderWithSnapshot(t *testing.T, c *cluster) *Group {
	t.Helper()
	leader := c.hosts[1].group
	for i := range 20 {
		propose(leader, fmt.Sprint(i))
		c.settle()
	}
	w := &writer{}
	w.u64(20)
	w.confState(&pb.ConfState{Voters: []uint64{1, 2, 3}})
	if got := leader.Snapshotted(w.buf); got != 0 {
		t.Fatalf("got %d", got)
	}
	return leader
}

// A follower answers what it hears from an older term, to depose whoever leads there (raft.go, Step). If that
// node has been elected again meanwhile, the answer tells it that the follower has nothing, and it offers a
// snapshot; only the answer to that can tell it better.
func TestALeaderThatTakesAFollowerForEmptyLearnsBetterFromTheSnapshotItOffers(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	leader := leaderWithSnapshot(t, c)
	if got := leader.Compact(20); got != 0 {
		t.Fatalf("got %d", got)
	}
	c.cut[3] = true
	// A leader that has just been elected has heard nothing from node 3.
	leader.node.TransferLeader(2)
	c.settle()
	c.hosts[2].group.node.TransferLeader(1)
	c.settle()
	if leader.node.BasicStatus().RaftState != raft.StateLeader {
		t.Fatal("node 1 does not lead again")
	}
	delete(c.cut, 3)
	c.withSnapshots = false // node 3 takes no file of what it has
	stale, err := proto.Marshal(&pb.Message{
		Type: pb.MsgAppResp.Enum(), From: new(uint64(3)), To: new(uint64(1)),
		Term: new(leader.node.BasicStatus().GetTerm()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := leader.Step(3, stale, false); got != 0 {
		t.Fatalf("got %d", got)
	}
	offered := 0
	c.seen = func(_ uint64, m sent) {
		if m.typ == pb.MsgSnap {
			offered++
		}
	}
	c.settle()
	c.tick(4)
	last, _ := leader.storage.LastIndex()
	if match := leader.node.Status().Progress[3].Match; match != last {
		t.Fatalf("the leader believes that node 3 has %d entries of %d, and offered %d snapshots",
			match, last, offered)
	}
	if offered == 0 {
		t.Fatal("nothing was offered: the answer had no effect")
	}
}

func TestAFollowerBehindTheLogCatchesUpBySnapshot(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	c.cut[3] = true
	leader := leaderWithSnapshot(t, c)
	if got := leader.Compact(21); got != statusInvalidState {
		t.Fatalf("compacted past the snapshot: %d", got)
	}
	if got := leader.Compact(20); got != 0 {
		t.Fatalf("got %d", got)
	}
	var snapshots []uint64
	c.seen = func(from uint64, m sent) {
		if m.typ == pb.MsgSnap {
			snapshots = append(snapshots, m.to)
		}
	}
	delete(c.cut, 3)
	c.tick(4)
	if len(snapshots) != 1 || snapshots[0] != 3 {
		t.Fatalf("snapshots went to %v", snapshots)
	}
	follower := c.hosts[3].group
	if follower.snapshotIndex != 20 {
		t.Fatalf("the follower's snapshot is at %d", follower.snapshotIndex)
	}
	if got, _ := follower.storage.LastIndex(); got != 22 {
		t.Fatalf("the follower's log ends at %d", got)
	}
	// Entry 2 is the leader's first and was applied before the cut; 21 and 22 lie behind the snapshot.
	if got := strings.Join(c.hosts[3].applied, ","); got != ",18,19" {
		t.Fatalf("the follower applied %q", got)
	}
}

func TestWhatIsTooMuchForOneReadyIsGivenOutInSeveral(t *testing.T) {
	c := newCluster(t, 1)
	c.elect(1)
	c.applies = 0
	for range 3 {
		propose(c.hosts[1].group, strings.Repeat("x", committedBytesMax))
	}
	c.settle() // turn compares what each Ready says is left with what the node says
	if len(c.hosts[1].applied) != 4 || c.applies != 3 {
		t.Fatalf("%d entries applied in %d pieces", len(c.hosts[1].applied), c.applies)
	}
}

func TestARestartedGroupGoesOnFromWhatWasDurable(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	propose(c.hosts[1].group, "a", "b")
	c.settle()
	c.tick(1)
	hard := c.hosts[2].group.node.BasicStatus().HardState
	o := founded(1, 2, 3)
	o.term, o.vote, o.commit = hard.GetTerm(), hard.GetVote(), hard.GetCommit()
	o.entries = c.hosts[2].log
	c.hosts[2] = &host{group: open(t, 2, o), reads: map[string]uint64{}, log: o.entries}
	c.settle()
	if got := strings.Join(c.hosts[2].applied, ","); got != ",a,b" {
		t.Fatalf("replayed %q", got)
	}
	propose(c.hosts[1].group, "c")
	c.settle()
	c.tick(2)
	if got := strings.Join(c.hosts[2].applied, ","); got != ",a,b,c" {
		t.Fatalf("applied %q", got)
	}
}

func TestANodeThatLostItsLogPanicsInsteadOfAgreeing(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	propose(c.hosts[1].group, "a")
	c.settle()
	c.tick(1)
	hard := c.hosts[2].group.node.BasicStatus().HardState
	o := founded(1, 2, 3)
	o.term, o.vote = hard.GetTerm(), hard.GetVote()
	c.hosts[2] = &host{group: open(t, 2, o), reads: map[string]uint64{}}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "tocommit(3) is out of range") {
			t.Fatalf("panicked with %q", got)
		}
	}()
	c.tick(3)
	t.Fatal("the node agreed to what it does not have")
}

func TestAReadIndexIsAnsweredUnderItsOwnContextAtEveryNode(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	propose(c.hosts[1].group, "a")
	c.settle()
	for _, id := range c.ids() {
		context := fmt.Sprintf("read of %d", id)
		c.hosts[id].group.ReadIndex([]byte(context))
		c.settle()
		if got := c.hosts[id].reads[context]; got != 3 {
			t.Errorf("node %d may read at %d, want 3", id, got)
		}
	}
	c.cut[1] = true
	c.hosts[1].group.ReadIndex([]byte("cut off"))
	c.settle()
	if _, answered := c.hosts[1].reads["cut off"]; answered {
		t.Error("a leader without a quorum answered a read")
	}
}

func TestALeaderWithoutAQuorumStepsDown(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	c.cut[1] = true
	c.tick(25)
	if got := c.hosts[1].group.node.BasicStatus(); got.RaftState == raft.StateLeader {
		t.Fatal("still leads after two election timeouts alone")
	}
	delete(c.cut, 1)
	c.tick(25)
	terms := map[uint64]bool{}
	for _, id := range c.ids() {
		status := c.hosts[id].group.node.BasicStatus()
		terms[status.HardState.GetTerm()] = true
		if status.Lead == raft.None {
			t.Errorf("node %d knows no leader", id)
		}
	}
	if len(terms) != 1 {
		t.Errorf("terms differ: %v", terms)
	}
}

// Without PreVote the node would have counted its term up behind the cut, and end the leader's with it.
func TestANodeThatComesBackDoesNotThrowOutALeaderThatWorks(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	term := c.hosts[1].group.node.BasicStatus().HardState.GetTerm()
	c.cut[3] = true
	c.tick(50)
	delete(c.cut, 3)
	c.tick(25)
	for _, id := range c.ids() {
		status := c.hosts[id].group.node.BasicStatus()
		if status.Lead != 1 || status.HardState.GetTerm() != term {
			t.Errorf("node %d follows %d in term %d, want 1 in term %d",
				id, status.Lead, status.HardState.GetTerm(), term)
		}
	}
}

func TestOpenRefusesASnapshotBeforeTheLog(t *testing.T) {
	w := &writer{}
	w.u64(1)
	for range 4 {
		w.u32(10)
	}
	for range 2 {
		w.u64(1)
	}
	for _, v := range []uint64{9, 2, 5, 1} {
		w.u64(v)
	}
	w.confState(&pb.ConfState{Voters: []uint64{1}})
	for range 3 {
		w.u64(1)
	}
	if _, err := Open(w.buf, hostLogger{}); err == nil {
		t.Fatal("opened")
	}
}

func TestTheCodecNeverReadsPastItsInput(t *testing.T) {
	w := &writer{}
	w.entries([]*pb.Entry{{Index: new(uint64(5)), Term: new(uint64(2)), Data: []byte("data")}})
	w.confState(&pb.ConfState{Voters: []uint64{1, 2}, Learners: []uint64{3}, AutoLeave: new(true)})
	for cut := range len(w.buf) {
		r := &reader{buf: w.buf[:cut]}
		r.entries()
		r.confState()
		if r.err == nil {
			t.Fatalf("decoded from %d of %d bytes", cut, len(w.buf))
		}
	}
	r := &reader{buf: w.buf}
	entries, conf := r.entries(), r.confState()
	if r.err != nil || entries[0].GetIndex() != 5 || string(entries[0].GetData()) != "data" {
		t.Fatalf("entries %v, %v", entries, r.err)
	}
	if !slices.Equal(conf.GetVoters(), []uint64{1, 2}) || !conf.GetAutoLeave() {
		t.Fatalf("conf state %v", conf)
	}
}

func TestACommitIndexMayWaitUnlessItsReceiverAskedForSomething(t *testing.T) {
	c := newCluster(t, 1, 2, 3)
	c.elect(1)
	// commits are the messages of a write that bring no entries, by receiver: whether they may wait.
	commits := func() map[uint64]bool {
		waits := map[uint64]bool{}
		c.seen = func(from uint64, m sent) {
			message, err := parseMessage(m.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if from == 1 && m.typ == pb.MsgApp && len(message.GetEntries()) == 0 {
				waits[m.to] = m.waits
			} else if m.waits {
				t.Fatalf("a %v of node %d may wait", m.typ, from)
			}
		}
		propose(c.hosts[1].group, "write")
		c.settle()
		return waits
	}
	if got := commits(); !got[2] || !got[3] {
		t.Fatalf("nobody asked, and yet: %v", got)
	}
	propose(c.hosts[2].group, "of a client of node 2")
	c.settle()
	c.hosts[3].group.ReadIndex([]byte("a read at node 3"))
	c.settle()
	if got := commits(); got[2] || got[3] {
		t.Fatalf("nodes that asked a moment ago have to wait: %v", got)
	}
	c.tick(askedTicks + 1)
	if got := commits(); !got[2] || !got[3] {
		t.Fatalf("long ago somebody asked, and still: %v", got)
	}
}
