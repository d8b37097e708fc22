package main

import (
	"bytes"
	"math/rand/v2"
	"testing"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// messageSource draws messages: every field there or not, numbers of every length.
type messageSource struct{ r *rand.Rand }

func (s messageSource) number() *uint64 {
	if s.r.IntN(3) == 0 {
		return nil
	}
	return new(s.r.Uint64() >> s.r.IntN(64))
}

func (s messageSource) bytes() []byte {
	switch s.r.IntN(4) {
	case 0:
		return nil
	case 1:
		return []byte{}
	}
	b := make([]byte, s.r.IntN(300))
	for i := range b {
		b[i] = byte(s.r.Uint32())
	}
	return b
}

func (s messageSource) entry() *pb.Entry {
	e := &pb.Entry{Term: s.number(), Index: s.number(), Data: s.bytes()}
	if s.r.IntN(2) == 0 {
		e.Type = pb.EntryType(s.r.IntN(3)).Enum()
	}
	return e
}

func (s messageSource) message() *pb.Message {
	m := &pb.Message{
		To: s.number(), From: s.number(), Term: s.number(), LogTerm: s.number(), Index: s.number(),
		Commit: s.number(), RejectHint: s.number(), Vote: s.number(), Context: s.bytes(),
	}
	if s.r.IntN(8) > 0 {
		m.Type = pb.MessageType(s.r.IntN(24)).Enum()
	}
	if s.r.IntN(2) == 0 {
		m.Reject = new(s.r.IntN(2) == 0)
	}
	for range s.r.IntN(5) {
		m.Entries = append(m.Entries, s.entry())
	}
	if s.r.IntN(10) == 0 {
		m.Snapshot = snapshotOf(s.r.Uint64(), s.r.Uint64(), &pb.ConfState{Voters: []uint64{1, 2, 3}})
	}
	if s.r.IntN(10) == 0 {
		m.Responses = []*pb.Message{{To: s.number()}}
	}
	return m
}

func TestMessagesAreTheBytesThatTheLibraryMakes(t *testing.T) {
	source := messageSource{rand.New(rand.NewPCG(1, 2))}
	for range 20_000 {
		m := source.message()
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendMessage([]byte("before"), m); !bytes.Equal(got, append([]byte("before"), want...)) {
			t.Fatalf("%v\n got %x\nwant %x", m, got, want)
		}
		parsed, err := parseMessage(want)
		if err != nil || !proto.Equal(parsed, m) {
			t.Fatalf("parsed to %v (%v)\n    from %v", parsed, err, m)
		}
	}
}

func TestDamagedMessagesAreReadAsTheLibraryReadsThem(t *testing.T) {
	source := messageSource{rand.New(rand.NewPCG(3, 4))}
	taken := 0
	for range 100_000 {
		bytes := appendMessage(nil, source.message())
		for range 1 + source.r.IntN(3) {
			if len(bytes) == 0 {
				break
			}
			at := source.r.IntN(len(bytes))
			if source.r.IntN(4) == 0 {
				bytes = bytes[:at]
			} else {
				bytes[at] = byte(source.r.Uint32())
			}
		}
		want := &pb.Message{}
		wantErr := proto.Unmarshal(bytes, want)
		got, gotErr := parseMessage(bytes)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%x: got %v, the library %v", bytes, gotErr, wantErr)
		}
		if wantErr == nil {
			taken++
			if !proto.Equal(got, want) {
				t.Fatalf("%x:\n got %v\nwant %v", bytes, got, want)
			}
		}
	}
	if taken < 10_000 {
		t.Fatalf("only %d of the damaged messages could be read at all", taken)
	}
}

func TestAParsedMessageDoesNotReferToTheHostsBuffer(t *testing.T) {
	input := appendMessage(nil, &pb.Message{
		Type: pb.MsgApp.Enum(), Context: []byte("ctx"), Entries: []*pb.Entry{{Data: []byte("data")}},
	})
	m, err := parseMessage(input)
	if err != nil {
		t.Fatal(err)
	}
	clear(input)
	if string(m.GetContext()) != "ctx" || string(m.GetEntries()[0].GetData()) != "data" {
		t.Fatalf("%v changed with the host's buffer", m)
	}
}
