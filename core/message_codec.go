package main

import (
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Messages between nodes are protobuf, as raftpb defines them. The library finds its way through them by
// reflection and makes six objects of every entry; most of what the core did under load was that. What is
// written here gives the same bytes and reads them in the same way for what raft sends all the time, and
// leaves the rest to the library: snapshots, responses inside messages, fields of other versions.
// message_codec_test.go holds the two against each other.

// Numbers of fields (raftpb/raft.proto).
const (
	msgType       = 1
	msgTo         = 2
	msgFrom       = 3
	msgTerm       = 4
	msgLogTerm    = 5
	msgIndex      = 6
	msgEntries    = 7
	msgCommit     = 8
	msgReject     = 10
	msgRejectHint = 11
	msgContext    = 12
	msgVote       = 13

	entryType  = 1
	entryTerm  = 2
	entryIndex = 3
	entryData  = 4
)

// appendMessage appends the encoding of m to buf.
func appendMessage(buf []byte, m *pb.Message) []byte {
	if m.Snapshot != nil || len(m.Responses) > 0 {
		encoded, err := proto.MarshalOptions{}.MarshalAppend(buf, m)
		if err != nil {
			panic(err) // a message raft made itself always encodes
		}
		return encoded
	}
	if m.Type != nil {
		buf = appendNumber(buf, msgType, uint64(*m.Type))
	}
	buf = appendOptional(buf, msgTo, m.To)
	buf = appendOptional(buf, msgFrom, m.From)
	buf = appendOptional(buf, msgTerm, m.Term)
	buf = appendOptional(buf, msgLogTerm, m.LogTerm)
	buf = appendOptional(buf, msgIndex, m.Index)
	for _, e := range m.Entries {
		buf = protowire.AppendTag(buf, msgEntries, protowire.BytesType)
		buf = protowire.AppendVarint(buf, uint64(entrySize(e)))
		buf = appendEntry(buf, e)
	}
	buf = appendOptional(buf, msgCommit, m.Commit)
	if m.Reject != nil {
		buf = appendNumber(buf, msgReject, protowire.EncodeBool(*m.Reject))
	}
	buf = appendOptional(buf, msgRejectHint, m.RejectHint)
	if m.Context != nil {
		buf = protowire.AppendTag(buf, msgContext, protowire.BytesType)
		buf = protowire.AppendBytes(buf, m.Context)
	}
	return appendOptional(buf, msgVote, m.Vote)
}

func appendNumber(buf []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(buf, field, protowire.VarintType), v)
}

func appendOptional(buf []byte, field protowire.Number, v *uint64) []byte {
	if v == nil {
		return buf
	}
	return appendNumber(buf, field, *v)
}

func appendEntry(buf []byte, e *pb.Entry) []byte {
	if e.Type != nil {
		buf = appendNumber(buf, entryType, uint64(*e.Type))
	}
	buf = appendOptional(buf, entryTerm, e.Term)
	buf = appendOptional(buf, entryIndex, e.Index)
	if e.Data != nil {
		buf = protowire.AppendTag(buf, entryData, protowire.BytesType)
		buf = protowire.AppendBytes(buf, e.Data)
	}
	return buf
}

func entrySize(e *pb.Entry) int {
	size := 0
	if e.Type != nil {
		size += 1 + protowire.SizeVarint(uint64(*e.Type))
	}
	if e.Term != nil {
		size += 1 + protowire.SizeVarint(*e.Term)
	}
	if e.Index != nil {
		size += 1 + protowire.SizeVarint(*e.Index)
	}
	if e.Data != nil {
		size += 1 + protowire.SizeBytes(len(e.Data))
	}
	return size
}

// parseMessage decodes a message that lies in the host's buffer. What it returns refers to a copy.
func parseMessage(input []byte) (*pb.Message, error) {
	m := &pb.Message{}
	if fastParse(append([]byte(nil), input...), m) {
		return m, nil
	}
	proto.Reset(m)
	return m, proto.Unmarshal(input, m)
}

// field is one field of a message: a number, or bytes.
type field struct {
	number  protowire.Number
	isBytes bool
	value   uint64
	bytes   []byte // a part of what it was read from
}

// nextField reads the field at the front of buf. False: there is none, or one of another type.
func nextField(buf []byte) (f field, rest []byte, ok bool) {
	number, wire, n := protowire.ConsumeTag(buf)
	if n < 0 {
		return f, nil, false
	}
	f.number, buf = number, buf[n:]
	switch wire {
	case protowire.VarintType:
		f.value, n = protowire.ConsumeVarint(buf)
	case protowire.BytesType:
		f.isBytes = true
		f.bytes, n = protowire.ConsumeBytes(buf)
		f.bytes = f.bytes[:len(f.bytes):len(f.bytes)]
	default:
		return f, nil, false
	}
	if n < 0 {
		return f, nil, false
	}
	return f, buf[n:], true
}

// fastParse decodes into m, which keeps parts of buf. False: this is for the library, be it because it is
// no message at all.
func fastParse(buf []byte, m *pb.Message) bool {
	entries, ok := newEntrySlab(buf)
	if !ok {
		return false
	}
	for len(buf) > 0 {
		f, rest, ok := nextField(buf)
		if !ok {
			return false
		}
		buf = rest
		if f.isBytes {
			switch f.number {
			case msgEntries:
				if !entries.add(f.bytes) {
					return false
				}
			case msgContext:
				m.Context = f.bytes
			default:
				return false
			}
			continue
		}
		value := f.value
		switch f.number {
		case msgType:
			m.Type = pb.MessageType(int32(value)).Enum()
		case msgTo:
			m.To = &value
		case msgFrom:
			m.From = &value
		case msgTerm:
			m.Term = &value
		case msgLogTerm:
			m.LogTerm = &value
		case msgIndex:
			m.Index = &value
		case msgCommit:
			m.Commit = &value
		case msgReject:
			m.Reject = new(protowire.DecodeBool(value))
		case msgRejectHint:
			m.RejectHint = &value
		case msgVote:
			m.Vote = &value
		default:
			return false
		}
	}
	m.Entries = entries.list
	return true
}

// entrySlab makes all entries of a message at once, with their numbers: four objects, however many there are.
type entrySlab struct {
	list    []*pb.Entry
	entries []pb.Entry
	numbers []uint64
	types   []pb.EntryType
}

// newEntrySlab makes room for the entries of the message in buf. False: this is for the library.
func newEntrySlab(buf []byte) (entrySlab, bool) {
	count := 0
	for len(buf) > 0 {
		f, rest, ok := nextField(buf)
		if !ok {
			return entrySlab{}, false
		}
		if f.number == msgEntries {
			count++
		}
		buf = rest
	}
	return makeEntrySlab(count), true
}

func makeEntrySlab(count int) entrySlab {
	if count == 0 {
		return entrySlab{}
	}
	return entrySlab{
		list:    make([]*pb.Entry, 0, count),
		entries: make([]pb.Entry, count),
		numbers: make([]uint64, 2*count),
		types:   make([]pb.EntryType, count),
	}
}

// next is the next entry, still empty, and where its type, term and index go.
func (s *entrySlab) next() (*pb.Entry, *pb.EntryType, *uint64, *uint64) {
	at := len(s.list)
	e := &s.entries[at]
	s.list = append(s.list, e)
	return e, &s.types[at], &s.numbers[2*at], &s.numbers[2*at+1]
}

// add decodes one entry, which keeps its part of buf. False: there is something in it that raft never sends.
func (s *entrySlab) add(buf []byte) bool {
	e, typ, term, index := s.next()
	for len(buf) > 0 {
		f, rest, ok := nextField(buf)
		if !ok {
			return false
		}
		buf = rest
		switch {
		case f.isBytes && f.number == entryData:
			e.Data = f.bytes
		case f.isBytes:
			return false
		case f.number == entryType:
			*typ = pb.EntryType(int32(f.value))
			e.Type = typ
		case f.number == entryTerm:
			*term = f.value
			e.Term = term
		case f.number == entryIndex:
			*index = f.value
			e.Index = index
		default:
			return false
		}
	}
	return true
}
