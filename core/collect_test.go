package main

import "testing"

func TestTheCollectorsGetTheProcessorWhereTheHeapHasOutgrownItsGoal(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		objects, goal uint64
		behind        bool
	}{
		{4 * mib, 8 * mib, false},
		{15 * mib, 8 * mib, false}, // not swept yet
		{17 * mib, 8 * mib, true},
		{400 * mib, 500 * mib, false},
	} {
		if isBehind(c.objects, c.goal) != c.behind {
			t.Errorf("%d MiB with a goal of %d: behind is %v", c.objects/mib, c.goal/mib, !c.behind)
		}
	}
	letCollect()
	if heapSamples[0].Value.Uint64() == 0 || heapSamples[1].Value.Uint64() == 0 {
		t.Error("the runtime does not say how large the heap is")
	}
}
