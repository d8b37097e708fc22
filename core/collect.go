package main

import (
	"runtime"
	"runtime/metrics"
)

// Go collects garbage with goroutines of its own, and lets those that allocate assist them. In this module hardly
// anything but the host's calls ever runs, one after the other and each to its end, so all of the work falls to assists.
// There are two ways for them to stop, with a collection under way and everything that is allocated counting as alive:
//
//   - An assist is paid by the work that seems to be left, and does at least 64 KiB of it (runtime/mgcpacer.go, revise and
//     gcOverAssistWork). Where a collection finds more to look at than the last one did, hardly any seems to be left for
//     a moment, and one assist has earned its goroutine as much to allocate as several heaps: 82 MiB were seen.
//   - Go's limiter (runtime/mgclimit.go) stops assists where collecting takes more than half of the time, which on a
//     machine that stood still for a moment during an assist it does, and only those who collect look at it again. This
//     has no end.
//
// Elsewhere the collectors end what assists do not. So they are given the processor where a collection is overdue.

const (
	// collectTicks is how often that is looked for.
	collectTicks = 8
	// collectSlack is what may be allocated beyond what a collection in order needs. Go's smallest heap is as large.
	collectSlack = 4 << 20
)

var heapSamples = []metrics.Sample{
	{Name: "/gc/cycles/total:gc-cycles"}, // those that have ended
	{Name: "/gc/heap/allocs:bytes"},      // since the start
	{Name: "/gc/heap/goal:bytes"},
}

// collections is what was seen of Go's collections so far.
type collections struct {
	ended     uint64
	allocated uint64 // when the last one that ended was first seen to have
}

// areOverdue says whether the collection that should have ended by now has not. A heap may grow from what the last one
// left to its goal, which is about twice that and 4 MiB at least, before the next one has ended. It may grow further where
// what is kept does (runtime/mgcpacer.go, revise); that is taken for overdue, too, and costs yields that help it end.
func (c *collections) areOverdue(ended, allocated, goal uint64) bool {
	if ended != c.ended {
		c.ended, c.allocated = ended, allocated
	}
	return allocated-c.allocated > goal/2+collectSlack
}

var seen collections

// letCollect lets the collectors run if they are overdue, until they have worked for three tenths of the time since the
// collection began (runtime/mgc.go, pollFractionalWorkerExit) or have ended it.
func letCollect() {
	metrics.Read(heapSamples)
	value := func(at int) uint64 { return heapSamples[at].Value.Uint64() }
	if seen.areOverdue(value(0), value(1), value(2)) {
		runtime.Gosched()
	}
}
