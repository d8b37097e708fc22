package main

import (
	"encoding/binary"
	"errors"
	"slices"

	pb "go.etcd.io/raft/v3/raftpb"
)

// The flat encoding of src/raft/codec.ts: little endian, no padding, lengths before bytes.

var errShort = errors.New("input ends before its content does")

// writer appends to a buffer that is reused from call to call.
type writer struct{ buf []byte }

func (w *writer) u8(v uint8)   { w.buf = append(w.buf, v) }
func (w *writer) u32(v uint32) { w.buf = binary.LittleEndian.AppendUint32(w.buf, v) }
func (w *writer) u64(v uint64) { w.buf = binary.LittleEndian.AppendUint64(w.buf, v) }

func (w *writer) bytes(b []byte) {
	w.u32(uint32(len(b)))
	w.buf = append(w.buf, b...)
}

func (w *writer) ids(ids []uint64) {
	w.u32(uint32(len(ids)))
	for _, id := range ids {
		w.u64(id)
	}
}

func (w *writer) confState(cs *pb.ConfState) {
	w.ids(cs.GetVoters())
	w.ids(cs.GetLearners())
	w.ids(cs.GetVotersOutgoing())
	w.ids(cs.GetLearnersNext())
	if cs.GetAutoLeave() {
		w.u8(1)
	} else {
		w.u8(0)
	}
}

// mayWait marks the type of a message that tells nothing but a commit index, to somebody who did not ask.
const mayWait = 0x80

// message writes what the host must know of a message, and the message as it is to be sent.
func (w *writer) message(m *pb.Message, waits bool) {
	w.u64(m.GetTo())
	if typ := uint8(m.GetType()); waits {
		w.u8(typ | mayWait)
	} else {
		w.u8(typ)
	}
	w.u64(m.GetTerm())
	if m.GetType() == pb.MsgSnap {
		w.u64(m.GetSnapshot().GetMetadata().GetIndex())
		w.u64(m.GetSnapshot().GetMetadata().GetTerm())
	} else {
		w.u64(m.GetIndex())
		w.u64(m.GetLogTerm())
	}
	at := w.begin()
	w.buf = appendMessage(w.buf, m)
	w.end(at)
}

// block writes entries with their length before them: the host stores or keeps the block as it is.
func (w *writer) block(entries []*pb.Entry) {
	at := w.begin()
	w.entries(entries)
	w.end(at)
}

// begin leaves room for the length of what is written until end.
func (w *writer) begin() int {
	at := len(w.buf)
	w.u32(0)
	return at
}

func (w *writer) end(at int) { putU32(w.buf[at:], uint32(len(w.buf)-at-4)) }

// entries writes the block that the log of src/storage stores as it is.
func (w *writer) entries(entries []*pb.Entry) {
	w.u32(uint32(len(entries)))
	for _, e := range entries {
		w.u64(e.GetIndex())
		w.u64(e.GetTerm())
		w.u8(uint8(e.GetType()))
		w.bytes(e.GetData())
	}
}

// reader takes values off the front of the input; the first failure sticks.
type reader struct {
	buf []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || len(r.buf) < n {
		r.err = errShort
		return nil
	}
	b := r.buf[:n]
	r.buf = r.buf[n:]
	return b
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bytes returns a copy: the input buffer belongs to the host and is overwritten by the next call.
func (r *reader) bytes() []byte {
	b := r.take(int(r.u32()))
	if b == nil {
		return nil
	}
	return append([]byte(nil), b...)
}

// shared returns bytes that stay a part of the input; nil if there are none.
func (r *reader) shared() []byte {
	b := r.take(int(r.u32()))
	if len(b) == 0 {
		return nil
	}
	return b[:len(b):len(b)]
}

func (r *reader) ids() []uint64 {
	n := int(r.u32())
	if n < 0 || n > len(r.buf)/8 {
		r.err = errShort
		return nil
	}
	var ids []uint64
	for range n {
		ids = append(ids, r.u64())
	}
	return ids
}

func (r *reader) confState() *pb.ConfState {
	cs := &pb.ConfState{
		Voters:         r.ids(),
		Learners:       r.ids(),
		VotersOutgoing: r.ids(),
		LearnersNext:   r.ids(),
	}
	cs.AutoLeave = new(r.u8() != 0)
	return cs
}

// entryBytesMin is what an entry without data takes.
const entryBytesMin = 8 + 8 + 1 + 4

func (r *reader) entries() []*pb.Entry {
	n := int(r.u32())
	if n < 0 || n > len(r.buf)/entryBytesMin {
		r.err = errShort
		return nil
	}
	r.buf = append([]byte(nil), r.buf...) // one copy for all of them: the input is the host's
	slab := makeEntrySlab(n)
	for range n {
		e, typ, term, index := slab.next()
		*index, *term = r.u64(), r.u64()
		*typ = pb.EntryType(r.u8())
		e.Index, e.Term, e.Type, e.Data = index, term, typ, r.shared()
	}
	return slab.list
}

// commands reads what is proposed: entries of which raft will say the index and the term.
func (r *reader) commands() []*pb.Entry {
	n := int(r.u32())
	if n < 0 || n > len(r.buf)/4 {
		r.err = errShort
		return nil
	}
	r.buf = append([]byte(nil), r.buf...)
	entries := make([]pb.Entry, n)
	list := make([]*pb.Entry, n)
	for i := range list {
		entries[i].Data = r.shared()
		list[i] = &entries[i]
	}
	return list
}

func putU32(at []byte, v uint32) { binary.LittleEndian.PutUint32(at, v) }

// sortIDs makes the order of a set the same in every run: Go walks maps in random order.
func sortIDs(ids []uint64) { slices.Sort(ids) }
