package main

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Outcomes of a call, as the host sees them (src/raft/core.ts holds the same table). A value of zero
// or more is success and the length of the output.
const (
	statusDropped      = -1 // a proposal raft did not take: no leader, or too much uncommitted
	statusMalformed    = -2 // the input could not be decoded
	statusRefused      = -3 // a message that must not be stepped: local type, wrong sender or receiver
	statusUnknownPeer  = -4 // a response from a node that is not in the configuration
	statusNoSuchGroup  = -5
	statusInvalidState = -6 // a call out of order
)

// storageWrite is a MsgStorageAppend or MsgStorageApply the host has been given and not yet answered.
type storageWrite struct {
	ticket uint32
	msg    *pb.Message
	// slow says that the host has something to write and sync for it.
	slow bool
}

// Group is one raft group: a RawNode, the log it reads from, and the writes the host has under way.
//
// Invariants:
//   - storage holds exactly what the host said is durable, never more: entries, hard state and
//     snapshots enter it in Appended, before the responses that vouch for them are delivered.
//   - appends and applies are answered in the order in which they were handed out.
type Group struct {
	id      uint64
	storage *raft.MemoryStorage
	config  *raft.Config
	node    *raft.RawNode

	appends []storageWrite
	applies []storageWrite
	// outbox holds responses to other nodes that became due when an append turned durable.
	outbox     []*pb.Message
	lastTicket uint32
	// proposals gathers what other nodes forwarded to this leader. Raft sends one MsgApp to each follower
	// for every MsgProp it steps, so they are stepped as one.
	proposals []*pb.Entry
	// term and vote last handed to the host for writing: a change in either needs a sync
	// (etcd raft rawnode.go, MustSync); a change of the commit index alone does not.
	writtenTerm, writtenVote uint64
	snapshotIndex            uint64
	// soft and hard are the states that the host was told last. Asking the node for them allocates.
	soft raft.SoftState
	hard *pb.HardState
	// lastHandedOut is the index of the last entry there is, durable or being written: raft hands an entry
	// to the host for writing no later than to the network.
	lastHandedOut uint64
	// lastReads is what the last heartbeat of term readsTerm asked its receivers to confirm: so many reads.
	lastReads, readsTerm uint64
	// ticks counts since Start; asked is when each other node last forwarded a proposal or asked to read.
	ticks uint64
	asked map[uint64]uint64
}

// askedTicks is for how long a node that asked something counts as one whose clients wait for the commit index.
const askedTicks = 10

// Open decodes the configuration and an empty log that starts after (first.index, first.term).
func Open(input []byte, log hostLogger) (*Group, error) {
	r := &reader{buf: input}
	g := &Group{id: r.u64(), storage: raft.NewMemoryStorage(), asked: map[uint64]uint64{}}
	g.config = &raft.Config{
		ID:                        g.id,
		ElectionTick:              int(r.u32()),
		HeartbeatTick:             int(r.u32()),
		MaxSizePerMsg:             uint64(r.u32()),
		MaxInflightMsgs:           int(r.u32()),
		MaxUncommittedEntriesSize: r.u64(),
		MaxCommittedSizePerReady:  r.u64(),
		Storage:                   g.storage,
		AsyncStorageWrites:        true,
		CheckQuorum:               true,
		PreVote:                   true,
		ReadOnlyOption:            raft.ReadOnlySafe,
		StepDownOnRemoval:         true,
		Logger:                    log,
	}
	firstIndex, firstTerm := r.u64(), r.u64()
	snapIndex, snapTerm := r.u64(), r.u64()
	conf := r.confState()
	hard := &pb.HardState{Term: new(r.u64()), Vote: new(r.u64()), Commit: new(r.u64())}
	if r.err != nil {
		return nil, r.err
	}
	if snapIndex < firstIndex || (snapIndex == firstIndex && snapTerm != firstTerm) {
		return nil, fmt.Errorf("snapshot %d/%d lies before the log's start %d/%d",
			snapIndex, snapTerm, firstIndex, firstTerm)
	}
	base := &pb.Snapshot{Metadata: &pb.SnapshotMetadata{
		Index: new(firstIndex), Term: new(firstTerm), ConfState: conf,
	}}
	if err := g.storage.ApplySnapshot(base); err != nil {
		return nil, err
	}
	if err := g.storage.SetHardState(hard); err != nil {
		return nil, err
	}
	g.snapshotIndex, g.lastHandedOut = snapIndex, firstIndex
	g.config.Applied = snapIndex
	g.writtenTerm, g.writtenVote = hard.GetTerm(), hard.GetVote()
	return g, nil
}

// Load appends recovered entries to the log. Only before Start.
func (g *Group) Load(input []byte) error {
	if g.node != nil {
		return errors.New("load after start")
	}
	r := &reader{buf: input}
	entries := r.entries()
	if r.err != nil {
		return r.err
	}
	if len(entries) > 0 {
		g.lastHandedOut = entries[len(entries)-1].GetIndex()
	}
	return g.storage.Append(entries)
}

// Start makes the RawNode from what was loaded.
func (g *Group) Start() error {
	if g.node != nil {
		return errors.New("started already")
	}
	_, conf, err := g.storage.InitialState()
	if err != nil {
		return err
	}
	first, err := g.storage.FirstIndex()
	if err != nil {
		return err
	}
	if g.snapshotIndex > first-1 {
		if _, err := g.storage.CreateSnapshot(g.snapshotIndex, conf, nil); err != nil {
			return err
		}
	}
	if g.node, err = raft.NewRawNode(g.config); err != nil {
		return err
	}
	basic := g.node.BasicStatus()
	g.soft, g.hard = basic.SoftState, basic.HardState
	return nil
}

// Propose offers commands as one MsgProp, so that a whole batch costs one append and one message.
func (g *Group) Propose(input []byte) int32 {
	r := &reader{buf: input}
	entries := r.commands()
	if r.err != nil || len(entries) == 0 {
		return statusMalformed
	}
	return g.propose(append(g.takeProposals(), entries...))
}

func (g *Group) propose(entries []*pb.Entry) int32 {
	err := g.node.Step(&pb.Message{
		Type: pb.MsgProp.Enum(), From: new(g.id), Entries: entries,
	})
	if err != nil {
		return statusDropped
	}
	return 0
}

func (g *Group) takeProposals() []*pb.Entry {
	entries := g.proposals
	g.proposals = nil
	return entries
}

// isWriting says whether the host has a write under way. What is proposed meanwhile could not be written
// before it ends, so it waits and shares the next append, and the messages that go with it.
func (g *Group) isWriting() bool {
	for _, write := range g.appends {
		if write.slow {
			return true
		}
	}
	return false
}

// proposeForwarded hands raft what other nodes forwarded. If raft drops it (this node no longer leads,
// or too much is uncommitted) it is lost, as a message may be; its proposers offer it again.
func (g *Group) proposeForwarded() {
	if g.isWriting() {
		return
	}
	if entries := g.takeProposals(); len(entries) > 0 {
		g.propose(entries)
	}
}

// Step gives raft a message from another node. The host has checked the connection it came on; here
// the message itself is checked (DESIGN, safety rule 9; etcd raft rawnode.go, Step). A MsgSnap is taken
// only if withSnapshot says that the file that belongs to it has arrived and is durable, or if it is no
// news here: then raft's answer tells the leader how far this node is, and no file is needed.
func (g *Group) Step(from uint64, input []byte, withSnapshot bool) int32 {
	m, err := parseMessage(input)
	if err != nil {
		return statusMalformed
	}
	// A follower passes a transfer on in the name of the transferee (raft.go, stepFollower); every
	// other message is sent in the sender's own name.
	ownName := m.GetFrom() == from || m.GetType() == pb.MsgTransferLeader
	if m.GetTo() != g.id || !ownName || from == g.id || raft.IsLocalMsgTarget(m.GetFrom()) {
		return statusRefused
	}
	if typ := m.GetType(); typ < 0 || raft.IsLocalMsg(typ) {
		return statusRefused
	}
	if !g.isWellFormed(m) {
		return statusMalformed
	}
	switch m.GetType() {
	case pb.MsgSnap:
		if raft.IsEmptySnap(m.GetSnapshot()) {
			return statusMalformed
		}
		isNews := m.GetSnapshot().GetMetadata().GetIndex() > g.node.BasicStatus().GetCommit()
		if isNews && !withSnapshot {
			return statusRefused
		}
	case pb.MsgTransferLeader:
		// Raft would pass it on with the term it came with, and panic over that.
		if g.node.BasicStatus().RaftState != raft.StateLeader {
			return statusDropped
		}
	case pb.MsgReadIndex:
		g.asked[from] = g.ticks
	case pb.MsgProp:
		g.asked[from] = g.ticks
		if g.node.BasicStatus().RaftState == raft.StateLeader {
			g.proposals = append(g.proposals, m.GetEntries()...)
			return 0
		}
	}
	switch err := g.node.Step(m); err {
	case nil:
		return 0
	case raft.ErrStepLocalMsg:
		return statusRefused
	case raft.ErrStepPeerNotFound:
		return statusUnknownPeer
	case raft.ErrProposalDropped:
		return statusDropped
	default:
		return statusRefused
	}
}

// IsDue says whether Ready has something to write.
func (g *Group) IsDue() bool {
	return len(g.outbox) > 0 || (len(g.proposals) > 0 && !g.isWriting()) || g.node.HasReady()
}

// Ready writes the work that is due and reports whether there was any.
func (g *Group) Ready(w *writer) bool {
	if !g.IsDue() {
		return false
	}
	g.Take(w)
	return true
}

// Take writes the work that is due, which the caller knows there is, and reports whether more is due.
func (g *Group) Take(w *writer) bool {
	g.proposeForwarded()
	rd := g.node.Ready()
	// A Ready names these two only if they differ from those of the Ready before it.
	if rd.SoftState != nil {
		g.soft = *rd.SoftState
	}
	if !raft.IsEmptyHardState(rd.HardState) {
		g.hard = rd.HardState
	}
	w.u8(uint8(g.soft.RaftState))
	w.u64(g.soft.Lead)
	w.u64(g.hard.GetTerm())
	w.u64(g.hard.GetVote())
	w.u64(g.hard.GetCommit())

	w.u32(uint32(len(rd.ReadStates)))
	for _, rs := range rd.ReadStates {
		w.u64(rs.Index)
		w.bytes(rs.RequestCtx)
	}

	var appendMsg, applyMsg *pb.Message
	network := g.outbox
	g.outbox = nil
	for _, m := range rd.Messages {
		switch m.GetTo() {
		case raft.LocalAppendThread:
			appendMsg = m
		case raft.LocalApplyThread:
			applyMsg = m
		default:
			network = append(network, m)
		}
	}
	w.u32(uint32(len(network)))
	for _, m := range network {
		g.noteReads(m)
		w.message(m, g.waits(m))
	}
	if appendMsg == nil {
		w.u8(0)
	} else {
		w.u8(1)
		g.append(w, appendMsg)
	}
	if applyMsg == nil {
		w.u8(0)
	} else {
		w.u8(1)
		w.u32(g.ticket(&g.applies, applyMsg))
		w.block(applyMsg.GetEntries())
	}
	// A Ready takes everything but the committed entries that are too many for it.
	return len(rd.CommittedEntries) > 0 && g.IsDue()
}

// waits says whether nobody is held up if m leaves a little later, or not at all if a newer append to the
// same node leaves before it: it brings no entries, only a commit index, and every append brings one.
func (g *Group) waits(m *pb.Message) bool {
	if m.GetType() != pb.MsgApp || len(m.GetEntries()) > 0 {
		return false
	}
	at, hasAsked := g.asked[m.GetTo()]
	return !hasAsked || g.ticks-at > askedTicks
}

// Tick is one tick of the logical clock.
func (g *Group) Tick() {
	g.ticks++
	g.node.Tick()
}

func (g *Group) ticket(queue *[]storageWrite, m *pb.Message) uint32 {
	g.lastTicket++
	*queue = append(*queue, storageWrite{ticket: g.lastTicket, msg: m})
	return g.lastTicket
}

// append writes a MsgStorageAppend without its responses, which stay here until Appended.
func (g *Group) append(w *writer, m *pb.Message) {
	w.u32(g.ticket(&g.appends, m))
	term, vote := g.writtenTerm, g.writtenVote
	if m.Term != nil { // raft sets all three fields of the hard state, or none
		term, vote = m.GetTerm(), m.GetVote()
		w.u8(1)
		w.u64(term)
		w.u64(vote)
		w.u64(m.GetCommit())
	} else {
		w.u8(0)
	}
	snapshot := m.GetSnapshot()
	mustSync := len(m.GetEntries()) > 0 || !raft.IsEmptySnap(snapshot) ||
		term != g.writtenTerm || vote != g.writtenVote
	g.writtenTerm, g.writtenVote = term, vote
	g.appends[len(g.appends)-1].slow = mustSync
	if mustSync {
		w.u8(1)
	} else {
		w.u8(0)
	}
	if raft.IsEmptySnap(snapshot) {
		w.u8(0)
	} else {
		w.u8(1)
		w.u64(snapshot.GetMetadata().GetIndex())
		w.u64(snapshot.GetMetadata().GetTerm())
		w.confState(snapshot.GetMetadata().GetConfState())
	}
	entries := m.GetEntries()
	if len(entries) > 0 {
		g.lastHandedOut = entries[len(entries)-1].GetIndex()
	} else if !raft.IsEmptySnap(snapshot) {
		g.lastHandedOut = snapshot.GetMetadata().GetIndex()
	}
	w.u32(uint32(len(entries)))
	w.block(entries)
}

// Appended says that every append up to and including ticket is durable. Only now may anything that
// answers for it be delivered (DESIGN, safety rule 1; etcd raft doc.go, AsyncStorageWrites).
func (g *Group) Appended(ticket uint32) int32 {
	for len(g.appends) > 0 && g.appends[0].ticket <= ticket {
		m := g.appends[0].msg
		g.appends = g.appends[1:]
		if snapshot := m.GetSnapshot(); !raft.IsEmptySnap(snapshot) {
			if err := g.storage.ApplySnapshot(snapshot); err != nil {
				panic(err)
			}
			g.snapshotIndex = snapshot.GetMetadata().GetIndex()
		}
		if err := g.storage.Append(m.GetEntries()); err != nil {
			panic(err)
		}
		if m.Term != nil {
			hard := &pb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
			if err := g.storage.SetHardState(hard); err != nil {
				panic(err)
			}
		}
		g.deliver(m.GetResponses())
	}
	return 0
}

// Applied says that every handed-out batch of committed entries up to ticket has been applied.
func (g *Group) Applied(ticket uint32) int32 {
	for len(g.applies) > 0 && g.applies[0].ticket <= ticket {
		m := g.applies[0].msg
		g.applies = g.applies[1:]
		g.deliver(m.GetResponses())
	}
	return 0
}

// deliver passes responses on as they are: their term is the one they were made with and is never
// stamped anew (rawnode.go, newStorageAppendRespMsg, on the ABA problem).
func (g *Group) deliver(responses []*pb.Message) {
	for _, m := range responses {
		if m.GetTo() == g.id {
			// An error here is raft saying the response is out of date, which it is allowed to be.
			_ = g.node.Step(m)
		} else {
			g.outbox = append(g.outbox, m)
		}
	}
}

// ReadIndex asks for a read state under a context that must never have been used before, by any node.
func (g *Group) ReadIndex(context []byte) {
	g.node.ReadIndex(append([]byte(nil), context...))
}

// Snapshotted says that a snapshot file at an applied index is durable and known to the log.
func (g *Group) Snapshotted(input []byte) int32 {
	r := &reader{buf: input}
	index, conf := r.u64(), r.confState()
	if r.err != nil {
		return statusMalformed
	}
	_, err := g.storage.CreateSnapshot(index, conf, nil)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return 0 // a newer one was installed from the leader in the meantime
	}
	if err != nil {
		panic(err)
	}
	g.snapshotIndex = index
	return 0
}

// Compact drops the entries up to and including index from memory.
func (g *Group) Compact(index uint64) int32 {
	if index > g.snapshotIndex {
		return statusInvalidState // only what a snapshot holds may go
	}
	if err := g.storage.Compact(index); err != nil && !errors.Is(err, raft.ErrCompacted) {
		panic(err)
	}
	return 0
}

// ProposeConfChange offers a change of the configuration, encoded as a raftpb.ConfChangeV2.
func (g *Group) ProposeConfChange(input []byte) int32 {
	cc := &pb.ConfChangeV2{}
	if err := proto.Unmarshal(input, cc); err != nil {
		return statusMalformed
	}
	if err := g.node.ProposeConfChange(cc); err != nil {
		return statusDropped
	}
	return 0
}

// ApplyConfChange applies a committed entry of type ConfChange or ConfChangeV2 and writes the
// configuration it leads to.
func (g *Group) ApplyConfChange(entryType uint8, data []byte, w *writer) int32 {
	var change pb.ConfChangeI
	switch pb.EntryType(entryType) {
	case pb.EntryConfChange:
		cc := &pb.ConfChange{}
		if proto.Unmarshal(data, cc) != nil {
			return statusMalformed
		}
		change = cc
	case pb.EntryConfChangeV2:
		cc := &pb.ConfChangeV2{}
		if proto.Unmarshal(data, cc) != nil {
			return statusMalformed
		}
		change = cc
	default:
		return statusMalformed
	}
	w.confState(g.node.ApplyConfChange(change))
	return int32(len(w.buf))
}

// Status writes where this node stands and, on the leader, how far every other node is.
func (g *Group) Status(w *writer) {
	first, _ := g.storage.FirstIndex()
	last, _ := g.storage.LastIndex()
	basic := g.node.BasicStatus()
	w.u8(uint8(basic.RaftState))
	w.u64(basic.Lead)
	w.u64(basic.HardState.GetTerm())
	w.u64(basic.HardState.GetVote())
	w.u64(basic.HardState.GetCommit())
	w.u64(basic.LeadTransferee)
	w.u64(first)
	w.u64(last)
	w.u64(g.snapshotIndex)
	w.confState(g.confState())
	count := len(w.buf)
	w.u32(0)
	peers := uint32(0)
	if basic.RaftState == raft.StateLeader {
		g.node.WithProgress(func(id uint64, _ raft.ProgressType, pr tracker.Progress) {
			peers++
			w.u64(id)
			w.u64(pr.Match)
			w.u64(pr.Next)
			w.u8(uint8(pr.State))
			if pr.RecentActive {
				w.u8(1)
			} else {
				w.u8(0)
			}
		})
	}
	putU32(w.buf[count:], peers)
}

func (g *Group) confState() *pb.ConfState {
	// BasicStatus leaves the configuration out; Status carries it.
	config := g.node.Status().Config
	cs := &pb.ConfState{
		Voters:         config.Voters[0].Slice(),
		VotersOutgoing: config.Voters[1].Slice(),
		AutoLeave:      new(config.AutoLeave),
	}
	for id := range config.Learners {
		cs.Learners = append(cs.Learners, id)
	}
	for id := range config.LearnersNext {
		cs.LearnersNext = append(cs.LearnersNext, id)
	}
	sortIDs(cs.Learners)
	sortIDs(cs.LearnersNext)
	return cs
}

func (g *Group) reportSnapshot(id uint64, ok bool) {
	status := raft.SnapshotFinish
	if !ok {
		status = raft.SnapshotFailure
	}
	g.node.ReportSnapshot(id, status)
}
