package main

import (
	"fmt"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// loop carries out the work of three groups as src/node does, without keeping anything.
type loop struct {
	groups  map[uint64]*Group
	out     writer
	applied int
}

// turn takes one Ready of one group; its work is durable at once.
func (l *loop) turn(id uint64) bool {
	g := l.groups[id]
	if !g.IsDue() {
		return false
	}
	l.out.buf = l.out.buf[:0]
	g.Take(&l.out)
	r := &reader{buf: append([]byte(nil), l.out.buf...)}
	r.take(1 + 8 + 3*8)
	for n := r.u32(); n > 0; n-- {
		r.u64()
		r.take(int(r.u32()))
	}
	for n := r.u32(); n > 0; n-- {
		to := r.u64()
		r.take(1 + 3*8)
		l.groups[to].Step(id, r.take(int(r.u32())), false)
	}
	if r.u8() == 1 {
		ticket := r.u32()
		if r.u8() == 1 {
			r.take(3 * 8)
		}
		r.take(2) // mustSync; no snapshot
		r.u32()
		r.take(int(r.u32()))
		g.Appended(ticket)
	}
	if r.u8() == 1 {
		ticket := r.u32()
		block := r.take(int(r.u32()))
		l.applied += int((&reader{buf: block}).u32())
		g.Applied(ticket)
	}
	return true
}

func (l *loop) settle() {
	for busy := true; busy; {
		busy = false
		for id := uint64(1); id <= 3; id++ {
			for l.turn(id) {
				busy = true
			}
		}
	}
}

// Commands of the size of a printer's creation, from the leader's call to applied everywhere.
func BenchmarkThreeReplicas(b *testing.B) {
	for _, size := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("%d-commands", size), func(b *testing.B) {
			l := &loop{groups: map[uint64]*Group{}}
			for id := uint64(1); id <= 3; id++ {
				l.groups[id] = open(b, id, founded(1, 2, 3))
			}
			leader := l.groups[1]
			if err := leader.node.Campaign(); err != nil {
				b.Fatal(err)
			}
			l.settle()
			if leader.node.BasicStatus().RaftState != raft.StateLeader {
				b.Fatal("no leader")
			}
			w := &writer{}
			w.u32(uint32(size))
			for range size {
				w.bytes(make([]byte, 200))
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if status := leader.Propose(w.buf); status != 0 {
					b.Fatal(status)
				}
				l.settle()
				if n%64 == 63 {
					b.StopTimer()
					l.compact(b)
					b.StartTimer()
				}
			}
		})
	}
}

// compact drops what is applied, as snapshots allow a node to do from time to time.
func (l *loop) compact(b *testing.B) {
	for _, g := range l.groups {
		index := g.node.BasicStatus().Applied
		w := &writer{}
		w.u64(index)
		w.confState(&pb.ConfState{Voters: []uint64{1, 2, 3}})
		if status := g.Snapshotted(w.buf); status != 0 {
			b.Fatal(status)
		}
		if status := g.Compact(index); status != 0 {
			b.Fatal(status)
		}
	}
}
