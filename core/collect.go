package main

import (
	"runtime"
	"runtime/metrics"
)

// Go collects garbage with goroutines of its own, and lets those that allocate assist them. In this module nothing but
// the host's calls ever runs, one after the other and each to its end, so all of the work falls to assists. That goes
// well until Go's limiter (runtime/mgclimit.go) finds that collecting takes half of the time, which on a machine that
// stood still for a moment during an assist it does: it stops assists, is looked at again only by those who collect, and
// there are none. The collection never ends, and memory grows without one. So the collectors are given the processor
// where the heap has outgrown its goal.

const (
	// collectTicks is how often the heap is looked at.
	collectTicks = 8
	// collectSlack is by how much it may be larger than its goal: it is, for a moment, after every collection.
	collectSlack = 8 << 20
)

var heapSamples = []metrics.Sample{
	{Name: "/memory/classes/heap/objects:bytes"},
	{Name: "/gc/heap/goal:bytes"},
}

// isBehind says whether the heap has outgrown its goal.
func isBehind(objects, goal uint64) bool { return objects > goal+collectSlack }

// letCollect lets the collectors run if they have fallen behind, for as long as they want to run at once.
func letCollect() {
	metrics.Read(heapSamples)
	if isBehind(heapSamples[0].Value.Uint64(), heapSamples[1].Value.Uint64()) {
		runtime.Gosched()
	}
}
