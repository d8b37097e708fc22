package main

import (
	"runtime"
	"runtime/metrics"
)

// Go collects garbage with goroutines of its own, and lets those that allocate assist them. In this module hardly
// anything but the host's calls ever runs, one after the other and each to its end, so all of the work falls to assists.
// That goes well until Go's limiter (runtime/mgclimit.go) finds that collecting takes more than half of the time, which
// on a machine that stood still for a moment during an assist it does: it stops assists, is looked at again only by those
// who collect, and there are none. The collection never ends, and memory grows without an end, too. So the collectors
// are given the processor where that has happened.

const (
	// collectTicks is how often it is looked for.
	collectTicks = 8
	// collectSlack is by how much the heap may be larger than its goal: less is not worth holding the node for.
	collectSlack = 8 << 20
)

var heapSamples = []metrics.Sample{
	{Name: "/gc/limiter/last-enabled:gc-cycle"}, // counts from 1
	{Name: "/gc/cycles/total:gc-cycles"},        // those that have ended
	{Name: "/memory/classes/heap/objects:bytes"},
	{Name: "/gc/heap/goal:bytes"},
}

// isHeldUp says whether the limiter has stopped the collection under way, and the heap has outgrown its goal.
func isHeldUp(limited, ended, objects, goal uint64) bool {
	return limited == ended+1 && objects > goal+collectSlack
}

// letCollect lets the collectors run if they are held up: for three tenths of the time since they began, at most
// (runtime/mgcmark.go, pollFractionalWorkerExit). The limiter is looked at then, and assists do the rest.
func letCollect() {
	metrics.Read(heapSamples)
	value := func(at int) uint64 { return heapSamples[at].Value.Uint64() }
	if isHeldUp(value(0), value(1), value(2), value(3)) {
		runtime.Gosched()
	}
}
