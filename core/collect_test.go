package main

import (
	"runtime"
	"testing"
)

func TestACollectionIsOverdueWhenMoreThanItNeedsHasBeenAllocatedSinceTheLastOneEnded(t *testing.T) {
	const mib = 1 << 20
	var seen collections
	for _, look := range []struct {
		ended, allocated, goal uint64
		overdue                bool
	}{
		{0, 6 * mib, 4 * mib, false},
		{0, 7 * mib, 4 * mib, true}, // the first one, too
		{1, 30 * mib, 4 * mib, false},
		{1, 36 * mib, 4 * mib, false}, // 6 MiB since it was first seen to have ended
		{1, 37 * mib, 4 * mib, true},
		{1, 38 * mib, 4 * mib, true}, // until it has ended
		{2, 39 * mib, 8 * mib, false},
		{5, 90 * mib, 8 * mib, false}, // several between two looks
		{5, 99 * mib, 8 * mib, true},
	} {
		if got := seen.areOverdue(look.ended, look.allocated, look.goal); got != look.overdue {
			t.Errorf("%d ended, %d MiB allocated, goal %d MiB: %v", look.ended, look.allocated/mib, look.goal/mib, got)
		}
	}
}

// kept is where the test below puts what it allocates.
var kept []byte

func TestTheRuntimeSaysWhatItHasAllocatedAndCollectedAndWhatItsGoalIs(t *testing.T) {
	const bytes = 8 << 20
	look := func() (ended, allocated, goal uint64) {
		letCollect()
		return heapSamples[0].Value.Uint64(), heapSamples[1].Value.Uint64(), heapSamples[2].Value.Uint64()
	}
	endedBefore, allocatedBefore, _ := look()
	kept = make([]byte, bytes)
	runtime.GC()
	ended, allocated, goal := look()
	if allocated < allocatedBefore+bytes || allocated > allocatedBefore+2*bytes {
		t.Errorf("%d bytes were allocated, and the runtime says %d", bytes, allocated-allocatedBefore)
	}
	if ended <= endedBefore {
		t.Errorf("a collection ended, and the runtime says %d after %d", ended, endedBefore)
	}
	if live := uint64(len(kept)); goal < 2*live || goal > 4*live {
		t.Errorf("%d bytes are kept, and the goal is %d", live, goal)
	}
}
