package main

import "testing"

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

func TestTheRuntimeSaysWhatItHasAllocatedAndWhatItsGoalIs(t *testing.T) {
	letCollect()
	if heapSamples[1].Value.Uint64() == 0 || heapSamples[2].Value.Uint64() == 0 {
		t.Error("the runtime does not say what it has allocated, or what its goal is")
	}
}
