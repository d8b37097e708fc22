package main

import (
	"encoding/binary"

	"go.etcd.io/raft/v3/confchange"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Raft trusts its peers: it indexes tables by a message's type, takes term 0 for a message of its own, and
// panics over entries that do not follow each other. A frame's checksum says that the bytes are those that
// were sent, not that a correct node sent them. So what no correct node sends is refused here, before raft
// sees it, and costs one message instead of the whole instance.
//
// What is left to raft is what a correct node does send to one that has lost its log: a commit index beyond
// the log's end. That panic is wanted (src/raft/trap.ts says what it means).

// numberMax bounds terms and indexes, far below where the host's numbers end (2^53) and above what an
// hour of a million a second for every year of a century comes to.
const numberMax = 1 << 52

// isWellFormed says whether a correct node could have sent m to this one.
func (g *Group) isWellFormed(m *pb.Message) bool {
	for _, number := range []uint64{
		m.GetTerm(), m.GetIndex(), m.GetLogTerm(), m.GetCommit(), m.GetRejectHint(), m.GetVote(),
	} {
		if number > numberMax {
			return false
		}
	}
	switch m.GetType() {
	case pb.MsgProp:
		return m.GetTerm() == 0 && len(m.GetEntries()) > 0 && areProposals(m.GetEntries())
	case pb.MsgReadIndex:
		return m.GetTerm() == 0 && len(m.GetEntries()) == 1
	}
	if m.GetTerm() == 0 { // raft would take it for a message of its own
		return false
	}
	switch m.GetType() {
	case pb.MsgApp:
		return follow(m)
	case pb.MsgAppResp:
		// Nobody can have what was never handed out.
		return m.GetIndex() <= g.lastHandedOut
	case pb.MsgHeartbeat:
		return isCount(m.GetContext())
	case pb.MsgHeartbeatResp:
		return g.areReadsOurs(m)
	case pb.MsgReadIndexResp:
		return len(m.GetEntries()) == 1
	case pb.MsgSnap:
		return isWellFormedSnapshot(m)
	case pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp,
		pb.MsgTransferLeader, pb.MsgTimeoutNow:
		return true
	default:
		return false
	}
}

// isCount says whether the context of a heartbeat is what raft puts there: nothing, or a count of reads
// (raft read_only.go, heartbeatCtx).
func isCount(context []byte) bool {
	return len(context) == 0 || len(context) == 8
}

// noteReads remembers how many reads an outgoing heartbeat asks to be confirmed.
func (g *Group) noteReads(m *pb.Message) {
	if m.GetType() != pb.MsgHeartbeat || len(m.GetContext()) != 8 {
		return
	}
	if g.readsTerm != m.GetTerm() {
		g.readsTerm, g.lastReads = m.GetTerm(), 0
	}
	g.lastReads = max(g.lastReads, binary.LittleEndian.Uint64(m.GetContext()))
}

// areReadsOurs says whether this leader asked for as many reads to be confirmed as m confirms: raft cuts
// that many off its queue without looking (raft read_only.go, maybeAdvance).
func (g *Group) areReadsOurs(m *pb.Message) bool {
	context := m.GetContext()
	if len(context) == 0 {
		return true
	}
	return isCount(context) && m.GetTerm() <= g.readsTerm &&
		(m.GetTerm() < g.readsTerm || binary.LittleEndian.Uint64(context) <= g.lastReads)
}

// areProposals says whether a leader can give these entries their places.
func areProposals(entries []*pb.Entry) bool {
	for _, e := range entries {
		if e.GetIndex() != 0 || e.GetTerm() != 0 || !isReadable(e) {
			return false
		}
	}
	return true
}

// follow says whether the entries of a MsgApp stand behind its index and behind each other.
func follow(m *pb.Message) bool {
	index, term := m.GetIndex(), m.GetLogTerm()
	for _, e := range m.GetEntries() {
		if e.GetIndex() != index+1 || e.GetTerm() < term || e.GetTerm() == 0 || !isReadable(e) {
			return false
		}
		index, term = e.GetIndex(), e.GetTerm()
	}
	return term <= m.GetTerm()
}

// isReadable says whether raft will be able to decode an entry, if that is for raft to do.
func isReadable(e *pb.Entry) bool {
	switch e.GetType() {
	case pb.EntryNormal:
		return true
	case pb.EntryConfChange:
		return proto.Unmarshal(e.GetData(), &pb.ConfChange{}) == nil
	case pb.EntryConfChangeV2:
		return proto.Unmarshal(e.GetData(), &pb.ConfChangeV2{}) == nil
	default:
		return false
	}
}

func isWellFormedSnapshot(m *pb.Message) bool {
	meta := m.GetSnapshot().GetMetadata()
	index, term := meta.GetIndex(), meta.GetTerm()
	if index > numberMax || term == 0 || term > m.GetTerm() {
		return false
	}
	conf := meta.GetConfState()
	if conf == nil || len(conf.GetVoters()) == 0 {
		return false
	}
	// As raft restores it, which panics where this does not come back to what was said.
	changer := confchange.Changer{Tracker: tracker.MakeProgressTracker(1, 0), LastIndex: index}
	config, progress, err := confchange.Restore(changer, conf)
	if err != nil {
		return false
	}
	changer.Tracker.Config, changer.Tracker.Progress = config, progress
	return conf.Equivalent(changer.Tracker.ConfState()) == nil
}
